package broker

import (
	"slices"
	"strconv"
	"strings"

	"github.com/narumq/naru/internal/queue"
	"github.com/narumq/naru/internal/record"
)

// deadRetryMS is after how long a dead letter that could not be moved is tried
// again, in milliseconds.
const deadRetryMS = 1_000

// buryDead sends what will not be delivered to the dead-letter queue, or nowhere
// if there is none. A record is done only when it is durable there, so a crash in
// between may leave it in both. Caller holds mu.
func (q *Queue) buryDead() {
	for _, d := range q.core.Dead(nil) {
		target := q.deadLetterQueue(d.Reason)
		if target == nil {
			q.core.Finish([]queue.Tag{d.Tag})
			continue
		}
		rec, err := q.payload(d.Tag.Source, d.Tag.Offset)
		if err != nil {
			q.b.log.Warn("dead letter put off", "queue", q.Meta().Name, "offset", d.Tag.Offset, "err", err)
			q.core.Return([]queue.Tag{d.Tag}, q.b.nowMS()+deadRetryMS)
			continue
		}
		letter := q.deadLetter(&rec, &d)
		// Elsewhere: the other queue may be this one, and may have to wait for room.
		go target.forward(&letter, func(sent Sent) { go q.buried(d.Tag, sent.Err) })
	}
}

// deadLetterQueue is where dead letters go; nil = nowhere.
func (q *Queue) deadLetterQueue(why queue.Reason) *Queue {
	set := &q.Meta().Settings
	if set.DeadLetter == "" || why == queue.ReasonExpired && !set.DeadLetterExpired {
		return nil
	}
	target, err := q.b.Queue(set.DeadLetter)
	if err != nil {
		return nil
	}
	return target
}

// buried takes up that a dead letter was moved, or not.
func (q *Queue) buried(tag queue.Tag, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if err != nil {
		q.b.log.Warn("dead letter put off", "queue", q.Meta().Name, "offset", tag.Offset, "err", err)
		q.core.Return([]queue.Tag{tag}, q.b.nowMS()+deadRetryMS)
		q.arm()
		return
	}
	q.core.Finish([]queue.Tag{tag})
	q.write()
}

// deadLetter is the record as it goes to the dead-letter queue: with its history.
func (q *Queue) deadLetter(rec *record.Record, d *queue.DeadLetter) record.Record {
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
