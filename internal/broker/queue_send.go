package broker

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash/fnv"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/narumq/naru/internal/queue"
	"github.com/narumq/naru/internal/record"
)

const (
	// gatherBytesMax is how much is gathered for a partition while others are on
	// their way; past it, senders wait.
	gatherBytesMax = 512 << 10
	// appendsMax is how many batches of a partition are on their way at once: one
	// is being committed, one is next.
	appendsMax = 2
)

// sending is one call of Send.
type sending struct {
	q       *Queue
	results []Sent
	left    atomic.Int32
	done    func([]Sent)
}

func (c *sending) finish(n int) {
	if c.left.Add(int32(-n)) == 0 {
		c.done(c.results)
	}
}

// sendingID is an id whose first message is not noted in the ledger yet.
type sendingID struct {
	finished bool
	sent     Sent
	waiting  []waitingDuplicate
}

type waitingDuplicate struct {
	call  *sending
	index int
}

// Send appends messages, in order. done is called once, when all of them are
// durable or refused, maybe before Send returns, else from the committer: it must
// be quick and must not block. Send may wait for room until ctx ends. What the
// messages hold is copied.
//
// Errors of single messages: ErrMessageTooLarge, ErrNoGroup, ErrNoDedupID, and
// those of Partition.Append.
func (q *Queue) Send(ctx context.Context, msgs []Message, done func([]Sent)) {
	c := &sending{q: q, results: make([]Sent, len(msgs)), done: done}
	c.left.Store(int32(len(msgs)) + 1)
	now := q.b.nowMS()
	var list []outgoing // for one partition, in order
	var to *sender
	flush := func() {
		if len(list) > 0 {
			to.add(ctx, now, list)
			list = nil
		}
	}
	for i := range msgs {
		out, s, err := q.outgoing(c, i, &msgs[i], now)
		switch {
		case err != nil:
			c.results[i].Err = err
			c.finish(1)
			continue
		case s == nil:
			continue // a duplicate
		case s != to:
			flush()
			to = s
		}
		list = append(list, out)
	}
	flush()
	q.sent.Add(int64(len(msgs)))
	c.finish(1)
}

// outgoing is a message on its way into a batch.
type outgoing struct {
	call       *sending
	index      int
	key, value []byte
	headers    []record.HeaderField
	hash       [16]byte
	hashed     bool
	timestamp  int64 // 0 = now
}

// outgoing checks a message and makes its record. A nil sender says that it is a
// duplicate, whose outcome will come.
func (q *Queue) outgoing(c *sending, i int, m *Message, now int64) (o outgoing, s *sender, err error) {
	set := &q.Meta().Settings
	size := len(m.Value)
	for j := range m.Headers {
		if strings.HasPrefix(m.Headers[j].Key, queueHeaderPrefix) {
			continue // what front ends note beside the message
		}
		size += len(m.Headers[j].Key) + len(m.Headers[j].Value)
	}
	if size > int(set.MessageBytesMax) {
		return o, nil, fmt.Errorf("%w: %d bytes, %s takes %d", ErrMessageTooLarge, size, q.Meta().Name, set.MessageBytesMax)
	}
	if set.Ordered && m.Key == nil {
		return o, nil, ErrNoGroup
	}
	o = outgoing{call: c, index: i, key: m.Key, value: m.Value}
	delay := m.Delay
	if delay < 0 {
		delay = set.Delay
	}
	extra := make([]record.HeaderField, 0, 3)
	if delay > 0 {
		extra = append(extra, record.HeaderField{Key: HeaderDue, Value: strconv.AppendInt(nil, now+delay.Milliseconds(), 10)})
	}
	if m.Expiry > 0 {
		extra = append(extra, record.HeaderField{Key: HeaderExpires, Value: strconv.AppendInt(nil, now+m.Expiry.Milliseconds(), 10)})
	}
	s, err = q.senderFor(m)
	if err != nil {
		return o, nil, err
	}
	if set.Dedup != "" {
		id := m.DedupID
		if id == "" && set.DedupByContent {
			sum := sha256.Sum256(m.Value)
			id = hex.EncodeToString(sum[:])
		}
		if id == "" {
			return o, nil, ErrNoDedupID
		}
		extra = append(extra, record.HeaderField{Key: HeaderDedup, Value: []byte(id)})
		o.hash, o.hashed = q.dedupHash(m.Key, id), true
		if q.duplicate(c, i, o.hash, now) {
			return o, nil, nil
		}
	} else if m.DedupID != "" {
		extra = append(extra, record.HeaderField{Key: HeaderDedup, Value: []byte(m.DedupID)})
	}
	o.headers = m.Headers
	if len(extra) > 0 {
		o.headers = append(append(make([]record.HeaderField, 0, len(m.Headers)+len(extra)), m.Headers...), extra...)
	}
	return o, s, nil
}

