package broker

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/narumq/naru/internal/commitlog"
	"github.com/narumq/naru/internal/record"
	"github.com/narumq/naru/internal/statelog"
)

const (
	linksMax       = 1_000
	linkReadBytes  = 256 << 10 // of one read
	linkRetry      = time.Second
	headerPriority = "amqp.priority"
)

// link copies the records of a topic into a queue, whoever wrote them, in the order of their partitions. How far it has come
// is on the log, a little behind; what was copied twice therefore, after a crash, is recognised by the queue: each batch
// of the topic is sent once.
type link struct {
	s      *slot
	name   linkName
	cancel context.CancelFunc // set by start
	grown  chan struct{}      // takes one: the topic has more partitions

	mu      sync.Mutex // guards what follows
	state   linkState
	running bool
	stopped bool
	saving  bool // a command is on its way
	unsaved bool
}

func newLink(s *slot, name linkName, state linkState) *link {
	return &link{s: s, name: name, state: state, grown: make(chan struct{}, 1)}
}

// over tells whether the link was stopped.
func (l *link) over() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.stopped
}

// replay takes up progress from the log; a link that runs knows better.
func (l *link) replay(s linkState) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.running && s.topic == l.state.topic && s.queue == l.state.queue {
		l.state = s
	}
}

// current tells whether topic and queue are those that were linked.
func (l *link) current(b *Broker) bool {
	l.mu.Lock()
	s := l.state
	l.mu.Unlock()
	topic, err := b.catalog.Topic(l.name.topic)
	if err != nil || topic.ID != s.topic || l.over() {
		return false
	}
	q, err := b.namespaceQueue(DefaultNamespace, l.name.queue)
	return err == nil && q.id == s.queue
}

// start begins to copy.
func (l *link) start(b *Broker) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.running || l.stopped {
		return
	}
	l.running = true
	var ctx context.Context
	ctx, l.cancel = context.WithCancel(l.s.ctx)
	l.s.work.Go(func() {
		defer l.cancel()
		l.run(ctx, b)
		if ctx.Err() == nil { // topic or queue is gone
			if err := b.endLink(l); err != nil {
				b.log.Warn("binding to a topic stays", "topic", l.name.topic, "queue", l.name.queue, "err", err)
			}
		}
	})
}

// grew lets it take up new partitions.
func (l *link) grew() {
	select {
	case l.grown <- struct{}{}:
	default:
	}
}

// stop ends the link.
func (l *link) stop() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stopped = true
	if l.cancel != nil {
		l.cancel()
	}
}

// run copies until ctx ends, or topic or queue is gone.
func (l *link) run(ctx context.Context, b *Broker) {
	news := NewWaiter()
	var watched []*Partition
	defer func() {
		for i, p := range watched {
			p.Unwatch(news, i)
		}
	}()
	for l.current(b) {
		parts, err := b.topics.partitionsOf(l.name.topic)
		if err != nil {
			return
		}
		for ; len(watched) < len(parts); watched = append(watched, parts[len(watched)]) {
			parts[len(watched)].Watch(news, len(watched))
		}
		copied, err := l.round(ctx, b, parts)
		var again <-chan time.Time
		switch {
		case errors.Is(err, ErrQueueDeleted):
			return
		case err != nil && ctx.Err() == nil:
			b.log.Warn("topic cannot be copied into a queue", "topic", l.name.topic, "queue", l.name.queue, "err", err)
			again = time.After(linkRetry)
		case copied > 0:
			continue
		}
		select {
		case <-news.C():
		case <-l.grown:
		case <-again:
		case <-ctx.Done():
			return
		}
	}
}

// round copies what one read brings of each partition.
func (l *link) round(ctx context.Context, b *Broker, parts []*Partition) (copied int, failed error) {
	q, err := b.namespaceQueue(DefaultNamespace, l.name.queue)
	if err != nil {
		return 0, ErrQueueDeleted
	}
	for i, p := range parts {
		from := max(l.next(i), p.LogStart())
		if from >= p.HighWatermark() {
			continue
		}
		slice, err := p.Read(from, linkReadBytes, true)
		if errors.Is(err, commitlog.ErrOffsetOutOfRange) {
			continue // retention took them: look again
		}
		if err == nil {
			err = l.copy(ctx, q, p, slice.Payloads, from)
		}
		if err != nil {
			slice.Release()
			failed = err
			continue
		}
		copied++
		l.advance(b, i, slice.Next)
		slice.Release()
	}
	return copied, failed
}

