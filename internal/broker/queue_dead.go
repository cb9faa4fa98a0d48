package broker

import (
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/narumq/naru/internal/catalog"
	"github.com/narumq/naru/internal/commitlog"
	"github.com/narumq/naru/internal/queue"
	"github.com/narumq/naru/internal/record"
)

// deadRetryMS is after how long a dead letter that could not be moved is tried
// again, in milliseconds; deadMissingRetryMS is for when there is no queue to move
// it to.
const (
	deadRetryMS        = 1_000
	deadMissingRetryMS = 60_000
)

// buryDead sends what will not be delivered to the dead-letter queue, or nowhere
// if there is none. A record is done only when it is durable there; what a crash in
// between leaves in both is found at the start. n is how many there were. Caller
// holds mu.
func (q *openQueue) buryDead() (n int) {
	q.dead = q.core.Dead(q.dead[:0])
	for i := range q.dead {
		d := q.dead[i]
		if q.routesDead(d.Reason) {
			q.routeDead(d)
			continue
		}
		target, err := q.deadLetterQueue(d.Reason)
		if target == nil && err == nil {
			q.take(d.Tag.Source, d.Tag.Offset)
			q.core.Finish([]queue.Tag{d.Tag})
			continue
		}
		var rec record.Record
		if err == nil {
			rec, err = q.payload(d.Tag.Source, d.Tag.Offset)
		}
		switch {
		case errors.Is(err, commitlog.ErrOffsetOutOfRange):
			q.core.Finish([]queue.Tag{d.Tag}) // retention took it
			continue
		case err != nil:
			q.putOff(d.Tag, err)
			continue
		case q.wasMoved(d.Tag, &rec):
			q.core.Finish([]queue.Tag{d.Tag})
			continue
		}
		letter := q.deadLetter(&rec, &d)
		q.send(func() { q.sendDead(target, d.Tag, &letter) })
	}
	return len(q.dead)
}

// routesDead tells whether dead letters of this kind go to an exchange.
func (q *openQueue) routesDead(why queue.Reason) bool {
	set := &q.Meta().Settings
	return set.DeadLetterRoute != nil && (why != queue.ReasonExpired || set.DeadLetterExpired)
}

// routeDead publishes a dead letter. Caller holds mu.
func (q *openQueue) routeDead(d queue.DeadLetter) {
	rec, err := q.payload(d.Tag.Source, d.Tag.Offset)
	switch {
	case errors.Is(err, commitlog.ErrOffsetOutOfRange):
		q.core.Finish([]queue.Tag{d.Tag}) // retention took it
	case err != nil:
		q.putOff(d.Tag, err)
	default:
		why, lane := deathReasons[d.Reason], int32(d.Tag.Source)
		b := q.setsOut()
		q.send(func() {
			q.publishDead(rec, why, lane, func(err error) {
				go func() {
					q.buried(d.Tag, err)
					q.mu.Lock()
					done := q.arrives(b)
					q.mu.Unlock()
					done.run()
				}()
			})
		})
	}
}

// send lets f send a dead letter, after those before it, and elsewhere: the other
// queue may be this one, and may have to wait for room. Caller holds mu.
func (q *openQueue) send(f func()) {
	q.dying = append(q.dying, f)
	if !q.burying {
		q.burying = true
		go q.sendDying()
	}
}

func (q *openQueue) sendDying() {
	for {
		q.mu.Lock()
		list := q.dying
		q.dying = nil
		q.burying = len(list) > 0
		q.mu.Unlock()
		if len(list) == 0 {
			return
		}
		for _, f := range list {
			f()
		}
	}
}

// putOff keeps a dead letter that cannot be moved, and tries again later. Caller
// holds mu.
func (q *openQueue) putOff(tag queue.Tag, why error) {
	q.b.log.Warn("dead letter put off", "queue", q.Meta().Name, "offset", tag.Offset, "err", why)
	in := int64(deadRetryMS)
	if errors.Is(why, catalog.ErrUnknownQueue) {
		in = deadMissingRetryMS
	}
	q.core.Return([]queue.Tag{tag}, q.b.nowMS()+in)
}

// deadLetterQueue is where dead letters go; nil without an error = nowhere. While
// the queue that the settings name does not exist, they stay where they are.
func (q *openQueue) deadLetterQueue(why queue.Reason) (*Queue, error) {
	set := &q.Meta().Settings
	if set.DeadLetter == "" || why == queue.ReasonExpired && !set.DeadLetterExpired {
		return nil, nil
	}
	return q.b.queue(set.DeadLetter)
}

// buried takes up that a dead letter was moved, or not.
func (q *openQueue) buried(tag queue.Tag, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if err != nil {
		q.putOff(tag, err)
		q.arm()
		return
	}
	q.core.Finish([]queue.Tag{tag})
	q.write()
}

// deadLetter is the record as it goes to the dead-letter queue: with its history.
func (q *openQueue) deadLetter(rec *record.Record, d *queue.DeadLetter) record.Record {
	out := *rec
	out.Headers = slices.DeleteFunc(slices.Clone(rec.Headers), func(h record.HeaderField) bool {
		return h.Key == HeaderDue || h.Key == HeaderExpires || h.Key == HeaderID || strings.HasPrefix(h.Key, deadHeaderPrefix)
	})
	add := func(key, value string) {
		out.Headers = append(out.Headers, record.HeaderField{Key: key, Value: []byte(value)})
	}
	add(HeaderID, q.messageID(int32(d.Tag.Source), rec).String())
	add(HeaderDeadQueue, q.Meta().Name)
	add(HeaderDeadPartition, strconv.Itoa(int(d.Tag.Source)))
	add(HeaderDeadOffset, strconv.FormatInt(int64(d.Tag.Offset), 10))
	add(HeaderDeadAttempts, strconv.Itoa(int(d.Tag.Attempt)))
	add(HeaderDeadReason, d.Reason.String())
	add(HeaderDeadAt, strconv.FormatInt(q.b.nowMS(), 10))
	return out
}
