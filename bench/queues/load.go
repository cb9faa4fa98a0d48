package main

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const workers = 16

// tally is what went in or came out: a count, and a sum over the bodies that does
// not depend on their order.
type tally struct {
	messages atomic.Int64
	sum      atomic.Uint64
}

func (t *tally) add(body string) {
	h := fnv.New64a()
	h.Write([]byte(body))
	t.messages.Add(1)
	t.sum.Add(h.Sum64())
}

// timed is how long calls took.
type timed struct {
	mu   sync.Mutex
	took []time.Duration
}

func (t *timed) sorted() []time.Duration {
	slices.Sort(t.took)
	return t.took
}

// together runs f in each worker on a connection of its own until all are done or
// one fails.
func together(ctx context.Context, addr, queue string, f func(ctx context.Context, c *client, calls *[]time.Duration) error) (*timed, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	all := &timed{}
	errs := make([]error, workers)
	var wg sync.WaitGroup
	for i := range workers {
		wg.Go(func() {
			c, err := dial(addr)
			if err == nil {
				defer c.close()
				var calls []time.Duration
				if err = c.createQueue(queue); err == nil {
					err = f(ctx, c, &calls)
				}
				all.mu.Lock()
				all.took = append(all.took, calls...)
				all.mu.Unlock()
			}
			if errs[i] = err; err != nil {
				cancel()
			}
		})
	}
	wg.Wait()
	return all, errors.Join(errs...)
}

// send sends up to limit messages of size bytes, n by n, until patience is over.
func send(ctx context.Context, addr, queue string, limit int64, n, size int, patience time.Duration) (*tally, *timed, time.Duration, error) {
	var t tally
	var given atomic.Int64
	filler := strings.Repeat("naru", size/4+1)
	began := time.Now()
	calls, err := together(ctx, addr, queue, func(ctx context.Context, c *client, calls *[]time.Duration) error {
		bodies := make([]string, n)
		for ctx.Err() == nil && time.Since(began) < patience {
			first := given.Add(int64(n)) - int64(n)
			if first >= limit {
				return nil
			}
			for i := range bodies {
				number := fmt.Sprintf("%d-", first+int64(i))
				bodies[i] = number + filler[:max(0, size-len(number))]
			}
			start := time.Now()
			if err := c.send(bodies); err != nil {
				return err
			}
			*calls = append(*calls, time.Since(start))
			for _, b := range bodies {
				t.add(b)
			}
		}
		return nil
	})
	return &t, calls, time.Since(began), err
}

// receive takes and deletes messages, n by n, until as many as were sent are there,
// and compares.
func receive(ctx context.Context, addr, queue string, want *tally, n int) (*timed, time.Duration, error) {
	var got tally
	began := time.Now()
	calls, err := together(ctx, addr, queue, func(ctx context.Context, c *client, calls *[]time.Duration) error {
		for empty := 0; ctx.Err() == nil && got.messages.Load() < want.messages.Load(); {
			start := time.Now()
			list, err := c.receive(n)
			if err != nil {
				return err
			}
			if len(list) == 0 {
				if empty++; empty > 1_000 {
					return fmt.Errorf("nothing comes, %d messages of %d were received", got.messages.Load(), want.messages.Load())
				}
				continue
			}
			empty = 0
			*calls = append(*calls, time.Since(start))
			for _, m := range list {
				got.add(m.Body)
			}
		}
		return nil
	})
	took := time.Since(began)
	if err == nil && (got.messages.Load() != want.messages.Load() || got.sum.Load() != want.sum.Load()) {
		err = fmt.Errorf("received %d messages, sent %d, or others than were sent", got.messages.Load(), want.messages.Load())
	}
	return calls, took, err
}
