package trigger

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"

	"github.com/narumq/naru/internal/record"
)

// ID names a trigger for ever; another one of the same name has another.
type ID uint64

// State of a run. On disk: never renumber.
type State uint8

// States.
const (
	Waiting   State = 0 // to be started, or started and not known to have ended
	Succeeded State = 1
	Failed    State = 2
)

func (s State) String() string {
	switch s {
	case Waiting:
		return "waiting"
	case Succeeded:
		return "succeeded"
	case Failed:
		return "failed"
	}
	return "unknown"
}

// Run is work that a firing asks for. Times are milliseconds since 1970.
type Run struct {
	Number    uint64 // of its trigger's runs
	Condition int32
	State     State
	FiredAt   int64
	EndedAt   int64
	NotBefore int64 // not started before: the message is delayed, or a try failed
	Attempts  int32 // tries that were started
	Depth     int64 // what counted when it fired; 0 of every
	// Of every: the message.
	Partition int32
	Offset    record.Offset
	Message   []byte // its id; the caller's
	Failure   string // of the last try
}

// RunID names a run of all triggers.
func RunID(id ID, number uint64) string { return fmt.Sprintf("%016x-%d", uint64(id), number) }

// condition is what is known of one.
type condition struct {
	armed     bool
	waitArmed bool  // for max_wait
	firedAt   int64 // 0 = never
	// ends are, of every, the offsets to read from; else the ends of the partitions
	// when it fired.
	ends []record.Offset
	// begun are, of every, the ends of the partitions when the trigger was made: what
	// is below and done then does not fire.
	begun []record.Offset
}

// Totals are how often something happened.
type Totals struct{ Fired, Succeeded, Failed int64 }

// Trigger is one that is defined. Do not change it.
type Trigger struct {
	ID        ID
	Spec      Spec
	QueueID   uint64
	CreatedAt int64

	raw        []byte // Spec as it is on the log
	conditions []condition
	next       uint64 // number of the next run
	totals     Totals
	live       []*Run // not ended, by number
	ended      []*Run // the last RunsKept, the newest last
	running    map[uint64]bool
}

// Table holds all triggers.
type Table struct{ byID map[ID]*Trigger }

// NewTable returns a table without triggers.
func NewTable() *Table { return &Table{byID: make(map[ID]*Trigger)} }

// Triggers returns all, by name.
func (t *Table) Triggers() []*Trigger {
	return slices.SortedFunc(maps.Values(t.byID), func(a, b *Trigger) int {
		return cmp.Or(cmp.Compare(a.Spec.Name, b.Spec.Name), cmp.Compare(a.ID, b.ID))
	})
}

// Get returns a trigger, nil if there is none.
func (t *Table) Get(id ID) *Trigger { return t.byID[id] }

// Find returns the trigger of that name, nil if there is none.
func (t *Table) Find(name string) *Trigger {
	for _, x := range t.byID {
		if x.Spec.Name == name {
			return x
		}
	}
	return nil
}

// Apply carries out a durable command. It changes nothing if that is malformed, or
// about a trigger that is not there any more.
func (t *Table) Apply(rec record.Record) error {
	if len(rec.Key) != 8 {
		return fmt.Errorf("%w: key of %d bytes", ErrMalformed, len(rec.Key))
	}
	id := ID(binary.BigEndian.Uint64(rec.Key))
	if rec.Value == nil {
		delete(t.byID, id)
		return nil
	}
	if len(rec.Value) == 0 {
		return fmt.Errorf("%w: empty", ErrMalformed)
	}
	r := reader{b: rec.Value[1:]}
	change := t.decode(commandKind(rec.Value[0]), &r, id)
	if r.err == nil && len(r.b) > 0 {
		r.fail("bytes left over")
	}
	if r.err != nil {
		return r.err
	}
	if change != nil {
		change()
	}
	return nil
}

