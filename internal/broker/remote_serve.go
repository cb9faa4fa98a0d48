package broker

import (
	"context"
	"sync"

	"github.com/narumq/naru/internal/catalog"
	"github.com/narumq/naru/internal/peer"
)

// peerSessions are the sessions of the brokers that ask this one.
type peerSessions struct {
	mu     sync.Mutex // guards list
	list   map[*peer.Session]*peerSession
	budget *peer.Room // of bytes that are read for them
	silent sync.Map   // when an owner did not answer, by its number; 0: there was none
}

func (t *peerSessions) init() {
	t.list = make(map[*peer.Session]*peerSession)
	t.budget = peer.NewRoom(answersBytesMax)
}

// peerSession is what is kept for one of them, until it is gone.
type peerSession struct {
	b      *Broker
	ctx    context.Context
	lanes  lanes
	watch  peerWatches
	leases sessionLeases

	mu   sync.Mutex   // guards line
	line map[any]bool // what is asked for in order, and was not refused last
}

// lineMax bounds what is known of a peer's calls that are in order: queues come and go.
const lineMax = 64 << 10

// inTurn tells whether a call that is one of several in order is taken. What is refused is
// asked again later, so what was sent behind it is refused too, though the slot is here by
// then; and what was sent behind calls of a session that broke, until it is known what
// became of those.
func (s *peerSession) inTurn(of any, first, here bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !here || !first && !s.line[of] {
		delete(s.line, of)
		return false
	}
	if len(s.line) >= lineMax {
		clear(s.line) // who has something under way asks again
	}
	s.line[of] = true
	return true
}

// of is the session's, made with its first call.
func (t *peerSessions) of(b *Broker, s *peer.Session) *peerSession {
	t.mu.Lock()
	defer t.mu.Unlock()
	p := t.list[s]
	if p == nil {
		p = &peerSession{b: b, ctx: s.Context(), line: make(map[any]bool)}
		t.list[s] = p
		context.AfterFunc(s.Context(), func() {
			t.mu.Lock()
			delete(t.list, s)
			t.mu.Unlock()
			p.leases.end()
		})
	}
	return p
}

// forget lets no session hold deliveries of a queue that is not here any more.
func (t *peerSessions) forget(q *Queue) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, p := range t.list {
		p.leases.forget(q)
	}
}

// ServePeer answers a call of another broker: the handler of a peer.Server.
func (b *Broker) ServePeer(c *peer.Call) {
	d := &decoder{b: c.Payload}
	s := b.peers.of(b, c.Session)
	first := c.Method&askFirst != 0
	c.Method &^= askFirst
	switch ask := c.Method; {
	case ask >= askAppend && ask < askSend:
		s.servePartition(c, d, first)
	case ask >= askSend && ask < askGroups:
		s.serveQueue(c, d, first)
	case ask == askPublishLetter:
		s.publishLetter(c, d, first)
	case ask >= askGroups && ask < askPublishLetter:
		s.serveGroups(c, d)
	case ask >= askTriggers && ask <= askDeleteTrigger:
		s.serveTriggers(c, d)
	default:
		c.Fail(errUnknownCall)
	}
}

// refuse says that the slot is not here.
func refuse(c *peer.Call) { c.Fail(errRefused) }

// reply ends a call with what an encoder holds, or an error.
func reply(c *peer.Call, e *encoder, err error) {
	if err != nil {
		c.Fail(err)
		return
	}
	c.Answer(e.payload()...)
}

// partitionKey is a partition on the wire.
type partitionKey struct {
	topic catalog.UUID
	index int32
}

// servePartition answers what is about a partition.
func (s *peerSession) servePartition(c *peer.Call, d *decoder, first bool) {
	topic, index := d.partition()
	if err := d.fail(); err != nil {
		c.Fail(err)
		return
	}
	key := partitionKey{topic, index}
	s.lanes.do(key, func() {
		handle, err := s.b.topics.partitionByID(topic, index)
		if err != nil {
			if err = s.b.catchUp(c.Context()); err == nil { // the other broker may have seen more
				handle, err = s.b.topics.partitionByID(topic, index)
			}
		}
		if err != nil {
			c.Fail(err)
			return
		}
		here, _ := handle.backend().(*localPartition)
		if c.Method == askAppend && !s.inTurn(key, first, here != nil) {
			here = nil
		}
		s.onPartition(c, d, handle, here)
	})
}

func (s *peerSession) onPartition(c *peer.Call, d *decoder, handle *Partition, here *localPartition) {
	if here == nil {
		refuse(c)
		return
	}
	call := partitionCall{s, c, d, handle, here}
	switch c.Method {
	case askAppend:
		call.append()
	case askBounds:
		e := &encoder{}
		e.bounds(here)
		reply(c, e, nil)
	case askWatch:
		s.watch.add(s, c, handle)
	default: // the disk may be slow, and there is no order
		go call.rest()
	}
}

// serveQueue answers what is about a queue.
func (s *peerSession) serveQueue(c *peer.Call, d *decoder, first bool) {
	id, name := d.queue()
	if err := d.fail(); err != nil {
		c.Fail(err)
		return
	}
	handle := s.queue(id, name)
	ordered := c.Method == askSend || c.Method == askForward
	if handle != nil && !ordered {
		s.onQueue(c, d, handle, handle.local())
		return
	}
	s.lanes.do(id, func() {
		if handle == nil {
			if err := s.b.catchUp(c.Context()); err != nil { // the other broker may have seen more
				c.Fail(err)
				return
			}
			if handle = s.queue(id, name); handle == nil {
				c.Fail(ErrQueueDeleted)
				return
			}
		}
		here := handle.local()
		if ordered && !s.inTurn(id, first, here != nil) {
			here = nil
		}
		s.onQueue(c, d, handle, here)
	})
}

// queue is what the other broker means; nil: it is not known here.
func (s *peerSession) queue(id uint64, name string) *Queue {
	if q := s.b.queues.find(name); q != nil && q.id == id {
		return q
	}
	return nil
}

func (s *peerSession) onQueue(c *peer.Call, d *decoder, handle *Queue, here *openQueue) {
	if here == nil {
		refuse(c)
		return
	}
	call := queueCall{s, c, d, handle, here}
	switch c.Method {
	case askSend:
		call.send()
	case askForward:
		call.forward()
	case askAck, askNack, askReject, askExtend: // in order, and not before what the session reads next: the queue may be busy
		s.lanes.do(settling(here.id), call.settle)
	default: // what may wait, and has no order
		go call.rest()
	}
}

// settling is the lane of what is about a queue's deliveries.
type settling uint64

// lanes run what may have to wait for room: in order for each thing, and none waits for
// what is about another. What waits is bounded by the calls under way.
type lanes struct {
	mu sync.Mutex // guards by
	by map[any][]func()
}

func (l *lanes) do(of any, f func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.by == nil {
		l.by = make(map[any][]func())
	}
	waiting, busy := l.by[of]
	l.by[of] = append(waiting, f)
	if !busy {
		go l.run(of)
	}
}

func (l *lanes) run(of any) {
	for {
		l.mu.Lock()
		list := l.by[of]
		if len(list) == 0 {
			delete(l.by, of)
			l.mu.Unlock()
			return
		}
		l.by[of] = nil
		l.mu.Unlock()
		for _, f := range list {
			f()
		}
	}
}
