package broker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/narumq/naru/internal/commitlog"
	"github.com/narumq/naru/internal/queue"
	"github.com/narumq/naru/internal/record"
)

// receive is a caller that waits for deliveries.
type receive struct {
	req      ReceiveRequest
	outcome  chan received // takes one
	finished bool          // guarded by the queue's mu
}

type received struct {
	list []Delivery
	err  error
}

// finish answers the caller. Caller holds mu.
func (r *receive) finish(_ *calls, list []Delivery, err error) {
	r.finished = true
	r.outcome <- received{list, err}
}

// Receive implements queueBackend.
func (q *openQueue) Receive(ctx context.Context, req ReceiveRequest) ([]Delivery, error) {
	if err := errors.Join(ctx.Err(), q.refuseStream()); err != nil {
		return nil, err
	}
	r := &receive{req: req, outcome: make(chan received, 1)}
	wait := req.Wait
	if wait < 0 {
		wait = q.Meta().Settings.Wait
	}
	q.mu.Lock()
	if q.closed != nil {
		q.mu.Unlock()
		return nil, q.closed
	}
	var done calls
	q.lookAfter(&done) // who waits comes first, and what is too much is for nobody
	list, err := q.receiveNow(&r.req)
	waits := len(list) == 0 && err == nil && wait > 0
	if waits {
		q.receives = append(q.receives, r)
		q.arm()
	}
	q.wrote(req.Lease)
	q.mu.Unlock()
	done.run()
	if !waits {
		return list, err
	}

	timer := time.NewTimer(wait)
	defer timer.Stop()
	var out received
	select {
	case out = <-r.outcome:
	case <-timer.C:
		out = q.stopWaiting(r)
	case <-ctx.Done():
		out = q.stopWaiting(r)
	}
	if err := ctx.Err(); err != nil && len(out.list) > 0 {
		giveBack(q, out.list)
		return nil, err
	}
	return out.list, out.err
}

// stopWaiting takes r away, unless it was answered meanwhile.
func (q *openQueue) stopWaiting(r *receive) received {
	q.mu.Lock()
	defer q.mu.Unlock()
	if r.finished {
		return <-r.outcome
	}
	q.receives = slices.DeleteFunc(q.receives, func(x *receive) bool { return x == r })
	return received{}
}

// serve answers those who wait, the longest first. Caller holds mu.
func (q *openQueue) serve(done *calls) {
	var lease time.Duration = -1
	for len(q.receives) > 0 {
		r := q.receives[0]
		list, err := q.receiveNow(&r.req)
		if errors.Is(err, ErrInFlightLimit) {
			break // it waits until there is room
		}
		if len(list) == 0 && err == nil {
			break
		}
		q.receives = slices.Delete(q.receives, 0, 1)
		r.finish(done, list, err)
		lease = max(lease, r.req.Lease)
	}
	q.arm()
	q.wrote(lease)
}

// wrote sends what a receive changed to the log. A lease that ends with its consumer is over after a crash: what is
// then left of it, the attempt, is in no hurry. Caller holds mu.
func (q *openQueue) wrote(lease time.Duration) {
	if lease < 0 {
		q.writeLater()
	} else {
		q.write()
	}
}

// arm sets the timer for what becomes due, if somebody waits or the queue is eager. Caller holds mu.
func (q *openQueue) arm() {
	at, ok := q.core.Next()
	if !ok || len(q.receives) == 0 && !q.eager() || q.timerAt != 0 && q.timerAt <= at {
		return
	}
	q.timerAt = at
	in := time.Duration(max(1, at-q.b.nowMS())) * time.Millisecond
	if q.timer != nil {
		q.timer.Reset(in)
		return
	}
	q.timer = time.AfterFunc(in, func() {
		q.mu.Lock()
		q.timerAt = 0
		q.mu.Unlock()
		q.poke()
	})
}

