package load

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	// drainPatience bounds how long consumers may lag behind the last ack.
	drainPatience = 60 * time.Second
	drainPoll     = time.Millisecond
)

// reader consumes one topic in a goroutine of its own and checks the order.
type reader struct {
	client *kgo.Client
	each   func(*kgo.Record) // may be nil; called from the reader's goroutine
	stop   context.CancelFunc
	exited chan struct{}

	records atomic.Int64 // published after every poll
	last    atomic.Int64 // nanoseconds from started to the last record

	// Written by the goroutine, read after exited is closed.
	started time.Time
	tally   Tally
	err     error
}

// read starts to consume topic.
func read(ctx context.Context, o Options, topic string, each func(*kgo.Record)) (*reader, error) {
	client, err := o.consumer(topic)
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(ctx)
	r := &reader{client: client, each: each, stop: stop, exited: make(chan struct{}), started: time.Now()}
	go r.loop(ctx)
	return r, nil
}

func (r *reader) loop(ctx context.Context) {
	defer close(r.exited)
	next := map[int32]int64{}
	for {
		fetches := r.client.PollFetches(ctx)
		if ctx.Err() != nil {
			return
		}
		if err := fetches.Err(); err != nil {
			r.err = fmt.Errorf("fetch: %w", err)
			return
		}
		fetches.EachRecord(func(rec *kgo.Record) {
			if want := next[rec.Partition]; rec.Offset != want && r.err == nil {
				r.err = fmt.Errorf("partition %d: offset %d where %d was due", rec.Partition, rec.Offset, want)
			}
			next[rec.Partition] = rec.Offset + 1
			r.tally.Add(rec)
			if r.each != nil {
				r.each(rec)
			}
		})
		r.last.Store(int64(time.Since(r.started)))
		r.records.Store(r.tally.Records)
		if r.err != nil {
			return
		}
	}
}

// drain waits until as many records have been consumed as were acknowledged,
// stops, compares the tallies, and returns when the last record was consumed.
func (r *reader) drain(ctx context.Context, acked Tally) (time.Time, error) {
	ctx, cancel := context.WithTimeout(ctx, drainPatience)
	defer cancel()
	ticker := time.NewTicker(drainPoll)
	defer ticker.Stop()
	var late error
	for late == nil && r.records.Load() < acked.Records {
		select {
		case <-ctx.Done():
			late = fmt.Errorf("consumed %d of %d records: %w", r.records.Load(), acked.Records, ctx.Err())
		case <-r.exited:
			late = errors.New("the consumer stopped early")
		case <-ticker.C:
		}
	}
	r.close()
	if err := errors.Join(late, r.err); err != nil {
		return time.Time{}, err
	}
	return r.started.Add(time.Duration(r.last.Load())), mustEqual(acked, r.tally)
}

// close ends the goroutine and the connections; a second call does nothing.
func (r *reader) close() {
	r.stop()
	<-r.exited
	r.client.Close()
}

// Consume reads topic from its start until it has all that was acknowledged.
func Consume(ctx context.Context, o Options, topic string, acked Tally) (Done, error) {
	r, err := read(ctx, o, topic, nil)
	if err != nil {
		return Done{}, err
	}
	start := r.started
	end, err := r.drain(ctx, acked)
	return Done{Tally: acked, Elapsed: end.Sub(start)}, err
}

// Tail produces while a consumer that started first reads along; the time ends
// with the last record consumed.
func Tail(ctx context.Context, o Options, topic string, source Source, limit Limit) (Done, error) {
	r, err := read(ctx, o, topic, nil)
	if err != nil {
		return Done{}, err
	}
	defer r.close()
	start := time.Now()
	produced, err := Produce(ctx, o, topic, source, limit)
	if err != nil {
		return Done{}, err
	}
	end, err := r.drain(ctx, produced.Tally)
	return Done{Tally: produced.Tally, Elapsed: end.Sub(start)}, err
}
