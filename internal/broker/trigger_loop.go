package broker

import (
	"context"
	"time"

	"github.com/narumq/naru/internal/trigger"
)

const (
	triggerRoundEvery = 2 * time.Millisecond // at most so often queues are looked at
	triggerRetryAfter = time.Second          // when the log or a queue could not be read or written
	triggerWorkMax    = 1_000                // tries at a time, of all triggers
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
	ended := t.takeEnded()
	again = trigger.Never
	var looks []*triggerLook
	for _, x := range t.all() {
		l := t.look(x, now)
		if w := t.watching[x.ID]; l == nil {
			again = min(again, w.again)
		} else {
			looks = append(looks, l)
		}
	}
	if err := t.append(t.decide(looks, ended, now)); err != nil {
		t.putBack(looks, ended)
		t.b.log.Warn("triggers put off", "err", err)
		return now + triggerRetryAfter.Milliseconds()
	}
	for _, l := range looks {
		again = min(again, l.w.again)
	}
	return min(again, t.start(ctx, ended, now))
}

// decide lets the table decide about what was seen and what ended.
func (t *triggers) decide(looks []*triggerLook, ended []endedTry, now int64) (cmds []trigger.Command) {
	t.log.Read(func() {
		rounds := make(map[trigger.ID]*trigger.Round)
		of := func(x *trigger.Trigger) *trigger.Round {
			if rounds[x.ID] == nil {
				rounds[x.ID] = x.Round(now)
			}
			return rounds[x.ID]
		}
		var order []*trigger.Round
		for _, e := range ended {
			if x := t.table.Get(e.id); x != nil {
				if rounds[x.ID] == nil {
					order = append(order, of(x))
				}
				of(x).Ended(e.number, e.attempt, e.failure)
			}
		}
		for _, l := range looks {
			if rounds[l.x.ID] == nil {
				order = append(order, of(l.x))
			}
			l.tell(of(l.x))
		}
		for _, r := range order {
			cmds = append(cmds, r.Commands()...)
		}
	})
	return cmds
}

// start starts what may run, after what ended is durable.
func (t *triggers) start(ctx context.Context, ended []endedTry, now int64) (again int64) {
	again = trigger.Never
	t.running -= len(ended)
	var list []trigger.Work
	var started []trigger.Command
	t.log.Change(func() {
		for _, e := range ended {
			if x := t.table.Get(e.id); x != nil {
				x.Stopped(e.number)
				if x.Unended()+len(ended) >= trigger.RunsWaitingMax { // nothing could fire
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
	t.log.Append(started, func(error) {}) // as deliveries, tries are noted and not waited for
	for _, w := range list {
		t.b.work.Go(func() { t.try(ctx, w) })
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

// putBack undoes a round that did not become durable.
func (t *triggers) putBack(looks []*triggerLook, ended []endedTry) {
	t.mu.Lock()
	t.ended = append(ended, t.ended...)
	t.mu.Unlock()
	for _, l := range looks {
		l.w.q.restore(l.w.watch, l.seen)
		l.w.dirty.Store(true)
	}
}
