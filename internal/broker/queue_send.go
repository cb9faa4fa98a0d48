package broker

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/narumq/naru/internal/record"
)

// sending is one call of Send or Produce.
type sending struct {
	results []Sent
	left    atomic.Int32
	done    func([]Sent)
}

func (c *sending) finish(n int) {
	if c.left.Add(int32(-n)) == 0 {
		c.done(c.results)
	}
}

// SendOnce implements queueBackend.
func (q *openQueue) SendOnce(ctx context.Context, once *Once, msgs []Message, done func([]Sent)) {
	c := &sending{results: make([]Sent, len(msgs)), done: done}
	c.left.Store(int32(len(msgs)) + 1)
	now := q.b.nowMS()
	run := sendingRun{ctx: ctx, once: once}
	for i := range msgs {
		out, s, err := q.outgoing(c, i, &msgs[i], now, once)
		switch {
		case err != nil:
			c.results[i].Err = err
			c.finish(1)
		case s != nil: // else it is a duplicate
			run.add(s, out)
		}
	}
	run.flush()
	c.finish(1)
}

// sendingRun hands records to their senders, in order.
type sendingRun struct {
	ctx  context.Context
	once *Once
	to   *sender
	list []outgoing
	more map[*sender][]outgoing // with once: one batch for each partition
}

func (r *sendingRun) add(s *sender, o outgoing) {
	if r.once != nil {
		if r.more == nil {
			r.more = make(map[*sender][]outgoing)
		}
		r.more[s] = append(r.more[s], o)
		return
	}
	if s != r.to {
		r.flush()
		r.to = s
	}
	r.list = append(r.list, o)
}

func (r *sendingRun) flush() {
	if len(r.list) > 0 {
		r.to.add(r.ctx, r.list)
		r.list = nil
	}
	for s, list := range r.more {
		s.addOnce(r.ctx, r.once, list)
	}
}

// outgoing is a message that is to be put into a batch.
type outgoing struct {
	gathered
	key, value []byte
	headers    []record.HeaderField
}

// gathered is what is known of a message in a batch.
type gathered struct {
	call      *sending
	index     int
	hash      [16]byte // of its dedup id
	hashed    bool
	taken     bool // it counts in Queue.taken
	timestamp int64
}

// batchBytes is no less than what the record takes in a batch.
func (o *outgoing) batchBytes() int {
	n := 48 + len(o.key) + len(o.value)
	for i := range o.headers {
		n += 10 + len(o.headers[i].Key) + len(o.headers[i].Value)
	}
	return n
}

// outgoing checks a message and makes its record. A nil sender says that it is a
// duplicate, whose outcome will come.
func (q *openQueue) outgoing(c *sending, i int, m *Message, now int64, once *Once) (o outgoing, s *sender, err error) {
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
	if q.full(len(m.Key) + len(m.Value)) {
		return o, nil, q.refuseFull(m)
	}
	o = outgoing{gathered{call: c, index: i, timestamp: now}, m.Key, m.Value, nil}
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
	s, err = q.senderFor(m, once)
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
	if m.Expiry > 0 {
		q.expiring.Store(true)
	}
	if q.countsTaken() {
		o.taken = true
		q.taken.Add(1)
	}
	if o.headers = m.Headers; len(extra) > 0 {
		o.headers = make([]record.HeaderField, 0, len(m.Headers)+len(extra))
		for _, h := range m.Headers { // the sender cannot say what the queue notes
			if !slices.ContainsFunc(extra, func(x record.HeaderField) bool { return x.Key == h.Key }) {
				o.headers = append(o.headers, h)
			}
		}
		o.headers = append(o.headers, extra...)
	}
	return o, s, nil
}

// senderFor chooses the partition: the lane, or by key, or in turns.
func (q *openQueue) senderFor(m *Message, once *Once) (*sender, error) {
	q.sendersMu.Lock()
	defer q.sendersMu.Unlock()
	if int(q.partsN.Load()) != len(q.senders) {
		for _, p := range q.partitions()[len(q.senders):] {
			q.senders = append(q.senders, newSender(q, p))
		}
	}
	n := len(q.senders)
	switch {
	case n == 0:
		return nil, ErrQueueDeleted
	case n == 1:
		return q.senders[0], nil
	case q.Meta().Settings.Lanes > 1:
		return q.senders[min(max(int(m.Lane), 0), n-1)], nil
	}
	key := m.Key
	if key == nil && once != nil {
		key = []byte(once.Key)
	}
	if place := q.senders[0].part.topic.place.Load(); place.topic.Resharded {
		return q.senderAt(place, key)
	}
	if key != nil {
		return q.senders[partitionOf(key, n)], nil
	}
	return q.senders[q.turn.Add(1)%uint32(n)], nil
}

// senderAt chooses among the open partitions of a topic that was resharded. Caller
// holds sendersMu.
func (q *openQueue) senderAt(place *placement, key []byte) (*sender, error) {
	to := place.inTurn(q.turn.Add(1))
	if key != nil {
		to = place.byKey(key)
	}
	if int(to.index) >= len(q.senders) { // the queue is about to take it up
		return nil, to.closedError()
	}
	return q.senders[to.index], nil
}

// Forward implements queueBackend.
func (q *openQueue) Forward(rec *record.Record, lane int32, done func(Sent)) {
	c := &sending{results: make([]Sent, 1), done: func(s []Sent) { done(s[0]) }}
	c.left.Store(1)
	s, err := q.senderFor(&Message{Key: rec.Key, Lane: lane}, nil)
	if err != nil {
		done(Sent{Err: err})
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), forwardTimeout)
	defer cancel()
	s.add(ctx, []outgoing{{gathered{call: c, timestamp: rec.Timestamp}, rec.Key, rec.Value, rec.Headers}})
}

// forwardTimeout bounds the wait for room.
const forwardTimeout = 10 * time.Second
