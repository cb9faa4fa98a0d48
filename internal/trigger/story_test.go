package trigger

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"github.com/narumq/naru/internal/record"
)

// story is a table on a log that keeps everything, and a clock that the story moves.
type story struct {
	table *Table
	log   []Command
	now   int64
	again int64
}

const storyID ID = 7

func newStory() *story { return &story{table: NewTable(), now: 1_000_000, again: Never} }

// append makes commands durable.
func (s *story) append(cmds ...Command) {
	for _, c := range cmds {
		if err := s.table.Apply(record.Record{Key: c.Key, Value: c.Value}); err != nil {
			panic(err)
		}
	}
	s.log = append(s.log, cmds...)
}

func (s *story) trigger() *Trigger { return s.table.Get(storyID) }

// replay makes the table that the log makes.
func replay(log []Command) *Table {
	t := NewTable()
	for _, c := range log {
		if err := t.Apply(record.Record{Key: c.Key, Value: c.Value}); err != nil {
			panic(err)
		}
	}
	return t
}

func snapshotOf(t *Table) (log []Command) {
	t.Snapshot(func(key, value []byte) { log = append(log, Command{Key: key, Value: value}) })
	return log
}

// dump is all of a table that lasts.
func dump(t *Table) string {
	var b strings.Builder
	for _, x := range t.Triggers() {
		fmt.Fprintf(&b, "%x %s queue=%d created=%d next=%d %+v\n", uint64(x.ID), x.raw, x.QueueID, x.CreatedAt, x.next, x.totals)
		for i := range x.conditions {
			fmt.Fprintf(&b, "  condition %d %+v\n", i, x.conditions[i])
		}
		for _, list := range [][]*Run{x.live, x.ended} {
			for _, r := range list {
				fmt.Fprintf(&b, "  run %+v\n", *r)
			}
		}
	}
	return b.String()
}

// ago is a time as the story tells it.
func (s *story) ago(ms int64) string {
	if ms == Never {
		return "never"
	}
	return fmt.Sprintf("%+d ms", ms-s.now)
}

// decide appends a round's commands and tells of them.
func (s *story) decide(r *Round) string {
	var b strings.Builder
	for i := range s.trigger().conditions {
		was, c := s.trigger().conditions[i], r.changed[i]
		switch {
		case c == nil:
		case !was.armed && c.armed:
			fmt.Fprintf(&b, "condition %d is armed\n", i)
		case was.armed && !c.armed:
			fmt.Fprintf(&b, "condition %d is disarmed\n", i)
		}
		if c != nil && was.waitArmed != c.waitArmed {
			fmt.Fprintf(&b, "condition %d: max_wait armed %v\n", i, c.waitArmed)
		}
	}
	for _, run := range r.runs {
		fmt.Fprintf(&b, "fires run %d, condition %d, depth %d", run.Number, run.Condition, run.Depth)
		if run.Depth == 0 {
			fmt.Fprintf(&b, ", offset %d", run.Offset)
		}
		if run.NotBefore > 0 {
			fmt.Fprintf(&b, ", not before %s", s.ago(run.NotBefore))
		}
		b.WriteByte('\n')
	}
	for _, run := range r.over {
		fmt.Fprintf(&b, "run %d is %s after %d tries", run.Number, run.State, run.Attempts)
		if run.State == Waiting {
			fmt.Fprintf(&b, ", again at %s", s.ago(run.NotBefore))
		}
		b.WriteByte('\n')
	}
	if s.again != Never {
		fmt.Fprintf(&b, "look again at %s\n", s.ago(s.again))
	}
	s.append(r.Commands()...)
	if b.Len() == 0 {
		return "nothing\n"
	}
	return b.String()
}

// conditions reads lines such as "depth 10 priority 5 wait 30s".
func conditions(t *testing.T, text string) (list []Condition) {
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		c := Condition{On: On(words[0])}
		words = words[1:]
		if c.On == OnDepth {
			c.Depth = int32(number(t, words[0]))
			words = words[1:]
		}
		for ; len(words) > 1; words = words[2:] {
			switch words[0] {
			case "priority":
				c.MinPriority = int32(number(t, words[1]))
			case "wait":
				d, err := time.ParseDuration(words[1])
				if err != nil {
					t.Fatal(err)
				}
				c.MaxWait = d
			}
		}
		list = append(list, c)
	}
	return list
}

