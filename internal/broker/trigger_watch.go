package broker

import (
	"cmp"

	"github.com/narumq/naru/internal/queue"
	"github.com/narumq/naru/internal/record"
	"github.com/narumq/naru/internal/trigger"
)

// readyWatch notes how many messages of a queue are ready, for each condition of a
// trigger. The queue's mu guards it.
type readyWatch struct {
	counts []readyCount
	signal func() // called when something may have changed; does not block
}

// readyCount is what was ready since the last look.
type readyCount struct {
	least     int32 // priority
	low, high int64
}

// lookFor is what a look has to know of a condition.
type lookFor struct {
	ends []record.Offset // of the partitions, when the condition fired
	// recovered: what happened since ends were noted is not known.
	recovered bool
}

// look is what there is to see in a queue.
type look struct {
	seen []trigger.Seen // by condition
	ends []record.Offset
	next int64 // when something becomes ready by itself, milliseconds
}

// watchReady adds w, whose counts begin with the next look.
func (q *openQueue) watchReady(w *readyWatch) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for i := range w.counts {
		w.counts[i].low, w.counts[i].high = noCount, 0
	}
	q.watches = append(q.watches, w)
}

const noCount = 1<<63 - 1

// triggerPauseMS is how long a look waits at least for what becomes ready by itself:
// what is due may have no room in memory yet. Milliseconds.
const triggerPauseMS = 10

func (q *openQueue) unwatchReady(w *readyWatch) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for i, have := range q.watches {
		if have == w {
			q.watches = append(q.watches[:i:i], q.watches[i+1:]...)
			return
		}
	}
}

// noticed tells those who watch that something may have changed. Caller holds mu.
func (q *openQueue) noticed() {
	for _, w := range q.watches {
		w.signal()
	}
}

// tally notes how many messages are ready. What can be is loaded. Caller holds mu.
func (q *openQueue) tally() {
	for _, w := range q.watches {
		for i := range w.counts {
			c := &w.counts[i]
			n := q.readyFrom(c.least)
			c.low, c.high = min(c.low, n), max(c.high, n)
		}
	}
}

// priorityOf is that of a partition's messages.
func (q *openQueue) priorityOf(partition int) int32 {
	if q.Meta().Settings.Lanes > 1 {
		return int32(partition)
	}
	return 0
}

// readyFrom counts the messages of that priority and above that are ready; of those
// that could not be loaded all are. Caller holds mu.
func (q *openQueue) readyFrom(least int32) (n int64) {
	for i := range q.parts {
		if q.priorityOf(i) >= least {
			n += int64(q.core.Ready(queue.Source(i))) + q.loadableOf(i)
		}
	}
	return n
}

// look loads what can be, and returns what w saw since the last time. It fails with
// why the queue was closed.
func (q *openQueue) look(w *readyWatch, list []lookFor) (out look, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed != nil {
		return out, q.closed
	}
	now := q.b.nowMS()
	q.t.log.Read(func() { q.core.Tick(now) })
	if err := q.load(now); err != nil {
		q.b.log.Warn("a trigger cannot see all of a queue", "queue", q.Meta().Name, "err", err)
	}
	q.tally()
	for _, p := range q.parts {
		out.ends = append(out.ends, p.HighWatermark())
	}
	for i := range w.counts {
		c := &w.counts[i]
		s := trigger.Seen{Ready: q.readyFrom(c.least), Low: c.low, High: c.high}
		q.lookBack(&s, c.least, list[i])
		c.low, c.high = s.Ready, s.Ready
		out.seen = append(out.seen, s)
	}
	out.next = trigger.Never
	if at, ok := q.core.Next(); ok {
		out.next = max(at, now+triggerPauseMS)
	}
	q.write()
	return out, nil
}

// lookBack compares what is ready with what was there when the condition fired.
// Caller holds mu.
func (q *openQueue) lookBack(s *trigger.Seen, least int32, l lookFor) {
	s.NoneLeft = true
	left := int64(0)
	for i := range q.parts {
		if q.priorityOf(i) < least {
			continue
		}
		fired := record.Offset(0)
		if i < len(l.ends) {
			fired = l.ends[i]
		}
		if m, ok := q.core.FirstReady(queue.Source(i)); ok {
			at := cmp.Or(max(m.DueAt, m.SentAt), 1)
			if s.Since == 0 || at < s.Since {
				s.Since = at
			}
			s.NoneLeft = s.NoneLeft && m.Offset >= fired
		}
		if l.recovered {
			left += int64(q.core.ReadyBelow(queue.Source(i), fired)) + q.loadableBelow(i, fired)
		}
	}
	if l.recovered { // it may have been fewer: those that came since were not fired for
		s.Low = min(s.Low, left)
	}
}

// restore gives back to w what a look that came to nothing took.
func (q *openQueue) restore(w *readyWatch, seen []trigger.Seen) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for i := range w.counts {
		c := &w.counts[i]
		c.low, c.high = min(c.low, seen[i].Low), max(c.high, seen[i].High)
	}
}

// loadableBelow is how many records below an offset were not looked at yet. Caller
// holds mu.
func (q *openQueue) loadableBelow(i int, below record.Offset) int64 {
	var from record.Offset
	q.t.log.Read(func() { from, _ = q.core.Want(queue.Source(i)) })
	p := q.parts[i]
	return int64(max(0, min(below, p.HighWatermark())-max(from, p.LogStart())))
}

// loadableOf is how many of a partition were not. Caller holds mu.
func (q *openQueue) loadableOf(i int) int64 { return q.loadableBelow(i, q.parts[i].HighWatermark()) }
