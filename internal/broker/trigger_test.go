package broker

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/narumq/naru/internal/catalog"
	"github.com/narumq/naru/internal/record"
	"github.com/narumq/naru/internal/trigger"
)

// triggerWorld is a machine whose triggers' work is the test's.
type triggerWorld struct {
	queueWorld
	runs chan *try
}

// try is one try of a run; the test answers it.
type try struct {
	trigger.Work
	end chan error
}

func newTriggerWorld(t *testing.T) *triggerWorld {
	w := &triggerWorld{queueWorld: newQueueWorld(t)}
	w.begin()
	return w
}

// begin lets triggers fire, after the broker was started.
func (w *triggerWorld) begin(configured ...trigger.Spec) {
	w.t.Helper()
	runs := make(chan *try, 1000) // those of the broker before end unseen
	w.runs = runs
	// The file says what there is, and be it nothing.
	err := w.b.StartTriggers(TriggersConfig{Configured: append([]trigger.Spec{}, configured...), Run: func(ctx context.Context, work trigger.Work) error {
		x := &try{work, make(chan error, 1)}
		runs <- x
		select {
		case err := <-x.end:
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
	}})
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *triggerWorld) create(name string, conditions ...trigger.Condition) {
	w.t.Helper()
	if _, err := w.b.CreateTrigger(context.Background(), trigger.Spec{Name: name, Queue: "q", Conditions: conditions}); err != nil {
		w.t.Fatal(err)
	}
}

// add moves the clock.
func (w *triggerWorld) add(d time.Duration) {
	w.queueWorld.add(d)
	w.b.slot(0).triggers.poke()
}

// run waits for the next try.
func (w *triggerWorld) run() *try {
	w.t.Helper()
	select {
	case x := <-w.runs:
		return x
	case <-time.After(20 * time.Second):
		w.t.Fatalf("no run was started: %.600s", fmt.Sprintf("%+v", w.b.triggersHere("")))
		return nil
	}
}

// settled waits until the loop has seen all that has happened.
func (w *triggerWorld) settled() {
	for range 2 {
		for _, q := range w.b.slot(0).queues.all() {
			q.poke()
		}
		w.b.slot(0).triggers.round(w.b.ctx)
	}
}

func (w *triggerWorld) noRun(why string) {
	w.t.Helper()
	w.settled()
	select {
	case x := <-w.runs:
		w.t.Fatalf("run %s (condition %d, attempt %d): %s", x.RunID(), x.Run.Condition, x.Attempt, why)
	default:
	}
}

func (w *triggerWorld) info(name string) TriggerInfo {
	w.t.Helper()
	info, err := w.b.Trigger(context.Background(), name)
	if err != nil {
		w.t.Fatal(err)
	}
	return info
}

// ended waits until the trigger has so many ended runs.
func (w *triggerWorld) ended(name string, n int64) {
	w.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; {
		w.settled()
		if x := w.info(name); x.Succeeded+x.Failed >= n && x.Running == 0 {
			return
		} else if time.Now().After(deadline) {
			w.t.Fatalf("%+v", x)
		}
	}
}

func sendLane(t *testing.T, q *Queue, lane int32, n int) {
	t.Helper()
	var msgs []Message
	for i := range n {
		msgs = append(msgs, Message{Value: fmt.Appendf(nil, "%d/%d", lane, i), Lane: lane, Delay: -1})
	}
	sendAll(t, q, msgs...)
}

func TestTriggerFirst(t *testing.T) {
	w := newTriggerWorld(t)
	q := makeQueue(t, w.b, "q", nil)
	w.create("t", trigger.Condition{On: trigger.OnFirst})
	w.noRun("the queue is empty")
	sendAll(t, q, text("a"))
	first := w.run()
	sendAll(t, q, text("b"))
	w.noRun("it was not empty")
	first.end <- nil
	w.ended("t", 1)
	list := mustReceive(t, q, ReceiveRequest{Max: 10, Lease: time.Minute})
	wantValues(t, list, "a", "b")
	w.noRun("it became empty")
	sendAll(t, q, text("c"))
	second := w.run()
	second.end <- nil
	if first.RunID() == second.RunID() {
		t.Fatal("two firings with one id")
	}
	// The leases end: two more become ready, and it was not empty.
	w.add(2 * time.Minute)
	w.noRun("c is still there")
	// What is taken and comes back between two looks is seen.
	ackAll(t, q, mustReceive(t, q, ReceiveRequest{Max: 10}))
	sendAll(t, q, text("d"))
	w.run().end <- nil
	w.ended("t", 3)
}

// TestTriggerAnyOfTwo has the condition "ten messages of priority 5 or more, or ten
// of any priority".
func TestTriggerAnyOfTwo(t *testing.T) {
	w := newTriggerWorld(t)
	q := makeQueue(t, w.b, "q", func(s *catalog.QueueSettings) { s.Lanes = 8 })
	w.create("t", trigger.Condition{On: trigger.OnDepth, Depth: 10, MinPriority: 5}, trigger.Condition{On: trigger.OnDepth, Depth: 10})
	sendLane(t, q, 1, 9)
	w.noRun("there are nine")
	sendLane(t, q, 5, 1)
	x := w.run()
	if x.Run.Condition != 1 || x.Run.Depth != 10 {
		t.Fatalf("condition %d at %d", x.Run.Condition, x.Run.Depth)
	}
	x.end <- nil
	sendLane(t, q, 6, 8)
	w.noRun("nine of priority 5 or more")
	sendLane(t, q, 7, 1)
	if x = w.run(); x.Run.Condition != 0 || x.Run.Depth != 10 {
		t.Fatalf("condition %d at %d", x.Run.Condition, x.Run.Depth)
	}
	x.end <- nil
	ackAll(t, q, mustReceive(t, q, ReceiveRequest{Max: 19}))
	w.ended("t", 2)
	sendLane(t, q, 7, 10) // meets both at once
	x = w.run()
	x.end <- nil
	w.ended("t", 3)
	w.noRun("both conditions were met by the same messages")
}

func TestTriggerMaxWait(t *testing.T) {
	w := newTriggerWorld(t)
	q := makeQueue(t, w.b, "q", nil)
	w.create("t", trigger.Condition{On: trigger.OnDepth, Depth: 3, MaxWait: time.Minute})
	sendAll(t, q, text("a"))
	w.add(59 * time.Second)
	w.noRun("a has waited 59 seconds")
	w.add(time.Second)
	w.run().end <- nil
	w.ended("t", 1)
	w.add(5 * time.Minute)
	w.noRun("it has fired for a")
	ackAll(t, q, mustReceive(t, q, ReceiveRequest{Max: 1}))
	sendAll(t, q, text("b"))
	w.add(time.Minute)
	w.run().end <- nil
	w.ended("t", 2)
}

func TestTriggerEvery(t *testing.T) {
	w := newTriggerWorld(t)
	q := makeQueue(t, w.b, "q", nil)
	sendAll(t, q, text("done"), text("there"), text("done too"))
	list := mustReceive(t, q, ReceiveRequest{Max: 3})
	ackAll(t, q, []Delivery{list[0], list[2]})
	w.create("t", trigger.Condition{On: trigger.OnEvery})
	late := text("late")
	late.Delay = time.Minute
	sendAll(t, q, text("a"), late, text("b"))
	for _, offset := range []int64{1, 3, 5} {
		x := w.run()
		if int64(x.Run.Offset) != offset || len(x.Run.Message) != 16 {
			t.Fatalf("offset %d, want %d", x.Run.Offset, offset)
		}
		x.end <- nil
	}
	w.ended("t", 3)
	w.noRun("one is delayed")
	ackAll(t, q, mustReceive(t, q, ReceiveRequest{Max: 10}))
	if err := w.b.Retain(w.clock()); err != nil {
		t.Fatal(err)
	}
	w.add(time.Minute)
	if x := w.run(); x.Run.Offset != 4 {
		t.Fatalf("offset %d, want 4", x.Run.Offset)
	} else {
		x.end <- nil
	}
	w.ended("t", 4)
	w.restart()
	w.begin()
	w.noRun("all has been fired for")
}

// TestTriggerHoldsLog trims the log before the trigger has read it.
func TestTriggerHoldsLog(t *testing.T) {
	w := newTriggerWorld(t)
	q := makeQueue(t, w.b, "q", nil)
	w.create("t", trigger.Condition{On: trigger.OnEvery})
	w.settled()
	w.b.slot(0).triggers.admin.Lock() // the loop sees nothing of it
	sendAll(t, q, text("a"), text("b"))
	ackAll(t, q, mustReceive(t, q, ReceiveRequest{Max: 2}))
	if err := w.b.Retain(w.clock()); err != nil {
		t.Error(err)
	}
	start := q.local().partitions()[0].LogStart()
	w.b.slot(0).triggers.admin.Unlock()
	if start != 0 {
		t.Fatalf("the log begins at %d", start)
	}
	w.run().end <- nil
	w.run().end <- nil
	w.ended("t", 2)
	if err := w.b.Retain(w.clock()); err != nil {
		t.Fatal(err)
	}
	if start = q.local().partitions()[0].LogStart(); start != 2 {
		t.Fatalf("the log begins at %d, want 2", start)
	}
}

// TestTriggerDeep counts more messages than the queue keeps in memory.
func TestTriggerDeep(t *testing.T) {
	w := newTriggerWorld(t)
	q := makeQueue(t, w.b, "q", nil)
	w.create("t", trigger.Condition{On: trigger.OnDepth, Depth: 6_000})
	for range 5 {
		sendLane(t, q, 0, 1_000)
	}
	sendLane(t, q, 0, 999)
	w.noRun("there are 5,999")
	sendLane(t, q, 0, 1)
	if x := w.run(); x.Run.Depth != 6_000 {
		t.Fatalf("depth %d", x.Run.Depth)
	} else {
		x.end <- nil
	}
	w.ended("t", 1)
}

// TestTriggerWaitingIsBounded stops reading where too many runs wait, and goes on.
func TestTriggerWaitingIsBounded(t *testing.T) {
	w := newTriggerWorld(t)
	q := makeQueue(t, w.b, "q", nil)
	if _, err := w.b.CreateTrigger(context.Background(), trigger.Spec{
		Name: "t", Queue: "q", MaxRunning: 1_000, Conditions: []trigger.Condition{{On: trigger.OnEvery}, {On: trigger.OnDepth, Depth: 12_000}},
	}); err != nil {
		t.Fatal(err)
	}
	for range 12 {
		sendLane(t, q, 0, 1_000)
	}
	for w.info("t").Fired < trigger.RunsWaitingMax {
		w.settled()
	}
	w.settled()
	if x := w.info("t"); x.Fired != trigger.RunsWaitingMax || x.Running != 1_000 {
		t.Fatalf("fired %d, running %d", x.Fired, x.Running)
	}
	depth := 0
	for range 12_001 {
		x := w.run()
		x.end <- nil
		if x.On() == trigger.OnDepth {
			depth++
		}
	}
	w.ended("t", 12_001)
	if depth != 1 {
		t.Fatalf("%d runs by depth", depth)
	}
}

// TestTriggerRetries holds the tries, their times, and that each has the run's id.
func TestTriggerRetries(t *testing.T) {
	w := newTriggerWorld(t)
	q := makeQueue(t, w.b, "q", nil)
	if _, err := w.b.CreateTrigger(context.Background(), trigger.Spec{
		Name: "t", Queue: "q", AttemptsMax: 3, Conditions: []trigger.Condition{{On: trigger.OnFirst}},
	}); err != nil {
		t.Fatal(err)
	}
	sendAll(t, q, text("a"))
	x := w.run()
	id := x.RunID()
	for i, after := range []time.Duration{time.Second, 2 * time.Second} {
		x.end <- errors.New("no luck")
		for w.info("t").Running > 0 {
			w.settled()
		}
		w.add(after - time.Millisecond)
		w.noRun("it is too early")
		w.add(time.Millisecond)
		if x = w.run(); x.RunID() != id || x.Attempt != int32(i+2) {
			t.Fatalf("attempt %d of %s", x.Attempt, x.RunID())
		}
	}
	x.end <- errors.New("no luck again")
	w.ended("t", 1)
	w.add(time.Hour)
	w.noRun("there were three tries")
	if info := w.info("t"); info.Failed != 1 || info.Runs[0].Failure != "no luck again" || info.Runs[0].Attempts != 3 {
		t.Fatalf("%+v", info)
	}
}

// TestTriggerCrashDuringRun crashes between a firing and the end of its work.
func TestTriggerCrashDuringRun(t *testing.T) {
	for _, how := range []string{"process", "power", "orderly"} {
		t.Run(how, func(t *testing.T) {
			w := newTriggerWorld(t)
			q := makeQueue(t, w.b, "q", nil)
			w.create("t", trigger.Condition{On: trigger.OnDepth, Depth: 2})
			sendAll(t, q, text("a"), text("b"))
			id := w.run().RunID()
			w.crash(how, rand.New(rand.NewPCG(1, 1)))
			w.begin()
			x := w.run()
			if x.RunID() != id {
				t.Fatalf("run %s, was %s", x.RunID(), id)
			}
			w.noRun("it runs")
			x.end <- nil
			w.ended("t", 1)
			w.crash(how, rand.New(rand.NewPCG(1, 1)))
			w.begin()
			w.noRun("it has ended, and a and b are what it fired for")
			sendAll(t, w.queue("q"), text("c"))
			w.noRun("there were two all the time")
			if info := w.info("t"); info.Fired != 1 || info.Succeeded != 1 {
				t.Fatalf("%+v", info)
			}
		})
	}
}

// TestTriggerCrashBeforeArmed loses the moment in which the queue was empty: what
// came since was not fired for.
func TestTriggerCrashBeforeArmed(t *testing.T) {
	w := newTriggerWorld(t)
	w.needsDisk("it copies one in the middle")
	q := makeQueue(t, w.b, "q", nil)
	w.create("t", trigger.Condition{On: trigger.OnFirst})
	sendAll(t, q, text("a"))
	w.run().end <- nil
	w.ended("t", 1)
	w.b.slot(0).triggers.admin.Lock() // the loop sees nothing of it
	var once sync.Once
	unlock := func() { once.Do(w.b.slot(0).triggers.admin.Unlock) }
	defer unlock()
	ackAll(t, q, mustReceive(t, q, ReceiveRequest{Max: 1}))
	sendAll(t, q, text("b"))
	fs, store := w.fs.ProcessCrashClone(), cloneStore(t, w.store)
	unlock()
	if err := w.b.Close(); err != nil {
		t.Fatal(err)
	}
	w.fs, w.store = fs, store
	w.start()
	w.begin()
	w.run().end <- nil
	w.ended("t", 2)
}

func TestTriggerQueueMadeAnew(t *testing.T) {
	w := &triggerWorld{queueWorld: newQueueWorld(t)}
	configured := trigger.Spec{Name: "c", Queue: "q", Conditions: []trigger.Condition{{On: trigger.OnEvery}, {On: trigger.OnFirst}}}
	w.begin(configured)
	for range 2 {
		sendAll(t, makeQueue(t, w.b, "q", nil), text("a"))
		w.run().end <- nil
		w.run().end <- nil
		if err := w.b.DeleteQueue("q"); err != nil {
			t.Fatal(err)
		}
	}
	w.ended("c", 4)
	end := w.partition(triggersTopic).HighWatermark()
	w.restart()
	w.begin(configured)
	if now := w.partition(triggersTopic).HighWatermark(); now != end {
		t.Fatalf("what did not change was written again: %d commands", now-end)
	}
	if err := w.b.DeleteTrigger(context.Background(), "c"); !errors.Is(err, ErrConfigured) {
		t.Fatal(err)
	}
	w.restart()
	w.begin()
	if list, err := w.b.Triggers(context.Background()); err != nil || len(list) != 0 {
		t.Fatalf("%+v, %v", list, err)
	}
}

func TestTriggerRefusals(t *testing.T) {
	w := newTriggerWorld(t)
	first := []trigger.Condition{{On: trigger.OnFirst}}
	spec := trigger.Spec{Name: "t", Queue: "q", Conditions: first}
	if _, err := w.b.CreateTrigger(context.Background(), spec); !errors.Is(err, catalog.ErrUnknownQueue) {
		t.Fatal(err)
	}
	makeQueue(t, w.b, "q", nil)
	program := spec
	program.Program = &trigger.Program{Argv: []string{"true"}}
	if _, err := w.b.CreateTrigger(context.Background(), program); !errors.Is(err, ErrProgramsOff) {
		t.Fatal(err)
	}
	w.create("t", first...)
	if _, err := w.b.CreateTrigger(context.Background(), spec); !errors.Is(err, ErrTriggerExists) {
		t.Fatal(err)
	}
	if err := w.b.DeleteTrigger(context.Background(), "t"); err != nil {
		t.Fatal(err)
	}
	if err := w.b.DeleteTrigger(context.Background(), "t"); !errors.Is(err, ErrUnknownTrigger) {
		t.Fatal(err)
	}
}

// fill lets the disk be full.
func (w *triggerWorld) fill(p *Partition) {
	w.t.Helper()
	w.fs.SetCapacity(1)
	for {
		b := record.NewBuilder(record.None)
		b.Append(w.clock().UnixMilli(), nil, nil, nil)
		batch, err := b.Build()
		if err != nil {
			w.t.Fatal(err)
		}
		if _, err := w.append(p, batch); err != nil {
			return
		}
	}
}

func (w *triggerWorld) endedTries() int {
	w.b.slot(0).triggers.mu.Lock()
	defer w.b.slot(0).triggers.mu.Unlock()
	return len(w.b.slot(0).triggers.ended)
}

// TestTriggerFullDisk fires, and ends, when there is room again, and once.
func TestTriggerFullDisk(t *testing.T) {
	w := newTriggerWorld(t)
	w.needsDisk("it fills one")
	q, other := makeQueue(t, w.b, "q", nil), w.topic("other", nil)
	w.create("t", trigger.Condition{On: trigger.OnDepth, Depth: 2})
	w.settled()
	w.b.slot(0).triggers.admin.Lock()
	sendAll(t, q, text("a"), text("b"))
	w.fill(other)
	w.b.slot(0).triggers.admin.Unlock()
	w.noRun("the disk is full")
	if x := w.info("t"); x.Fired != 0 || !x.Armed[0] {
		t.Fatalf("%+v", x)
	}
	w.fs.SetCapacity(0)
	w.settled()
	x := w.run()
	w.fill(other)
	w.b.slot(0).triggers.admin.Lock()
	x.end <- nil
	for w.endedTries() == 0 { // the try has told
		runtime.Gosched()
	}
	w.b.slot(0).triggers.admin.Unlock()
	w.noRun("it has ended")
	if x := w.info("t"); x.Succeeded != 0 || x.Running != 1 {
		t.Fatalf("%+v", x)
	}
	w.fs.SetCapacity(0)
	w.ended("t", 1)
	w.noRun("it has ended")
}
