package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// parallel runs work in each client and returns the first error.
func (b *bench) parallel(ctx context.Context, n int, work func(ctx context.Context, i int) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			if err := work(ctx, i); err != nil {
				cancel(err)
			}
		})
	}
	wg.Wait()
	if err := context.Cause(ctx); err != nil {
		return err
	}
	return ctx.Err()
}

// tally is a histogram that clients' callbacks share.
type tally struct {
	mu sync.Mutex
	histogram
	err error // the first
}

func (t *tally) acked(since time.Time, err error) {
	took := time.Since(since)
	t.mu.Lock()
	defer t.mu.Unlock()
	if err != nil {
		if t.err == nil {
			t.err = err
		}
		return
	}
	t.add(took)
}

// runProduce sends until the records or the time are used up.
func (b *bench) runProduce(ctx context.Context) (benchResult, error) {
	var left atomic.Int64
	left.Store(b.records)
	var all tally
	began := time.Now()
	deadline := began.Add(b.duration)
	err := b.parallel(ctx, b.clients, func(ctx context.Context, _ int) error {
		cl, err := b.app.connect(ctx, b.options(kgo.DefaultProduceTopic(b.topic))...)
		if err != nil {
			return err
		}
		defer cl.Close()
		for left.Add(-1) >= 0 && ctx.Err() == nil && time.Now().Before(deadline) {
			sent := time.Now()
			cl.Produce(ctx, &kgo.Record{Value: b.payload}, func(_ *kgo.Record, err error) { all.acked(sent, err) })
		}
		return cl.Flush(ctx)
	})
	took := time.Since(began)
	if err == nil {
		err = refused(all.err, "", "topic %q", b.topic)
	}
	return newResult("produce", b.bytes, took, &all.histogram), err
}

// runConsume reads the topic from the beginning to its end. Each client takes
// the partitions whose number leaves its own when divided by the clients.
func (b *bench) runConsume(ctx context.Context) (benchResult, error) {
	within, err := b.bounds(ctx)
	if err != nil {
		return benchResult{}, err
	}
	var mu sync.Mutex
	var all histogram
	var records, bytes int64
	began := time.Now()
	err = b.parallel(ctx, min(b.clients, len(within)), func(ctx context.Context, i int) error {
		share := make(map[int32]bounds)
		for p, at := range within {
			if int(p)%min(b.clients, len(within)) == i {
				share[p] = at
			}
		}
		polls, n, size, err := b.consumeShare(ctx, share, began.Add(b.duration))
		mu.Lock()
		defer mu.Unlock()
		all.merge(polls)
		records, bytes = records+n, bytes+size
		return err
	})
	took := time.Since(began)
	r := newResult("consume", 0, took, &all)
	r.Records, r.Bytes = records, bytes
	r.RecordsSec, r.BytesSec = float64(records)/took.Seconds(), float64(bytes)/took.Seconds()
	return r, err
}

func (b *bench) bounds(ctx context.Context) (map[int32]bounds, error) {
	cl, err := b.app.connect(ctx)
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	within, err := cl.topicBounds(ctx, b.topic)
	return within[b.topic], err
}

func (b *bench) consumeShare(ctx context.Context, share map[int32]bounds, deadline time.Time) (*histogram, int64, int64, error) {
	polls, records, bytes := &histogram{}, int64(0), int64(0)
	begin, left := make(map[int32]kgo.Offset), int64(0)
	for p, at := range share {
		begin[p] = kgo.NewOffset().At(at.start)
		left += at.end - at.start
	}
	cl, err := b.app.connect(ctx, kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{b.topic: begin}))
	if err != nil {
		return polls, 0, 0, err
	}
	defer cl.Close()
	ctx, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	for left > 0 {
		since := time.Now()
		fetches := cl.PollFetches(ctx)
		if ctx.Err() != nil {
			break // out of time: what was read counts
		}
		if err := fetches.Err0(); err != nil {
			return polls, records, bytes, err
		}
		polls.add(time.Since(since))
		fetches.EachRecord(func(r *kgo.Record) {
			records++
			bytes += int64(len(r.Value))
		})
		left -= int64(fetches.NumRecords())
	}
	return polls, records, bytes, nil
}

// latencyStampBytes are at the start of a value: when it was due.
const latencyStampBytes = 8

// runLatency produces at a steady rate and consumes beside it. A record's
// latency counts from when it was due, so that a stall is not hidden by the
// producer's own waiting.
func (b *bench) runLatency(ctx context.Context) (benchResult, error) {
	within, err := b.bounds(ctx)
	if err != nil {
		return benchResult{}, err
	}
	begin := make(map[int32]kgo.Offset)
	for p, at := range within {
		begin[p] = kgo.NewOffset().At(at.end)
	}
	consumer, err := b.app.connect(ctx, kgo.FetchMaxWait(500*time.Millisecond),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{b.topic: begin}))
	if err != nil {
		return benchResult{}, err
	}
	defer consumer.Close()
	producer, err := b.app.connect(ctx, b.options(kgo.DefaultProduceTopic(b.topic), kgo.ProducerLinger(0))...)
	if err != nil {
		return benchResult{}, err
	}
	defer producer.Close()

	began := time.Now()
	total := int64(b.duration.Seconds() * float64(b.rate))
	var h histogram
	var sendErr tally
	err = b.parallel(ctx, 2, func(ctx context.Context, i int) error {
		if i == 0 {
			return b.sendSteadily(ctx, producer, began, total, &sendErr)
		}
		return b.receive(ctx, consumer, began, total, &h)
	})
	return newResult("latency", max(b.bytes, latencyStampBytes), time.Since(began), &h),
		errors.Join(err, refused(sendErr.err, "", "topic %q", b.topic))
}

func (b *bench) sendSteadily(ctx context.Context, cl *client, began time.Time, total int64, errs *tally) error {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for sent := int64(0); sent < total; {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		due := min(total, int64(time.Since(began).Seconds()*float64(b.rate)))
		for ; sent < due; sent++ {
			value := make([]byte, max(b.bytes, latencyStampBytes))
			copy(value, b.payload)
			binary.BigEndian.PutUint64(value, uint64(sent)*uint64(time.Second)/uint64(b.rate))
			cl.Produce(ctx, &kgo.Record{Value: value}, func(_ *kgo.Record, err error) { errs.acked(began, err) })
		}
	}
	return cl.Flush(ctx)
}

func (b *bench) receive(ctx context.Context, cl *client, began time.Time, total int64, h *histogram) error {
	ctx, cancel := context.WithTimeoutCause(ctx, b.duration+b.app.timeout, errTimeout)
	defer cancel()
	for h.count < total {
		fetches := cl.PollFetches(ctx)
		now := time.Since(began)
		if err := ctx.Err(); err != nil {
			if context.Cause(ctx) == errTimeout {
				return fmt.Errorf("%d of %d records did not arrive", total-h.count, total)
			}
			return err
		}
		if err := fetches.Err0(); err != nil {
			return err
		}
		fetches.EachRecord(func(r *kgo.Record) {
			if len(r.Value) >= latencyStampBytes {
				h.add(now - time.Duration(binary.BigEndian.Uint64(r.Value)))
			}
		})
	}
	return nil
}
