package group

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"hash"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestSimulation lets clients that lose answers, restart, stall and leave work
// with a coordinator whose storage is slow, fails, and which restarts, and holds
// the package's invariants after every step. Each seed is run twice: the
// histories must be equal.
func TestSimulation(t *testing.T) {
	seeds := uint64(300)
	if testing.Short() {
		seeds = 60
	}
	base := uint64(time.Now().UnixNano() % 1e9 * 1000)
	if *simSeed != 0 {
		base, seeds = *simSeed, 1
	}
	for seed := base; seed < base+seeds; seed++ {
		t.Run(fmt.Sprint("seed", seed), func(t *testing.T) {
			first := newSim(t, seed).run()
			if second := newSim(t, seed).run(); first != second {
				t.Errorf("seed %d: two runs, two histories", seed)
			}
		})
	}
}

const simSteps = 400

var simSeed = flag.Uint64("group.seed", 0, "run the simulation with this seed only")

type simClient struct {
	instance string
	id       string
	gen      int32
	phase    int // simAway …
	call     Token
	members  []string // if it leads
}

const (
	simAway = iota
	simJoining
	simJoined
	simSyncing
	simWorking
)

type sim struct {
	t       *testing.T
	seed    uint64
	rnd     *rand.Rand
	c       *Coordinator
	now     time.Time
	clients []*simClient
	ids     int
	tok     Token
	open    map[Token]*simClient // asked, not answered
	slow    []*Store
	table   *Table
	storing bool // stores take their time or fail
	highest int32
	handed  map[int32]string // generation → the one assignment that was handed out
	nonce   int
	history hash.Hash
}

func newSim(t *testing.T, seed uint64) *sim {
	s := &sim{
		t: t, seed: seed, rnd: rand.New(rand.NewPCG(seed, 1)), now: time.Unix(1_700_000_000, 0),
		open: map[Token]*simClient{}, table: NewTable(), handed: map[int32]string{}, history: sha256.New(), storing: true,
	}
	for i := range 5 {
		cl := &simClient{}
		if i < 2 {
			cl.instance = fmt.Sprint("i", i)
		}
		s.clients = append(s.clients, cl)
	}
	s.boot()
	return s
}

func (s *sim) failf(format string, args ...any) {
	s.t.Helper()
	s.t.Fatalf("seed %d: "+format, append([]any{s.seed}, args...)...)
}

func (s *sim) boot() {
	cfg := Config{InitialRebalanceDelay: time.Duration(s.seed%3) * 200 * time.Millisecond}
	cfg.Limits.MembersPerGroup = 8
	c, err := New(cfg)
	if err != nil {
		s.failf("%v", err)
	}
	s.c = c
	for _, id := range s.table.Groups() {
		saved, err := s.table.Saved(id)
		if err == nil && saved != nil {
			err = c.Restore(s.now, saved)
		}
		if err != nil {
			s.failf("restore: %v", err)
		}
	}
}

func (s *sim) run() string {
	for range simSteps {
		s.step()
		s.check()
	}
	s.settle()
	return fmt.Sprintf("%x", s.history.Sum(nil))
}

func (s *sim) step() {
	cl := s.clients[s.rnd.IntN(len(s.clients))]
	switch n := s.rnd.IntN(100); {
	case n < 60:
		s.work(cl, false)
	case n < 75:
		s.pass(time.Duration(s.rnd.IntN(3000)) * time.Millisecond)
	case n < 83 && len(s.slow) > 0:
		s.stored(s.rnd.IntN(10) == 0)
	case n < 87: // an answer gets lost: the client calls again
		cl.call = 0
	case n < 90: // the process dies; a static one keeps its instance id
		*cl = simClient{instance: cl.instance}
	case n < 92:
		s.leave(cl)
	case n < 93:
		s.restart()
	case n < 95:
		s.pass(8 * time.Second)
	default:
		s.commit(cl)
	}
}

