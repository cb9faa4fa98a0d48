package broker

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/narumq/naru/internal/catalog"
	"github.com/narumq/naru/internal/queue"
	"github.com/narumq/naru/internal/runner"
	"github.com/narumq/naru/internal/trigger"
)

// triggerSim sends, receives and acks at random on a machine that crashes at random,
// and holds against what was confirmed which runs start.
type triggerSim struct {
	*triggerWorld
	rng     *rand.Rand
	first   map[string]int  // by message of every: its run's number
	held    []Delivery      // leased
	working map[uint64]*try // runs of the trigger on every that are at work
	over    map[uint64]bool // whose success is durable
}

func (s *triggerSim) run(steps int) {
	for range steps {
		q := s.queue("q")
		switch k := s.rng.IntN(100); {
		case k < 30:
			sendLane(s.t, q, s.rng.Int32N(3), 1+s.rng.IntN(3))
		case k < 50:
			s.held = append(s.held, mustReceive(s.t, q, ReceiveRequest{Max: 1 + s.rng.IntN(4), Lease: time.Minute})...)
		case k < 60 && len(s.held) > 0:
			var tags []queue.Tag
			for _, d := range s.held {
				tags = append(tags, d.Tag)
			}
			q.Ack(tags, func([]error) {}) // a crash may come first
			s.held = nil
		case k < 80:
			s.work()
		case k < 85:
			s.triggerWorld.add(time.Duration(s.rng.IntN(40)) * time.Second)
		case k < 90:
			if err := s.b.Retain(s.clock()); err != nil {
				s.t.Fatal(err)
			}
		case k < 94:
			if err := s.b.slot(0).triggers.log.Snapshot(); err != nil {
				s.t.Fatal(err)
			}
		default:
			s.end([]string{"process", "power", "orderly"}[s.rng.IntN(3)])
		}
	}
}

// end ends the broker as how says; what was at work is.
func (s *triggerSim) end(how string) {
	s.crash(how, s.rng)
	s.held, s.working = nil, make(map[uint64]*try)
	s.begin()
}

// work takes what was started, and lets one end, well or not; what ends well is
// waited for until that is durable.
func (s *triggerSim) work() {
	s.settled()
	for {
		select {
		case x := <-s.runs:
			s.started(x)
			continue
		default:
		}
		break
	}
	for n, x := range s.working {
		delete(s.working, n)
		if s.rng.IntN(3) == 0 {
			x.end <- errors.New("no luck")
			return
		}
		x.end <- nil
		for s.isRunning(n) {
			s.settled()
		}
		s.over[n] = true
		return
	}
}

func (s *triggerSim) isRunning(n uint64) bool {
	return slices.ContainsFunc(s.info("t").Runs, func(r TriggerRun) bool { return r.Number == n && r.Running })
}

func (s *triggerSim) started(x *try) {
	n := x.Run.Number
	switch {
	case s.over[n]:
		s.t.Fatalf("run %d started after it had ended", n)
	case s.working[n] != nil:
		s.t.Fatalf("run %d started twice", n)
	}
	s.working[n] = x
	if x.On() == trigger.OnEvery {
		key := fmt.Sprintf("%d/%d", x.Run.Partition, x.Run.Offset)
		if had, ok := s.first[key]; ok && had != int(n) {
			s.t.Fatalf("message %s has the runs %d and %d", key, had, n)
		}
		s.first[key] = int(n)
	}
}

func TestTriggerCrashes(t *testing.T) {
	seeds := uint64(40)
	if testing.Short() {
		seeds = 8
	}
	for seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			s := &triggerSim{
				triggerWorld: newTriggerWorld(t), rng: rand.New(rand.NewPCG(seed, 13)),
				first: make(map[string]int), working: make(map[uint64]*try), over: make(map[uint64]bool),
			}
			makeQueue(t, s.b, "q", func(c *catalog.QueueSettings) { c.Lanes = 3 })
			_, err := s.b.CreateTrigger(context.Background(), trigger.Spec{
				Name: "t", Queue: "q", MaxRunning: 3, AttemptsMax: 1_000,
				Conditions: []trigger.Condition{
					{On: trigger.OnEvery, MinPriority: 1}, {On: trigger.OnDepth, Depth: 5, MaxWait: time.Minute}, {On: trigger.OnFirst, MinPriority: 2},
				},
			})
			if err != nil {
				t.Fatal(err)
			}
			s.run(200)
			s.end("power")
			s.finish()
		})
	}
}