// receiveNow leases what is ready. Caller holds mu.
func (q *openQueue) receiveNow(req *ReceiveRequest) (list []Delivery, err error) {
	now := q.b.nowMS()
	q.t.log.Read(func() { q.core.Tick(now) })
	lease := req.Lease
	if lease == 0 {
		lease = q.Meta().Settings.Lease
	}
	leaseMS := lease.Milliseconds()
	if lease < 0 {
		leaseMS = -1
	}
	if req.AttemptID != "" {
		if list, ok := q.repeat(req.AttemptID, now, leaseMS); ok {
			return list, nil
		}
	}
	list, err = q.lease(req, now, leaseMS)
	switch {
	case len(list) > 0:
		if req.AttemptID != "" {
			q.rememberAttempt(req.AttemptID, list, now)
		}
		return list, nil // what could not be read is met again
	case err == nil && q.core.Full():
		return nil, fmt.Errorf("%w: %s", ErrInFlightLimit, q.Meta().Name)
	}
	return nil, err
}

// lease loads and leases. With an error there may be deliveries all the same: one
// partition that cannot be read does not stop the others. Caller holds mu.
func (q *openQueue) lease(req *ReceiveRequest, now, leaseMS int64) (list []Delivery, failed error) {
	want, size := max(req.Max, 1), 0
	failed = q.load(now)
	if len(q.receives) == 0 { // else they come for those who wait already
		q.tally()
	}
	receive := q.core.Receive
	for len(list) < want && (req.BytesMax == 0 || size < req.BytesMax) {
		n := want - len(list)
		if req.BytesMax > 0 {
			n = 1
		}
		q.got = receive(now, n, leaseMS, q.got[:0])
		if req.Together {
			receive = q.core.ReceiveMore
		}
		had := len(list)
		var err error
		if list, err = q.fetch(list, q.got, now); err != nil {
			failed = err
		}
		if errors.Is(err, ErrNotOwner) {
			break // what was released would be met again at once, and for ever
		}
		for _, d := range list[had:] {
			size += recordSize(&d.Record)
		}
		if dead := q.buryDead(); len(q.got) == n || dead == 0 && len(q.got) > 0 {
			continue
		} else if dead == 0 && !q.makeRoom() {
			break
		}
		if err := q.load(now); err != nil {
			failed = err
			break
		}
	}
	if len(list) > 0 {
		q.tally()
		q.noticed()
	}
	return list, failed
}

// fetch appends the payloads of what was leased. In an ordered queue nothing of what follows a record that cannot be read is
// delivered: it may be of the same group. Caller holds mu.
func (q *openQueue) fetch(list []Delivery, got []queue.Delivery, now int64) (_ []Delivery, failed error) {
	if list == nil && len(got) > 0 {
		list = make([]Delivery, 0, len(got))
	}
	for i := range got {
		d := &got[i]
		rec, err := q.payload(d.Tag.Source, d.Tag.Offset)
		switch {
		case errors.Is(err, commitlog.ErrOffsetOutOfRange):
			q.core.Ack(now, []queue.Tag{d.Tag}, nil) // retention took it
			continue
		case errors.Is(err, ErrNotOwner): // the next one has all of it
			for _, d := range got[i:] {
				q.core.Release(now, []queue.Tag{d.Tag}, 0, nil)
			}
			return list, err
		case err != nil:
			q.core.Release(now, []queue.Tag{d.Tag}, unreadableRetryMS, nil)
			failed = fmt.Errorf("queue %s: %w", q.Meta().Name, err)
			if q.Meta().Settings.Ordered {
				for _, d := range got[i+1:] {
					q.core.Release(now, []queue.Tag{d.Tag}, 0, nil)
				}
				return list, failed
			}
			continue
		}
		list = append(list, q.delivery(d.Tag, d.FirstAt, rec))
	}
	return list, failed
}

// unreadableRetryMS is after how long a record is tried again that the disk did
// not give, in milliseconds; the others are delivered meanwhile.
const unreadableRetryMS = 5_000

func (q *openQueue) delivery(tag queue.Tag, firstAt int64, rec record.Record) Delivery {
	return Delivery{Tag: tag, Record: rec, ID: q.messageID(int32(tag.Source), &rec), Attempts: tag.Attempt, FirstReceivedAt: firstAt}
}

// messageID is the record's, unless it came from elsewhere with one.
func (q *openQueue) messageID(partition int32, rec *record.Record) MessageID {
	return messageIDOf(q.parts[partition], rec)
}

