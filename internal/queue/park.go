package queue

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/narumq/naru/internal/record"
)

// parkAfterMS is how far off, at least, a delayed record is due that is parked.
const parkAfterMS = 10_000

// openRun is a run of which at most one block is in memory.
type openRun struct {
	Run
	block []Meta // what is left of the block in memory, by DueAt
	next  int32  // the block that comes after it
}

// parkedEntry is an entry as it was when it was parked; its number may be another
// record's by now.
type parkedEntry struct {
	item
	source Source
}

// parkState is what a source has in runs.
type parkState struct {
	runs    []*openRun
	parking []item // entries that are being written to a run; nil: none are
	due     int64  // when the first parked record is due, as far as blocks are in memory
}

// unknownFrom is the first offset from o on that is neither done nor parked.
func (s *sourceLedger) unknownFrom(o record.Offset) record.Offset {
	o = max(o, s.floor)
	if s.done.IsEmpty() && s.parked.IsEmpty() {
		return o
	}
	for s.done.Contains(uint64(o)) || s.parked.Contains(uint64(o)) {
		o++
	}
	return o
}

// Park returns blocks to write to the delay log, if too many records of s are held
// back in memory: one record each, one after the other. Then either Parked or
// ParkFailed is called.
func (q *Queue) Park(s Source, now int64) (blocks [][]byte) {
	w := &q.sources[s]
	if w.parking != nil || w.heldN < q.cfg.DelayedMax {
		return nil
	}
	var list []Meta
	for o, i := range w.byOffset {
		if e := &q.entries[i]; e.state == held && e.attempts == 0 && e.until > now+parkAfterMS {
			m := e.Meta
			m.DueAt = e.until
			list = append(list, m)
			w.parking = append(w.parking, item{o, i})
		}
	}
	slices.SortFunc(list, func(a, b Meta) int { return cmp.Or(cmp.Compare(a.DueAt, b.DueAt), cmp.Compare(a.Offset, b.Offset)) })
	for part := range slices.Chunk(list, blockEntries) {
		blocks = append(blocks, encodeBlock(part))
	}
	return blocks
}

// Parked says where the blocks that Park returned are durable.
func (q *Queue) Parked(s Source, first record.Offset, blocks int) {
	w := &q.sources[s]
	slices.SortFunc(w.parking, func(a, b item) int { return cmp.Compare(a.offset, b.offset) })
	var list []span
	for _, x := range w.parking {
		if n := len(list); n > 0 && list[n-1].to == x.offset {
			list[n-1].to++
			continue
		}
		list = append(list, span{x.offset, x.offset + 1})
	}
	if len(list) > 0 {
		run := Run{First: first, Blocks: int32(blocks), low: list[0].from, high: list[len(list)-1].to}
		w.runs = append(w.runs, &openRun{Run: run})
		q.todo.extra = append(q.todo.extra, parkCommand(s, run, list))
		for _, x := range w.parking {
			q.todo.parked = append(q.todo.parked, parkedEntry{x, s})
		}
	}
	w.parking = nil
}

// ParkFailed says that the blocks could not be written: the records stay.
func (q *Queue) ParkFailed(s Source) { q.sources[s].parking = nil }

// dropParked forgets records that are in a run now, unless they have become ready.
func (q *Queue) dropParked(list []parkedEntry, err error) {
	if err != nil {
		return // the run is not known to the ledger, and the records are here
	}
	for _, x := range list {
		if e := &q.entries[x.id]; e.state == held && e.source == x.source && e.Offset == x.offset && e.attempts == 0 {
			q.drop(x.id)
		}
	}
}

// WantBlock tells which block of the delay log has to be loaded for s; ok is false
// if none has.
func (q *Queue) WantBlock(s Source) (at record.Offset, ok bool) {
	w := &q.sources[s]
	for i := 0; i < len(w.runs); {
		r := w.runs[i]
		switch {
		case len(r.block) > 0:
		case !q.ledger.peek(s).holdsAny(r.Run):
			q.todo.extra = append(q.todo.extra, unparkCommand(s, r.Run))
			w.runs = slices.Delete(w.runs, i, i+1)
			continue
		case r.next < r.Blocks:
			return r.First + record.Offset(r.next), true
		}
		i++
	}
	return 0, false
}

// LoadBlock takes up a block that WantBlock asked for.
func (q *Queue) LoadBlock(s Source, at record.Offset, block []byte) error {
	w := &q.sources[s]
	list, err := decodeBlock(block)
	if err != nil {
		return fmt.Errorf("delay log offset %d: %w", at, err)
	}
	src := q.ledger.peek(s)
	for _, r := range w.runs {
		if r.First+record.Offset(r.next) == at && len(r.block) == 0 {
			r.block = slices.DeleteFunc(list, func(m Meta) bool { return src.isDone(m.Offset) })
			r.next++
			if len(r.block) > 0 {
				w.due = min(w.due, r.block[0].DueAt)
			}
			return nil
		}
	}
	return nil // it is not wanted any more
}

// unparkDue makes parked records of s ready that are due, as far as the window
// allows. false says that there are more.
func (q *Queue) unparkDue(s Source, now int64) bool {
	w, src := &q.sources[s], q.ledger.peek(s)
	w.due = noEnd
	for _, r := range w.runs {
		for len(r.block) > 0 && r.block[0].DueAt <= now {
			if w.readyN >= q.cfg.WindowMax {
				w.due = now
				return false
			}
			q.unpark(s, src, &r.block[0], now)
			r.block = r.block[1:]
		}
		if len(r.block) > 0 {
			w.due = min(w.due, r.block[0].DueAt)
		}
	}
	return true
}

// unpark brings one record back to memory.
func (q *Queue) unpark(s Source, src *sourceLedger, m *Meta, now int64) {
	if i, known := q.find(s, m.Offset); known {
		if q.entries[i].bare {
			q.identify(i, m)
		}
		return
	}
	if src.isDone(m.Offset) {
		return
	}
	q.enter(s, src, m, now)
}

// Runs returns the runs of all sources that are not used up, for whoever trims the
// delay log.
func (l *Ledger) Runs() (list []Run) {
	for i := range l.sources {
		list = append(list, l.sources[i].runs...)
	}
	return list
}

// parked counts what is in runs.
func (q *Queue) parked() (n int) {
	for i := range q.sources {
		n += int(q.ledger.peek(Source(i)).parked.GetCardinality())
	}
	return n
}