// work does the next thing that a client does.
func (s *sim) work(cl *simClient, polite bool) {
	if cl.call != 0 {
		return
	}
	switch cl.phase {
	case simAway, simJoining:
		s.join(cl)
	case simJoined, simSyncing:
		s.sync(cl)
	case simWorking:
		err := s.c.Heartbeat(s.now, HeartbeatRequest{Group: "g", MemberID: cl.id, InstanceID: cl.instance, Generation: cl.gen})
		s.learn(cl, err)
		if !polite && err == nil && s.rnd.IntN(20) == 0 {
			cl.phase = simAway // its subscription changed
		}
	}
}

// learn does what clients do about an error.
func (s *sim) learn(cl *simClient, err error) {
	switch {
	case err == nil, errors.Is(err, ErrUnavailable):
	case errors.Is(err, ErrUnknownMember), errors.Is(err, ErrFencedInstance):
		*cl = simClient{instance: cl.instance}
	case errors.Is(err, ErrIllegalGeneration), errors.Is(err, ErrRebalanceInProgress), errors.Is(err, ErrGroupFull):
		cl.phase = simAway
	default:
		s.failf("unexpected: %v", err)
	}
}

func (s *sim) join(cl *simClient) {
	s.ids++
	req := JoinRequest{
		Group: "g", MemberID: cl.id, InstanceID: cl.instance, ProtocolType: TypeConsumer,
		SessionTimeout: 10 * time.Second, RebalanceTimeout: 15 * time.Second,
		Protocols:          []Protocol{{"range", subscription("t")}, {"sticky", subscription(fmt.Sprint("u", s.rnd.IntN(3)))}},
		RequireKnownMember: s.rnd.IntN(2) == 0, CanSkipAssignment: s.rnd.IntN(2) == 0,
		NewMemberID: fmt.Sprint("m", s.ids),
	}
	cl.phase = simJoining
	s.call(cl, func(tok Token) []Effect { return s.c.Join(s.now, req, tok) })
}

func (s *sim) sync(cl *simClient) {
	req := SyncRequest{Group: "g", MemberID: cl.id, InstanceID: cl.instance, Generation: cl.gen}
	s.nonce++
	for _, m := range cl.members {
		req.Assignments = append(req.Assignments, Assignment{m, fmt.Appendf(nil, "%d/%d/%s", cl.gen, s.nonce, m)})
	}
	cl.phase = simSyncing
	s.call(cl, func(tok Token) []Effect { return s.c.Sync(s.now, req, tok) })
}

func (s *sim) call(cl *simClient, f func(Token) []Effect) {
	s.tok++
	cl.call = s.tok
	s.open[s.tok] = cl
	s.effects(f(s.tok))
}

func (s *sim) leave(cl *simClient) {
	if cl.id == "" {
		return
	}
	resp, effects := s.c.Leave(s.now, LeaveRequest{Group: "g", Members: []LeavingMember{{MemberID: cl.id, InstanceID: cl.instance}}})
	fmt.Fprintln(s.history, "leave", resp.Err)
	s.effects(effects)
	*cl = simClient{instance: cl.instance}
}

// commit checks that only a current member of the current generation may.
func (s *sim) commit(cl *simClient) {
	gen := cl.gen - int32(s.rnd.IntN(3)) + 1
	err := s.c.CheckCommit(s.now, CommitCheck{Group: "g", MemberID: cl.id, InstanceID: cl.instance, Generation: gen})
	if err != nil || gen < 0 {
		return
	}
	d := s.c.Describe("g")
	member := slices.ContainsFunc(d.Members, func(m MemberDescription) bool {
		return m.ID == cl.id && m.InstanceID == cl.instance
	})
	if d.Generation != gen || !member {
		s.failf("%q committed for generation %d, group is %+v", cl.id, gen, d)
	}
}

func (s *sim) pass(d time.Duration) {
	end := s.now.Add(d)
	for range 1000 {
		next, ok := s.c.NextDeadline()
		if !ok || next.After(end) {
			s.now = end
			return
		}
		if next.After(s.now) {
			s.now = next
		}
		s.effects(s.c.Advance(s.now))
	}
	s.failf("time does not pass")
}

