package cluster

import (
	"context"

	"github.com/narumq/naru/internal/journal"
)

// Host opens and closes slots. Calls for different slots come at the same time, those for one slot never.
type Host interface {
	// Open takes a slot over. owner is the CreateRevision of this broker's key, which commits compare. ctx ends when the ownership
	// does, also after Open has returned. An error has Close called, and the slot left to other brokers for a while.
	Open(ctx context.Context, slot journal.SlotID, owner int64) error
	// Close ends a slot for which Open was called, and returns when nothing of it serves any more; planned: what was begun is
	// brought to an end first, and another broker is let in afterwards.
	Close(slot journal.SlotID, planned bool)
}

// How many slots of a broker are opened, and how many are closed, at a time.
const (
	opensMax  = 8
	closesMax = 8
)

// Run opens and closes slots by what this broker owns, until ctx or the tenure ends, or the broker leaves, and returns when all are
// closed: nil after it left, ErrOver when the tenure was over, else the context's error.
func (t *Tenure) Run(ctx context.Context, h Host) error {
	t.running.Store(true)
	t.wake()
	defer func() {
		t.running.Store(false)
		t.wake()
	}()
	r := &runner{t: t, h: h, slots: map[journal.SlotID]*tended{}, events: make(chan event), done: map[journal.SlotID]int64{}}
	over, done, leaving := t.ctx.Done(), ctx.Done(), t.leaving
	for {
		held, unwell := t.orders()
		for _, u := range unwell {
			if s := r.slots[u.slot]; s != nil && s.owner == u.owner {
				s.failed = u.err
			}
		}
		r.tend(held)
		if r.ending && len(r.slots) == 0 {
			return r.result(ctx)
		}
		select {
		case e := <-r.events:
			r.took(e)
		case <-t.news:
		case <-over:
			over, r.ending, r.lost = nil, true, true
		case <-done:
			done, r.ending, r.lost = nil, true, true
		case <-leaving:
			leaving, r.ending = nil, true
		}
	}
}

// runner is what Run knows. All of it is Run's goroutine's.
type runner struct {
	t       *Tenure
	h       Host
	slots   map[journal.SlotID]*tended
	done    map[journal.SlotID]int64 // the last ownership of a slot that ended: none up to it counts again
	events  chan event
	ending  bool // all is to be closed
	lost    bool // not as planned
	opening int
	closing int
}

// tended is a slot that is not closed.
type tended struct {
	owner  int64
	ctx    context.Context
	cancel context.CancelFunc
	phase  phase
	void   bool  // it was not opened, or not to the end
	failed error // it cannot be served
}

type phase uint8

const (
	opening phase = iota
	open
	closing
)

// event says that Open or Close of a slot returned.
type event struct {
	slot journal.SlotID
	err  error // of Open
}

// tend begins what is to be done.
func (r *runner) tend(held []Holding) {
	for i, want := range held {
		slot := journal.SlotID(i)
		s := r.slots[slot]
		switch {
		case s != nil:
			r.tendOpen(slot, s, want)
		case want.Owner <= r.done[slot]:
		case want.Give || r.ending:
			r.end(slot, want.Owner, nil)
		case r.opening < opensMax:
			r.open(slot, want.Owner)
		}
	}
}

func (r *runner) tendOpen(slot journal.SlotID, s *tended, want Holding) {
	end := want.Give || r.ending
	s.void = s.void || s.phase == opening && end
	gone := r.lost || want.Owner != s.owner || s.void || s.failed != nil
	if gone {
		s.cancel()
	}
	if s.phase == open && (gone || end) && r.closing < closesMax {
		s.phase = closing
		r.closing++
		go func() {
			r.h.Close(slot, !gone)
			r.events <- event{slot: slot}
		}()
	}
}

func (r *runner) open(slot journal.SlotID, owner int64) {
	s := &tended{owner: owner}
	s.ctx, s.cancel = context.WithCancel(r.t.ctx)
	r.slots[slot] = s
	r.opening++
	go func() { r.events <- event{slot, r.h.Open(s.ctx, slot, owner)} }()
}

func (r *runner) took(e event) {
	s := r.slots[e.slot]
	if s.phase == opening {
		r.opening--
		s.phase = open
		s.void = s.void || e.err != nil
		if e.err != nil && s.ctx.Err() == nil { // else it was told to stop
			s.failed = e.err
		}
		return
	}
	r.closing--
	s.cancel()
	delete(r.slots, e.slot)
	r.end(e.slot, s.owner, s.failed)
}

// end notes that an ownership is over here.
func (r *runner) end(slot journal.SlotID, owner int64, why error) {
	r.done[slot] = max(r.done[slot], owner)
	r.t.report(report{slot, owner, why})
}

func (r *runner) result(ctx context.Context) error {
	switch {
	case !r.lost:
		return nil
	case r.t.ctx.Err() != nil:
		return ErrOver
	}
	return ctx.Err()
}
