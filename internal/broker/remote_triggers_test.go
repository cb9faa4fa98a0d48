package broker

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/narumq/naru/internal/catalog"
	"github.com/narumq/naru/internal/fault"
	"github.com/narumq/naru/internal/journal"
	"github.com/narumq/naru/internal/trigger"
)

// work is one try at one of the brokers.
type work struct {
	trigger.Work
	node int32
	end  chan error      // the test answers it
	ctx  context.Context // of the try
}

// fire lets the triggers of a broker fire.
func (n *pairNode) fire(runs chan *work, configured ...trigger.Spec) {
	n.pair.t.Helper()
	err := n.StartTriggers(TriggersConfig{Configured: configured, Run: func(ctx context.Context, w trigger.Work) error {
		x := &work{w, n.node, make(chan error, 1), ctx}
		runs <- x
		select {
		case err := <-x.end:
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
	}})
	if err != nil {
		n.pair.t.Fatal(err)
	}
}

func next(t *testing.T, runs chan *work) *work {
	t.Helper()
	select {
	case x := <-runs:
		return x
	case <-time.After(20 * time.Second):
		t.Fatal("no run was started")
		return nil
	}
}

func (n *pairNode) trigger(name string) TriggerInfo {
	n.pair.t.Helper()
	info, err := n.Trigger(n.pair.t.Context(), name)
	if err != nil {
		n.pair.t.Fatal(err)
	}
	return info
}

// succeeded waits until so many runs of a trigger have.
func (n *pairNode) succeeded(name string, want int64) TriggerInfo {
	n.pair.t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(20 * time.Second); ; <-tick.C {
		if info := n.trigger(name); info.Succeeded >= want {
			return info
		} else if time.Now().After(end) {
			n.pair.t.Fatalf("%+v", info)
		}
	}
}

func onFirst(name, queue string) trigger.Spec {
	return trigger.Spec{Name: name, Queue: queue, Conditions: []trigger.Condition{{On: trigger.OnFirst}}}
}

// queueIn is the name of a queue that has its home in a slot.
func queueIn(slot int) string {
	for i := 0; ; i++ {
		if name := fmt.Sprintf("q%d", i); catalog.SlotOfName(name, pairSlots) == slot {
			return name
		}
	}
}

// TestRemoteTriggers makes, shows and deletes triggers by each broker, whichever has
// their queues and their names.
func TestRemoteTriggers(t *testing.T) {
	w, a, b := newPair(t)
	runs := make(chan *work, 100)
	a.fire(runs)
	b.fire(runs)
	w.give(1, b)
	w.give(3, b)
	nodes := []*pairNode{a, b}
	for i := range 2 * pairSlots {
		by, other := nodes[i%2], nodes[1-i%2]
		queue := queueIn(i % pairSlots)
		if i < pairSlots {
			w.queue(queue, nil)
		}
		name := fmt.Sprintf("t%d", i)
		info, err := by.CreateTrigger(t.Context(), onFirst(name, queue))
		if err != nil || info.Spec.Name != name || info.Spec.Queue != queue || info.CreatedAt.IsZero() {
			t.Fatalf("%+v, %v", info, err)
		}
		for j := range pairSlots { // also where it is not
			if _, err := other.CreateTrigger(t.Context(), onFirst(name, queueIn(j))); !errors.Is(err, ErrTriggerExists) {
				t.Errorf("%s on %s: %v", name, queueIn(j), err)
			}
		}
		if have := other.trigger(name); have.ID != info.ID {
			t.Errorf("%+v is not %+v", have, info)
		}
	}
	for _, n := range nodes {
		list, err := n.Triggers(t.Context())
		if err != nil || len(list) != 2*pairSlots || list[0].Spec.Name != "t0" || list[7].Spec.Name != "t7" {
			t.Errorf("%+v, %v", list, err)
		}
	}
	for i := range 2 * pairSlots {
		by, other := nodes[i/2%2], nodes[1-i/2%2]
		name := fmt.Sprintf("t%d", i)
		if err := by.DeleteTrigger(t.Context(), name); err != nil {
			t.Error(err)
		}
		if _, err := other.Trigger(t.Context(), name); !errors.Is(err, ErrUnknownTrigger) {
			t.Error(err)
		}
		if err := other.DeleteTrigger(t.Context(), name); !errors.Is(err, ErrUnknownTrigger) {
			t.Error(err)
		}
	}
	program := onFirst("p", queueIn(0))
	program.Program = &trigger.Program{Argv: []string{"true"}}
	if _, err := b.CreateTrigger(t.Context(), program); !errors.Is(err, ErrProgramsOff) {
		t.Error(err)
	}
	if _, err := b.CreateTrigger(t.Context(), onFirst("x", "nowhere")); !errors.Is(err, catalog.ErrUnknownQueue) {
		t.Error(err)
	}
}

// TestRemoteTriggerNames makes triggers of one name by both brokers at the same time, for
// queues in all slots: one of them is. That holds, too, while the name's home moves.
func TestRemoteTriggerNames(t *testing.T) {
	w, a, b := newPair(t)
	w.give(1, b)
	w.give(2, b)
	for i := range pairSlots {
		w.queue(queueIn(i), nil)
	}
	const rounds = 10
	for round := range rounds {
		name, move := fmt.Sprintf("t%d", round), round >= rounds/2
		var made, refused int
		var mu sync.Mutex
		var all sync.WaitGroup
		for i := range 2 * pairSlots {
			all.Go(func() {
				_, err := []*pairNode{a, b}[i%2].CreateTrigger(t.Context(), onFirst(name, queueIn(i/2)))
				mu.Lock()
				defer mu.Unlock()
				switch {
				case err == nil:
					made++
				case errors.Is(err, ErrTriggerExists):
					refused++
				case !move || fault.CodeOf(err) != fault.Unavailable:
					t.Error(err)
				}
			})
		}
		if move {
			w.give(journal.SlotID(catalog.SlotOfName(name, pairSlots)), []*pairNode{a, b}[round%2])
		}
		all.Wait()
		if made > 1 || !move && (made != 1 || refused != 2*pairSlots-1) {
			t.Fatalf("%d were made, %d refused", made, refused)
		}
	}
	list, err := a.Triggers(t.Context())
	if err != nil || len(list) < rounds/2 {
		t.Error(list, err)
	}
	for i := range list[1:] {
		if list[i].Spec.Name == list[i+1].Spec.Name {
			t.Errorf("%s is there twice", list[i].Spec.Name)
		}
	}
}

// TestRemoteTriggersUnseen lets a slot be nobody's, and a broker not be reached: what may
// be missing is not left out.
func TestRemoteTriggersUnseen(t *testing.T) {
	w, a, b := newPair(t)
	w.give(1, b)
	w.queue(queueIn(1), nil)
	w.queue(queueIn(2), nil)
	if _, err := a.CreateTrigger(t.Context(), onFirst("t", queueIn(1))); err != nil {
		t.Fatal(err)
	}
	unseen := func(why string) {
		t.Helper()
		var all sync.WaitGroup
		for what, err := range map[string]func() error{
			"list":   func() error { _, err := a.Triggers(t.Context()); return err },
			"get":    func() error { _, err := a.Trigger(t.Context(), "t"); return err },
			"create": func() error { _, err := a.CreateTrigger(t.Context(), onFirst("t", queueIn(2))); return err },
			"delete": func() error { return a.DeleteTrigger(t.Context(), "t") },
		} {
			all.Go(func() {
				if err := err(); fault.CodeOf(err) != fault.Unavailable {
					t.Errorf("%s, %s: %v", why, what, err)
				}
			})
		}
		all.Wait()
	}
	w.take(1)
	unseen("nobody has the slot")
	w.give(1, b)
	b.server.Close()
	a.cut()
	unseen("its owner is away")
}

// TestRemoteTriggerMoves moves a slot while a run is under way: it is ended where it is,
// and runs again under its id at the new owner. What has been fired for does not fire
// again.
func TestRemoteTriggerMoves(t *testing.T) {
	w, a, b := newPair(t)
	runs := make(chan *work, 100)
	a.fire(runs)
	b.fire(runs)
	name := queueIn(1)
	q := w.queue(name, nil)
	if _, err := b.CreateTrigger(t.Context(), onFirst("t", name)); err != nil {
		t.Fatal(err)
	}
	sendAll(t, q, text("x"))
	first := next(t, runs)
	if first.node != a.node {
		t.Fatalf("it runs at %d", first.node)
	}
	w.give(1, b)
	if first.ctx.Err() == nil {
		t.Error("it goes on where its slot was")
	}
	first.end <- nil // of which nobody knows any more
	again := next(t, runs)
	if again.node != b.node || again.RunID() != first.RunID() {
		t.Errorf("run %s at %d, was %s", again.RunID(), again.node, first.RunID())
	}
	if info := a.trigger("t"); info.Succeeded != 0 || info.Running != 1 || !info.Runs[0].Running {
		t.Errorf("%+v", info)
	}
	again.end <- nil
	a.succeeded("t", 1)
	w.give(1, a)
	a.slot(1).triggers.round(a.ctx)
	a.slot(1).triggers.round(a.ctx)
	if info := b.trigger("t"); info.Fired != 1 || info.Succeeded != 1 || info.Waiting != 0 || len(runs) != 0 {
		t.Errorf("%+v, %d run", info, len(runs))
	}
}

// TestRemoteTriggersOfFile moves slots between a broker with a configuration file and one
// without, and then one with another.
func TestRemoteTriggersOfFile(t *testing.T) {
	w, a, b := newPair(t)
	runs := make(chan *work, 100)
	x, y := queueIn(1), queueIn(2)
	q := w.queue(x, nil)
	a.fire(runs, onFirst("x", x), onFirst("y", y))
	b.fire(runs) // has none
	sendAll(t, q, text("m"))
	next(t, runs).end <- nil
	before := b.succeeded("x", 1)
	for _, to := range []*pairNode{b, a, b} {
		w.give(1, to)
		w.give(2, to)
		to.slot(1).triggers.round(to.ctx)
		list, err := a.Triggers(t.Context())
		if err != nil || len(list) != 2 || list[0].ID != before.ID || list[0].Fired != 1 || !list[1].Spec.Configured || len(runs) != 0 {
			t.Fatalf("%+v, %v, %d run", list, err, len(runs))
		}
	}
	if err := a.DeleteTrigger(t.Context(), "x"); !errors.Is(err, ErrConfigured) {
		t.Error(err)
	}
	d := w.join(3)
	d.fire(runs, onFirst("x", x))
	for i := range journal.SlotID(pairSlots) {
		w.give(i, d)
	}
	if list, err := a.Triggers(t.Context()); err != nil || len(list) != 1 || list[0].ID != before.ID {
		t.Errorf("%+v, %v", list, err)
	}
}
