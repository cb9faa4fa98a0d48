package queue

import (
	"iter"
	"maps"
	"slices"

	"github.com/RoaringBitmap/roaring/v2/roaring64"

	"github.com/narumq/naru/internal/record"
)

const (
	spansPerCommand   = 20_000
	touchesPerCommand = 10_000
	sentPerCommand    = 5_000
)

// Snapshot emits commands that rebuild the ledger from nothing, and that change
// nothing when they are applied to it. now drops what has expired, milliseconds.
func (l *Ledger) Snapshot(now int64, emit func(cmd []byte)) {
	for i := range l.sources {
		l.sources[i].snapshot(Source(i), emit)
		l.sources[i].snapshotRuns(Source(i), emit)
	}
	l.rest(now, emit)
}

// Export emits what Snapshot does for another log, which does not have the blocks that runs are in: what is parked is not done there,
// and read from its source again.
func (l *Ledger) Export(now int64, emit func(cmd []byte)) {
	for i := range l.sources {
		l.sources[i].snapshot(Source(i), emit)
	}
	l.rest(now, emit)
}

func (l *Ledger) rest(now int64, emit func(cmd []byte)) {
	l.sent.snapshot(now, emit)
	for _, key := range l.Notes() {
		emit(SetNote(key, l.notes[key]))
	}
}

func (s *sourceLedger) snapshot(id Source, emit func(cmd []byte)) {
	w := newCommand(cmdFloor, id)
	w.uint(uint64(s.floor))
	emit(w)
	for list := range chunks(spansOf(s.done)) {
		w := newCommand(cmdFinish, id)
		w.spans(list)
		emit(w)
	}
	for list := range slices.Chunk(slices.Sorted(maps.Keys(s.touched)), touchesPerCommand) {
		emit(s.stateCommand(id, list))
	}
}

func (s *sourceLedger) snapshotRuns(id Source, emit func(cmd []byte)) {
	for _, r := range s.runs {
		emit(parkCommand(id, r, []span{{r.low, r.low}, {r.high, r.high}}))
	}
	for list := range chunks(spansOf(s.parked)) {
		w := newCommand(cmdParked, id)
		w.spans(list)
		emit(w)
	}
}

// spansOf lists a bitmap's runs, those of more than coveredMax offsets in parts.
func spansOf(b *roaring64.Bitmap) []span {
	var list []span
	for it := b.Iterator(); it.HasNext(); {
		from := record.Offset(it.Next())
		to := from + 1
		for it.HasNext() && record.Offset(it.PeekNext()) == to {
			if to++; to-from == stepsMax {
				to = runEnd(b, to)
				it.AdvanceIfNeeded(uint64(to))
				break
			}
			it.Next()
		}
		for ; to-from > coveredMax; from += coveredMax {
			list = append(list, span{from, from + coveredMax})
		}
		list = append(list, span{from, to})
	}
	return list
}

// chunks cuts spans into lists that one command each may have.
func chunks(list []span) iter.Seq[[]span] {
	return func(yield func([]span) bool) {
		for len(list) > 0 {
			n, left := 0, record.Offset(coveredMax)
			for n < min(len(list), spansPerCommand) && list[n].to-list[n].from <= left {
				left -= list[n].to - list[n].from
				n++
			}
			if !yield(list[:n]) {
				return
			}
			list = list[n:]
		}
	}
}

func (s *sourceLedger) stateCommand(id Source, offsets []record.Offset) []byte {
	w := newCommand(cmdState, id)
	w.uint(uint64(len(offsets)))
	var at record.Offset
	for _, o := range offsets {
		t := s.touched[o]
		w.uint(uint64(o - at))
		w.uint(uint64(t.Attempts))
		w.int(t.FirstAt)
		w.int(t.signed())
		at = o
	}
	return w
}

func (l *Ledger) decodeTouches(r *reader, id Source) func() {
	n := r.count(4)
	offsets, touches := make([]record.Offset, n), make([]Touch, n)
	var at record.Offset
	for i := range n {
		at = r.after(at)
		offsets[i] = at
		touches[i] = Touch{Attempts: int32(min(r.uint(), 1<<31-1)), FirstAt: r.int()}
		touches[i].setSigned(r.int())
	}
	return func() {
		s := l.source(id)
		for i, o := range offsets {
			if !s.isDone(o) {
				s.touched[o] = touches[i]
			}
		}
	}
}

func (l *Ledger) decodeNote(r *reader) func() {
	key := string(r.bytes())
	if r.uint() == 0 {
		return func() { delete(l.notes, key) }
	}
	value := slices.Clone(r.bytes())
	return func() { l.notes[key] = value }
}
