package amqp

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/narumq/naru/internal/broker"
	"github.com/narumq/naru/internal/catalog"
	"github.com/narumq/naru/internal/queue"
)

// Sizes of what a mailbox receives at a time.
const (
	creditMax       = 256     // messages
	batchBytesMax   = 1 << 20 // of values, but for the last
	receiveWait     = time.Hour
	fullRetry       = 50 * time.Millisecond
	unreadAgain     = time.Second
	expiryTickLeast = 10 * time.Millisecond
)

// mailbox is what the server knows of a queue besides the broker: who consumes from it, whose it is, and when it expires.
type mailbox struct {
	s       *Server
	q       *broker.Queue
	vhost   string
	name    string
	single  bool // only the first consumer is active
	counted bool // deliveries say how often a message came back
	expires time.Duration

	owner *conn // guarded by Server.mail; nil: everybody's

	woken chan struct{} // takes one

	mu        sync.Mutex  // guards what follows
	consumers []*consumer // by priority, then by age
	turn      int         // of the consumers of one priority, whose turn it is
	running   bool
	stop      context.CancelFunc // of the receive that waits; nil: none
	received  chan struct{}      // closed when that has returned
	expected  func()             // ends that a receive is about to come; nil: none is
	joined    []func()           // the same of consumers that have joined since the credit was looked at
	used      time.Time          // last, without consumers
	timer     *time.Timer        // of expiry
	ended     bool               // the queue is gone
}

// wake lets the mailbox look at its consumers' credit again.
func (m *mailbox) wake() {
	select {
	case m.woken <- struct{}{}:
	default:
	}
}

func countsDeliveries(meta *catalog.Queue) bool {
	return meta.Settings.AttemptsMax > 0 || queueType(meta) == typeQuorum
}

func queueType(meta *catalog.Queue) string {
	if a, ok := find(ArgumentsOf(meta), argQueueType); ok {
		return a.Text
	}
	return typeClassic
}

// mailboxOf returns a queue's mailbox, and makes it if there is none. Caller holds s.mail.
func (s *Server) mailboxOf(vhost, name string, q *broker.Queue) *mailbox {
	m := s.mailboxes[q]
	if m == nil {
		meta := q.Meta()
		single, _ := find(ArgumentsOf(meta), argSingleConsumer)
		m = &mailbox{
			s: s, q: q, vhost: vhost, name: name, single: single.Text == "true", counted: countsDeliveries(meta),
			expires: expiresOf(meta), woken: make(chan struct{}, 1), used: time.Now(),
		}
		s.mailboxes[q] = m
	}
	return m
}

// forgetIdle forgets a mailbox that nothing is known of. Caller holds s.mail and m.mu.
func (s *Server) forgetIdle(m *mailbox) {
	if len(m.consumers) == 0 && m.owner == nil && m.timer == nil {
		delete(s.mailboxes, m.q)
	}
}

// own makes a queue a connection's.
func (s *Server) own(c *conn, q *broker.Queue, name string) {
	s.mail.Lock()
	s.mailboxOf(c.vhost, name, q).owner = c
	s.mail.Unlock()
}

func (s *Server) ownerOf(q *broker.Queue) *conn {
	s.mail.Lock()
	defer s.mail.Unlock()
	if m := s.mailboxes[q]; m != nil {
		return m.owner
	}
	return nil
}

func (s *Server) find(q *broker.Queue) *mailbox {
	s.mail.Lock()
	defer s.mail.Unlock()
	return s.mailboxes[q]
}

// consumersOf is how many there are.
func (s *Server) consumersOf(q *broker.Queue) int {
	m := s.find(q)
	if m == nil {
		return 0
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.consumers)
}

