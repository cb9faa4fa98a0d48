package amqp

import (
	"context"
	"os"
	"slices"
	"sync"
	"time"

	wire "github.com/narumq/naru/internal/wire/amqp091"
)

// bodyBytesFree is the largest body that takes no part of the bodies' memory: one frame's. What a connection can hold of
// those, ContentBytesMax and PublishingBytesMax bound.
const bodyBytesFree = 128 << 10

// bodyMemory is what long bodies of all connections share, from their headers until they are durable. Who asks for more than
// there is waits, first come, first served, so that long bodies are not starved by shorter ones.
type bodyMemory struct {
	mu      sync.Mutex
	left    int64 // guarded by mu
	waiters []*bodyWaiter
}

type bodyWaiter struct {
	n     int64
	ready chan struct{}
}

// takeNow takes n bytes if they are there and nobody waits.
func (b *bodyMemory) takeNow(n int64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.waiters) > 0 || b.left < n {
		return false
	}
	b.left -= n
	return true
}

// take waits for n bytes, or for the end of ctx.
func (b *bodyMemory) take(ctx context.Context, n int64) error {
	b.mu.Lock()
	w := &bodyWaiter{n: n, ready: make(chan struct{})}
	b.waiters = append(b.waiters, w)
	b.grant()
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
func (b *bodyMemory) forget(w *bodyWaiter) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if i := slices.Index(b.waiters, w); i >= 0 {
		b.waiters = slices.Delete(b.waiters, i, i+1)
	} else {
		b.left += w.n
	}
	b.grant()
}

func (b *bodyMemory) give(n int64) {
	b.mu.Lock()
	b.left += n
	b.grant()
	b.mu.Unlock()
}

// grant lets those go on for whom there is enough. Caller holds mu.
func (b *bodyMemory) grant() {
	for len(b.waiters) > 0 && b.left >= b.waiters[0].n {
		b.left -= b.waiters[0].n
		close(b.waiters[0].ready)
		b.waiters = slices.Delete(b.waiters, 0, 1)
	}
}

// reserve takes memory for a body, before any of it is there, and says by when all of it has to be: memory that others wait for
// is not held by a peer that stalls. A connection that waits is not read from, so what it has of other bodies cannot become
// complete meanwhile: then it waits no longer than those may take.
func (ch *channel) reserve(p *publication, size uint64) error {
	if size <= bodyBytesFree || p.excess > 0 {
		return nil
	}
	if err := ch.awaitMemory(size); err != nil {
		return err
	}
	c := ch.c
	p.reserved = int64(size)
	p.until = time.Now().Add(c.s.limits.BodyMax + time.Duration(size/writeRate)*time.Second)
	c.bodyUntil = earlier(c.bodyUntil, p.until)
	return nil
}

// awaitMemory takes memory for a body, and waits for it if it has to.
func (ch *channel) awaitMemory(size uint64) error {
	c := ch.c
	if c.s.bodies.takeNow(int64(size)) {
		return nil
	}
	ctx, cancel := context.WithCancel(c.ctx)
	defer cancel()
	if !c.bodyUntil.IsZero() {
		ctx, cancel = context.WithDeadline(ctx, c.bodyUntil)
		defer cancel()
	}
	defer c.s.whenDraining(cancel)()
	if err := c.s.bodies.take(ctx, int64(size)); err != nil {
		switch {
		case c.s.stopping():
			return os.ErrDeadlineExceeded
		case c.ctx.Err() != nil:
			return c.ctx.Err()
		}
		return refuse(wire.ResourceError, "no memory for a body of %d bytes beside those that are not complete", size)
	}
	return nil
}

// whenDraining calls f when the server stops reading, until the func that it returns is called.
func (s *Server) whenDraining(f func()) (stop func()) {
	over := make(chan struct{})
	go func() {
		select {
		case <-s.draining:
			f()
		case <-over:
		}
	}()
	return func() { close(over) }
}

// arrived notes that a body is complete, or given up.
func (c *conn) arrived(p *publication) {
	if p.until.IsZero() {
		return
	}
	p.until, c.bodyUntil = time.Time{}, time.Time{}
	for _, ch := range c.channels {
		if q := ch.incoming; q != nil && q != p && !q.until.IsZero() {
			c.bodyUntil = earlier(c.bodyUntil, q.until)
		}
	}
}

// release gives back what was reserved.
func (p *publication) release() {
	if p.reserved > 0 {
		p.ch.c.s.bodies.give(p.reserved)
		p.reserved = 0
	}
}

// grow adds to the body, whose length is known, in steps: what did not come costs no more than what did.
func (p *publication) grow(payload []byte, missing uint64) {
	if need := len(p.body) + len(payload); need > cap(p.body) {
		to := max(need, min(2*cap(p.body), need+int(missing)))
		p.body = append(make([]byte, 0, to), p.body...)
	}
	p.body = append(p.body, payload...)
}

// earlier is the earlier of two times; zero is none.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
