package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"time"
)

// trickler is one connection's part of trickle.
type trickler struct {
	queues  []string
	size    int
	next    chan int // queues whose message has come
	in, out *tally

	mu   sync.Mutex // guards what follows
	took []time.Duration
}

func (t *trickler) run(ctx context.Context, addr string, began time.Time, patience time.Duration) error {
	c, err := consume(addr, t.queues, 1, func(b []byte) {
		t.out.add(b)
		took := time.Since(began) - time.Duration(binary.LittleEndian.Uint64(b))
		t.mu.Lock()
		t.took = append(t.took, took)
		t.mu.Unlock()
		t.next <- int(binary.LittleEndian.Uint32(b[16:]))
	})
	if err != nil {
		return err
	}
	defer c.close()
	p, err := newPublisher(addr, len(t.queues), nil)
	if err != nil {
		return err
	}
	defer p.close()
	for i := range t.queues {
		t.next <- i
	}
	away := 0
	for n := int64(0); away < len(t.queues); n++ {
		var i int
		select {
		case i = <-t.next:
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(quietPatience):
			return errors.New("nothing comes from any queue")
		}
		if time.Since(began) > patience && n >= int64(len(t.queues)) {
			away++ // this queue is done
			continue
		}
		b := body(t.size, n, time.Since(began))
		binary.LittleEndian.PutUint32(b[16:], uint32(i))
		if err := p.publish(ctx, t.queues[i], b); err != nil {
			return fmt.Errorf("publish to %s: %w", t.queues[i], err)
		}
		t.in.add(b)
	}
	return p.drain(ctx)
}
