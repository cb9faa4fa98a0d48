package group

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
)

// TestStories runs the transcripts in testdata/stories. Each line of a block is a step;
// below it stands what came of it.
//
//	coordinator [delay=] [max=]          begin anew
//	do
//	NAME join [ask] [new] [id=] [instance=] [protocols=p:meta,…] [type=] [session=] [rebalance=] [skip] [group=]
//	NAME sync [NAME:share …] [gen=] [protocol=] [type=]
//	NAME heartbeat | commit [gen=]       NAME leave
//	admin leave INSTANCE…                admin commit
//	+DURATION                            time passes, deadline by deadline
//	storage slow | fails | works         what Store effects meet with; slow: later
//	stored                               the oldest slow store ends well
//	restart                              the process starts anew from what was stored
//	describe | delete | age TOPIC        of the group
func TestStories(t *testing.T) {
	datadriven.Walk(t, "testdata/stories", func(t *testing.T, path string) {
		s := newStory(t, Config{})
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			switch d.Cmd {
			case "coordinator":
				s = newStory(t, configOf(t, d))
				return ""
			case "do":
				s.out.Reset()
				for _, line := range strings.Split(d.Input, "\n") {
					fmt.Fprintln(&s.out, line)
					s.step(strings.Fields(line))
				}
				return s.out.String()
			}
			t.Fatalf("unknown command %q", d.Cmd)
			return ""
		})
	})
}