// duplicate tells whether a message with this id was sent already, and if so
// answers the call as the first one was, now or later. Else the id is taken.
func (q *Queue) duplicate(c *sending, i int, hash [16]byte, now int64) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if first := q.ids[hash]; first != nil {
		if !first.finished {
			first.waiting = append(first.waiting, waitingDuplicate{c, i})
			return true
		}
		c.results[i] = first.sent
		c.results[i].Duplicate = true
		go c.finish(1)
		return true
	}
	var src queue.Source
	var at record.Offset
	var known bool
	q.t.log.Read(func() { src, at, known = q.ledger.Sent(hash, now) })
	if !known {
		q.ids[hash] = &sendingID{}
		return false
	}
	c.results[i] = Sent{Partition: int32(src), Offset: at, Timestamp: now, ID: newMessageID(q.parts[src].Topic().ID, int32(src), at), Duplicate: true}
	go c.finish(1)
	return true
}

// noteSent settles the ids of a batch: those who wait for them are answered, and
// the ledger is told.
func (q *Queue) noteSent(s queue.Source, list []outgoing, sent []Sent) {
	var notes []queue.SentID
	var hashes [][16]byte
	q.mu.Lock()
	var waiting []waitingDuplicate
	for i := range list {
		if !list[i].hashed {
			continue
		}
		id := q.ids[list[i].hash]
		for _, w := range id.waiting {
			w.call.results[w.index] = sent[i]
			w.call.results[w.index].Duplicate = sent[i].Err == nil
		}
		waiting = append(waiting, id.waiting...)
		id.waiting = nil
		if sent[i].Err != nil {
			delete(q.ids, list[i].hash)
			continue
		}
		id.finished, id.sent = true, sent[i]
		hashes = append(hashes, list[i].hash)
		notes = append(notes, queue.SentID{Hash: list[i].hash, Offset: sent[i].Offset, At: sent[i].Timestamp})
	}
	if len(notes) > 0 {
		q.command(queue.Remember(s, notes), func(error) {
			q.mu.Lock()
			defer q.mu.Unlock()
			for _, h := range hashes {
				delete(q.ids, h)
			}
		})
	}
	q.mu.Unlock()
	for _, w := range waiting {
		w.call.finish(1)
	}
}

// senderFor chooses the partition: the lane, or by key, or in turns.
func (q *Queue) senderFor(m *Message) (*sender, error) {
	q.sendersMu.Lock()
	defer q.sendersMu.Unlock()
	if q.senders == nil {
		for i, p := range q.partitions() {
			q.senders = append(q.senders, &sender{q: q, part: p, source: queue.Source(i), builder: record.NewBuilder(record.None), space: make(chan struct{})})
		}
	}
	n := len(q.senders)
	switch {
	case n == 1:
		return q.senders[0], nil
	case q.Meta().Settings.Lanes > 1:
		return q.senders[min(max(int(m.Lane), 0), n-1)], nil
	case m.Key != nil:
		h := fnv.New32a()
		h.Write(m.Key)
		return q.senders[h.Sum32()%uint32(n)], nil
	}
	return q.senders[q.turn.Add(1)%uint32(n)], nil
}

// sender gathers messages for one partition into batches.
type sender struct {
	q      *Queue
	part   *Partition
	source queue.Source

	mu       sync.Mutex // guards what follows; held for memory work only
	builder  *record.Builder
	list     []outgoing
	appends  int  // batches on their way
	flushing bool // somebody is in flush
	space    chan struct{}
}