// taken tells whether only consumers may take from a queue, and whether one of them has it for itself.
func (s *Server) taken(q *broker.Queue) (single, exclusive bool) {
	m := s.find(q)
	if m == nil {
		a, _ := find(ArgumentsOf(q.Meta()), argSingleConsumer)
		return a.Text == "true", false
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.single, len(m.consumers) > 0 && m.consumers[0].exclusive
}

// awaited tells whether a consumer takes what comes.
func (s *Server) awaited(q *broker.Queue) bool {
	m := s.find(q)
	if m == nil {
		return false
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.creditOf(m.active()) > 0
}

// join adds a consumer, unless one of them wants the queue for itself.
func (s *Server) join(q *broker.Queue, name string, x *consumer) bool {
	s.mail.Lock()
	defer s.mail.Unlock()
	m := s.mailboxOf(x.ch.c.vhost, name, q)
	m.mu.Lock()
	defer m.mu.Unlock()
	if n := len(m.consumers); n > 0 && (x.exclusive || m.consumers[0].exclusive) {
		return false
	}
	x.box = m
	at := slices.IndexFunc(m.consumers, func(y *consumer) bool { return y.priority < x.priority })
	if at < 0 {
		at = len(m.consumers)
	}
	m.consumers = slices.Insert(m.consumers, at, x)
	return true
}

// leave takes a consumer away, and tells whether it was the last. Afterwards nothing is received on its behalf: what it
// gives back is not leased again for nobody, which would count.
func (s *Server) leave(x *consumer) bool {
	received, last := s.remove(x)
	if received != nil {
		<-received
	}
	return last
}

func (s *Server) remove(x *consumer) (received <-chan struct{}, last bool) {
	s.mail.Lock()
	defer s.mail.Unlock()
	m := x.box
	m.mu.Lock()
	defer m.mu.Unlock()
	at := slices.Index(m.consumers, x)
	if at < 0 {
		return nil, false
	}
	m.consumers = slices.Delete(m.consumers, at, at+1)
	if x.reading != nil {
		x.reading.end()
	}
	if m.stop != nil {
		m.stop()
	}
	m.wake()
	m.used = time.Now()
	s.forgetIdle(m)
	return m.received, len(m.consumers) == 0
}

// lastConsumerGone deletes a queue that goes with its last consumer.
func (s *Server) lastConsumerGone(m *mailbox) {
	if !AutoDelete(m.q.Meta()) || s.consumersOf(m.q) > 0 {
		return
	}
	if err := s.deleteQueue(m.vhost, m.name, m.q); err != nil {
		s.log.Warn("amqp: auto-delete queue stays", "queue", m.name, "error", err)
	}
}

// deleteQueue deletes a queue if it is still the one of its name, and cancels its consumers.
func (s *Server) deleteQueue(vhost, name string, q *broker.Queue) error {
	if now, err := s.broker.NamespaceQueue(vhost, name); err != nil || now != q {
		s.gone(q)
		return nil
	}
	err := s.broker.DeleteNamespaceQueue(vhost, name)
	if err != nil && !errors.Is(err, catalog.ErrUnknownQueue) {
		return err
	}
	s.gone(q)
	return nil
}

// gone cancels the consumers of a queue that was deleted.
func (s *Server) gone(q *broker.Queue) {
	s.mail.Lock()
	m := s.mailboxes[q]
	delete(s.mailboxes, q)
	s.mail.Unlock()
	if m == nil {
		return
	}
	m.mu.Lock()
	list := m.consumers
	m.consumers, m.ended = nil, true
	if m.stop != nil {
		m.stop()
	}
	if m.timer != nil {
		m.timer.Stop()
	}
	m.mu.Unlock()
	m.wake()
	for _, x := range list {
		if x.reading != nil {
			x.reading.end()
		}
		x.cancelled()
	}
}

// start begins to deliver, if nobody does. expected ends that a receive is about to come.
func (m *mailbox) start(expected func()) {
	m.mu.Lock()
	m.joined = append(m.joined, expected)
	if !m.running && !m.ended {
		m.running = true
		go m.run()
	}
	m.mu.Unlock()
	m.wake()
}

// expect says whether a receive is about to come, and returns what ends that it was. Caller holds mu.
func (m *mailbox) expect(comes bool) (over []func()) {
	over, m.joined = m.joined, nil
	switch {
	case comes && m.expected == nil:
		m.expected = m.q.Expect()
	case !comes && m.expected != nil:
		over, m.expected = append(over, m.expected), nil
	}
	return over
}

// expectNothing says that no receive is about to come.
func (m *mailbox) expectNothing() {
	m.mu.Lock()
	over := m.expect(false)
	m.mu.Unlock()
	for _, end := range over {
		end()
	}
}

// run delivers while there are consumers.
func (m *mailbox) run() {
	for {
		ctx, stop := context.WithCancel(m.s.ctx)
		for {
			n, more := m.credit(stop)
			if !more {
				stop()
				return
			}
			if n == 0 {
				<-m.woken
				continue
			}
			list, err := m.receive(ctx, broker.ReceiveRequest{Max: n, BytesMax: batchBytesMax, Lease: -1, Wait: receiveWait})
			if len(list) > 0 {
				m.deal(list)
			}
			if err != nil && !m.survives(err) {
				stop()
				m.s.gone(m.q)
				return
			}
			if ctx.Err() != nil {
				break
			}
		}
		stop()
	}
}

// receive is the queue's.
func (m *mailbox) receive(ctx context.Context, req broker.ReceiveRequest) ([]broker.Delivery, error) {
	defer func() {
		m.mu.Lock()
		close(m.received)
		m.received = nil
		m.mu.Unlock()
	}()
	return m.q.Receive(ctx, req)
}

// survives tells whether deliveries go on after an error, when it has waited.
func (m *mailbox) survives(err error) bool {
	if errors.Is(err, context.Canceled) {
		return true // a consumer left: the others are about to receive as before
	}
	m.expectNothing()
	pause := unreadAgain
	switch {
	case errors.Is(err, broker.ErrQueueDeleted), errors.Is(err, broker.ErrQueueClosed):
		return false
	case errors.Is(err, broker.ErrInFlightLimit):
		pause = fullRetry
	default:
		m.s.log.Warn("amqp: queue cannot be read", "queue", m.name, "error", err)
	}
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-m.s.ctx.Done():
	}
	return true
}

// credit is how many messages the consumers may be given; no more: there are no consumers. If there is credit, stop ends the
// receive that follows, and received is there to wait for.
func (m *mailbox) credit(stop context.CancelFunc) (n int, more bool) {
	m.mu.Lock()
	if more = len(m.consumers) > 0; more {
		m.stop = stop
		n = m.creditOf(m.active())
	} else {
		m.running, m.stop = false, nil
	}
	if n > 0 {
		m.received = make(chan struct{})
	}
	over := m.expect(n > 0)
	m.mu.Unlock()
	for _, end := range over {
		end()
	}
	return n, more
}

func (m *mailbox) creditOf(list []*consumer) (n int) {
	var shared map[*channel]int // what channels with a limit of their own have left
	for _, x := range list {
		c := x.credit()
		if c > 0 && x.ch.limited() {
			if shared == nil {
				shared = make(map[*channel]int)
			}
			left, known := shared[x.ch]
			if !known {
				left = x.ch.left()
			}
			c = min(c, left)
			shared[x.ch] = left - c
		}
		if n += c; n >= creditMax {
			return creditMax
		}
	}
	return n
}

func (ch *channel) limited() bool {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	return ch.limit > 0
}

// left is how many messages all consumers of the channel together may be given.
func (ch *channel) left() int {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	return max(0, ch.limit-ch.held)
}

// active are the consumers that get messages. Caller holds mu.
func (m *mailbox) active() []*consumer {
	if m.single && len(m.consumers) > 1 {
		return m.consumers[:1]
	}
	return m.consumers
}

// deal hands messages out. Those that nobody can take go back.
func (m *mailbox) deal(list []broker.Delivery) {
	var back []broker.Delivery
	var done []queue.Tag // delivered to those who do not ack
	var again int64
	m.mu.Lock()
	var to []*conn
	for i := range list {
		d := &list[i]
		x := m.give(d)
		if x == nil {
			back = append(back, *d)
			continue
		}
		if d.Attempts > 1 {
			again++
		}
		if x.noAck {
			done = append(done, d.Tag)
		}
		if n := len(to); n == 0 || to[n-1] != x.ch.c {
			if !slices.Contains(to, x.ch.c) {
				to = append(to, x.ch.c)
			}
		}
	}
	m.mu.Unlock()
	for _, c := range to {
		c.out.flush()
	}
	m.s.counters.delivered.Add(int64(len(list) - len(back)))
	m.s.counters.redelivered.Add(again)
	if len(done) > 0 {
		m.q.Ack(done, nil)
	}
	if len(back) > 0 {
		m.q.GiveBack(back)
	}
}

// give finds a consumer for a message: of the highest priority that has credit, in turn. Caller holds mu.
func (m *mailbox) give(d *broker.Delivery) *consumer {
	list := m.active()
	for from := 0; from < len(list); {
		to := from + 1
		for to < len(list) && list[to].priority == list[from].priority {
			to++
		}
		n := to - from
		for k := range n {
			x := list[from+(m.turn+k)%n]
			if x.deliver(&d.Record, d.Attempts, &d.Tag) {
				m.turn = (m.turn + k + 1) % n
				return x
			}
		}
		from = to
	}
	return nil
}
