package peer

import (
	"context"
	"sync"
)

// Room bounds something. Those who wait for it get it in turn.
type Room struct {
	mu      sync.Mutex // guards what follows
	free    int
	max     int
	waiters []*waiter
}

type waiter struct {
	n     int
	ready chan struct{}
}

// NewRoom makes one for n.
func NewRoom(n int) *Room { return &Room{free: n, max: n} }

// Take waits for n, or for all there is if that is less; or fails with ctx's error. Give
// must be given the same.
func (r *Room) Take(ctx context.Context, n int) error {
	n = min(n, r.max)
	r.mu.Lock()
	if len(r.waiters) == 0 && r.free >= n {
		r.free -= n
		r.mu.Unlock()
		return nil
	}
	w := &waiter{n, make(chan struct{})}
	r.waiters = append(r.waiters, w)
	r.mu.Unlock()
	select {
	case <-w.ready:
		return nil
	case <-ctx.Done():
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, x := range r.waiters {
		if x == w {
			r.waiters = append(r.waiters[:i], r.waiters[i+1:]...)
			r.wake()
			return ctx.Err()
		}
	}
	return nil // it came at the same time
}

// Give gives back what Take took.
func (r *Room) Give(n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.free += min(n, r.max)
	r.wake()
}

// wake lets in whoever is next. Caller holds mu.
func (r *Room) wake() {
	for len(r.waiters) > 0 && r.waiters[0].n <= r.free {
		r.free -= r.waiters[0].n
		close(r.waiters[0].ready)
		r.waiters = r.waiters[1:]
	}
}