func (l *link) next(partition int) record.Offset {
	l.mu.Lock()
	defer l.mu.Unlock()
	if partition < len(l.state.next) {
		return l.state.next[partition]
	}
	return 0 // the partition came later
}

// copy sends batches to the queue, and waits until they are durable there.
func (l *link) copy(ctx context.Context, q *Queue, p *Partition, batches [][]byte, from record.Offset) error {
	outcome := make(chan error, len(batches))
	sent := 0
	var failed error
	for _, batch := range batches {
		r, err := record.NewReader(bytes.Clone(batch), q.b.limits)
		if err != nil {
			failed = err
			break
		}
		var msgs []Message
		for rec, ok := r.Next(); ok; rec, ok = r.Next() {
			if rec.Offset >= from && !l.cycles(&rec) {
				msgs = append(msgs, l.message(&rec, q.b.nowMS()))
			}
		}
		if err := r.Err(); err != nil {
			failed = err
			break
		}
		if len(msgs) > 0 {
			once := l.once(p, r.Header().BaseOffset, from)
			q.SendOnce(ctx, once, msgs, func(list []Sent) { outcome <- linkError(list) })
			sent++
		}
	}
	for range sent {
		if err := <-outcome; err != nil {
			failed = err
		}
	}
	return failed
}

// once names a batch of the topic. From where it is copied counts: the first one may be copied in part.
func (l *link) once(p *Partition, base, from record.Offset) *Once {
	topic := p.Topic().ID
	key := fmt.Sprintf("link %x %d %d", topic[:], p.Index(), base)
	return &Once{Key: key, Digest: sha256.Sum256(fmt.Append(nil, key, " ", max(base, from)))}
}

// linkError is what has to be tried again. What the queue does not take is lost to it, as it would be to any sender that
// does not look.
func linkError(list []Sent) (failed error) {
	for i := range list {
		switch err := list[i].Err; {
		case err == nil, errors.Is(err, ErrQueueFull), errors.Is(err, ErrMessageTooLarge), errors.Is(err, ErrNoGroup),
			errors.Is(err, ErrNoDedupID), errors.Is(err, record.ErrTooLarge), errors.Is(err, ErrOnceReused):
		default:
			failed = err
		}
	}
	return failed
}

// cycles tells whether a dead letter of the queue has come back with nobody's doing.
func (l *link) cycles(rec *record.Record) bool {
	if _, dead := headerValue(rec.Headers, HeaderDeaths); !dead {
		return false
	}
	return DeathsOf(rec.Headers).Cycle(l.name.queue)
}

// message is a record as one published to the topic's exchange, with its key as the routing key.
func (l *link) message(rec *record.Record, now int64) Message {
	m := Message{Key: rec.Key, Value: rec.Value, Delay: -1, Headers: make([]record.HeaderField, 0, len(rec.Headers)+2)}
	if m.Value == nil {
		m.Value = []byte{}
	}
	m.Headers = append(m.Headers, record.HeaderField{Key: HeaderExchange, Value: []byte(l.name.topic)}, record.HeaderField{Key: HeaderRoutingKey, Value: rec.Key})
	for _, h := range rec.Headers {
		switch h.Key {
		case HeaderDue, HeaderID, HeaderDedup, HeaderExchange, HeaderRoutingKey:
			continue
		case HeaderExpires:
			m.Expiry = max(time.Millisecond, milliseconds(headerNumber(h.Value)-now))
			continue
		case headerPriority:
			n, _ := strconv.ParseUint(string(h.Value), 10, 8)
			m.Lane = int32(n)
		}
		m.Headers = append(m.Headers, h)
	}
	return m
}

// advance notes how far a partition is copied, and lets the log know when it has time.
func (l *link) advance(b *Broker, partition int, next record.Offset) {
	l.mu.Lock()
	for len(l.state.next) <= partition {
		l.state.next = append(l.state.next, 0)
	}
	l.state.next[partition] = next
	l.unsaved = true
	l.mu.Unlock()
	l.save(b)
}

func (l *link) save(b *Broker) {
	l.mu.Lock()
	if l.saving || !l.unsaved || l.stopped {
		l.mu.Unlock()
		return
	}
	l.saving, l.unsaved = true, false
	value := l.state.encode(linkProgress)
	l.mu.Unlock()
	l.s.routing.log.Append([]statelog.Command{{Key: l.name.key(), Value: value}}, func(error) {
		l.mu.Lock()
		l.saving = false
		l.mu.Unlock()
	})
}
