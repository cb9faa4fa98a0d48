package trigger

import (
	"cmp"
	"slices"

	"github.com/narumq/naru/internal/record"
)

// Work is one try of a run.
type Work struct {
	Trigger *Spec // do not change
	ID      ID
	Run     Run
	Attempt int32 // 1 for the first
}

// RunID is the run's; the same for every try.
func (w *Work) RunID() string { return RunID(w.ID, w.Run.Number) }

// On is what the condition looks at that fired; "" if the trigger was changed since.
func (w *Work) On() On {
	if int(w.Run.Condition) < len(w.Trigger.Conditions) {
		return w.Trigger.Conditions[w.Run.Condition].On
	}
	return ""
}

// Start takes the runs that may begin now, the oldest first, at most room. They count
// as running until Stopped. started are commands that note the tries; the work need not wait
// for them. next is when another run becomes due.
func (x *Trigger) Start(now int64, room int) (list []Work, started []Command, next int64) {
	next = Never
	room = min(room, int(x.Spec.MaxRunning)-len(x.running))
	spec := x.Spec
	for _, r := range x.live {
		if len(list) >= room {
			break
		}
		if x.running[r.Number] {
			continue
		}
		if r.NotBefore > now {
			next = min(next, r.NotBefore)
			continue
		}
		x.running[r.Number] = true
		run := *r
		run.Attempts++
		list = append(list, Work{Trigger: &spec, ID: x.ID, Run: run, Attempt: run.Attempts})
		started = append(started, runCommand(x.ID, &run))
	}
	return list, started, next
}

// Stopped says that a run that was started is not running any more. What Ended
// decided about it is applied by then.
func (x *Trigger) Stopped(number uint64) { delete(x.running, number) }

// Armed tells of each condition whether it would fire if it were met.
func (x *Trigger) Armed() []bool {
	list := make([]bool, len(x.conditions))
	for i := range x.conditions {
		list[i] = x.conditions[i].armed
	}
	return list
}

// FiredAt returns the ends of the partitions when condition i fired, if it has not
// been armed since.
func (x *Trigger) FiredAt(i int) (ends []record.Offset, disarmed bool) {
	c := &x.conditions[i]
	return c.ends, !c.armed
}

// Totals counts since the trigger was made.
func (x *Trigger) Totals() Totals { return x.totals }

// Unended counts runs that did not end.
func (x *Trigger) Unended() int { return len(x.live) }

// Waiting counts runs that are to be started, or tried again.
func (x *Trigger) Waiting() int { return max(0, len(x.live)-len(x.running)) }

// Running counts runs that were started and did not end.
func (x *Trigger) Running() int { return len(x.running) }

// IsRunning tells whether a run was started and did not end.
func (x *Trigger) IsRunning(number uint64) bool { return x.running[number] }

// Runs returns the last runs, the newest first: those that are running, and up to
// RunsKept that wait, and as many that ended.
func (x *Trigger) Runs() []Run {
	var list []Run
	for i, r := range x.live {
		if x.running[r.Number] || i >= len(x.live)-RunsKept {
			list = append(list, *r)
		}
	}
	for _, r := range x.ended {
		list = append(list, *r)
	}
	slices.SortFunc(list, func(a, b Run) int { return cmp.Compare(b.Number, a.Number) })
	return list
}

// Reader is a trigger that reads the messages of a queue.
type Reader struct {
	Queue       string
	QueueID     uint64
	MinPriority int32
	from        []record.Offset
}

// From is from where on a partition is yet to be read.
func (r *Reader) From(partition int32) record.Offset {
	if int(partition) < len(r.from) {
		return r.from[partition]
	}
	return 0
}

// Readers returns the triggers with a condition on every.
func (t *Table) Readers() (list []Reader) {
	for _, x := range t.byID {
		for i := range x.conditions {
			if c := &x.Spec.Conditions[i]; c.On == OnEvery {
				list = append(list, Reader{x.Spec.Queue, x.QueueID, c.MinPriority, slices.Clone(x.conditions[i].ends)})
			}
		}
	}
	return list
}
