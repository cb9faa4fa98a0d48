package trigger

import (
	"slices"

	"github.com/narumq/naru/internal/record"
)

// Never, as a time to look again.
const Never = 1<<63 - 1

// Seen is what a condition counts of a queue.
type Seen struct {
	Ready int64 // messages now
	// Low and High are the fewest and the most since the last look.
	Low, High int64
	Since     int64 // when the oldest of them became ready, milliseconds; 0 = not known
	// NoneLeft: none of them was there when the condition fired last.
	NoneLeft bool
}

// Arrived is a message that came.
type Arrived struct {
	Offset record.Offset
	DueAt  int64  // delayed until then, milliseconds; 0 = not
	ID     []byte // kept as Run.Message
}

// Round decides what one trigger does about what was seen. Its commands belong in
// one append; until they are applied there is no other round of the trigger.
type Round struct {
	t       *Trigger
	now     int64
	next    uint64
	changed map[int]*condition
	runs    []*Run // that fire
	over    []*Run // that end, or are to be tried again
	fired   bool   // one of the conditions on the depth did
}

// Round begins one. now is in milliseconds.
func (x *Trigger) Round(now int64) *Round {
	return &Round{t: x, now: now, next: x.next, changed: make(map[int]*condition)}
}

// Room is how many more runs may be waiting.
func (r *Round) Room() int { return max(0, RunsWaitingMax-len(r.t.live)-len(r.runs)) }

// state returns what is known of a condition, to be changed.
func (r *Round) state(i int) *condition {
	if c := r.changed[i]; c != nil {
		return c
	}
	c := r.t.conditions[i]
	return &c
}

// Look tells condition i, which is not one on every, what is in the queue; ends are
// the ends of its partitions. It returns when to look again if nothing happens.
// Conditions that are met by the same look fire once.
func (r *Round) Look(i int, seen Seen, ends []record.Offset) (again int64) {
	spec, c := &r.t.Spec.Conditions[i], r.state(i)
	was, depth := *c, spec.depth()
	if seen.Low < depth {
		c.armed = true
	}
	if seen.Low == 0 || seen.NoneLeft {
		c.waitArmed = true
	}
	again = Never // unless it is only a matter of time; if too many are waiting, when a run ends
	switch {
	case c.armed && (seen.Ready >= depth || was.armed && seen.High >= depth):
		if r.fire(i, c, max(seen.Ready, seen.High), ends) {
			c.armed, c.waitArmed = seen.Ready < depth, true
		}
	case spec.MaxWait > 0 && c.waitArmed && seen.Ready > 0 && seen.Ready < depth && seen.Since > 0:
		// What is left of a crossing waits from then on.
		due := max(seen.Since, c.firedAt) + spec.MaxWait.Milliseconds()
		if due > r.now {
			again = due
		} else if r.fire(i, c, seen.Ready, ends) {
			c.waitArmed = false
		}
	}
	if c.armed != was.armed || c.waitArmed != was.waitArmed || c.firedAt != was.firedAt {
		r.changed[i] = c
	}
	return again
}

// fire makes a run, unless one was made by this look or too many are waiting.
func (r *Round) fire(i int, c *condition, depth int64, ends []record.Offset) bool {
	if !r.fired {
		if r.Room() == 0 {
			return false
		}
		r.fired = true
		r.add(&Run{Condition: int32(i), FiredAt: r.now, Depth: depth})
	}
	c.firedAt, c.ends = r.now, slices.Clone(ends)
	return true
}

func (r *Round) add(run *Run) {
	run.Number = r.next
	r.next++
	r.runs = append(r.runs, run)
}

// Place is from where on condition i, which is on every, wants the messages of a
// partition. Those below begun do not fire if they are done.
func (r *Round) Place(i int, partition int32) (from, begun record.Offset) {
	c := r.state(i)
	if int(partition) < len(c.ends) {
		from = c.ends[partition]
	}
	if int(partition) < len(c.begun) {
		begun = c.begun[partition]
	}
	return from, begun
}

// Read tells condition i, which is on every, which messages of a partition there
// are below next. There are no more of them than Room.
func (r *Round) Read(i int, partition int32, next record.Offset, list []Arrived) {
	c := r.state(i)
	if r.changed[i] == nil {
		c.ends = slices.Clone(c.ends)
		r.changed[i] = c
	}
	for len(c.ends) <= int(partition) {
		c.ends = append(c.ends, 0)
	}
	c.ends[partition] = max(next, c.ends[partition])
	for _, m := range list {
		run := &Run{Condition: int32(i), FiredAt: r.now, Partition: partition, Offset: m.Offset, Message: m.ID}
		if m.DueAt > r.now {
			run.NotBefore = m.DueAt
		}
		c.firedAt = r.now
		r.add(run)
	}
}

// Ended takes up that a try of a run is over; no failure is success.
func (r *Round) Ended(number uint64, attempt int32, failure string) {
	i, ok := r.t.find(number)
	if !ok {
		return
	}
	run := *r.t.live[i]
	run.Attempts = max(run.Attempts, attempt)
	run.Failure = clip(failure)
	switch {
	case failure == "":
		run.State, run.EndedAt = Succeeded, r.now
	case run.Attempts >= r.t.Spec.AttemptsMax:
		run.State, run.EndedAt = Failed, r.now
	default:
		run.NotBefore = r.now + backoffMS(run.Attempts)
	}
	r.over = append(r.over, &run)
}

// Commands are what the round decided; none is nil.
func (r *Round) Commands() (list []Command) {
	for i := range r.t.conditions {
		if c := r.changed[i]; c != nil {
			list = append(list, conditionCommand(r.t.ID, i, c))
		}
	}
	for _, run := range r.runs {
		list = append(list, runCommand(r.t.ID, run))
	}
	for _, run := range r.over {
		list = append(list, runCommand(r.t.ID, run))
	}
	return list
}

const (
	backoffFirstMS  = 1_000
	backoffMostMS   = 60_000
	failureBytesMax = 1_000
)

// backoffMS is how long after so many tries the next one is.
func backoffMS(attempts int32) int64 {
	return min(backoffMostMS, int64(backoffFirstMS)<<min(max(attempts-1, 0), 16))
}

func clip(s string) string { return s[:min(len(s), failureBytesMax)] }