func configOf(t *testing.T, d *datadriven.TestData) Config {
	cfg := Config{}
	for _, a := range d.CmdArgs {
		v := a.Vals[0]
		var err error
		switch a.Key {
		case "delay":
			cfg.InitialRebalanceDelay, err = time.ParseDuration(v)
		case "max":
			cfg.Limits.MembersPerGroup, err = strconv.Atoi(v)
		default:
			err = fmt.Errorf("unknown setting %q", a.Key)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return cfg
}

// actor is a client of the story, which remembers what it was told.
type actor struct {
	id, instance string
	gen          int32
	births       int
}

type story struct {
	t       *testing.T
	cfg     Config
	c       *Coordinator
	start   time.Time
	now     time.Time
	actors  map[string]*actor
	tokens  map[Token]string
	tok     Token
	storage string
	slow    []*Store
	table   *Table
	out     strings.Builder
}

func newStory(t *testing.T, cfg Config) *story {
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	start := time.Unix(1_700_000_000, 0)
	return &story{
		t: t, cfg: cfg, c: c, start: start, now: start, storage: "works",
		actors: map[string]*actor{}, tokens: map[Token]string{}, table: NewTable(),
	}
}

func (s *story) say(format string, args ...any) { fmt.Fprintf(&s.out, "  "+format+"\n", args...) }

func (s *story) step(words []string) {
	switch {
	case len(words) == 0:
	case words[0][0] == '+':
		d, err := time.ParseDuration(words[0][1:])
		if err != nil {
			s.t.Fatal(err)
		}
		s.pass(d)
	case words[0] == "storage":
		s.storage = words[1]
	case words[0] == "stored":
		e := s.slow[0]
		s.slow = s.slow[1:]
		s.keep(e)
	case words[0] == "restart":
		s.restart()
	case words[0] == "describe":
		s.describe()
	case words[0] == "delete":
		s.verdict(s.c.Delete("g"))
	case words[0] == "age":
		since, ok := s.c.UnusedSince("g")(words[1], s.start)
		if !ok {
			s.say("in use, or not known")
			break
		}
		s.say("of no use since +%v", since.Sub(s.start))
	default:
		s.act(words[0], words[1], words[2:])
	}
}

// pass lets time run from deadline to deadline, as the shell's timer does.
func (s *story) pass(d time.Duration) {
	end := s.now.Add(d)
	for {
		next, ok := s.c.NextDeadline()
		if !ok || next.After(end) {
			break
		}
		if next.After(s.now) {
			s.now = next
		}
		before := s.out.Len()
		s.effects(s.c.Advance(s.now))
		if s.out.Len() > before {
			s.say("at +%v", s.now.Sub(s.start))
		}
	}
	s.now = end
}

func (s *story) actor(name string) *actor {
	if s.actors[name] == nil {
		s.actors[name] = &actor{}
	}
	return s.actors[name]
}

func (s *story) act(name, what string, args []string) {
	a := s.actor(name)
	opt, flags, rest := parseArgs(args)
	gen := a.gen
	if v, ok := opt["gen"]; ok {
		n, _ := strconv.Atoi(v)
		gen = int32(n)
	}
	switch what {
	case "join":
		s.join(name, a, opt, flags)
	case "sync":
		s.sync(name, a, gen, opt, rest)
	case "heartbeat":
		s.verdict(s.c.Heartbeat(s.now, HeartbeatRequest{Group: "g", MemberID: a.id, InstanceID: a.instance, Generation: gen}))
	case "commit":
		if name == "admin" {
			gen = NoGeneration
		}
		s.verdict(s.c.CheckCommit(s.now, CommitCheck{Group: "g", MemberID: a.id, InstanceID: a.instance, Generation: gen}))
	case "leave":
		s.leave(name, a, rest, flags)
	default:
		s.t.Fatalf("unknown step %q", what)
	}
}

func parseArgs(args []string) (opt map[string]string, flags map[string]bool, shares []string) {
	opt, flags = map[string]string{}, map[string]bool{}
	for _, a := range args {
		if k, v, ok := strings.Cut(a, "="); ok {
			opt[k] = v
		} else if strings.Contains(a, ":") {
			shares = append(shares, a)
		} else {
			flags[a] = true
		}
	}
	return opt, flags, shares
}

func (s *story) duration(v, d string) time.Duration {
	if v == "" {
		v = d
	}
	out, err := time.ParseDuration(v)
	if err != nil {
		s.t.Fatal(err)
	}
	return out
}

func (s *story) join(name string, a *actor, opt map[string]string, flags map[string]bool) {
	if flags["new"] {
		a.id, a.gen = "", 0
	}
	if v, ok := opt["id"]; ok {
		a.id = v
	}
	if v, ok := opt["instance"]; ok {
		a.instance = v
	}
	a.births++
	req := JoinRequest{
		Group: "g", MemberID: a.id, InstanceID: a.instance, ClientID: name, ClientHost: "/127.0.0.1",
		SessionTimeout:   s.duration(opt["session"], "10s"),
		RebalanceTimeout: s.duration(opt["rebalance"], "30s"),
		ProtocolType:     TypeConsumer, RequireKnownMember: flags["ask"], CanSkipAssignment: flags["skip"],
		NewMemberID: fmt.Sprintf("%s-%d", name, a.births),
	}
	if v, ok := opt["type"]; ok {
		req.ProtocolType = v
	}
	if v, ok := opt["group"]; ok {
		req.Group = v
	}
	protocols := opt["protocols"]
	if protocols == "" {
		protocols = "range:" + name
	}
	for _, p := range strings.Split(protocols, ",") {
		k, v, _ := strings.Cut(p, ":")
		req.Protocols = append(req.Protocols, Protocol{Name: k, Metadata: subscription(v)})
	}
	s.call(name, func(tok Token) []Effect { return s.c.Join(s.now, req, tok) })
}

// subscription is the metadata of a consumer that reads one topic.
func subscription(topic string) []byte {
	b := []byte{0, 1, 0, 0, 0, 1, 0, byte(len(topic))}
	return append(b, topic...)
}

func (s *story) sync(name string, a *actor, gen int32, opt map[string]string, shares []string) {
	req := SyncRequest{
		Group: "g", MemberID: a.id, InstanceID: a.instance, Generation: gen,
		Protocol: opt["protocol"], ProtocolType: opt["type"],
	}
	for _, sh := range shares {
		who, what, _ := strings.Cut(sh, ":")
		req.Assignments = append(req.Assignments, Assignment{MemberID: s.actor(who).id, Data: []byte(what)})
	}
	s.call(name, func(tok Token) []Effect { return s.c.Sync(s.now, req, tok) })
}

// call makes a call that may wait.
func (s *story) call(name string, f func(Token) []Effect) {
	s.tok++
	tok := s.tok
	s.tokens[tok] = name
	s.effects(f(tok))
	if _, ok := s.tokens[tok]; ok {
		s.say("%s waits", name)
	}
}

func (s *story) leave(name string, a *actor, _ []string, instances map[string]bool) {
	req := LeaveRequest{Group: "g", Members: []LeavingMember{{MemberID: a.id, InstanceID: a.instance}}}
	if name == "admin" {
		req.Members = nil
		for _, i := range slices.Sorted(maps.Keys(instances)) {
			req.Members = append(req.Members, LeavingMember{InstanceID: i})
		}
	}
	resp, effects := s.c.Leave(s.now, req)
	if resp.Err != nil {
		s.verdict(resp.Err)
	}
	for _, m := range resp.Members {
		s.verdict(m.Err)
	}
	s.effects(effects)
}

func (s *story) verdict(err error) {
	if err == nil {
		s.say("ok")
		return
	}
	s.say("refused: %s", reason(err))
}

// reason is the sentinel's text without the package's name: details may change.
func reason(err error) string {
	for _, e := range sentinels {
		if errors.Is(err, e) {
			return strings.TrimPrefix(e.Error(), "group: ")
		}
	}
	return "UNEXPECTED " + err.Error()
}

var sentinels = []error{
	ErrInvalidGroupID, ErrUnknownGroup, ErrUnknownMember, ErrMemberIDRequired, ErrFencedInstance,
	ErrIllegalGeneration, ErrRebalanceInProgress, ErrInconsistentProtocol, ErrInvalidSessionTimeout, ErrInvalidCall,
	ErrGroupFull, ErrTooManyGroups, ErrTooLarge, ErrNonEmptyGroup, ErrGroupSubscribed, ErrMetadataTooLarge,
	ErrUnavailable, ErrCorrupt, ErrNewerFormat,
}

func (s *story) effects(effects []Effect) {
	for _, e := range effects {
		switch e := e.(type) {
		case *JoinReply:
			s.joined(s.answered(e.Token), e.Response)
		case *SyncReply:
			name := s.answered(e.Token)
			if e.Response.Err != nil {
				s.say("%s ← refused: %s", name, reason(e.Response.Err))
			} else {
				s.say("%s ← does %q by %s", name, e.Response.Assignment, e.Response.Protocol)
			}
		case *Store:
			s.say("store generation %d, %d members", e.State.Generation, len(e.State.Members))
			if s.storage == "slow" {
				s.slow = append(s.slow, e)
			} else {
				s.keep(e)
			}
		}
	}
}

func (s *story) answered(tok Token) string {
	name, ok := s.tokens[tok]
	if !ok {
		s.t.Fatalf("token %d answered twice or never asked", tok)
	}
	delete(s.tokens, tok)
	return name
}

func (s *story) joined(name string, r JoinResponse) {
	a := s.actor(name)
	if r.Err != nil {
		if errors.Is(r.Err, ErrMemberIDRequired) {
			a.id = r.MemberID
		}
		s.say("%s ← refused: %s (id %q)", name, reason(r.Err), r.MemberID)
		return
	}
	a.id, a.gen = r.MemberID, r.Generation
	var who []string
	for _, m := range r.Members {
		who = append(who, m.ID)
	}
	role := "follows " + r.Leader
	if r.Leader == r.MemberID {
		role = "leads " + strings.Join(who, " ")
	}
	if r.SkipAssignment {
		role += ", keeps the assignment"
	}
	s.say("%s ← generation %d as %s, %s, %s", name, r.Generation, r.MemberID, r.Protocol, role)
}

// keep ends a store as the storage does.
func (s *story) keep(e *Store) {
	var err error
	if s.storage == "fails" {
		err = errors.New("disk on fire")
	} else {
		cmd := SaveGroup(e.State)
		if err := s.table.Apply(cmd.Key, cmd.Value); err != nil {
			s.t.Fatal(err)
		}
	}
	s.effects(s.c.Stored(s.now, e.Group, e.Ticket, err))
}

func (s *story) restart() {
	c, err := New(s.cfg)
	if err != nil {
		s.t.Fatal(err)
	}
	s.c, s.tokens, s.slow = c, map[Token]string{}, nil
	for _, id := range s.table.Groups() {
		saved, err := s.table.Saved(id)
		if err == nil {
			err = c.Restore(s.now, saved)
		}
		if err != nil {
			s.t.Fatal(err)
		}
	}
}

func (s *story) describe() {
	d := s.c.Describe("g")
	if d.Err != nil {
		s.say("%v: %s", d.State, reason(d.Err))
		return
	}
	s.say("%v, generation %d, protocol %q of %q, leader %q", d.State, d.Generation, d.Protocol, d.ProtocolType, d.Leader)
	for _, m := range d.Members {
		i := ""
		if m.InstanceID != "" {
			i = " (" + m.InstanceID + ")"
		}
		s.say("%s%s of %s at %s does %q", m.ID, i, m.ClientID, m.ClientHost, m.Assignment)
	}
}
