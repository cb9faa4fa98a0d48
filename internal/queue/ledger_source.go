package queue

import (
	"maps"
	"sort"

	"github.com/RoaringBitmap/roaring/v2/roaring64"

	"github.com/narumq/naru/internal/record"
)

// finish makes the spans done.
func (s *sourceLedger) finish(list []span) {
	for _, x := range list {
		x.from = max(x.from, s.floor)
		if x.from >= x.to {
			continue
		}
		s.forget(x)
		if !s.parked.IsEmpty() {
			s.parked.RemoveRange(uint64(x.from), uint64(x.to))
		}
		if x.from > s.floor {
			s.done.AddRange(uint64(x.from), uint64(x.to))
			continue
		}
		s.floor = x.to
		s.absorb()
	}
}

// fits tells whether one command may finish the spans. Those that begin at the floor
// raise it, however long they are, and cost nothing.
func (s *sourceLedger) fits(list []span) bool {
	n := int64(0)
	for _, x := range list {
		if x.from > s.floor {
			n += int64(x.to - x.from)
		}
	}
	return n <= coveredMax
}

// forget drops what is known of records in x.
func (s *sourceLedger) forget(x span) {
	if int64(x.to-x.from) > int64(len(s.touched)) {
		maps.DeleteFunc(s.touched, func(o record.Offset, _ Touch) bool { return x.from <= o && o < x.to })
		return
	}
	for o := x.from; o < x.to; o++ {
		delete(s.touched, o)
	}
}

// absorb moves the floor past what is done already.
func (s *sourceLedger) absorb() {
	if s.done.IsEmpty() {
		return
	}
	s.floor = runEnd(s.done, s.floor)
	s.done.RemoveRange(0, uint64(s.floor))
}

// stepsMax is how many offsets are looked at one by one before runEnd asks for
// numbers of them: behind one record that is held for hours there may be billions.
const stepsMax = 1 << 22

// runEnd is the first offset from `from` on that b does not hold.
func runEnd(b *roaring64.Bitmap, from record.Offset) record.Offset {
	at := uint64(from)
	for ; b.Contains(at); at++ {
		if at-uint64(from) < stepsMax {
			continue
		}
		below, n := b.Rank(at), b.Maximum()-at
		return record.Offset(at) + 1 + record.Offset(sort.Search(int(n), func(i int) bool {
			return b.Rank(at+1+uint64(i))-below <= uint64(i)
		}))
	}
	return record.Offset(at)
}

func (s *sourceLedger) isDone(o record.Offset) bool {
	return o < s.floor || s.done.Contains(uint64(o))
}

func (s *sourceLedger) touch(list []span, attempts int32, until, at int64) {
	for _, x := range list {
		for o := x.from; o < x.to; o++ {
			if s.isDone(o) {
				continue
			}
			t := s.touched[o]
			t.Attempts = max(t.Attempts, attempts)
			t.setSigned(until)
			if t.FirstAt == 0 {
				t.FirstAt = at
			}
			s.touched[o] = t
		}
	}
}

// park adds a run, unless it is known.
func (s *sourceLedger) park(run Run, list []span) {
	s.addParked(list)
	for _, r := range s.runs {
		if r.First == run.First {
			return
		}
	}
	s.runs = append(s.runs, run)
}

func (s *sourceLedger) addParked(list []span) {
	for _, x := range list {
		s.parked.AddRange(uint64(max(x.from, s.floor)), uint64(x.to))
	}
	s.parked.AndNot(s.done)
}

// holdsAny tells whether something of the run is not done.
func (s *sourceLedger) holdsAny(r Run) bool {
	it := s.parked.Iterator()
	it.AdvanceIfNeeded(uint64(r.low))
	return it.HasNext() && it.Next() < uint64(r.high)
}

func (s *sourceLedger) unpark(first record.Offset) {
	for i, r := range s.runs {
		if r.First == first {
			s.runs = append(s.runs[:i:i], s.runs[i+1:]...)
			return
		}
	}
}
