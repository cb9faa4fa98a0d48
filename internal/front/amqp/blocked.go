package amqp

import (
	"os"
	"sync"

	wire "github.com/narumq/naru/internal/wire/amqp091"
)

// pressure is what keeps publishers waiting, if anything does.
type pressure struct {
	mu     sync.Mutex
	reason string        // guarded by mu; empty: nothing
	over   chan struct{} // guarded by mu; closed when it is over
}

func (p *pressure) now() (reason string, over <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.reason, p.over
}

// Block makes publishers wait, and tells those who want to know with connection.blocked. The reason is for people.
func (s *Server) Block(reason string) {
	p := &s.blocked
	p.mu.Lock()
	was := p.reason
	p.reason = reason
	if was == "" {
		p.over = make(chan struct{})
	}
	p.mu.Unlock()
	if was == "" {
		s.tell(&wire.ConnectionBlocked{Reason: reason})
	}
}

// Unblock lets publishers go on.
func (s *Server) Unblock() {
	p := &s.blocked
	p.mu.Lock()
	was := p.reason
	p.reason = ""
	if was != "" {
		close(p.over)
	}
	p.mu.Unlock()
	if was != "" {
		s.tell(&wire.ConnectionUnblocked{})
	}
}

// tell sends a method to those who publish.
func (s *Server) tell(m wire.Method) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		if c.publishes.Load() && c.blockedNotify {
			c.out.send(0, m)
		}
	}
}

// mayPublish waits while publishers are blocked. Whoever publishes for the first time is told then.
func (c *conn) mayPublish() error {
	first := !c.publishes.Load()
	if first {
		c.publishes.Store(true) // before the look, so that Block tells whom it comes too late for
	}
	reason, over := c.s.blocked.now()
	if reason == "" {
		return nil
	}
	if first && c.blockedNotify {
		c.out.send(0, &wire.ConnectionBlocked{Reason: reason})
	}
	select {
	case <-over:
		return nil
	case <-c.s.draining:
		return nil
	case <-c.going:
		return os.ErrDeadlineExceeded // as a read that was interrupted
	case <-c.ctx.Done():
		return c.ctx.Err()
	}
}
