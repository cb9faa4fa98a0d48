package broker

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/narumq/naru/internal/peer"
	"github.com/narumq/naru/internal/record"
)

// partitionCall is a call about a partition that is here.
type partitionCall struct {
	s      *peerSession
	c      *peer.Call
	d      *decoder
	handle *Partition
	here   *localPartition
}

func (e *encoder) bounds(p *localPartition) {
	e.number(int64(p.LogStart()))
	e.number(int64(p.HighWatermark()))
	e.number(p.SizeBytes())
}

func (q partitionCall) append() {
	batch := q.d.bytes()
	if err := q.d.fail(); err != nil {
		q.c.Fail(err)
		return
	}
	q.here.Append(q.c.Context(), batch, func(a Appended, err error) {
		e := &encoder{}
		e.number(int64(a.Base))
		e.number(int64(a.LogStart))
		e.number(a.LogAppendTime)
		e.number(a.Timestamp)
		e.flag(a.Duplicate)
		reply(q.c, e, err)
	})
}

func (q partitionCall) read() {
	from, limit, one := record.Offset(q.d.number()), int(q.d.number()), q.d.flag()
	limit = min(max(0, limit), answerBytesMax)
	budget := q.s.b.peers.budget
	err := q.d.fail()
	if err == nil {
		err = q.c.WaitSpace()
	}
	if err == nil {
		err = budget.Take(q.c.Context(), limit)
	}
	if err != nil {
		q.c.Fail(err)
		return
	}
	defer budget.Give(limit)
	slice, err := q.here.Read(from, limit, one)
	if err != nil {
		q.c.Fail(err)
		return
	}
	e := &encoder{}
	e.bounds(q.here)
	e.number(int64(slice.Next))
	e.unsigned(uint64(len(slice.Payloads)))
	for _, b := range slice.Payloads {
		e.bytes(b)
	}
	q.c.Answer(e.payload()...)
	slice.Release()
}

// rest answers what is not in order.
func (q partitionCall) rest() {
	e := &encoder{}
	place := func(o record.Offset, ms int64, err error) {
		e.number(int64(o))
		e.number(ms)
		reply(q.c, e, err)
	}
	switch q.c.Method {
	case askRead:
		q.read()
	case askAvailable:
		e.number(int64(q.here.Available(record.Offset(q.d.number()), int(q.d.number()))))
		reply(q.c, e, nil)
	case askTime:
		place(q.here.OffsetForTime(q.d.number()))
	case askMaxTime:
		place(q.here.OffsetOfMaxTime())
	case askProducers:
		e.json(q.here.Producers())
		reply(q.c, e, nil)
	case askDeleteRecords:
		start, err := q.here.DeleteRecords(record.Offset(q.d.number()))
		place(start, 0, err)
	case askClosePartition:
		end, err := q.here.Close(q.c.Context())
		place(end, 0, err)
	case askReopen:
		q.here.Reopen()
		reply(q.c, e, nil)
	case askWake:
		q.here.Wake()
		reply(q.c, e, nil)
	default:
		q.c.Fail(errUnknownCall)
	}
}

// peerWatches are what a peer watches: it is told of the bounds of each partition when they
// change, and then when what it was told is on its way.
type peerWatches struct {
	mu    sync.Mutex // guards what follows
	news  *Waiter
	list  []*watched // by token
	free  []int
	ended bool
}

// watched is a partition that a peer watches by a call.
type watched struct {
	c       *peer.Call
	p       *Partition
	waiting atomic.Bool // for what it was told last to be on its way
	told    [2]record.Offset
}

// add begins to tell; the call ends that.
func (w *peerWatches) add(s *peerSession, c *peer.Call, p *Partition) {
	w.mu.Lock()
	if w.ended {
		defer w.mu.Unlock()
		return
	}
	if w.news == nil {
		w.news = NewWaiter()
		go w.run(s)
	}
	token := len(w.list)
	if n := len(w.free); n > 0 {
		token, w.free = w.free[n-1], w.free[:n-1]
	} else {
		w.list = append(w.list, nil)
	}
	one := &watched{c: c, p: p, told: [2]record.Offset{-1, -1}}
	w.list[token] = one
	p.Watch(w.news, token)
	w.mu.Unlock()
	w.news.Mark(token)
	context.AfterFunc(c.Context(), func() { w.news.Mark(token) })
}

// run tells until the peer is gone.
func (w *peerWatches) run(s *peerSession) {
	var tokens []int
	for {
		select {
		case <-w.news.C():
		case <-s.ctx.Done():
			w.end()
			return
		}
		tokens = w.news.Dirty(tokens[:0])
		for _, token := range tokens {
			w.tell(s, token)
		}
	}
}

func (w *peerWatches) at(token int) *watched {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.list[token]
}

// tell pushes the bounds of a partition, or ends the call of one that is not here.
func (w *peerWatches) tell(s *peerSession, token int) {
	one := w.at(token)
	if one == nil {
		return
	}
	here, ok := one.p.backend().(*localPartition)
	topic := one.p.Topic()
	_, gone := s.b.topics.partitionByID(topic.ID, one.p.index)
	switch {
	case one.c.Context().Err() != nil:
		w.drop(token, one)
		one.c.Fail(one.c.Context().Err())
		return
	case gone != nil:
		w.drop(token, one)
		one.c.Fail(gone)
		return
	case !ok:
		w.drop(token, one)
		refuse(one.c)
		return
	}
	now := [2]record.Offset{here.LogStart(), here.HighWatermark()}
	if now == one.told || !one.waiting.CompareAndSwap(false, true) {
		return
	}
	one.told = now
	e := &encoder{}
	e.number(int64(now[0]))
	e.number(int64(now[1]))
	e.number(here.SizeBytes())
	one.c.Push(func() {
		one.waiting.Store(false)
		w.news.Mark(token) // there may be more by now
	}, e.payload()...)
}

func (w *peerWatches) drop(token int, one *watched) {
	w.mu.Lock()
	defer w.mu.Unlock()
	one.p.Unwatch(w.news, token)
	w.list[token] = nil
	w.free = append(w.free, token)
}

// end lets go of all that was watched.
func (w *peerWatches) end() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ended = true
	for token, one := range w.list {
		if one != nil {
			one.p.Unwatch(w.news, token)
		}
	}
}
