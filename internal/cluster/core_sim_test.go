package cluster

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/narumq/naru/internal/coord"
)

var seeds = flag.Int("cluster-seeds", 100, "seeds of TestSimulation")

const (
	simMembers = 3
	simSteps   = 3000
	simOwner   = "live/slot/0000/owner"
	simTTL     = 10 * time.Second
)

// bug is a deliberate one that the simulation has to find.
type bug int

const (
	noBug     bug = iota
	bugAnswer     // a lease counts from the answer on, not from the request
	bugMargin     // there is no margin, and clocks differ
	bugReuse      // an ownership that was dropped is taken up again
)

// sim runs several cores over one coordinator, in one goroutine, as a seed says.
type sim struct {
	rng     *rand.Rand
	start   time.Time
	now     time.Time
	bug     bug
	quorum  *coord.Fake
	faults  float64
	harsh   int // how often brokers stop or crash: 1 in so many steps
	calm    bool
	members []*simMember
	late    []*coord.Call // requests of which nobody waits for an answer
	born    int
	tenures map[int64]string // who served by which ownership
	trace   strings.Builder
	problem string
	served  int // tenures begun
}

type simMember struct {
	name    string
	core    *Core
	rate    float64 // of its clock
	request Request
	call    *coord.Call // nil: none on its way
	sent    time.Time
	stopped time.Time // paused until then
	tenure  int64     // by which it serves; 0: it does not
	leaving bool
}

func newSim(seed uint64, b bug) *sim {
	s := &sim{
		rng: rand.New(rand.NewPCG(seed, 11)), start: time.Unix(1_000_000, 0), bug: b, tenures: map[int64]string{},
		faults: []float64{0, 0.02, 0.1, 0.3}[seed%4], harsh: []int{20, 60, 400}[seed/4%3],
	}
	s.now = s.start
	s.quorum = coord.NewFake(coord.FakeConfig{Seed: seed, Now: func() time.Time { return s.now }})
	for i := range simMembers {
		s.members = append(s.members, nil)
		s.begin(i)
	}
	return s
}

// begin starts a broker anew: a process of another name, without memory.
func (s *sim) begin(i int) {
	s.born++
	timing := TimingOf(simTTL)
	if s.bug == bugMargin {
		timing.Margin = 0
	}
	name := fmt.Sprintf("b%d-%d", i, s.born)
	m := &simMember{name: name, core: NewCore(timing, simOwner, name, []byte(name)), rate: 0.85 + 0.3*s.rng.Float64()}
	m.core.SetReady(true)
	s.members[i] = m
}

// clock is the member's own.
func (s *sim) clock(m *simMember) time.Time {
	return s.start.Add(time.Duration(float64(s.now.Sub(s.start)) * m.rate))
}

func (s *sim) note(format string, args ...any) {
	fmt.Fprintf(&s.trace, "%v "+format+"\n", append([]any{s.now.Sub(s.start)}, args...)...)
}

func (s *sim) fail(format string, args ...any) {
	if s.problem == "" {
		s.problem = fmt.Sprintf("at %v: ", s.now.Sub(s.start)) + fmt.Sprintf(format, args...)
	}
}

// check holds what must be at every instant: one broker at most may serve, and nobody takes up what was dropped.
func (s *sim) check() {
	var serving []string
	for _, m := range s.members {
		owner, _ := m.core.Owns(s.clock(m))
		if owner == 0 {
			continue
		}
		serving = append(serving, fmt.Sprintf("%s by %d", m.name, owner))
		if who, known := s.tenures[owner]; known && who != m.name {
			s.fail("%s serves by the ownership %d of %s", m.name, owner, who)
		}
	}
	if len(serving) > 1 {
		s.fail("two may serve: %s", strings.Join(serving, ", "))
	}
}

// tend has a member see what it owns now, as its shell would.
func (s *sim) tend(m *simMember) {
	owner, _ := m.core.Owns(s.clock(m))
	if owner == m.tenure {
		return
	}
	if old := m.tenure; old != 0 {
		s.note("%s stops serving by %d", m.name, old)
		m.core.Drop(s.clock(m), old)
		if owner, _ = m.core.Owns(s.clock(m)); owner == old {
			s.fail("%s serves by %d, which it dropped", m.name, old)
		}
	}
	if m.tenure = owner; owner != 0 {
		if _, again := s.tenures[owner]; again {
			s.fail("%s serves again by %d", m.name, owner)
		}
		s.tenures[owner] = m.name
		s.served++
		s.note("%s serves by %d", m.name, owner)
	}
}

// act is one step of a member.
func (s *sim) act(m *simMember) {
	s.tend(m)
	if m.call != nil {
		s.answer(m)
		s.tend(m)
		return
	}
	if m.tenure != 0 && s.rng.IntN(300) == 0 && !s.calm { // its tenure ended by itself: storage failed
		s.note("%s gives up", m.name)
		m.core.Drop(s.clock(m), m.tenure)
		if s.bug == bugReuse {
			m.core.spent, m.core.release = 0, 0
		}
		m.tenure = 0
	}
	r, _ := m.core.Next(s.clock(m))
	if r.What == Nothing {
		return
	}
	m.request, m.sent, m.call = r, s.clock(m), s.quorum.Begin(onWire(r, TimingOf(simTTL)))
}

func (s *sim) fate() coord.Fate {
	if s.calm || s.rng.Float64() >= s.faults {
		return coord.FateDone
	}
	return []coord.Fate{coord.FateBroken, coord.FateTimedOut, coord.FateUnanswered, coord.FateOverdue}[s.rng.IntN(4)]
}

