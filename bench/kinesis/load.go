package main

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/maphash"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// tally is what went in or came out: a count, and a sum over the records that does
// not depend on their order.
type tally struct {
	records atomic.Int64
	sum     atomic.Uint64
}

var seed = maphash.MakeSeed()

func (t *tally) add(data []byte) {
	t.records.Add(1)
	t.sum.Add(maphash.Bytes(seed, data))
}

// timed is how long calls, or records, took.
type timed struct {
	mu   sync.Mutex
	took []time.Duration
}

func (t *timed) add(d time.Duration) {
	t.mu.Lock()
	t.took = append(t.took, d)
	t.mu.Unlock()
}

func (t *timed) sorted() []time.Duration {
	slices.Sort(t.took)
	return t.took
}

// together runs f n times on connections of their own until all are done or one
// fails.
func together(ctx context.Context, addr string, n int, f func(ctx context.Context, c *client, i int) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			c, err := dial(addr)
			if err == nil {
				defer c.close()
				err = f(ctx, c, i)
			}
			if errs[i] = err; err != nil {
				cancel()
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// fill makes what is alike in all records.
func fill(data []byte) {
	for i := range data {
		data[i] = byte(i * 7)
	}
}

// stamp makes a record of a number and a time.
func stamp(data []byte, number int64, at time.Duration) {
	binary.BigEndian.PutUint64(data, uint64(number))
	binary.BigEndian.PutUint64(data[8:], uint64(at))
}

// putAll puts up to the settings' count of records as fast as the server takes them.
func (s *session) putAll(ctx context.Context, stream string, limit int64) (*tally, *timed, time.Duration, error) {
	var t tally
	var calls timed
	var given atomic.Int64
	began := time.Now()
	err := together(ctx, s.home.Addr(), s.workers, func(ctx context.Context, c *client, _ int) error {
		records := make([][]byte, s.batch)
		for i := range records {
			records[i] = make([]byte, s.size)
			fill(records[i])
		}
		for ctx.Err() == nil && time.Since(began) < s.patience {
			first := given.Add(int64(s.batch)) - int64(s.batch)
			if first >= limit {
				return nil
			}
			for i, r := range records {
				stamp(r, first+int64(i), 0)
			}
			start := time.Now()
			if err := c.put(stream, first, records, t.add); err != nil {
				return err
			}
			calls.add(time.Since(start))
		}
		return nil
	})
	return &t, &calls, time.Since(began), err
}

// getAll reads the shards from their beginnings, a connection each, until as many
// records as were put are there, and compares.
func (s *session) getAll(ctx context.Context, stream string, shards []string, want *tally) (*timed, time.Duration, error) {
	var got tally
	var calls timed
	began := time.Now()
	err := together(ctx, s.home.Addr(), len(shards), func(ctx context.Context, c *client, i int) error {
		iterator, err := c.iterator(stream, shards[i])
		for more := true; err == nil && ctx.Err() == nil && more; { // nothing is put meanwhile: an empty answer is the end
			start := time.Now()
			more = false
			iterator, err = c.get(iterator, 10_000, func(data []byte) {
				more = true
				got.add(data)
			})
			if more {
				calls.add(time.Since(start))
			}
		}
		return err
	})
	took := time.Since(began)
	if err == nil && (got.records.Load() != want.records.Load() || got.sum.Load() != want.sum.Load()) {
		err = fmt.Errorf("%d records came, %d were put, or others than were put", got.records.Load(), want.records.Load())
	}
	return &calls, took, err
}

// paced puts records one by one at the settings' rate. A record's time is when it
// was due, so that a server that lags behind is not forgiven. It returns how many.
func (s *session) paced(ctx context.Context, stream string, began time.Time) (int64, error) {
	total := int64(s.perSecond) * int64(s.patience/time.Second)
	var given atomic.Int64
	err := together(ctx, s.home.Addr(), 2*s.workers, func(ctx context.Context, c *client, _ int) error {
		data := [][]byte{make([]byte, s.size)}
		fill(data[0])
		for {
			n := given.Add(1) - 1
			if n >= total {
				return nil
			}
			due := time.Duration(n) * time.Second / time.Duration(s.perSecond)
			select {
			case <-time.After(due - time.Since(began)):
			case <-ctx.Done():
				return ctx.Err()
			}
			stamp(data[0], n, due)
			if err := c.put(stream, n, data, func([]byte) {}); err != nil {
				return err
			}
		}
	})
	return total, err
}

// arrival is how long ago a record was due.
func arrival(data []byte, began time.Time) (time.Duration, error) {
	var head [18]byte
	if _, err := base64.StdEncoding.Decode(head[:], data[:24]); err != nil {
		return 0, err
	}
	return time.Since(began) - time.Duration(binary.BigEndian.Uint64(head[8:])), nil
}
