package queue

import (
	"cmp"
	"slices"

	"github.com/narumq/naru/internal/record"
)

// state of an entry.
type state uint8

const (
	free     state = iota
	ready          // can be delivered
	held           // not before until
	leased         // delivered, until its lease ends
	settling       // a command that ends it is on its way, or Dead handed it out
)

// entry is a record in memory.
type entry struct {
	Meta
	source   Source
	state    state
	released bool // held, because it was given back with a delay
	bare     bool // made from the ledger alone: its Meta is not known yet
	attempts int32
	firstAt  int64
	until    int64  // when held, leased or, if it expires, ready ends; never = noEnd
	timer    int32  // its place in timers; -1: none
	group    int32  // its group; -1: none
	queued   bool   // in its group's line
	dirty    bool   // listed in todo.touched
	why      Reason // of an entry that Dead handed out
}

const noEnd = 1<<63 - 1

// window is what is in memory of a source.
type window struct {
	cursor   record.Offset // the first offset that was not loaded
	byOffset map[record.Offset]int32
	// ready holds what can be delivered, lowest offset first: entries, or groups
	// whose first record can be. It may hold items that are so no more.
	ready  offsetHeap
	readyN int   // entries that are ready
	bytes  int64 // of those
	heldN  int   // entries that are held and were not delivered yet
	parkState
}

// Queue is the volatile half of a queue. The caller guards it, and the ledger
// with it.
type Queue struct {
	cfg     Config
	ledger  *Ledger
	sources []window
	order   []Source // by priority
	turn    int      // where the next search for a source begins, without priorities

	entries []entry
	unused  []int32
	timers  timerHeap
	groups  groupTable
	last    lastGroup

	inFlight int
	released int // entries that are released: of those in flight
	counts   Counts
	dead     []DeadLetter
	todo     pending
	spare    []*Batch
}

// Counts are how often something happened since the queue was made.
type Counts struct {
	Received, Redelivered, Acked, DeadLettered, Expired int64
}

// Stats is how many records are where.
type Stats struct {
	Ready    int // in memory; more may wait in the log
	InFlight int // leased or settling
	Delayed  int // not due yet: in memory and in runs, or given back with a delay
	Counts
}

// New makes a queue from what its ledger remembers. Nothing is loaded yet.
func New(cfg Config, l *Ledger) *Queue {
	q := &Queue{ledger: l, groups: newGroupTable()}
	q.Configure(cfg)
	return q
}

// Configure changes the limits, and adds sources. Sources are never fewer, and
// Ordered does not change.
func (q *Queue) Configure(cfg Config) {
	q.cfg = cfg.withDefaults()
	for i := len(q.sources); i < q.cfg.Sources; i++ {
		src := q.ledger.peek(Source(i))
		w := window{byOffset: make(map[record.Offset]int32), cursor: src.floor, parkState: parkState{due: noEnd}}
		for _, r := range src.runs {
			w.runs = append(w.runs, &openRun{Run: r})
		}
		q.sources = append(q.sources, w)
	}
	q.order = q.order[:0]
	for i := range q.sources {
		q.order = append(q.order, Source(i))
	}
	slices.SortStableFunc(q.order, func(a, b Source) int { return cmp.Compare(q.priority(b), q.priority(a)) })
}

func (q *Queue) priority(s Source) int32 {
	if int(s) < len(q.cfg.Priority) {
		return q.cfg.Priority[s]
	}
	return 0
}

// Want tells from where on records of s should be loaded, and how many: 0 = none
// now.
func (q *Queue) Want(s Source) (from record.Offset, n int) {
	w := &q.sources[s]
	w.cursor = q.ledger.peek(s).unknownFrom(w.cursor)
	if w.heldN >= q.cfg.DelayedMax {
		return w.cursor, 0
	}
	return w.cursor, max(0, q.cfg.WindowMax-w.readyN)
}

// Load takes up the records of s from the cursor to next, in order. What is not
// among them does not concern the queue, and is done. now is in milliseconds.
// later are the indexes of those that cannot be delivered now.
func (q *Queue) Load(s Source, list []Meta, next record.Offset, now int64) (later []int32) {
	w := &q.sources[s]
	at := w.cursor
	for i := range list {
		m := &list[i]
		if m.Offset < w.cursor {
			later = append(later, int32(i))
			continue
		}
		q.todo.skip(s, at, m.Offset)
		at = m.Offset + 1
		if !q.load(s, m, now) {
			later = append(later, int32(i))
		}
	}
	q.todo.skip(s, at, next)
	w.cursor = max(w.cursor, next)
	return later
}

