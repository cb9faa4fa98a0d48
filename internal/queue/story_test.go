package queue

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"github.com/narumq/naru/internal/record"
)

// TestStories plays what is in testdata/stories: a queue beside the smallest shell
// that can be, line by line. Times are seconds, a tag is source/offset#attempt.
//
//	new [ordered] [expire] [sources=n] [priority=(..)] [attempts=n] [inflight=n] [window=n] [delayed=n]
//	configure …                                    the same, while it runs
//	send [source=n] [n=n] [group=name] [due=s] [expires=s] [bytes=n]   adds records to the log
//	hole [source=n] n=n                            offsets of the log that hold no record
//	at s                                           the clock says
//	receive [n=n] [lease=s|none]                   loads what is wanted first
//	more [n=n] [lease=s|none]                      goes on with that
//	ack|reject|extend|nack tag… [for=s]            for: the lease, or the delay
//	finish|return tag… [until=s]                   ends what "dead" handed out
//	drain                                          commands go on their way to the log
//	durable [fail]                                 the oldest on their way are durable, or never will be
//	sync                                           drain and durable, until there is nothing left
//	park [source=n] [fail]                         delayed records go to the delay log, if too many
//	purge [source=n] to=n [idle]
//	drop [n=n] [bytes=n]                           loads, and gives up what is at the head
//	restart [snapshot]                             forgets what is not durable
//	stats | next | want [source=n] | ledger | snapshot
func TestStories(t *testing.T) {
	datadriven.Walk(t, "testdata/stories", func(t *testing.T, path string) {
		s := &stage{t: t}
		datadriven.RunTest(t, path, s.do)
	})
}

// stage is a shell as small as can be.
type stage struct {
	t      *testing.T
	cfg    Config
	now    int64
	log    [][]Meta        // by source, every record
	ends   []record.Offset // by source
	delays [][]byte        // the delay log
	q      *Queue
	ledger *Ledger
	cmds   [][]byte // durable
	onWay  []*Batch
	out    strings.Builder
}

func (s *stage) say(format string, args ...any) { fmt.Fprintf(&s.out, format+"\n", args...) }

func (s *stage) do(t *testing.T, d *datadriven.TestData) string {
	s.t = t
	s.out.Reset()
	switch d.Cmd {
	case "new":
		s.cfg = s.config(d, Config{})
		s.ledger, s.now, s.cmds, s.onWay, s.delays = NewLedger(), 0, nil, nil, nil
		s.log, s.ends = make([][]Meta, s.cfg.Sources), make([]record.Offset, s.cfg.Sources)
		s.q = New(s.cfg, s.ledger)
	case "configure":
		s.cfg = s.config(d, s.cfg)
		for len(s.log) < s.cfg.Sources {
			s.log, s.ends = append(s.log, nil), append(s.ends, 0)
		}
		s.q.Configure(s.cfg)
	case "send", "hole":
		s.send(d)
	case "at":
		s.now = seconds(t, d.CmdArgs[0].Key)
		s.q.Tick(s.now)
		if s.cfg.ExpireReady {
			s.sayDead()
		}
	case "receive", "more":
		s.receive(d)
	case "ack", "reject", "extend", "nack", "finish", "return":
		s.settle(d)
	case "drain":
		s.drain()
	case "durable":
		s.durable(d.HasArg("fail"))
	case "sync":
		for s.drain(); len(s.onWay) > 0; s.drain() {
			s.durable(false)
		}
	case "park":
		s.park(d)
	case "drop":
		s.drop(d)
	case "purge":
		s.purge(d)
	case "restart":
		s.restart(d.HasArg("snapshot"))
	default:
		s.ask(d)
	}
	s.check()
	return s.out.String()
}

func number[T ~int | ~int32 | ~int64](d *datadriven.TestData, key string, or T) T {
	var text string
	if !d.MaybeScanArgs(new(testing.T), key, &text) {
		return or
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		panic(err)
	}
	return T(n)
}

func seconds(t *testing.T, text string) int64 {
	v, err := time.ParseDuration(text)
	if err != nil {
		t.Fatal(err)
	}
	return v.Milliseconds()
}

func (s *stage) duration(d *datadriven.TestData, key string, or int64) int64 {
	var text string
	if !d.MaybeScanArgs(s.t, key, &text) {
		return or
	}
	if text == "none" {
		return -1
	}
	return seconds(s.t, text)
}

func inSeconds(ms int64) string {
	if ms == noEnd {
		return "never"
	}
	return (time.Duration(ms) * time.Millisecond).String()
}

func (s *stage) config(d *datadriven.TestData, c Config) Config {
	c.Sources = number(d, "sources", max(c.Sources, 1))
	c.AttemptsMax = number(d, "attempts", c.AttemptsMax)
	c.InFlightMax, c.WindowMax = number(d, "inflight", c.InFlightMax), number(d, "window", c.WindowMax)
	c.DelayedMax = number(d, "delayed", c.DelayedMax)
	c.Ordered, c.ExpireReady = c.Ordered || d.HasArg("ordered"), c.ExpireReady || d.HasArg("expire")
	if arg, ok := d.Arg("priority"); ok {
		c.Priority = nil
		for _, v := range arg.Vals {
			n, err := strconv.Atoi(v)
			if err != nil {
				s.t.Fatal(err)
			}
			c.Priority = append(c.Priority, int32(n))
		}
	}
	return c
}