// answer lets a member's request arrive, and perhaps the answer come.
func (s *sim) answer(m *simMember) {
	if !s.calm && s.rng.IntN(3) == 0 {
		m.call.Apply() // and is answered later
		return
	}
	fate := s.fate()
	got := m.call.End(fate)
	if got.Err != nil && s.rng.IntN(2) == 0 {
		s.late = append(s.late, m.call)
	}
	s.note("%s %s: %v", m.name, m.request.What, got.Err)
	a := Answer{Lease: got.Lease, KVs: got.KVs, Txn: got.Txn, Err: got.Err, SentAt: m.sent, AnswerAt: s.clock(m)}
	if s.bug == bugAnswer {
		a.SentAt = a.AnswerAt
	}
	m.call = nil
	m.core.Answered(m.request, a)
}

func (s *sim) step() {
	if s.rng.IntN(3) > 0 {
		s.now = s.now.Add(time.Duration(s.rng.IntN(400)) * time.Millisecond)
		s.check()
	}
	if len(s.late) > 0 && s.rng.IntN(20) == 0 {
		i := s.rng.IntN(len(s.late))
		s.late[i].Apply()
		s.late = append(s.late[:i], s.late[i+1:]...)
	}
	if !s.calm && s.rng.IntN(s.harsh*5) == 0 {
		s.note("the coordinator loses its leader")
		s.quorum.LoseLeader()
	}
	i := s.rng.IntN(len(s.members))
	m := s.members[i]
	if !s.calm && s.rng.IntN(s.harsh) == 0 {
		switch s.rng.IntN(4) {
		case 0:
			s.note("%s crashes", m.name)
			s.begin(i)
		case 1:
			s.note("%s leaves", m.name)
			m.core.Leave(s.clock(m))
			m.leaving, m.tenure = true, 0
		default:
			m.stopped = s.now.Add(time.Duration(s.rng.IntN(25)) * time.Second)
			s.note("%s stops until %v", m.name, m.stopped.Sub(s.start))
		}
	}
	if m = s.members[i]; s.now.Before(m.stopped) {
		return
	}
	if m.leaving && m.core.Left() {
		s.begin(i)
		return
	}
	s.act(m)
	s.check()
}

// run plays a seed, and ends in peace: then somebody serves within the lease and two seconds.
func (s *sim) run() {
	for range simSteps {
		if s.step(); s.problem != "" {
			return
		}
	}
	s.calm = true
	for _, m := range s.members {
		m.stopped = time.Time{}
	}
	s.note("calm")
	for end := s.now.Add(simTTL + 2*time.Second); s.now.Before(end); {
		for i, m := range s.members {
			if s.act(m); m.leaving && m.core.Left() {
				s.begin(i)
			}
		}
		s.check()
		s.now = s.now.Add(50 * time.Millisecond)
	}
	serving := 0
	for _, m := range s.members {
		if m.tenure != 0 {
			serving++
		}
	}
	if serving != 1 {
		s.fail("%d serve in the end", serving)
	}
}

func TestSimulation(t *testing.T) {
	served := 0
	for seed := range uint64(*seeds) {
		s := newSim(seed, noBug)
		if s.run(); s.problem != "" {
			t.Fatalf("seed %d: %s\n%s", seed, s.problem, tail(s.trace.String()))
		}
		again := newSim(seed, noBug)
		if again.run(); again.trace.String() != s.trace.String() {
			t.Fatalf("seed %d: two runs differ", seed)
		}
		served += s.served
	}
	if served < 5**seeds {
		t.Errorf("only %d tenures in %d seeds", served, *seeds)
	}
	t.Logf("%d tenures", served)
}

// TestSimulationFindsBugs is the canary.
func TestSimulationFindsBugs(t *testing.T) {
	for _, b := range []bug{bugAnswer, bugMargin, bugReuse} {
		found := false
		for seed := uint64(0); seed < 300 && !found; seed++ {
			s := newSim(seed, b)
			s.run()
			found = s.problem != ""
		}
		if !found {
			t.Errorf("bug %d was not found", b)
		}
	}
}

func tail(text string) string { return text[max(0, len(text)-4000):] }

// A core that hears nothing falls silent before its lease can end.
func TestSilence(t *testing.T) {
	now := time.Unix(1000, 0)
	c := NewCore(TimingOf(simTTL), simOwner, "a", nil)
	c.SetReady(true)
	answer := func(what What, a Answer) {
		t.Helper()
		r, _ := c.Next(now)
		if r.What != what {
			t.Fatalf("asks for %s, want %s", r.What, what)
		}
		a.SentAt = now
		now = now.Add(100 * time.Millisecond)
		a.AnswerAt = now
		c.Answered(r, a)
	}
	answer(Grant, Answer{Lease: 7})
	leased := now.Add(-100 * time.Millisecond)
	answer(Look, Answer{})
	answer(Register, Answer{Txn: coord.TxnResult{Succeeded: true, Revision: 2}})
	now = leased.Add(simTTL / 5)
	answer(Keep, Answer{Err: errors.New("unavailable")})
	now = now.Add(time.Second)
	answer(Keep, Answer{Err: errors.New("unavailable")})
	if owner, _ := c.Owns(now); owner != 0 {
		t.Fatal("owns what it did not ask for")
	}
	c.own(5)
	last := leased.Add(simTTL - simTTL/5)
	if owner, until := c.Owns(last.Add(-1)); owner != 5 || until != last {
		t.Errorf("owns %d until %v", owner, until)
	}
	if owner, _ := c.Owns(last); owner != 0 {
		t.Error("still owns when it must not")
	}
	c.Tick(last)
	if r, _ := c.Next(last); r.What != Release {
		t.Errorf("asks for %s", r.What)
	}
}
