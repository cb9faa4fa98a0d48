package queue

import (
	"cmp"
	"slices"

	"github.com/narumq/naru/internal/record"
)

type offset = record.Offset

// pending is what happened since the last Drain.
type pending struct {
	touched  []int32  // entries whose attempts or leases changed
	changes  []change // the same of entries that are gone
	finished []int32
	skipped  []skippedSpan
	extra    [][]byte // commands as they are
	parked   []parkedEntry
}

type skippedSpan struct {
	source Source
	span
}

func (p *pending) empty() bool {
	return len(p.touched)+len(p.changes)+len(p.finished)+len(p.skipped)+len(p.extra) == 0
}

// skip notes that [from, to) does not concern the queue.
func (p *pending) skip(s Source, from, to offset) {
	if from >= to {
		return
	}
	if n := len(p.skipped); n > 0 && p.skipped[n-1].source == s && p.skipped[n-1].to == from {
		p.skipped[n-1].to = to
		return
	}
	p.skipped = append(p.skipped, skippedSpan{s, span{from, to}})
}

// touch notes that the ledger has to hear of the entry.
func (q *Queue) touch(i int32) {
	if e := &q.entries[i]; !e.dirty {
		e.dirty = true
		q.todo.touched = append(q.todo.touched, i)
	}
}

// untilStepMS rounds leases up in commands, so that those of one second share one.
const untilStepMS = 1_000

// touchOf is what the ledger has to hear. A lease without end is over with the
// process.
func touchOf(e *entry, until int64) change {
	if until == noEnd {
		until = 0
	}
	until = (until + untilStepMS - 1) / untilStepMS * untilStepMS
	if e.state == held {
		until = -until
	}
	return change{cmdTouch, e.source, e.attempts, until, span{e.Offset, e.Offset + 1}}
}

// Batch is a number of commands, and what depends on them.
type Batch struct {
	Commands [][]byte
	finished []int32
	parked   []parkedEntry // which leave memory with this batch
	changes  []change
}

// change is one effect of a batch on the ledger, before it is written down.
type change struct {
	kind     commandKind
	source   Source
	attempts int32
	until    int64
	span
}

// Pending tells whether Drain has something.
func (q *Queue) Pending() bool { return !q.todo.empty() }

// Drain returns the commands for what happened since the last call, or nil. They
// are appended in order, applied to the ledger, and then Settled is called.
func (q *Queue) Drain() *Batch {
	if q.todo.empty() {
		return nil
	}
	b := &Batch{}
	if n := len(q.spare); n > 0 {
		b, q.spare = q.spare[n-1], q.spare[:n-1]
	}
	p := &q.todo
	b.changes = append(b.changes, p.changes...)
	for _, i := range p.touched {
		e := &q.entries[i]
		if !e.dirty {
			continue
		}
		e.dirty = false
		switch e.state {
		case leased, held:
			b.changes = append(b.changes, touchOf(e, e.until))
		case ready:
			b.changes = append(b.changes, touchOf(e, 0))
		}
		// What is settling is finished by this batch or an earlier one, or dead.
	}
	b.write()
	for _, s := range p.skipped {
		b.changes = append(b.changes, change{kind: cmdFinish, source: s.source, span: s.span})
	}
	for _, i := range p.finished {
		e := &q.entries[i]
		b.changes = append(b.changes, change{kind: cmdFinish, source: e.source, span: span{e.Offset, e.Offset + 1}})
	}
	b.write()
	b.Commands = append(b.Commands, p.extra...)
	b.finished = append(b.finished, p.finished...)
	b.parked = append(b.parked, p.parked...)
	*p = pending{p.touched[:0], p.changes[:0], p.finished[:0], p.skipped[:0], p.extra[:0], p.parked[:0]}
	return b
}

// write turns changes of one kind into as few commands as they need.
func (b *Batch) write() {
	if len(b.changes) == 0 {
		return
	}
	list := b.changes
	slices.SortFunc(list, func(x, y change) int {
		return cmp.Or(cmp.Compare(x.source, y.source), cmp.Compare(x.attempts, y.attempts), cmp.Compare(x.until, y.until), cmp.Compare(x.from, y.from))
	})
	for len(list) > 0 {
		n := 1
		for n < len(list) && list[n].source == list[0].source && list[n].attempts == list[0].attempts && list[n].until == list[0].until {
			n++
		}
		b.Commands = append(b.Commands, encodeChanges(list[:n]))
		list = list[n:]
	}
	b.changes = b.changes[:0]
}

// encodeChanges writes changes that differ in their spans only, which are sorted.
func encodeChanges(list []change) []byte {
	w := newCommand(list[0].kind, list[0].source)
	if list[0].kind == cmdTouch {
		w.int(list[0].until)
		w.uint(uint64(list[0].attempts))
	}
	n := 0
	for i := range list { // join neighbours in place
		if n > 0 && list[i].from <= list[n-1].to {
			list[n-1].to = max(list[n-1].to, list[i].to)
			continue
		}
		list[n] = list[i]
		n++
	}
	w.uint(uint64(n))
	var at offset
	for _, x := range list[:n] {
		w.uint(uint64(x.from - at))
		w.uint(uint64(x.to - x.from))
		at = x.to
	}
	return w
}

// Settled ends a batch: its commands are durable and applied, or, with an error,
// they never will be. Then what they would have ended is leased as before, unless
// something else ended it.
func (q *Queue) Settled(b *Batch, err error) {
	for _, i := range b.finished {
		e := &q.entries[i]
		switch {
		case err == nil, q.ledger.Done(e.source, e.Offset):
			q.drop(i)
		case e.attempts > 0:
			q.take(i, leased, e.until)
		default:
			q.makeReady(i)
		}
	}
	q.dropParked(b.parked, err)
	clear(b.Commands)
	*b = Batch{Commands: b.Commands[:0], finished: b.finished[:0], parked: b.parked[:0], changes: b.changes[:0]}
	if len(q.spare) < sparesMax {
		q.spare = append(q.spare, b)
	}
}

const sparesMax = 4