// finish lets all that was fired end, and looks whether each message was.
func (s *triggerSim) finish() {
	for began := time.Now(); ; {
		s.triggerWorld.add(time.Minute)
		s.work()
		if x := s.info("t"); x.Waiting+x.Running == 0 {
			break
		} else if time.Since(began) > time.Minute {
			s.t.Fatalf("%+v", x)
		}
	}
	for i, p := range s.queue("q").local().partitions() {
		for o := range p.HighWatermark() {
			if _, ok := s.first[fmt.Sprintf("%d/%d", i, o)]; ok != (i >= 1) {
				s.t.Errorf("message %d/%d: fired %v", i, o, ok)
			}
		}
	}
}

// TestTriggerRunsProgram has a real program on a real queue, and the test's clock. It
// is killed with the broker in the middle, and runs again.
func TestTriggerRunsProgram(t *testing.T) {
	w := &triggerWorld{queueWorld: newQueueWorld(t)}
	dir := t.TempDir()
	var log bytes.Buffer
	begin := func() {
		cfg := TriggersConfig{Programs: true, Run: runner.New(slog.New(slog.NewTextHandler(&log, nil))).Run}
		if err := w.b.StartTriggers(cfg); err != nil {
			t.Fatal(err)
		}
	}
	begin()
	q := makeQueue(t, w.b, "q", nil)
	_, err := w.b.CreateTrigger(context.Background(), trigger.Spec{
		Name: "t", Queue: "q", Conditions: []trigger.Condition{{On: trigger.OnDepth, Depth: 10, MaxWait: time.Minute}},
		Program: &trigger.Program{Dir: dir, Argv: []string{"sh", "-c", `echo "$NARU_RUN $NARU_ATTEMPT $NARU_DEPTH" >> out; [ -e end ] || { mkfifo wait 2>&-; read x < wait; }`}},
	})
	if err != nil {
		t.Fatal(err)
	}
	sendAll(t, q, text("a"), text("b"))
	w.settled()
	if x := w.info("t"); x.Fired != 0 {
		t.Fatalf("%+v", x)
	}
	w.add(time.Minute)
	out := filepath.Join(dir, "out")
	for b, _ := os.ReadFile(out); len(b) == 0; b, _ = os.ReadFile(out) { // it has begun
		w.settled()
	}
	for w.info("t").Runs[0].Attempts == 0 { // the try is noted
		w.settled()
	}
	if err := os.WriteFile(filepath.Join(dir, "end"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	w.crash("process", nil)
	begin()
	w.ended("t", 1)
	w.crash("process", nil)
	begin()
	w.settled()
	x := w.info("t")
	b, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	id := trigger.RunID(x.ID, 0)
	if want := fmt.Sprintf("%s 1 2\n%s 2 2\n", id, id); string(b) != want || x.Succeeded != 1 {
		t.Fatalf("%q, want %q; %+v", b, want, x)
	}
}

// TestTriggerProgramsOff keeps what has fired until a server comes that may run it.
func TestTriggerProgramsOff(t *testing.T) {
	w := &triggerWorld{queueWorld: newQueueWorld(t)}
	run := func(context.Context, trigger.Work) error { return nil }
	if err := w.b.StartTriggers(TriggersConfig{Programs: true, Run: run}); err != nil {
		t.Fatal(err)
	}
	makeQueue(t, w.b, "q", nil)
	_, err := w.b.CreateTrigger(context.Background(), trigger.Spec{
		Name: "t", Queue: "q", Conditions: []trigger.Condition{{On: trigger.OnFirst}}, Program: &trigger.Program{Argv: []string{"true"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	w.restart()
	if err := w.b.StartTriggers(TriggersConfig{Run: run}); err != nil {
		t.Fatal(err)
	}
	sendAll(t, w.queue("q"), text("a"))
	w.settled()
	if x := w.info("t"); x.Fired != 1 || x.Waiting != 1 {
		t.Fatalf("%+v", x)
	}
	w.restart()
	if err := w.b.StartTriggers(TriggersConfig{Programs: true, Run: run}); err != nil {
		t.Fatal(err)
	}
	w.ended("t", 1)
}
