package broker

import (
	"errors"
	"strconv"

	"github.com/narumq/naru/internal/fault"
	"github.com/narumq/naru/internal/queue"
	"github.com/narumq/naru/internal/record"
)

// movedLookBack is how many of the last records of a dead-letter queue are looked at
// after a start: more than can have been on their way to it at once.
const movedLookBack = 16_384

// findMoved finds the dead letters that were durable in their new queue when their old
// one's owner ended, and not yet done in the old one: they must not be sent again. Of
// queues in other slots, which may not be open yet, that is found when the first letter
// goes there.
func (t *queues) findMoved() {
	for _, q := range t.all() {
		to := t.b.queues.find(q.Meta().Settings.DeadLetter)
		if to == nil || to.home() != t.s.id {
			continue
		}
		if err := q.lookFor(to); err != nil {
			t.b.log.Error("dead letters cannot be read", "queue", to.Meta().Name, "err", err)
			q.looked.Store(to.id) // the others must not wait for it
		}
	}
}

// lookFor finds out which letters have moved to a queue: once, and again when it is not known what became of one.
func (q *openQueue) lookFor(to *Queue) error {
	if q.looked.Load() == to.id {
		return nil
	}
	parts, err := q.b.topics.partitionsOf(to.Meta().Topic)
	for _, p := range parts {
		err = errors.Join(err, q.findMovedIn(p))
	}
	if err == nil {
		q.looked.Store(to.id)
	}
	return err
}

// sendDead sends a dead letter to another queue, unless it is there already. Nobody holds
// mu.
func (q *openQueue) sendDead(to *Queue, tag queue.Tag, letter *record.Record) {
	if err := q.lookFor(to); err != nil {
		q.buried(tag, err)
		return
	}
	q.mu.Lock()
	moved := q.wasMoved(tag, letter)
	q.mu.Unlock()
	if moved {
		q.buried(tag, nil)
		return
	}
	to.forward(letter, 0, func(sent Sent) {
		if fault.CodeOf(sent.Err) == fault.Unavailable {
			q.looked.Store(0) // it may be there all the same
		}
		go q.buried(tag, sent.Err)
	})
}

func (q *openQueue) findMovedIn(p *Partition) error {
	name := q.Meta().Name
	start, high, err := p.Bounds() // not what was heard last: the letter may be the newest
	if err != nil {
		return err
	}
	for from := max(start, high-movedLookBack); from < high; {
		slice, err := q.read(p, from, loadReadBytes)
		if err != nil {
			return err
		}
		for _, b := range slice.Payloads {
			r, err := record.NewReader(b, q.b.limits)
			if err != nil {
				slice.Release()
				return err
			}
			for rec, ok := r.Next(); ok; rec, ok = r.Next() {
				if of, ok := headerValue(rec.Headers, HeaderDeadQueue); ok && string(of) == name {
					q.noteMoved(&rec)
				}
			}
		}
		from = slice.Next
		slice.Release()
	}
	return nil
}

// noteMoved remembers what a dead letter was, if that is not done.
func (q *openQueue) noteMoved(rec *record.Record) {
	number := func(key string) int64 {
		b, _ := headerValue(rec.Headers, key)
		n, err := strconv.ParseInt(string(b), 10, 64)
		if err != nil {
			return -1
		}
		return n
	}
	s, o := number(HeaderDeadPartition), number(HeaderDeadOffset)
	id, _ := headerValue(rec.Headers, HeaderID)
	q.mu.Lock()
	defer q.mu.Unlock()
	if s < 0 || s >= int64(len(q.parts)) || o < 0 {
		return
	}
	at := queue.Tag{Source: queue.Source(s), Offset: record.Offset(o)}
	var done bool
	q.t.log.Read(func() { done = q.ledger.Done(at.Source, at.Offset) })
	if done {
		return
	}
	if q.moved == nil {
		q.moved = make(map[queue.Tag]string)
	}
	q.moved[at] = string(id)
}

// wasMoved tells whether a record is in the dead-letter queue already.
func (q *openQueue) wasMoved(t queue.Tag, rec *record.Record) bool {
	id, ok := q.moved[queue.Tag{Source: t.Source, Offset: t.Offset}]
	return ok && id == q.messageID(int32(t.Source), rec).String()
}