// add gathers messages, in order, and sees to it that they go.
func (s *sender) add(ctx context.Context, now int64, list []outgoing) {
	s.mu.Lock()
	for i := range list {
		o := &list[i]
		for s.builder.Len() > 0 && s.builder.Bytes()+len(o.value) > gatherBytesMax {
			s.startFlush()
			space := s.space
			s.mu.Unlock()
			select {
			case <-space:
			case <-ctx.Done():
				s.fail(list[i:], ctx.Err())
				return
			}
			s.mu.Lock()
		}
		at := o.timestamp
		if at == 0 {
			at = now
			o.timestamp = now
		}
		s.builder.Append(at, o.key, o.value, o.headers)
		s.list = append(s.list, *o)
	}
	start := s.mayFlush()
	s.mu.Unlock()
	if start {
		s.flush()
	}
}

// mayFlush takes the right to flush, if that can be done. Caller holds mu.
func (s *sender) mayFlush() bool {
	if s.flushing || s.appends >= appendsMax || s.builder.Len() == 0 {
		return false
	}
	s.flushing = true
	return true
}

func (s *sender) startFlush() {
	if s.mayFlush() {
		go s.flush()
	}
}

// flush appends what is gathered until nothing is, or enough is on its way. Only
// one does it at a time, so batches keep their order.
func (s *sender) flush() {
	for {
		s.mu.Lock()
		if s.builder.Len() == 0 || s.appends >= appendsMax {
			s.flushing = false
			s.mu.Unlock()
			return
		}
		batch, err := s.builder.Build()
		list := s.list
		s.list = nil
		s.appends++
		close(s.space)
		s.space = make(chan struct{})
		s.mu.Unlock()
		if err != nil {
			s.appended(list, Appended{}, err)
			continue
		}
		s.part.Append(context.Background(), batch, func(a Appended, err error) { s.appended(list, a, err) })
	}
}

// appended answers the calls of a batch. It runs in the committer.
func (s *sender) appended(list []outgoing, a Appended, err error) {
	s.mu.Lock()
	s.appends--
	s.startFlush()
	s.mu.Unlock()
	if err != nil {
		s.fail(list, err)
		return
	}
	sent := make([]Sent, len(list))
	hashed := false
	for i := range list {
		o := a.Base + record.Offset(i)
		at := list[i].timestamp
		if a.LogAppendTime >= 0 {
			at = a.LogAppendTime
		}
		sent[i] = Sent{Partition: int32(s.source), Offset: o, Timestamp: at, ID: newMessageID(s.part.Topic().ID, int32(s.source), o)}
		hashed = hashed || list[i].hashed
	}
	s.answer(list, sent, hashed)
}

func (s *sender) fail(list []outgoing, err error) {
	sent := make([]Sent, len(list))
	hashed := false
	for i := range list {
		sent[i].Err = err
		hashed = hashed || list[i].hashed
	}
	s.answer(list, sent, hashed)
}

func (s *sender) answer(list []outgoing, sent []Sent, hashed bool) {
	if hashed {
		// The queue's lock may be held by somebody who waits for the committer.
		go func() {
			s.q.noteSent(s.source, list, sent)
			finishAll(list, sent)
		}()
		return
	}
	finishAll(list, sent)
}

func finishAll(list []outgoing, sent []Sent) {
	for i := 0; i < len(list); {
		c, n := list[i].call, 0
		for ; i < len(list) && list[i].call == c; i++ {
			c.results[list[i].index] = sent[i]
			n++
		}
		c.finish(n)
	}
}

// forward appends a record that comes from another queue, with its timestamp.
func (q *Queue) forward(rec *record.Record, done func(Sent)) {
	c := &sending{q: q, results: make([]Sent, 1), done: func(s []Sent) { done(s[0]) }}
	c.left.Store(1)
	s, err := q.senderFor(&Message{Key: rec.Key})
	if err != nil {
		done(Sent{Err: err})
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), forwardTimeout)
	defer cancel()
	s.add(ctx, rec.Timestamp, []outgoing{{call: c, key: rec.Key, value: rec.Value, headers: rec.Headers, timestamp: rec.Timestamp}})
}

// forwardTimeout bounds the wait for room.
const forwardTimeout = 10 * time.Second