// load makes an entry for a record, unless it is done or known, and tells whether
// it is ready.
func (q *Queue) load(s Source, m *Meta, now int64) bool {
	w, src := &q.sources[s], q.ledger.peek(s)
	i, known := w.byOffset[m.Offset]
	switch {
	case known && !q.entries[i].bare, !known && (src.isDone(m.Offset) || src.parked.Contains(uint64(m.Offset))):
		return false
	case known:
		q.identify(i, m)
		return false
	}
	return q.enter(s, src, m, now)
}

// enter makes an entry of a record that is not in memory, in the state that the
// ledger says, and tells whether that is ready.
func (q *Queue) enter(s Source, src *sourceLedger, m *Meta, now int64) bool {
	t := src.touched[m.Offset]
	i := q.newEntry(s, m)
	e := &q.entries[i]
	e.attempts, e.firstAt = t.Attempts, t.FirstAt
	q.join(i)
	switch {
	case t.Until > now && !t.Held && t.Attempts > 0:
		q.take(i, leased, t.Until)
	case max(m.DueAt, t.Until) > now:
		q.hold(i, max(m.DueAt, t.Until))
	default:
		q.makeReady(i)
		return true
	}
	return false
}

// newEntry makes an entry in no state.
func (q *Queue) newEntry(s Source, m *Meta) int32 {
	var i int32
	if n := len(q.unused); n > 0 {
		i, q.unused = q.unused[n-1], q.unused[:n-1]
	} else {
		q.entries = append(q.entries, entry{})
		i = int32(len(q.entries) - 1)
	}
	q.entries[i] = entry{Meta: *m, source: s, timer: -1, group: -1}
	q.sources[s].byOffset[m.Offset] = i
	return i
}

// adopt makes an entry of a record that is known from the ledger alone: it was
// delivered before a restart, and is not loaded yet.
func (q *Queue) adopt(s Source, o record.Offset, now int64) (int32, bool) {
	if int(s) >= len(q.sources) || s < 0 {
		return 0, false
	}
	t, ok := q.ledger.peek(s).touched[o]
	if !ok || t.Attempts == 0 {
		return 0, false
	}
	i := q.newEntry(s, &Meta{Offset: o})
	e := &q.entries[i]
	e.bare, e.attempts, e.firstAt = true, t.Attempts, t.FirstAt
	if t.Held {
		q.hold(i, max(t.Until, now))
	} else {
		q.take(i, leased, max(t.Until, now))
	}
	return i, true
}

// identify completes a bare entry.
func (q *Queue) identify(i int32, m *Meta) {
	e := &q.entries[i]
	e.Meta, e.bare = *m, false
	q.join(i)
	switch {
	case e.group < 0:
	case e.state == held:
		q.lineUp(i)
	default:
		q.groups.at(e.group).busy++
	}
}

// find returns the entry of a record.
func (q *Queue) find(s Source, o record.Offset) (int32, bool) {
	if s < 0 || int(s) >= len(q.sources) {
		return 0, false
	}
	i, ok := q.sources[s].byOffset[o]
	return i, ok
}

// leave takes the entry out of the state it is in.
func (q *Queue) leave(i int32) {
	e := &q.entries[i]
	w := &q.sources[e.source]
	switch e.state {
	case ready:
		w.readyN--
		w.bytes -= int64(e.Bytes)
		q.timers.remove(q, i)
	case held:
		q.timers.remove(q, i)
		if e.released {
			e.released = false
			q.released--
		}
		if e.attempts > 0 {
			q.inFlight--
		} else {
			w.heldN--
		}
	case leased, settling:
		q.timers.remove(q, i)
		q.inFlight--
		if e.group >= 0 {
			q.groups.at(e.group).busy--
		}
	}
	e.state = free
}

// take makes the entry leased or settling; until is for a lease.
func (q *Queue) take(i int32, to state, until int64) {
	q.leave(i)
	e := &q.entries[i]
	e.state = to
	q.inFlight++
	if e.group >= 0 {
		q.groups.at(e.group).busy++
	}
	if to == leased {
		e.until = until
		q.timers.push(q, i)
	}
}

