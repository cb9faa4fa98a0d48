package amqp

import (
	"errors"
	"strconv"
	"sync"
	"time"

	"github.com/narumq/naru/internal/broker"
	"github.com/narumq/naru/internal/record"
	wire "github.com/narumq/naru/internal/wire/amqp091"
)

// reading delivers a stream to one consumer, from its own place in it. Acks are credit and nothing else.
type reading struct {
	x     *consumer
	from  *broker.StreamReader
	woken chan struct{} // takes one
	over  chan struct{} // closed by end
	once  sync.Once
}

func newReading(x *consumer, from *broker.StreamReader) *reading {
	return &reading{x: x, from: from, woken: make(chan struct{}, 1), over: make(chan struct{})}
}

// wake lets it look at its credit again.
func (r *reading) wake() {
	select {
	case r.woken <- struct{}{}:
	default:
	}
}

// start begins to deliver.
func (r *reading) start() { go r.run() }

// end stops deliveries: none comes after it.
func (r *reading) end() {
	r.once.Do(func() {
		ch := r.x.ch
		ch.mu.Lock()
		r.x.ready = false
		ch.mu.Unlock()
		close(r.over)
	})
}

// run delivers until end.
func (r *reading) run() {
	defer r.from.Close()
	for !r.ended() {
		n := min(r.x.credit(), creditMax)
		if n == 0 {
			r.from.Pause()
			r.await(nil)
			continue
		}
		sent, more, err := r.deliver(n)
		if sent > 0 {
			r.x.ch.c.out.flush()
			r.x.ch.c.s.counters.delivered.Add(int64(sent))
		}
		switch {
		case errors.Is(err, broker.ErrQueueDeleted), errors.Is(err, broker.ErrQueueClosed):
			r.x.ch.c.s.gone(r.x.box.q)
			return
		case err != nil:
			r.x.ch.c.s.log.Warn("amqp: stream cannot be read", "stream", r.x.box.name, "error", err)
			timer := time.NewTimer(unreadAgain)
			r.await(timer.C)
			timer.Stop()
		case sent == 0 && !more:
			r.await(nil)
		}
	}
}

func (r *reading) ended() bool {
	select {
	case <-r.over:
		return true
	default:
		return false
	}
}

// await waits for news, for credit, for the time, or for the end.
func (r *reading) await(until <-chan time.Time) {
	news := r.from.C()
	if until != nil {
		news = nil // what cannot be read is news all the time
	}
	select {
	case <-r.woken:
	case <-news:
	case <-until:
	case <-r.over:
	}
}

// deliver puts up to n records into the output, to be flushed by the caller. more: there is another, and no credit for it any
// more, which only who asks for credit again is told about.
func (r *reading) deliver(n int) (sent int, more bool, err error) {
	for size := 0; sent < n && size < batchBytesMax; sent++ {
		rec, partition, err := r.from.Peek()
		if rec == nil || err != nil {
			return sent, false, err
		}
		out := *rec
		out.Headers = r.headers(rec, partition)
		if !r.x.deliver(&out, 1, nil) {
			return sent, true, nil
		}
		size += len(rec.Value)
		r.from.Advance()
	}
	return sent, true, nil
}

// headers are a record's with those that say where it is.
func (r *reading) headers(rec *record.Record, partition int32) []record.HeaderField {
	list := make([]record.HeaderField, 0, len(rec.Headers)+4)
	add := func(name string, value int64) {
		list = append(list, record.HeaderField{Key: headerTyped + name, Value: kindTexts[wire.KindInt64]},
			record.HeaderField{Key: name, Value: strconv.AppendInt(nil, value, 10)})
	}
	add(argStreamOffset, int64(rec.Offset))
	if r.from.Partitions() > 1 {
		add(headerStreamPartition, int64(partition))
	}
	for i := range rec.Headers {
		switch name, _ := fieldOf(rec.Headers[i].Key); name {
		case argStreamOffset, headerStreamPartition: // what a sender says of it does not count
		default:
			list = append(list, rec.Headers[i])
		}
	}
	return list
}