func number(t *testing.T, s string) int64 {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// seen reads "ready=3 low=0 high=5 age=10s left"; what is not said follows.
func (s *story) seen(t *testing.T, line string) Seen {
	out, low, high := Seen{NoneLeft: true}, int64(-1), int64(-1)
	for word := range strings.FieldsSeq(line) {
		k, v, _ := strings.Cut(word, "=")
		switch k {
		case "ready":
			out.Ready = number(t, v)
		case "low":
			low = number(t, v)
		case "high":
			high = number(t, v)
		case "age":
			d, err := time.ParseDuration(v)
			if err != nil {
				t.Fatal(err)
			}
			out.Since = s.now - d.Milliseconds()
		case "left":
			out.NoneLeft = false
		}
	}
	out.Low, out.High = out.Ready, out.Ready
	if low >= 0 {
		out.Low = low
	}
	if high >= 0 {
		out.High = high
	}
	return out
}

func (s *story) look(t *testing.T, text string) *Round {
	r, i := s.trigger().Round(s.now), 0
	s.again = Never
	for line := range strings.Lines(text) {
		for s.trigger().Spec.Conditions[i].On == OnEvery {
			i++
		}
		s.again = min(s.again, r.Look(i, s.seen(t, line), nil))
		i++
	}
	return r
}

func (s *story) read(t *testing.T, d *datadriven.TestData) *Round {
	r := s.trigger().Round(s.now)
	s.again = Never
	var next int64
	d.ScanArgs(t, "next", &next)
	i := slices.IndexFunc(s.trigger().Spec.Conditions, func(c Condition) bool { return c.On == OnEvery })
	var list []Arrived
	for line := range strings.Lines(d.Input) {
		words := strings.Fields(line)
		a := Arrived{Offset: record.Offset(number(t, words[0])), ID: []byte("id")}
		if len(words) > 1 {
			after, err := time.ParseDuration(words[1])
			if err != nil {
				t.Fatal(err)
			}
			a.DueAt = s.now + after.Milliseconds()
		}
		list = append(list, a)
	}
	r.Read(i, 0, record.Offset(next), list)
	return r
}

func (s *story) start() string {
	var b strings.Builder
	list, started, next := s.trigger().Start(s.now, 100)
	for _, w := range list {
		fmt.Fprintf(&b, "starts run %d, try %d\n", w.Run.Number, w.Attempt)
	}
	if next != Never {
		fmt.Fprintf(&b, "look again at %s\n", s.ago(next))
	}
	s.append(started...)
	if b.Len() == 0 {
		return "nothing\n"
	}
	return b.String()
}

func (s *story) end(t *testing.T, d *datadriven.TestData) string {
	var run, attempt int
	failure := ""
	d.ScanArgs(t, "run", &run)
	d.ScanArgs(t, "try", &attempt)
	if d.HasArg("failure") {
		d.ScanArgs(t, "failure", &failure)
	}
	r := s.trigger().Round(s.now)
	s.again = Never
	r.Ended(uint64(run), int32(attempt), failure)
	text := s.decide(r)
	s.trigger().Stopped(uint64(run))
	return text
}

// restart replays the log, or a snapshot of it, and holds the two together.
func (s *story) restart(t *testing.T) string {
	want := dump(s.table)
	for name, log := range map[string][]Command{
		"the log": s.log, "a snapshot": snapshotOf(s.table), "a snapshot after the log": append(slices.Clone(s.log), snapshotOf(s.table)...),
	} {
		if got := dump(replay(log)); got != want {
			t.Fatalf("%s gives\n%s\nwant\n%s", name, got, want)
		}
	}
	s.table = replay(s.log)
	return "ok\n"
}

func (s *story) show() string {
	x := s.trigger()
	var b strings.Builder
	fmt.Fprintf(&b, "armed %v, %+v, waiting %d, running %d\n", x.Armed(), x.Totals(), x.Waiting(), x.Running())
	for _, r := range x.Runs() {
		fmt.Fprintf(&b, "%s %s, tries %d %s\n", RunID(x.ID, r.Number), r.State, r.Attempts, r.Failure)
	}
	return b.String()
}

func TestStories(t *testing.T) {
	datadriven.Walk(t, "testdata/stories", func(t *testing.T, path string) {
		s := newStory()
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			switch d.Cmd {
			case "define":
				spec := Spec{Name: "t", Queue: "q", Conditions: conditions(t, d.Input)}
				d.MaybeScanArgs(t, "max-running", &spec.MaxRunning)
				d.MaybeScanArgs(t, "attempts-max", &spec.AttemptsMax)
				if err := spec.Validate(); err != nil {
					return err.Error() + "\n"
				}
				c, err := Define(storyID, 1, s.now, &spec)
				if err != nil {
					t.Fatal(err)
				}
				s.append(c)
				return s.show()
			case "look":
				return s.decide(s.look(t, d.Input))
			case "look-lost": // the append fails: nothing has happened
				return fmt.Sprintf("%d commands are lost\n", len(s.look(t, d.Input).Commands()))
			case "read":
				return s.decide(s.read(t, d))
			case "start":
				return s.start()
			case "end":
				return s.end(t, d)
			case "clock":
				var text string
				d.ScanArgs(t, "add", &text)
				after, err := time.ParseDuration(text)
				if err != nil {
					t.Fatal(err)
				}
				s.now += after.Milliseconds()
				return ""
			case "restart":
				return s.restart(t)
			case "show":
				return s.show()
			}
			t.Fatalf("unknown directive %q", d.Cmd)
			return ""
		})
	})
}