func messageIDOf(p *Partition, rec *record.Record) MessageID {
	if b, ok := headerValue(rec.Headers, HeaderID); ok {
		if id, ok := parseMessageID(b); ok {
			return id
		}
	}
	return newMessageID(p.Topic().ID, p.Index(), rec.Offset)
}

// attempt is what a receive with an attempt id got.
type attempt struct {
	tags    []queue.Tag
	firstAt []int64
	at      int64
}

// attemptsMax bounds the attempt ids that a queue remembers.
const attemptsMax = 10_000

func (q *openQueue) rememberAttempt(id string, list []Delivery, now int64) {
	if len(q.attempts) >= attemptsMax {
		for other, a := range q.attempts {
			if now-a.at > attemptRememberedFor.Milliseconds() || len(q.attempts) >= attemptsMax {
				delete(q.attempts, other)
			}
		}
	}
	a := attempt{at: now}
	for i := range list {
		a.tags = append(a.tags, list[i].Tag)
		a.firstAt = append(a.firstAt, list[i].FirstReceivedAt)
	}
	q.attempts[id] = a
}

// repeat answers a repeated receive with what the first one got, leased anew.
func (q *openQueue) repeat(id string, now, leaseMS int64) ([]Delivery, bool) {
	a, ok := q.attempts[id]
	if !ok || now-a.at > attemptRememberedFor.Milliseconds() {
		delete(q.attempts, id)
		return nil, false
	}
	for _, t := range a.tags {
		if !q.core.Leased(t, now) {
			delete(q.attempts, id)
			return nil, false
		}
	}
	q.core.Extend(now, a.tags, leaseMS, nil)
	var list []Delivery
	for i, t := range a.tags {
		rec, err := q.readOne(t.Source, t.Offset)
		if err != nil {
			return nil, false
		}
		list = append(list, q.delivery(t, a.firstAt[i], rec))
	}
	return list, true
}

// recordSize is the bytes of what a client gets.
func recordSize(r *record.Record) int {
	n := len(r.Key) + len(r.Value)
	for i := range r.Headers {
		n += len(r.Headers[i].Key) + len(r.Headers[i].Value)
	}
	return n
}

// peekLookMax bounds how much of the log a Peek looks at: there may be much between
// messages that are not done.
const peekLookMax = 64 << 20

// Peek implements queueBackend.
func (q *openQueue) Peek(limit, bytesMax int) (list []Delivery, err error) {
	look := peekLookMax
	for i, p := range q.partitions() {
		s := queue.Source(i)
		var from record.Offset
		q.t.log.Read(func() { from = q.ledger.Floor(s) })
		for from = max(from, p.LogStart()); from < p.HighWatermark() && len(list) < limit && bytesMax > 0 && look > 0; {
			slice, err := p.Read(from, loadReadBytes, true)
			if errors.Is(err, commitlog.ErrOffsetOutOfRange) && from < p.LogStart() {
				from = p.LogStart() // what is done is deleted all the time
				continue
			}
			if err != nil {
				return list, err
			}
			look -= slice.Bytes
			for _, b := range slice.Payloads {
				if list, err = q.peekBatch(list, s, b, from, limit, &bytesMax); err != nil {
					slice.Release()
					return list, err
				}
			}
			from = slice.Next
			slice.Release()
		}
	}
	return list, nil
}

func (q *openQueue) peekBatch(list []Delivery, s queue.Source, b []byte, from record.Offset, limit int, bytesMax *int) ([]Delivery, error) {
	r, err := record.NewReader(b, q.b.limits)
	if err != nil {
		return list, err
	}
	for rec, ok := r.Next(); ok && len(list) < limit && *bytesMax > 0; rec, ok = r.Next() {
		var done bool
		var touch queue.Touch
		q.t.log.Read(func() { done, touch = q.ledger.Done(s, rec.Offset), q.ledger.Touched(s, rec.Offset) })
		if rec.Offset < from || done || !q.filter.Match(&rec) {
			continue
		}
		d := q.delivery(queue.Tag{Source: s, Offset: rec.Offset, Attempt: touch.Attempts}, touch.FirstAt, cloneRecord(rec))
		list = append(list, d)
		*bytesMax -= recordSize(&rec)
	}
	return list, r.Err()
}

func (q *openQueue) partitions() []*Partition {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.parts
}
