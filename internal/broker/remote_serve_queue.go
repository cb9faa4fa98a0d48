package broker

import (
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/narumq/naru/internal/peer"
	"github.com/narumq/naru/internal/queue"
)

// queueCall is a call about a queue that is here.
type queueCall struct {
	s      *peerSession
	c      *peer.Call
	d      *decoder
	handle *Queue
	here   *openQueue
}

func (q queueCall) send() {
	once, msgs := q.d.once(), q.d.messages()
	if err := q.d.fail(); err != nil {
		q.c.Fail(err)
		return
	}
	q.here.SendOnce(q.c.Context(), once, msgs, q.sent)
}

func (q queueCall) sent(list []Sent) {
	e := &encoder{}
	e.sent(list)
	q.c.Answer(e.payload()...)
}

func (q queueCall) forward() {
	rec, lane := q.d.record(), int32(q.d.number())
	if err := q.d.fail(); err != nil {
		q.c.Fail(err)
		return
	}
	q.here.Forward(&rec, lane, func(s Sent) { q.sent([]Sent{s}) })
}

// settle answers what is about deliveries. It may wait for the queue's lock.
func (q queueCall) settle() {
	tags := q.d.tags()
	done := func(errs []error) {
		e := &encoder{}
		e.errs(errs)
		q.c.Answer(e.payload()...)
	}
	var lazy bool
	var delay time.Duration
	leases := make([]time.Duration, 0, len(tags))
	switch q.c.Method {
	case askAck:
		lazy = q.d.flag()
	case askNack:
		delay = time.Duration(q.d.number())
	case askExtend:
		for range tags {
			leases = append(leases, time.Duration(q.d.number()))
		}
	}
	if err := q.d.fail(); err != nil {
		q.c.Fail(err)
		return
	}
	settled := func(errs []error) {
		q.s.leases.settled(q.handle, tags, errs)
		done(errs)
	}
	switch q.c.Method {
	case askAck:
		if lazy {
			q.here.Ack(tags, nil)
			settled(make([]error, len(tags)))
			return
		}
		q.here.Ack(tags, settled)
	case askNack:
		q.here.Nack(tags, delay, settled)
	case askReject:
		q.here.Reject(tags, settled)
	case askExtend:
		q.here.Extend(tags, leases, done)
	}
}

// receive leases messages for the peer. They are given back if it does not get them, and
// those whose lease has no end when it is gone.
func (q queueCall) receive() {
	req := q.d.request()
	if err := q.d.fail(); err != nil {
		q.c.Fail(err)
		return
	}
	req.Together = req.Together || req.BytesMax <= 0
	if req.BytesMax <= 0 || req.BytesMax > answerBytesMax {
		req.BytesMax = answerBytesMax
	}
	list, err := q.here.Receive(q.c.Context(), req)
	if err != nil || len(list) == 0 {
		e := &encoder{}
		e.deliveries(nil)
		reply(q.c, e, err)
		return
	}
	e, carried := deliveriesIn(list)
	if carried < len(list) { // in an ordered queue they are the last of their group
		giveBack(q.here, list[carried:])
		list = list[:carried]
	}
	size, budget := e.size(), q.s.b.peers.budget
	if err := budget.Take(q.c.Context(), size); err != nil {
		giveBack(q.here, list)
		q.c.Fail(err)
		return
	}
	defer budget.Give(size)
	if err := q.c.WaitSpace(); err != nil {
		giveBack(q.here, list)
		q.c.Fail(err)
		return
	}
	if req.Lease < 0 && !q.s.leases.took(q.handle, q.here, list) {
		giveBack(q.here, list)
		q.c.Fail(peer.ErrUnknownOutcome)
		return
	}
	q.c.AnswerOr(func() { go giveBack(q.here, list) }, e.payload()...)
}

// errorBytesMax is no less than what an error takes in an answer.
const errorBytesMax = 64 << 10

// deliveriesIn is what an answer carries of deliveries: the first of them, but at least one. The last that was leased may be long.
func deliveriesIn(list []Delivery) (e *encoder, n int) {
	for n = len(list); ; n-- {
		e = &encoder{}
		e.deliveries(list[:n])
		if n <= 1 || e.size() <= peer.PayloadMax-errorBytesMax {
			return e, n
		}
	}
}

