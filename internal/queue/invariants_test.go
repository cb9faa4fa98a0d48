package queue

import (
	"fmt"

	"github.com/narumq/naru/internal/record"
)

// check looks for what must hold at any time, whatever happened.
func (q *Queue) check() error {
	unused := make(map[int32]bool)
	for _, i := range q.unused {
		if unused[i] {
			return fmt.Errorf("entry %d is unused twice", i)
		}
		unused[i] = true
	}
	inFlight, released, busy, timers := 0, 0, make(map[int32]int32), 0
	readyN, heldN := make([]int, len(q.sources)), make([]int, len(q.sources))
	for i := range q.entries {
		e := &q.entries[i]
		if unused[int32(i)] {
			continue
		}
		if at, ok := q.sources[e.source].byOffset[e.Offset]; !ok || at != int32(i) {
			return fmt.Errorf("entry %d is not the one of %d/%d", i, e.source, e.Offset)
		}
		if e.state != settling && q.ledger.Done(e.source, e.Offset) {
			return fmt.Errorf("%d/%d is done and in state %d", e.source, e.Offset, e.state)
		}
		switch e.state {
		case free:
			return fmt.Errorf("%d/%d is in no state", e.source, e.Offset)
		case ready:
			readyN[e.source]++
		case leased, settling:
			inFlight++
			if e.group >= 0 {
				busy[e.group]++
			}
		case held:
			if e.attempts > 0 {
				inFlight++
			} else {
				heldN[e.source]++
			}
		}
		if e.released {
			if released++; e.state != held {
				return fmt.Errorf("%d/%d is released in state %d", e.source, e.Offset, e.state)
			}
		}
		if timed := e.state == leased || e.state == held || e.state == ready && q.cfg.ExpireReady && e.ExpiresAt != 0; timed != (e.timer >= 0) {
			return fmt.Errorf("%d/%d in state %d has timer %d", e.source, e.Offset, e.state, e.timer)
		} else if timed {
			timers++
			if q.timers.list[e.timer] != int32(i) {
				return fmt.Errorf("%d/%d is not where its timer says", e.source, e.Offset)
			}
		}
	}
	if released != q.released {
		return fmt.Errorf("%d released, counted %d", q.released, released)
	}
	if inFlight != q.inFlight || timers != len(q.timers.list) {
		return fmt.Errorf("%d in flight, counted %d; %d timers of %d", q.inFlight, inFlight, len(q.timers.list), timers)
	}
	for i := range q.sources {
		w := &q.sources[i]
		if w.readyN != readyN[i] || w.heldN != heldN[i] {
			return fmt.Errorf("source %d: %d ready and %d held, counted %d and %d", i, w.readyN, w.heldN, readyN[i], heldN[i])
		}
	}
	return q.checkGroups(unused, busy)
}

// checkGroups looks at the groups: each is among what can be delivered if and only
// if it may be.
func (q *Queue) checkGroups(unused map[int32]bool, busy map[int32]int32) error {
	heads := make(map[int32]int32) // of groups, the first entry that is in line
	for i := range q.entries {
		e := &q.entries[i]
		if unused[int32(i)] || e.group < 0 || e.state != ready && e.state != held {
			continue
		}
		if h, ok := heads[e.group]; !ok || q.entries[h].Offset > e.Offset {
			heads[e.group] = int32(i)
		}
	}
	for key, n := range q.groups.byHash {
		g := q.groups.at(n)
		if g.hash != key.hash || g.source != key.source || g.busy != busy[n] {
			return fmt.Errorf("group %d of source %d is busy with %d, counted %d", key.hash, key.source, g.busy, busy[n])
		}
		head, ok := heads[n]
		if can := ok && g.busy == 0 && q.entries[head].state == ready; can && !g.listed {
			return fmt.Errorf("group %d of source %d could be delivered and is not listed", key.hash, key.source)
		}
		if !ok && g.busy == 0 && !g.listed {
			return fmt.Errorf("group %d of source %d is empty and kept", key.hash, key.source)
		}
	}
	return nil
}

// check looks at the ledger alone.
func (l *Ledger) check() error {
	for i := range l.sources {
		s := &l.sources[i]
		if s.done.Contains(uint64(s.floor)) {
			return fmt.Errorf("source %d: the floor %d is done", i, s.floor)
		}
		if !s.done.IsEmpty() && record.Offset(s.done.Minimum()) < s.floor {
			return fmt.Errorf("source %d: %d is kept below the floor %d", i, s.done.Minimum(), s.floor)
		}
		for o := range s.touched {
			if s.isDone(o) {
				return fmt.Errorf("%d/%d is done and touched", i, o)
			}
		}
		for it := s.parked.Iterator(); it.HasNext(); {
			if o := record.Offset(it.Next()); s.isDone(o) {
				return fmt.Errorf("%d/%d is done and parked", i, o)
			}
		}
	}
	return nil
}

// check holds the stage to the invariants after every line.
func (s *stage) check() {
	for _, err := range []error{s.q.check(), s.ledger.check()} {
		if err != nil {
			s.t.Error(err)
			s.say("BROKEN: %v", err)
		}
	}
}