func (s *stage) send(d *datadriven.TestData) {
	src, n := number(d, "source", 0), number(d, "n", 1)
	first := s.ends[src]
	s.ends[src] += record.Offset(n)
	if d.Cmd == "hole" {
		return
	}
	var group string
	d.MaybeScanArgs(s.t, "group", &group)
	for o := first; o < s.ends[src]; o++ {
		m := Meta{Offset: o, SentAt: s.now, DueAt: s.duration(d, "due", 0), ExpiresAt: s.duration(d, "expires", 0), Bytes: number(d, "bytes", int32(0))}
		for _, c := range []byte(group) {
			m.Group = m.Group<<8 | uint64(c)
		}
		s.log[src] = append(s.log[src], m)
	}
	s.say("%d/%d to %d", src, first, s.ends[src]-1)
}

// load fills the windows, a few records at a time.
func (s *stage) load() {
	for i := range s.log {
		src := Source(i)
		for {
			from, n := s.q.Want(src)
			if n == 0 || from >= s.ends[i] {
				break
			}
			next := min(from+record.Offset(min(n, 4)), s.ends[i])
			at, _ := slices.BinarySearchFunc(s.log[i], from, func(m Meta, o record.Offset) int { return int(m.Offset - o) })
			end, _ := slices.BinarySearchFunc(s.log[i], next, func(m Meta, o record.Offset) int { return int(m.Offset - o) })
			s.q.Load(src, s.log[i][at:end], next, s.now)
		}
		for {
			at, ok := s.q.WantBlock(src)
			if !ok {
				break
			}
			s.say("block %d for source %d", at, i)
			if err := s.q.LoadBlock(src, at, s.delays[at]); err != nil {
				s.t.Fatal(err)
			}
		}
	}
	s.q.Tick(s.now)
}

func (s *stage) receive(d *datadriven.TestData) {
	s.load()
	receive := s.q.Receive
	if d.Cmd == "more" {
		receive = s.q.ReceiveMore
	}
	for _, x := range receive(s.now, number(d, "n", 1), s.duration(d, "lease", 30_000), nil) {
		again := ""
		if x.Tag.Attempt > 1 {
			again = ", first at " + inSeconds(x.FirstAt)
		}
		s.say("%s%s", tagText(x.Tag), again)
	}
	s.sayDead()
	if s.q.Full() {
		s.say("full")
	}
}

func (s *stage) sayDead() {
	for _, x := range s.q.Dead(nil) {
		s.say("dead %s: %s", tagText(x.Tag), x.Reason)
	}
}

// drop enforces a length.
func (s *stage) drop(d *datadriven.TestData) {
	s.load()
	s.say("%d dropped", s.q.DropHead(number(d, "n", 0), number(d, "bytes", int64(0))))
	s.sayDead()
	n, bytes := s.q.Size()
	s.say("size %d, %d bytes", n, bytes)
}

func tagText(t Tag) string { return fmt.Sprintf("%d/%d#%d", t.Source, t.Offset, t.Attempt) }

func (s *stage) settle(d *datadriven.TestData) {
	var tags []Tag
	for _, a := range d.CmdArgs {
		if len(a.Vals) == 0 {
			var t Tag
			if _, err := fmt.Sscanf(a.Key, "%d/%d#%d", &t.Source, &t.Offset, &t.Attempt); err != nil {
				s.t.Fatalf("%s: %v", a.Key, err)
			}
			tags = append(tags, t)
		}
	}
	var errs []error
	switch d.Cmd {
	case "ack":
		errs = s.q.Ack(s.now, tags, nil)
	case "reject":
		errs = s.q.Reject(s.now, tags, nil)
	case "extend":
		errs = s.q.Extend(s.now, tags, s.duration(d, "for", 30_000), nil)
	case "nack":
		errs = s.q.Release(s.now, tags, s.duration(d, "for", 0), nil)
	case "finish":
		s.q.Finish(tags)
	case "return":
		s.q.Return(tags, s.duration(d, "until", s.now))
	}
	for i, err := range errs {
		switch {
		case errors.Is(err, ErrNotLeased):
			s.say("%s: not leased", tagText(tags[i]))
		case errors.Is(err, ErrUnknownRecord):
			s.say("%s: unknown", tagText(tags[i]))
		}
	}
	for _, x := range s.q.Dead(nil) {
		s.say("dead %s: %s", tagText(x.Tag), x.Reason)
	}
}

func (s *stage) drain() {
	b := s.q.Drain()
	if b == nil {
		return
	}
	for _, cmd := range b.Commands {
		s.say("%s", commandText(cmd))
	}
	s.onWay = append(s.onWay, b)
}