// rest answers what may wait.
func (q queueCall) rest() {
	e := &encoder{}
	var err error
	switch q.c.Method {
	case askReceive:
		q.receive()
		return
	case askPeek:
		q.peek()
		return
	case askPurge:
		err = q.here.Purge()
	case askPurgeReady:
		err = q.here.PurgeReady()
	case askStats:
		e.json(q.here.Stats())
	case askCounts:
		delivered, acked := q.here.Counts()
		e.number(delivered)
		e.number(acked)
	case askBurials:
		q.here.AfterBurials(func() { reply(q.c, e, nil) })
		return
	case askRedrives:
		e.json(q.here.Redrives())
	case askStartRedrive:
		var spec RedriveSpec
		if !q.d.json(&spec) {
			err = peer.ErrMalformed
			break
		}
		var t RedriveTask
		t, err = q.here.StartRedrive(spec)
		e.json(t)
	case askCancelRedrive:
		var t RedriveTask
		t, err = q.here.CancelRedrive(q.d.text())
		e.json(t)
	default:
		err = errUnknownCall
	}
	reply(q.c, e, err)
}

func (q queueCall) peek() {
	limit, bytesMax := int(q.d.number()), int(q.d.number())
	bytesMax = min(max(0, bytesMax), answerBytesMax)
	budget := q.s.b.peers.budget
	err := q.c.WaitSpace()
	if err == nil {
		err = budget.Take(q.c.Context(), bytesMax)
	}
	if err != nil {
		q.c.Fail(err)
		return
	}
	defer budget.Give(bytesMax)
	list, err := q.here.Peek(limit, bytesMax)
	e, _ := deliveriesIn(list)
	e.err(err)
	q.c.Answer(e.payload()...)
}

// sessionLeases are the deliveries that a peer has on leases without end. They end with
// its session: whoever consumed there has to be served anew.
type sessionLeases struct {
	mu    sync.Mutex // guards what follows
	by    map[*Queue]map[leaseKey]queue.Tag
	ended bool
}

type leaseKey struct {
	source queue.Source
	offset int64
}

// took notes deliveries; false: the peer is gone, or the queue.
func (l *sessionLeases) took(q *Queue, here *openQueue, list []Delivery) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended || q.gone.Load() || q.local() != here {
		return false
	}
	if l.by == nil {
		l.by = make(map[*Queue]map[leaseKey]queue.Tag)
	}
	if l.by[q] == nil {
		l.by[q] = make(map[leaseKey]queue.Tag)
	}
	for i := range list {
		t := list[i].Tag
		l.by[q][leaseKey{t.Source, int64(t.Offset)}] = t
	}
	return true
}

// forget forgets the deliveries of a queue that is not here any more: a queue that is deleted is settled by nobody.
func (l *sessionLeases) forget(q *Queue) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.by, q)
}

// settled forgets deliveries whose end met no error, or that are done: a purge leaves none in force.
func (l *sessionLeases) settled(q *Queue, tags []queue.Tag, errs []error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	held := l.by[q]
	for i, t := range tags {
		if k := (leaseKey{t.Source, int64(t.Offset)}); (errs[i] == nil || errors.Is(errs[i], queue.ErrUnknownRecord)) && held[k] == t {
			delete(held, k)
		}
	}
	if len(held) == 0 {
		delete(l.by, q)
	}
}

// end gives back what the peer had.
func (l *sessionLeases) end() {
	l.mu.Lock()
	by := l.by
	l.by, l.ended = nil, true
	l.mu.Unlock()
	for q, held := range by {
		here := q.local()
		if here == nil {
			continue // its new owner knows of no leases
		}
		tags := make([]queue.Tag, 0, len(held))
		for _, t := range held {
			tags = append(tags, t)
		}
		slices.SortFunc(tags, func(a, b queue.Tag) int { return int(a.Offset - b.Offset) })
		here.Nack(tags, 0, func([]error) {})
	}
}
