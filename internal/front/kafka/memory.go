package kafka

import (
	"context"
	"sync"
	"sync/atomic"
)

// budget is memory that connections share. Who asks for more than there is
// waits, first come, first served, so that a large request is not starved by
// small ones.
type budget struct {
	mu      sync.Mutex
	left    int64 // guarded by mu
	waiters []*budgetWaiter
}

type budgetWaiter struct {
	n     int64
	ready chan struct{}
}

// take waits until n bytes are free, or ctx ends.
func (b *budget) take(ctx context.Context, n int64) error {
	b.mu.Lock()
	if len(b.waiters) == 0 && b.left >= n {
		b.left -= n
		b.mu.Unlock()
		return nil
	}
	w := &budgetWaiter{n: n, ready: make(chan struct{})}
	b.waiters = append(b.waiters, w)
	b.mu.Unlock()
	select {
	case <-w.ready:
		return nil
	case <-ctx.Done():
		b.forget(w)
		return ctx.Err()
	}
}

// forget takes back a request that may have been granted meanwhile.
func (b *budget) forget(w *budgetWaiter) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i, x := range b.waiters {
		if x == w {
			b.waiters = append(b.waiters[:i], b.waiters[i+1:]...)
			b.grant()
			return
		}
	}
	b.left += w.n
	b.grant()
}

func (b *budget) give(n int64) {
	b.mu.Lock()
	b.left += n
	b.grant()
	b.mu.Unlock()
}

func (b *budget) grant() {
	for len(b.waiters) > 0 && b.left >= b.waiters[0].n {
		b.left -= b.waiters[0].n
		close(b.waiters[0].ready)
		b.waiters[0] = nil
		b.waiters = b.waiters[1:]
	}
}

// allowance is memory that nobody waits for: who finds little of it takes less.
type allowance struct{ left atomic.Int64 }

// take grants up to n bytes, maybe none.
func (a *allowance) take(n int) int {
	for {
		left := a.left.Load()
		got := max(0, min(left, int64(n)))
		if a.left.CompareAndSwap(left, left-got) {
			return int(got)
		}
	}
}

// adjust takes n bytes whether or not they are there, or gives back -n.
func (a *allowance) adjust(n int) { a.left.Add(int64(-n)) }
