package broker

import (
	"errors"

	"github.com/narumq/naru/internal/commitlog"
	"github.com/narumq/naru/internal/queue"
	"github.com/narumq/naru/internal/record"
	"github.com/narumq/naru/internal/trigger"
)

// triggerReadMax is how many messages a round reads for a trigger on every.
const triggerReadMax = 500

// triggerLook is what a round has seen for one trigger.
type triggerLook struct {
	x *trigger.Trigger
	w *watching
	look
	reads []triggerRead
}

// triggerRead is what was read of a partition for a condition on every.
type triggerRead struct {
	condition int
	partition int32
	next      record.Offset
	list      []trigger.Arrived
}

// tell lets the trigger decide about it.
func (l *triggerLook) tell(r *trigger.Round) {
	for _, d := range l.reads { // for which there was room
		r.Read(d.condition, d.partition, d.next, d.list)
	}
	for i := range l.x.Spec.Conditions {
		if l.x.Spec.Conditions[i].On != trigger.OnEvery {
			l.w.again = min(l.w.again, r.Look(i, l.seen[i], l.ends))
		}
	}
}

// look looks at a trigger's queue, if there is reason to; else it returns nil.
// Caller holds admin.
func (t *triggers) look(x *trigger.Trigger, now int64) *triggerLook {
	w := t.watching[x.ID]
	if w == nil {
		w = &watching{fresh: true}
		t.watching[x.ID] = w
	}
	if w.q == nil && !t.attach(x, w) || !w.dirty.Swap(false) && w.again > now {
		return nil
	}
	list := make([]lookFor, len(x.Spec.Conditions))
	for i := range list {
		ends, disarmed := x.FiredAt(i)
		list[i] = lookFor{ends: ends, recovered: w.fresh && disarmed}
	}
	seen, err := w.q.look(w.watch, list)
	if err != nil {
		w.leave() // there may be another one of that name
		w.again = now
		return nil
	}
	l := &triggerLook{x: x, w: w, look: seen}
	w.fresh, w.again = false, seen.next
	for i := range x.Spec.Conditions {
		if x.Spec.Conditions[i].On == trigger.OnEvery {
			t.readEvery(l, i, now)
		}
	}
	return l
}

// attach finds the trigger's queue. Caller holds admin.
func (t *triggers) attach(x *trigger.Trigger, w *watching) bool {
	w.again = trigger.Never // a queue of that name wakes the loop
	q, err := t.queue(x.Spec.Queue)
	if err != nil {
		return false
	}
	if q.id != x.QueueID { // it was made after the trigger, or anew
		spec := x.Spec
		if err := t.bind(x.ID, q, x.CreatedAt, &spec); err != nil {
			w.again = t.b.nowMS() + triggerRetryAfter.Milliseconds()
			return false
		}
	}
	w.q = q
	w.watch = &readyWatch{signal: func() {
		w.dirty.Store(true)
		t.poke()
	}}
	for i := range x.Spec.Conditions {
		w.watch.counts = append(w.watch.counts, readyCount{least: x.Spec.Conditions[i].MinPriority})
	}
	w.dirty.Store(true)
	q.watchReady(w.watch)
	return true
}

// readEvery reads what came for condition i. Caller holds admin.
func (t *triggers) readEvery(l *triggerLook, i int, now int64) {
	var r *trigger.Round
	room := 0 // for runs
	t.log.Read(func() {
		r = l.x.Round(now)
		room = r.Room()
	})
	limit := min(triggerReadMax, t.toRead, room) // of this round
	for p, end := range l.ends {
		if l.w.q.priorityOf(p) < l.x.Spec.Conditions[i].MinPriority {
			continue
		}
		from, begun := r.Place(i, int32(p))
		if from >= end {
			continue
		}
		if limit <= 0 {
			if room > 0 {
				l.w.again = now // in the next round
			}
			return // else when a run ends
		}
		d, err := l.w.q.arrived(p, from, begun, end, limit)
		if err != nil {
			t.b.log.Warn("a trigger cannot read its queue", "trigger", l.x.Spec.Name, "partition", p, "err", err)
			l.w.again = min(l.w.again, now+triggerRetryAfter.Milliseconds())
			continue
		}
		d.condition = i
		l.reads = append(l.reads, d)
		n := len(d.list)
		t.toRead, room, limit = t.toRead-n, room-n, limit-n
		if d.next < end && room > 0 {
			l.w.again = now
		}
	}
}

// arrived reads messages of a partition, at most limit. Those below begun do not
// count if they are done.
func (q *openQueue) arrived(partition int, from, begun, end record.Offset, limit int) (d triggerRead, err error) {
	d = triggerRead{partition: int32(partition), next: from}
	p := q.partitions()[partition]
	slice, err := p.Read(from, loadReadBytes, true)
	if errors.Is(err, commitlog.ErrOffsetOutOfRange) && from < p.LogStart() {
		d.next = p.LogStart() // retention took them
		return d, nil
	}
	if err != nil {
		return d, err
	}
	defer slice.Release()
	for _, b := range slice.Payloads {
		r, err := record.NewReader(b, q.b.limits)
		if err != nil {
			return d, err
		}
		for rec, ok := r.Next(); ok; rec, ok = r.Next() {
			if rec.Offset < from || !q.filter.Match(&rec) || rec.Offset < begun && q.isDone(partition, rec.Offset) {
				continue
			}
			if len(d.list) >= limit {
				d.next = rec.Offset
				return d, nil
			}
			id := messageIDOf(p, &rec)
			d.list = append(d.list, trigger.Arrived{Offset: rec.Offset, DueAt: q.metaOf(&rec).DueAt, ID: id[:]})
		}
		if err := r.Err(); err != nil {
			return d, err
		}
	}
	d.next = slice.Next
	return d, nil
}

func (q *openQueue) isDone(partition int, o record.Offset) (done bool) {
	q.t.log.Read(func() { done = q.ledger.Done(queue.Source(partition), o) })
	return done
}
