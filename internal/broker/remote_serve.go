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
}

// of is the session's, made with its first call.
func (t *peerSessions) of(b *Broker, s *peer.Session) *peerSession {
	t.mu.Lock()
	defer t.mu.Unlock()
	p := t.list[s]
	if p == nil {
		p = &peerSession{b: b, ctx: s.Context()}
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

// ServePeer answers a call of another broker: the handler of a peer.Server.
func (b *Broker) ServePeer(c *peer.Call) {
	d := &decoder{b: c.Payload}
	s := b.peers.of(b, c.Session)
	switch ask := c.Method; {
	case ask >= askAppend && ask < askSend:
		s.servePartition(c, d)
	case ask >= askSend && ask < askGroups:
		s.serveQueue(c, d)
	case ask == askPublishLetter:
		s.publishLetter(c, d)
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

// servePartition answers what is about a partition.
func (s *peerSession) servePartition(c *peer.Call, d *decoder) {
	topic, index := d.partition()
	if err := d.fail(); err != nil {
		c.Fail(err)
		return
	}
	handle, err := s.b.topics.partitionByID(topic, index)
	if err != nil {
		s.lanes.do(index, func() { s.catchUp(c, func() { s.latePartition(c, d, topic, index) }) })
		return
	}
	s.lanes.do(handle, func() { s.onPartition(c, d, handle) })
}

// catchUp lets go on once the catalog here is as new as anybody's: the other broker may
// have seen more.
func (s *peerSession) catchUp(c *peer.Call, then func()) {
	if err := s.b.catchUp(c.Context()); err != nil {
		c.Fail(err)
		return
	}
	then()
}

func (s *peerSession) latePartition(c *peer.Call, d *decoder, topic catalog.UUID, index int32) {
	handle, err := s.b.topics.partitionByID(topic, index)
	if err != nil {
		c.Fail(err)
		return
	}
	s.onPartition(c, d, handle)
}

func (s *peerSession) onPartition(c *peer.Call, d *decoder, handle *Partition) {
	here, ok := handle.backend().(*localPartition)
	if !ok {
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
func (s *peerSession) serveQueue(c *peer.Call, d *decoder) {
	id, name := d.queue()
	if err := d.fail(); err != nil {
		c.Fail(err)
		return
	}
	handle := s.b.queues.find(name)
	if handle == nil || handle.id != id {
		s.lanes.do(id, func() {
			s.catchUp(c, func() {
				if handle = s.b.queues.find(name); handle == nil || handle.id != id {
					c.Fail(ErrQueueDeleted)
					return
				}
				s.onQueue(c, d, handle)
			})
		})
		return
	}
	s.onQueue(c, d, handle)
}

func (s *peerSession) onQueue(c *peer.Call, d *decoder, handle *Queue) {
	here := handle.local()
	if here == nil {
		refuse(c)
		return
	}
	call := queueCall{s, c, d, handle, here}
	switch c.Method {
	case askSend:
		s.lanes.do(handle, call.send)
	case askForward:
		s.lanes.do(handle, call.forward)
	case askAck, askNack, askReject, askExtend:
		call.settle()
	default: // what may wait, and has no order
		go call.rest()
	}
}

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
