package queue

import (
	"maps"

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
	for s.done.Contains(uint64(s.floor)) {
		s.floor++
	}
	s.done.RemoveRange(0, uint64(s.floor))
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