func (s *sim) effects(effects []Effect) {
	leader := ""
	for _, e := range effects {
		switch e := e.(type) {
		case *JoinReply:
			fmt.Fprintln(s.history, e.Token, e.Response)
			s.joined(s.answered(e.Token), e.Token, e.Response, &leader)
		case *SyncReply:
			fmt.Fprintln(s.history, e.Token, e.Response)
			s.synced(s.answered(e.Token), e.Token, e.Response)
		case *Store:
			s.slow = append(s.slow, e)
			if !s.storing || s.rnd.IntN(2) == 0 {
				s.storedAll()
			}
		}
	}
}

func (s *sim) answered(tok Token) *simClient {
	cl := s.open[tok]
	if cl == nil {
		s.failf("call %d answered twice", tok)
	}
	delete(s.open, tok)
	return cl
}

func (s *sim) joined(cl *simClient, tok Token, r JoinResponse, leader *string) {
	if r.Err == nil {
		if r.Generation < s.highest {
			s.failf("generation %d after %d", r.Generation, s.highest)
		}
		s.highest = r.Generation
		if r.Members != nil {
			if r.Leader != r.MemberID || (*leader != "" && *leader != r.Leader) {
				s.failf("two leaders: %q and %+v", *leader, r)
			}
			*leader = r.Leader
		}
	}
	if cl.call != tok {
		return // lost
	}
	cl.call = 0
	switch {
	case errors.Is(r.Err, ErrMemberIDRequired):
		cl.id = r.MemberID
	case r.Err != nil:
		s.learn(cl, r.Err)
	default:
		cl.id, cl.gen, cl.phase, cl.members = r.MemberID, r.Generation, simJoined, nil
		for _, m := range r.Members {
			if !r.SkipAssignment {
				cl.members = append(cl.members, m.ID)
			}
		}
	}
}

func (s *sim) synced(cl *simClient, tok Token, r SyncResponse) {
	if r.Err == nil && len(r.Assignment) > 0 {
		parts := strings.SplitN(string(r.Assignment), "/", 3)
		var gen int32
		fmt.Sscan(parts[0], &gen)
		if old, ok := s.handed[gen]; ok && old != parts[1] {
			s.failf("generation %d was assigned twice: %s and %s", gen, old, parts[1])
		}
		s.handed[gen] = parts[1]
		if cl.call == tok && gen != cl.gen {
			s.failf("assignment of generation %d for one at %d", gen, cl.gen)
		}
	}
	if cl.call != tok {
		return
	}
	cl.call = 0
	if r.Err != nil {
		s.learn(cl, r.Err)
		return
	}
	cl.phase = simWorking
}

// stored ends the oldest store.
func (s *sim) stored(fails bool) {
	e := s.slow[0]
	s.slow = s.slow[1:]
	var err error
	if fails {
		err = errors.New("disk on fire")
	} else {
		cmd := SaveGroup(e.State)
		if err := s.table.Apply(cmd.Key, cmd.Value); err != nil {
			s.failf("%v", err)
		}
	}
	s.effects(s.c.Stored(s.now, e.Group, e.Ticket, err))
}

func (s *sim) storedAll() {
	for len(s.slow) > 0 {
		s.stored(false)
	}
}

// restart loses what was not stored, and every call that waited.
func (s *sim) restart() {
	for len(s.slow) > 0 && s.rnd.IntN(2) == 0 {
		e := s.slow[0] // was durable, but nobody was told
		s.slow = s.slow[1:]
		cmd := SaveGroup(e.State)
		s.table.Apply(cmd.Key, cmd.Value)
	}
	s.slow = nil
	for tok, cl := range s.open {
		if cl.call == tok {
			cl.call = 0
		}
	}
	clear(s.open)
	s.boot()
	s.highest = 0
	for gen := range s.handed {
		s.highest = max(s.highest, gen)
	}
	if d := s.c.Describe("g"); max(d.Generation, 0) < s.highest {
		s.failf("generation %d was handed out, the restart knows %d", s.highest, d.Generation)
	}
}

