package queue

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"github.com/narumq/naru/internal/record"
)

// TestStories plays the transcripts in testdata/stories: the life of deliveries as
// one would tell it. Times are in seconds.
//
//	queue [ordered] [lanes=N] [attempts=N] [in-flight=N] [delayed=N]   a new queue
//	send [to=LANE] [due=S] [expires=S] [group=NAME] [n=N]              records are loaded
//	receive N [lease=S | session]                                      what is leased
//	ack|release|extend|reject TAG… [for=S]                             TAG = [lane:]offset#attempt
//	tick S                                                             the clock goes on to S
//	dead, finish TAG…, return TAG…
//	drain [fail]                                                       commands become durable, or fail
//	restart                                                            from the ledger, replayed
//	stats
type story struct {
	cfg    Config
	now    int64
	ledger *Ledger
	q      *Queue
	logs   [][]Meta
	cmds   [][]byte
}

func TestStories(t *testing.T) {
	datadriven.Walk(t, "testdata/stories", func(t *testing.T, path string) {
		s := &story{}
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string { return s.play(t, d) })
	})
}

func (s *story) play(t *testing.T, d *datadriven.TestData) string {
	t.Helper()
	switch d.Cmd {
	case "queue":
		return s.open(t, d)
	case "send":
		return s.send(t, d)
	case "receive":
		return s.receive(t, d)
	case "ack", "release", "extend", "reject":
		return s.settle(t, d)
	case "tick":
		sec, err := strconv.ParseInt(d.CmdArgs[0].Key, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		s.now = sec * 1000
		s.q.Tick(s.now)
		return s.stats()
	case "dead":
		var out []string
		for _, x := range s.q.Dead(nil) {
			out = append(out, s.show(x.Tag)+" "+x.Reason.String())
		}
		return lines(out)
	case "finish":
		s.q.Finish(s.tags(t, d))
		return ""
	case "return":
		s.q.Return(s.tags(t, d), s.now+1000)
		return ""
	case "drain":
		return s.drain(t, d)
	case "restart":
		s.ledger = NewLedger()
		for _, c := range s.cmds {
			if err := s.ledger.Apply(c, s.now); err != nil {
				t.Fatal(err)
			}
		}
		s.q = New(s.cfg, s.ledger)
		for i, log := range s.logs {
			from, _ := s.q.Want(Source(i))
			s.q.Load(Source(i), log[min(int(from), len(log)):], record.Offset(len(log)), s.now)
		}
		return s.stats()
	case "stats":
		return s.stats()
	}
	t.Fatalf("unknown command %s", d.Cmd)
	return ""
}

func (s *story) open(t *testing.T, d *datadriven.TestData) string {
	lanes, attempts, inFlight := 1, 0, 0
	d.MaybeScanArgs(t, "lanes", &lanes)
	d.MaybeScanArgs(t, "attempts", &attempts)
	d.MaybeScanArgs(t, "in-flight", &inFlight)
	s.cfg = Config{Sources: lanes, Ordered: d.HasArg("ordered"), AttemptsMax: int32(attempts), InFlightMax: inFlight}
	if lanes > 1 {
		for i := range lanes {
			s.cfg.Priority = append(s.cfg.Priority, int32(i))
		}
	}
	*s = story{cfg: s.cfg, ledger: NewLedger(), logs: make([][]Meta, lanes)}
	s.q = New(s.cfg, s.ledger)
	return ""
}

func (s *story) send(t *testing.T, d *datadriven.TestData) string {
	to, n := 0, 1
	var due, expires int64
	var name string
	d.MaybeScanArgs(t, "to", &to)
	d.MaybeScanArgs(t, "n", &n)
	d.MaybeScanArgs(t, "due", &due)
	d.MaybeScanArgs(t, "expires", &expires)
	d.MaybeScanArgs(t, "group", &name)
	var list []Meta
	for range n {
		m := Meta{Offset: record.Offset(len(s.logs[to]) + len(list)), SentAt: s.now, DueAt: due * 1000, ExpiresAt: expires * 1000}
		if name != "" {
			m.Group = uint64(name[0])
		}
		list = append(list, m)
	}
	s.logs[to] = append(s.logs[to], list...)
	s.q.Load(Source(to), list, record.Offset(len(s.logs[to])), s.now)
	return s.stats()
}

func (s *story) receive(t *testing.T, d *datadriven.TestData) string {
	n, err := strconv.Atoi(d.CmdArgs[0].Key)
	if err != nil {
		t.Fatal(err)
	}
	lease := int64(30)
	d.MaybeScanArgs(t, "lease", &lease)
	lease *= 1000
	if d.HasArg("session") {
		lease = -1
	}
	var out []string
	for _, x := range s.q.Receive(s.now, n, lease, nil) {
		out = append(out, s.show(x.Tag))
	}
	return lines(out)
}

func (s *story) settle(t *testing.T, d *datadriven.TestData) string {
	var sec int64
	d.MaybeScanArgs(t, "for", &sec)
	tags := s.tags(t, d)
	var errs []error
	switch d.Cmd {
	case "ack":
		errs = s.q.Ack(s.now, tags, nil)
	case "release":
		errs = s.q.Release(s.now, tags, sec*1000, nil)
	case "extend":
		errs = s.q.Extend(s.now, tags, sec*1000, nil)
	case "reject":
		errs = s.q.Reject(s.now, tags, nil)
	}
	var out []string
	for i, err := range errs {
		if err != nil {
			out = append(out, s.show(tags[i])+": "+err.Error())
		}
	}
	if out == nil {
		return "ok\n"
	}
	return lines(out)
}

func (s *story) drain(t *testing.T, d *datadriven.TestData) string {
	b := s.q.Drain()
	if b == nil {
		return "nothing\n"
	}
	n := len(b.Commands)
	if d.HasArg("fail") {
		s.q.Settled(b, ErrMalformed)
		return s.stats()
	}
	for _, c := range b.Commands {
		if err := s.ledger.Apply(c, s.now); err != nil {
			t.Fatal(err)
		}
		s.cmds = append(s.cmds, append([]byte(nil), c...))
	}
	s.q.Settled(b, nil)
	return fmt.Sprintf("%d command(s), floor %d\n", n, s.ledger.Floor(0)) + s.stats()
}

// tags reads the arguments that are tags.
func (s *story) tags(t *testing.T, d *datadriven.TestData) (tags []Tag) {
	for _, a := range d.CmdArgs {
		if !strings.Contains(a.Key, "#") {
			continue
		}
		var tag Tag
		text := a.Key
		if lane, rest, ok := strings.Cut(text, ":"); ok {
			n, err := strconv.Atoi(lane)
			if err != nil {
				t.Fatal(err)
			}
			tag.Source, text = Source(n), rest
		}
		if _, err := fmt.Sscanf(text, "%d#%d", &tag.Offset, &tag.Attempt); err != nil {
			t.Fatalf("%s: %v", a.Key, err)
		}
		tags = append(tags, tag)
	}
	return tags
}

func (s *story) show(t Tag) string {
	if len(s.logs) > 1 {
		return fmt.Sprintf("%d:%d#%d", t.Source, t.Offset, t.Attempt)
	}
	return fmt.Sprintf("%d#%d", t.Offset, t.Attempt)
}

func (s *story) stats() string {
	st := s.q.Stats()
	return fmt.Sprintf("ready %d, in flight %d, delayed %d\n", st.Ready, st.InFlight, st.Delayed)
}

func lines(out []string) string {
	if len(out) == 0 {
		return "nothing\n"
	}
	return strings.Join(out, "\n") + "\n"
}