func (s *stage) durable(fail bool) {
	if len(s.onWay) == 0 {
		s.say("nothing is on its way")
		return
	}
	b := s.onWay[0]
	s.onWay = s.onWay[1:]
	if fail {
		s.q.Settled(b, errors.New("no space"))
		return
	}
	for _, cmd := range b.Commands {
		s.apply(slices.Clone(cmd))
	}
	s.q.Settled(b, nil)
}

func (s *stage) apply(cmd []byte) {
	if err := s.ledger.Apply(cmd, s.now); err != nil {
		s.t.Fatalf("%s: %v", commandText(cmd), err)
	}
	s.cmds = append(s.cmds, cmd)
}

func (s *stage) park(d *datadriven.TestData) {
	src := Source(number(d, "source", 0))
	blocks := s.q.Park(src, s.now)
	for i, b := range blocks {
		list, err := decodeBlock(b)
		if err != nil {
			s.t.Fatal(err)
		}
		s.say("block %d: %d records, offset %d due at %s to %d at %s", len(s.delays)+i, len(list),
			list[0].Offset, inSeconds(list[0].DueAt), list[len(list)-1].Offset, inSeconds(list[len(list)-1].DueAt))
	}
	switch {
	case len(blocks) == 0:
		s.say("nothing to park")
	case d.HasArg("fail"):
		s.q.ParkFailed(src)
	default:
		first := len(s.delays)
		s.delays = append(s.delays, blocks...)
		s.q.Parked(src, record.Offset(first), len(blocks))
	}
}

func (s *stage) purge(d *datadriven.TestData) {
	src, to := Source(number(d, "source", 0)), number(d, "to", record.Offset(0))
	if cmd := s.q.FinishBelow(src, to, d.HasArg("idle")); cmd != nil {
		s.apply(cmd)
	}
	s.q.Purged(src, to)
}

func (s *stage) restart(snapshot bool) {
	if snapshot {
		s.cmds = nil
		s.ledger.Snapshot(s.now, func(cmd []byte) { s.cmds = append(s.cmds, cmd) })
	}
	cmds := s.cmds
	s.ledger, s.cmds, s.onWay = NewLedger(), nil, nil
	for _, cmd := range cmds {
		s.apply(cmd)
	}
	s.q = New(s.cfg, s.ledger)
}

func (s *stage) ask(d *datadriven.TestData) {
	src := Source(number(d, "source", 0))
	switch d.Cmd {
	case "stats":
		st := s.q.Stats()
		s.say("ready %d, in flight %d, delayed %d", st.Ready, st.InFlight, st.Delayed)
		s.say("%+v", st.Counts)
	case "next":
		if at, ok := s.q.Next(); ok {
			s.say("at %s", inSeconds(at))
		} else {
			s.say("never")
		}
	case "want":
		from, n := s.q.Want(src)
		s.say("from %d, %d records", from, n)
	case "ledger", "snapshot":
		s.ledger.Snapshot(s.now, func(cmd []byte) { s.say("%s", commandText(cmd)) })
	default:
		s.t.Fatalf("%s: no such command", d.Cmd)
	}
}

// commandText writes out what a command says.
func commandText(cmd []byte) string {
	r := reader{b: cmd[1:]}
	src := r.uint()
	spans := func() string {
		var list []string
		for _, x := range r.spans() {
			if x.to == x.from+1 {
				list = append(list, fmt.Sprint(x.from))
			} else {
				list = append(list, fmt.Sprintf("%d-%d", x.from, x.to-1))
			}
		}
		return strings.Join(list, " ")
	}
	until := func() string {
		v := r.int()
		switch {
		case v < 0:
			return "held until " + inSeconds(-v)
		case v == 0:
			return "ready"
		}
		return "leased until " + inSeconds(v)
	}
	switch commandKind(cmd[0]) {
	case cmdFinish:
		return fmt.Sprintf("finish %d: %s", src, spans())
	case cmdTouch:
		u, n := until(), r.uint()
		return fmt.Sprintf("touch %d: %s, attempt %d, %s", src, spans(), n, u)
	case cmdFloor:
		return fmt.Sprintf("floor %d: %d", src, r.uint())
	case cmdState:
		out := fmt.Sprintf("state %d:", src)
		var at record.Offset
		for range r.uint() {
			at = r.after(at)
			attempts, first := r.uint(), r.int()
			out += fmt.Sprintf(" %d attempt %d first at %s, %s;", at, attempts, inSeconds(first), until())
		}
		return strings.TrimSuffix(out, ";")
	case cmdPark:
		return fmt.Sprintf("park %d: run at %d of %d blocks: %s", src, r.uint(), r.uint(), spans())
	case cmdParked:
		return fmt.Sprintf("parked %d: %s", src, spans())
	case cmdUnpark:
		return fmt.Sprintf("unpark %d: run at %d", src, r.uint())
	}
	return fmt.Sprintf("kind %d", cmd[0])
}
