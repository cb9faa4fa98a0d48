package broker

import (
	"context"
	"slices"
	"time"

	"github.com/narumq/naru/internal/trigger"
)

const (
	triggerRoundEvery = 2 * time.Millisecond // at most so often queues are looked at
	triggerRetryAfter = time.Second          // when the log or a queue could not be read or written
	triggerWorkMax    = 1_000                // tries at a time, of all triggers

	triggerRoundReadMax   = 10_000   // messages that a round reads, for all triggers on every
	triggerAppendBytesMax = 32 << 10 // of several units: the smallest segment takes it
	triggerNotesMax       = 200      // tries noted in one append
)

// loop serves triggers until ctx ends, and then until the work has ended that it
// started.
func (t *triggers) loop(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	gap := time.NewTimer(0)
	defer gap.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.wake:
		case <-timer.C:
		}
		at := t.round(ctx)
		wait := time.Hour
		if at != trigger.Never {
			wait = min(wait, max(0, time.Duration(at-t.b.nowMS())*time.Millisecond))
		}
		timer.Reset(wait)
		gap.Reset(triggerRoundEvery)
		select {
		case <-ctx.Done():
			return
		case <-gap.C: // what happens meanwhile is one look
		}
	}
}

// round looks at what changed, makes durable what follows from it, and starts what
// may run. It returns when to do so again if nothing happens, milliseconds.
func (t *triggers) round(ctx context.Context) (again int64) {
	t.admin.Lock()
	defer t.admin.Unlock()
	now := t.b.nowMS()
	t.toRead = triggerRoundReadMax
	again = trigger.Never
	var units []unit
	for _, e := range t.takeEnded() {
		units = append(units, unit{ended: &e})
	}
	for _, x := range t.all() {
		if l := t.look(x, now); l != nil {
			units = append(units, unit{look: l})
		}
	}
	t.decide(units, now)
	done, failed := t.commit(units)
	if len(failed) > 0 {
		t.putBack(failed)
		again = now + triggerRetryAfter.Milliseconds()
	}
	for _, w := range t.watching {
		again = min(again, w.again)
	}
	return min(again, t.start(ctx, done, now))
}

// unit is what a round decides as a whole: about a try that has ended, or about what
// was seen for one trigger.
type unit struct {
	ended *endedTry
	look  *triggerLook
	cmds  []trigger.Command
}

// decide lets the table decide about each unit.
func (t *triggers) decide(units []unit, now int64) {
	t.log.Read(func() {
		for i := range units {
			u := &units[i]
			if l := u.look; l != nil {
				r := l.x.Round(now)
				l.tell(r)
				u.cmds = r.Commands()
			} else if x := t.table.Get(u.ended.id); x != nil {
				r := x.Round(now)
				r.Ended(u.ended.number, u.ended.attempt, u.ended.failure)
				u.cmds = r.Commands()
			}
		}
	})
}

// commit makes the units durable, several in one append, and tells which are.
func (t *triggers) commit(units []unit) (done, failed []unit) {
	type outcome struct {
		from, to int
		err      error
	}
	outcomes := make(chan outcome, len(units))
	n := 0
	for from := 0; from < len(units); n++ {
		var cmds []trigger.Command
		to, size := from, 0
		for ; to < len(units) && (to == from || size+sizeOf(units[to].cmds) <= triggerAppendBytesMax); to++ {
			size += sizeOf(units[to].cmds)
			cmds = append(cmds, units[to].cmds...)
		}
		o := outcome{from: from, to: to}
		if from = to; len(cmds) == 0 {
			outcomes <- o
			continue
		}
		t.log.Append(cmds, func(err error) {
			o.err = err
			outcomes <- o
		})
	}
	for range n {
		o := <-outcomes
		if o.err != nil {
			t.b.log.Warn("triggers put off", "err", o.err)
			failed = append(failed, units[o.from:o.to]...)
			continue
		}
		done = append(done, units[o.from:o.to]...)
	}
	return done, failed
}

func sizeOf(cmds []trigger.Command) (n int) {
	for _, c := range cmds {
		n += len(c.Key) + len(c.Value) + 10 // of the record's frame
	}
	return n
}

// start starts what may run, after what ended is durable.
func (t *triggers) start(ctx context.Context, done []unit, now int64) (again int64) {
	again = trigger.Never
	ended := 0
	for _, u := range done {
		if u.ended != nil {
			ended++
		}
	}
	t.running -= ended
	var list []trigger.Work
	var started []trigger.Command
	t.log.Change(func() {
		for _, u := range done {
			if u.ended == nil {
				continue
			}
			if x := t.table.Get(u.ended.id); x != nil {
				x.Stopped(u.ended.number)
				if x.Unended()+ended >= trigger.RunsWaitingMax { // nothing could fire
					t.dirty(x.ID)
					again = now
				}
			}
		}
		for _, x := range t.table.Triggers() {
			if x.Spec.Program != nil && !x.Spec.Configured && !t.cfg.Programs {
				continue // what was fired waits for a server that may
			}
			work, cmds, next := x.Start(now, triggerWorkMax-t.running-len(list))
			list, started, again = append(list, work...), append(started, cmds...), min(again, next)
		}
	})
	if len(list) == 0 {
		return again
	}
	t.running += len(list)
	for part := range slices.Chunk(started, triggerNotesMax) {
		t.log.Append(part, func(error) {}) // as deliveries, tries are noted and not waited for
	}
	for _, w := range list {
		t.s.work.Go(func() { t.try(ctx, w) })
	}
	return again
}

// try does the work of one try.
func (t *triggers) try(ctx context.Context, w trigger.Work) {
	err := t.cfg.Run(ctx, w)
	if ctx.Err() != nil {
		return // the broker stops: it runs again
	}
	e := endedTry{id: w.ID, number: w.Run.Number, attempt: w.Attempt}
	if err != nil {
		if e.failure = err.Error(); e.failure == "" {
			e.failure = "failed"
		}
		t.b.log.Warn("a trigger's run failed", "trigger", w.Trigger.Name, "run", w.RunID(), "attempt", w.Attempt, "err", err)
	}
	t.mu.Lock()
	t.ended = append(t.ended, e)
	t.mu.Unlock()
	t.poke()
}

// dirty lets a trigger look at its queue. Caller holds admin.
func (t *triggers) dirty(id trigger.ID) {
	if w := t.watching[id]; w != nil {
		w.dirty.Store(true)
	}
}

func (t *triggers) takeEnded() []endedTry {
	t.mu.Lock()
	defer t.mu.Unlock()
	list := t.ended
	t.ended = nil
	return list
}

// putBack undoes what did not become durable.
func (t *triggers) putBack(failed []unit) {
	for _, u := range failed {
		if l := u.look; l != nil {
			l.w.q.restore(l.w.watch, l.seen)
			l.w.dirty.Store(true)
			continue
		}
		t.mu.Lock()
		t.ended = append(t.ended, *u.ended)
		t.mu.Unlock()
	}
}