// decode reads the command's body and returns what it does.
func (t *Table) decode(k commandKind, r *reader, id ID) func() {
	x := t.byID[id]
	switch k {
	case cmdDefine:
		queueID, created, raw := r.uint(1<<64-1), r.int64(), r.bytes()
		if r.err != nil {
			return nil
		}
		spec, err := decodeSpec(raw)
		if err != nil {
			r.err = err
			return nil
		}
		return func() { t.define(id, queueID, created, slices.Clone(raw), spec) }
	case cmdCondition:
		i, c := r.uint(conditionsMax), r.condition()
		if x == nil || i >= uint64(len(x.conditions)) {
			return nil
		}
		return func() { x.conditions[i] = *c }
	case cmdRun:
		run := r.run()
		run.Message = slices.Clone(run.Message)
		if x == nil {
			return nil
		}
		return func() { x.setRun(run) }
	case cmdTotals:
		next, totals := uint64(r.int64()), Totals{r.int64(), r.int64(), r.int64()}
		if x == nil {
			return nil
		}
		return func() { x.next, x.totals = next, totals }
	}
	r.fail(fmt.Sprintf("unknown kind %d", k))
	return nil
}

func (t *Table) define(id ID, queueID uint64, created int64, raw []byte, spec Spec) {
	x := t.byID[id]
	if x == nil {
		x = &Trigger{ID: id, running: make(map[uint64]bool)}
		t.byID[id] = x
	}
	if x.conditions == nil || x.QueueID != queueID || !x.Spec.SameConditions(&spec) {
		x.conditions = make([]condition, len(spec.Conditions))
		for i := range x.conditions {
			x.conditions[i].armed, x.conditions[i].waitArmed = true, true
		}
	}
	x.Spec, x.QueueID, x.CreatedAt, x.raw = spec, queueID, created, raw
}

// setRun takes up a run as it is now.
func (x *Trigger) setRun(r *Run) {
	if slices.ContainsFunc(x.ended, func(e *Run) bool { return e.Number == r.Number }) {
		return
	}
	if r.Number >= x.next {
		x.next = r.Number + 1
		x.totals.Fired++
	}
	i, found := x.find(r.Number)
	switch {
	case r.State == Waiting && found:
		x.live[i] = r
	case r.State == Waiting:
		x.live = slices.Insert(x.live, i, r)
	default:
		if found {
			x.live = slices.Delete(x.live, i, i+1)
		}
		x.end(r)
	}
}

func (x *Trigger) end(r *Run) {
	if r.State == Succeeded {
		x.totals.Succeeded++
	} else {
		x.totals.Failed++
	}
	x.ended = append(x.ended, r)
	if n := len(x.ended) - RunsKept; n > 0 {
		x.ended = slices.Delete(x.ended, 0, n)
	}
}

func (x *Trigger) find(number uint64) (int, bool) {
	return slices.BinarySearchFunc(x.live, number, func(r *Run, n uint64) int { return cmp.Compare(r.Number, n) })
}

// Snapshot emits commands that rebuild the table from nothing, and that change
// nothing when they are applied to it.
func (t *Table) Snapshot(emit func(key, value []byte)) {
	for _, id := range slices.Sorted(maps.Keys(t.byID)) {
		t.byID[id].snapshot(t.byID[id].QueueID, emit)
	}
}

// Export emits what Snapshot does for another log, in which queues have other ids: rename tells a queue's. Triggers of queues that
// it does not know are left out.
func (t *Table) Export(rename func(queueID uint64) (uint64, bool), emit func(queueID uint64, key, value []byte)) {
	for _, id := range slices.Sorted(maps.Keys(t.byID)) {
		x := t.byID[id]
		if queueID, ok := rename(x.QueueID); ok {
			x.snapshot(queueID, func(key, value []byte) { emit(queueID, key, value) })
		}
	}
}

func (t *Trigger) snapshot(queueID uint64, emit func(key, value []byte)) {
	put := func(c Command) { emit(c.Key, c.Value) }
	put(defineCommand(t.ID, queueID, t.CreatedAt, t.raw))
	for i := range t.conditions {
		put(conditionCommand(t.ID, i, &t.conditions[i]))
	}
	for _, r := range t.ended {
		put(runCommand(t.ID, r))
	}
	for _, r := range t.live {
		put(runCommand(t.ID, r))
	}
	put(totalsCommand(t))
}
