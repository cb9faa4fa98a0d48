package amqp

import (
	"errors"
	"time"

	"github.com/narumq/naru/internal/broker"
	"github.com/narumq/naru/internal/catalog"
)

// CleanUp deletes the queues that do not outlive a process, and begins to watch those that expire. It is for the start, before
// the first connection.
func (s *Server) CleanUp() error {
	var failed error
	for _, vhost := range s.broker.Namespaces() {
		for _, q := range s.broker.NamespaceQueues(vhost) {
			if meta := q.Queue.Meta(); Durable(meta) && !Exclusive(meta) {
				s.watchExpiry(vhost, q.Name, q.Queue)
				continue
			}
			if err := s.broker.DeleteNamespaceQueue(vhost, q.Name); !errors.Is(err, catalog.ErrUnknownQueue) { // else somebody was faster
				failed = errors.Join(failed, err)
			}
		}
	}
	return failed
}

// watchExpiry lets a queue expire, if it does.
func (s *Server) watchExpiry(vhost, name string, q *broker.Queue) {
	after := expiresOf(q.Meta())
	if after <= 0 {
		return
	}
	s.mail.Lock()
	defer s.mail.Unlock()
	m := s.mailboxOf(vhost, name, q)
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.timer == nil && !m.ended {
		m.timer = time.AfterFunc(after, m.expire)
	}
}

// used notes that a queue was used without a consumer.
func (s *Server) used(q *broker.Queue) {
	if m := s.find(q); m != nil {
		m.mu.Lock()
		m.used = time.Now()
		m.mu.Unlock()
	}
}

// expire deletes the queue if nobody has used it for as long as it says, and else looks again.
func (m *mailbox) expire() {
	m.mu.Lock()
	left := m.expires
	if len(m.consumers) == 0 {
		left = m.expires - time.Since(m.used)
	}
	if m.ended || m.s.ctx.Err() != nil {
		m.mu.Unlock()
		return
	}
	if left > 0 {
		m.timer.Reset(max(left, expiryTickLeast))
		m.mu.Unlock()
		return
	}
	m.mu.Unlock()
	if err := m.s.deleteQueue(m.vhost, m.name, m.q); err != nil {
		m.s.log.Warn("amqp: queue that has expired stays", "queue", m.name, "error", err)
	}
}

// closeMailboxes ends what goes on without a connection.
func (s *Server) closeMailboxes() {
	s.mail.Lock()
	defer s.mail.Unlock()
	for q, m := range s.mailboxes {
		m.mu.Lock()
		m.ended = true
		if m.timer != nil {
			m.timer.Stop()
		}
		m.mu.Unlock()
		m.wake()
		delete(s.mailboxes, q)
	}
}
