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
	prime  Tally
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

// read starts to consume topic from its start.
func read(ctx context.Context, o Options, topic Topic, each func(*kgo.Record)) (*reader, error) {
	client, err := o.consumer(topic.Name)
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(ctx)
	r := &reader{client: client, prime: topic.Prime, each: each, stop: stop, exited: make(chan struct{}), started: time.Now()}
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

// follow is read for those who go on to produce: it returns once the consumer
// has the topic's first records, so that it is connected and at the tail.
func follow(ctx context.Context, o Options, topic Topic, each func(*kgo.Record)) (*reader, error) {
	r, err := read(ctx, o, topic, each)
	if err != nil {
		return nil, err
	}
	if err := r.await(ctx, topic.Prime.Records); err != nil {
		r.close()
		return nil, err
	}
	return r, nil
}

// await waits until so many records have been consumed.
func (r *reader) await(ctx context.Context, records int64) error {
	ctx, cancel := context.WithTimeout(ctx, drainPatience)
	defer cancel()
	ticker := time.NewTicker(drainPoll)
	defer ticker.Stop()
	for r.records.Load() < records {
		select {
		case <-ctx.Done():
			return fmt.Errorf("consumed %d of %d records: %w", r.records.Load(), records, ctx.Err())
		case <-r.exited:
			return errors.Join(errors.New("the consumer stopped early"), r.err)
		case <-ticker.C:
		}
	}
	return nil
}

// drain waits until all that was acknowledged has been consumed, stops,
// compares the tallies, and returns when the last record was consumed.
func (r *reader) drain(ctx context.Context, acked Tally) (time.Time, error) {
	acked.Merge(r.prime)
	late := r.await(ctx, acked.Records)
	r.close()
	if late != nil || r.err != nil {
		return time.Time{}, errors.Join(late, r.err)
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
func Consume(ctx context.Context, o Options, topic Topic, acked Tally) (Done, error) {
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
func Tail(ctx context.Context, o Options, topic Topic, source Source, limit Limit) (Done, error) {
	r, err := follow(ctx, o, topic, nil)
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