// settle lets everybody behave, until all work in one generation; then they leave.
func (s *sim) settle() {
	s.storing = false
	s.storedAll()
	for range 60 {
		for _, cl := range s.clients {
			s.work(cl, true)
			s.work(cl, true)
		}
		s.pass(time.Second)
		s.check()
	}
	d := s.c.Describe("g")
	for _, cl := range s.clients {
		if cl.phase != simWorking || cl.gen != d.Generation {
			s.failf("client %+v does not work in %+v", cl, d)
		}
	}
	if d.State != Stable || len(d.Members) != len(s.clients) {
		s.failf("after a quiet minute: %+v", d)
	}
	for _, cl := range s.clients {
		s.leave(cl)
	}
	s.check()
	if d := s.c.Describe("g"); d.State != Empty || len(s.open) > 0 {
		s.failf("all left: %+v, unanswered %d", d, len(s.open))
	}
}

// check holds the books against each other.
func (s *sim) check() {
	g := s.c.groups["g"]
	if g == nil {
		if s.c.bytes != 0 || len(s.c.wakes) != 0 || len(s.open) != 0 {
			s.failf("no group, but %d bytes, %d deadlines, %d calls", s.c.bytes, len(s.c.wakes), len(s.open))
		}
		return
	}
	waiting, size, calls := 0, 0, 0
	supported := map[string]int{}
	for _, m := range g.order {
		if m.join != 0 {
			waiting++
			calls++
		}
		if m.sync != 0 {
			calls++
		}
		size += protocolBytes(m.protocols) + len(m.assignment)
		for _, p := range m.protocols {
			supported[p.Name]++
		}
		if g.members[m.id] != m || (m.instance != "" && g.instances[m.instance] != m.id) {
			s.failf("%q is not where it should be", m.id)
		}
	}
	for id := range g.unsynced {
		if g.members[id] == nil {
			s.failf("%q is waited for, and no member", id)
		}
	}
	if calls != len(s.open) {
		s.failf("%d calls wait, %d are known", len(s.open), calls)
	}
	if len(g.order) != len(g.members) || waiting != g.waiting || size != g.bytes || size != s.c.bytes ||
		fmt.Sprint(supported) != fmt.Sprint(g.supported) {
		s.failf("books: %d/%d members, %d/%d waiting, %d/%d/%d bytes, %v/%v", len(g.order), len(g.members),
			waiting, g.waiting, size, g.bytes, s.c.bytes, supported, g.supported)
	}
	if len(g.members) > 0 && g.members[g.leader] == nil || (g.state == Empty) != (len(g.members) == 0) && g.state != PreparingRebalance {
		s.failf("%v with leader %q of %d", g.state, g.leader, len(g.members))
	}
	if t, ok := g.deadline(); ok && (g.heapIndex < 0 || g.wakeAt.After(t)) {
		s.failf("deadline %v, wakes at %v", t, g.wakeAt)
	}
}

func TestRestoreRefusesNonsense(t *testing.T) {
	m := SavedMember{ID: "a", InstanceID: "i"}
	for name, s := range map[string]*Saved{
		"twice":     {Group: "g", Leader: "a", Members: []SavedMember{m, m}},
		"instance":  {Group: "g", Leader: "a", Members: []SavedMember{m, {ID: "b", InstanceID: "i"}}},
		"no leader": {Group: "g", Leader: "z", Members: []SavedMember{m}},
	} {
		c, _ := New(Config{})
		if err := c.Restore(time.Now(), s); !errors.Is(err, ErrCorrupt) || c.Has("g") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestBytesAreCopied(t *testing.T) {
	c, _ := New(Config{})
	meta, share := subscription("t"), []byte("share")
	req := JoinRequest{Group: "g", SessionTimeout: 10 * time.Second, ProtocolType: "consumer", NewMemberID: "a", Protocols: []Protocol{{"range", meta}}}
	out := c.Join(time.Unix(1, 0), req, 1)
	meta[0] ^= 0xff
	if r := out[0].(*JoinReply).Response; bytes.Equal(r.Members[0].Metadata, meta) {
		t.Error("the metadata is the caller's")
	}
	out = c.Sync(time.Unix(1, 0), SyncRequest{Group: "g", MemberID: "a", Generation: 1, Assignments: []Assignment{{"a", share}}}, 2)
	share[0] ^= 0xff
	if a := out[0].(*Store).State.Members[0].Assignment; bytes.Equal(a, share) {
		t.Error("the assignment is the caller's")
	}
}