// hold keeps the entry back until a time.
func (q *Queue) hold(i int32, until int64) {
	q.leave(i)
	e := &q.entries[i]
	e.state, e.until = held, until
	if e.attempts > 0 {
		q.inFlight++
	} else {
		q.sources[e.source].heldN++
	}
	q.timers.push(q, i)
	q.lineUp(i)
}

// makeReady gives the entry its place among what can be delivered.
func (q *Queue) makeReady(i int32) {
	q.leave(i)
	e := &q.entries[i]
	e.state = ready
	w := &q.sources[e.source]
	w.readyN++
	w.bytes += int64(e.Bytes)
	if q.cfg.ExpireReady && e.ExpiresAt != 0 {
		e.until = e.ExpiresAt
		q.timers.push(q, i)
	}
	if e.group >= 0 {
		q.lineUp(i)
		return
	}
	w.ready.push(item{e.Offset, i})
}

// drop forgets the entry.
func (q *Queue) drop(i int32) {
	q.leave(i)
	e := &q.entries[i]
	if e.dirty && e.bare { // its lease is over
		q.todo.changes = append(q.todo.changes, touchOf(e, 0))
	}
	delete(q.sources[e.source].byOffset, e.Offset)
	if g := e.group; g >= 0 {
		e.group, e.queued = -1, false
		q.leaveGroup(g)
	}
	e.dirty = false
	q.unused = append(q.unused, i)
}

// Next is when Tick has something to do, in milliseconds; ok is false if never.
func (q *Queue) Next() (at int64, ok bool) {
	at = noEnd
	if len(q.timers.list) > 0 {
		at = q.entries[q.timers.list[0]].until
	}
	for i := range q.sources {
		at = min(at, q.sources[i].due)
	}
	return at, at != noEnd
}

// Tick ends the leases that are over, makes ready what is due, and, if configured,
// gives up what has expired.
func (q *Queue) Tick(now int64) {
	for i := range q.sources {
		if w := &q.sources[i]; w.due <= now && !q.unparkDue(Source(i), now) && q.cfg.Ordered {
			return // what is parked comes before what is in memory
		}
	}
	for len(q.timers.list) > 0 {
		i := q.timers.list[0]
		e := &q.entries[i]
		if e.until > now {
			return
		}
		switch {
		case e.bare:
			q.drop(i) // it has yet to be loaded
		case e.state == ready, q.cfg.ExpireReady && e.ExpiresAt != 0 && e.ExpiresAt <= now:
			q.bury(i, ReasonExpired)
		default:
			q.makeReady(i)
		}
	}
}

// Full tells that no more can be in flight.
func (q *Queue) Full() bool { return q.inFlight >= q.cfg.InFlightMax }

// Stats counts.
func (q *Queue) Stats() Stats {
	st := Stats{InFlight: q.inFlight - q.released, Delayed: q.released, Counts: q.counts}
	for i := range q.sources {
		st.Ready += q.sources[i].readyN
		st.Delayed += q.sources[i].heldN
	}
	st.Delayed += q.parked()
	return st
}

// SentAt returns when a record in memory was sent, milliseconds.
func (q *Queue) SentAt(s Source, o record.Offset) (int64, bool) {
	i, ok := q.find(s, o)
	if !ok || q.entries[i].bare {
		return 0, false
	}
	return q.entries[i].SentAt, true
}

// FinishBelow is the command that ends the records of s below an offset; with idle
// only those that nobody holds. Nil if there are none.
func (q *Queue) FinishBelow(s Source, to record.Offset, idle bool) []byte {
	var held []record.Offset
	if idle {
		for o, i := range q.sources[s].byOffset {
			if st := q.entries[i].state; o < to && (st == leased || st == settling) {
				held = append(held, o)
			}
		}
		slices.Sort(held)
	}
	spans, from := []span{}, record.Offset(0)
	for _, o := range append(held, to) {
		if from < o {
			spans = append(spans, span{from, o})
		}
		from = o + 1
	}
	if len(spans) == 0 {
		return nil
	}
	w := newCommand(cmdFinish, s)
	w.spans(spans)
	return w
}

// Purged forgets the records of s below `to`, which are done by a command that the
// caller made durable.
func (q *Queue) Purged(s Source, to record.Offset) {
	w := &q.sources[s]
	for o, i := range w.byOffset {
		if o < to && q.entries[i].state != settling && q.ledger.Done(s, o) {
			q.drop(i)
		}
	}
	w.cursor = max(w.cursor, to)
}
