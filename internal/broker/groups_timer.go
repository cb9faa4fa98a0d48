package broker

import (
	"sync"
	"time"
)

// groupsTimer is the one goroutine that serves the deadlines of all groups and
// the search for expired offsets.
type groupsTimer struct {
	next  time.Time     // when it will look, guarded by Groups.mu
	check time.Time     // of the next search for expired offsets, guarded by Groups.mu
	early chan struct{} // cap 1: next became earlier
	quit  chan struct{}
	once  sync.Once
	done  sync.WaitGroup
}

// start begins to serve. Groups.mu is held.
func (t *groupsTimer) start(g *Groups, now time.Time) {
	t.early, t.quit = make(chan struct{}, 1), make(chan struct{})
	t.check = now.Add(g.cfg.RetentionCheckEvery)
	t.next = t.check
	t.done.Go(func() { t.run(g, t.quit) })
}

func (t *groupsTimer) stop() {
	if t.quit == nil {
		return // never started
	}
	t.once.Do(func() { close(t.quit) })
	t.done.Wait()
}

// adjust wakes the goroutine if a deadline came nearer. Groups.mu is held.
func (t *groupsTimer) adjust(g *Groups) {
	if d, ok := g.core.NextDeadline(); ok && d.Before(t.next) {
		t.next = d
		select {
		case t.early <- struct{}{}:
		default:
		}
	}
}

func (t *groupsTimer) run(g *Groups, quit <-chan struct{}) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-quit:
			return
		case <-t.early:
		case <-timer.C:
		}
		timer.Reset(t.serve(g))
	}
}

// serve does what is due and returns how long the next can wait.
func (t *groupsTimer) serve(g *Groups) time.Duration {
	g.mu.Lock()
	defer g.unlock()
	now := g.cfg.Now()
	g.do(g.core.Advance(now))
	if !now.Before(t.check) {
		g.expireOffsets(now)
		t.check = now.Add(g.cfg.RetentionCheckEvery)
	}
	t.next = t.check
	if d, ok := g.core.NextDeadline(); ok && d.Before(t.next) {
		t.next = d
	}
	return max(t.next.Sub(now), 0)
}
