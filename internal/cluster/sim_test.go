package cluster

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/narumq/naru/internal/coord"
	"github.com/narumq/naru/internal/journal"
)

const (
	simMembers = 3
	simSlots   = 7
	simSteps   = 3000
	simTTL     = 10 * time.Second
	simDrift   = 0.15 // by which a broker's clock is fast or slow at most
)

// bug is a deliberate one that the simulation has to find.
type bug int

const (
	noBug     bug = iota
	bugAnswer     // a lease counts from the answer on, not from the request
	bugMargin     // there is no margin, and clocks differ
	bugReuse      // an ownership that was dropped is taken up again
	bugSnatch     // a campaign does not compare that there is no owner
	bugRevive     // a slot is served again as before, though its key is another one
	bugHasty      // a hand-over deletes the key before the slot is closed
	bugs
)

// sim runs several cores over one coordinator, in one goroutine, as a seed says.
type sim struct {
	rng     *rand.Rand
	start   time.Time
	now     time.Time
	bug     bug
	quorum  *coord.Fake
	slots   int
	faults  float64
	harsh   int // how often brokers stop or crash: 1 in so many steps
	calm    bool
	members []*simMember
	late    []*coord.Call // requests of which nobody waits for an answer
	born    int
	served  map[ownership]string    // who served by which ownership
	doomed  map[ownership]time.Time // whose keys an operator deleted, and when
	bare    []time.Time             // when a slot had an owner last, in the calm
	ghosts  int                     // brokers that seemed to be there in the calm, and took nothing: the most at a time
	trace   strings.Builder
	problem string
	opens   int
	given   int // as planned
}

type ownership struct {
	slot  journal.SlotID
	owner int64
}

type simMember struct {
	name    string
	core    *Core
	rate    float64 // of its clock
	request Request
	call    *coord.Call // nil: none on its way
	sent    time.Time   // by its clock
	asked   time.Time
	looked  time.Time // when the last look that was answered was asked for
	stopped time.Time // paused until then
	term    int64
	slots   []simSlot
	leaving bool
	deaf    bool // its requests arrive, and no answer does
}

// simSlot is a slot as a member's shell has it.
type simSlot struct {
	owner  int64 // 0: closed
	phase  phase
	until  time.Time // opening or closing takes
	spent  int64     // none up to it is served again
	before int64     // for bugRevive
}

func newSim(seed uint64, b bug) *sim {
	s := &sim{
		rng: rand.New(rand.NewPCG(seed, 11)), start: time.Unix(1_000_000, 0), bug: b, slots: simSlots,
		served: map[ownership]string{}, doomed: map[ownership]time.Time{},
		faults: []float64{0, 0.02, 0.1, 0.3}[seed%4], harsh: []int{20, 60, 400}[seed/4%3],
	}
	if seed%5 == 4 {
		s.slots = 1
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
	m := &simMember{name: name, core: NewCore(timing, s.slots, Member{Name: name}), rate: 1 - simDrift + 2*simDrift*s.rng.Float64(), slots: make([]simSlot, s.slots)}
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

// ask does something at the coordinator at once.
func (s *sim) ask(r coord.Request) coord.Answer {
	return s.quorum.Begin(r).End(coord.FateDone)
}

// serves returns by which ownership a member may serve a slot at this instant, whatever its shell has noticed.
func (s *sim) serves(m *simMember, slot int) int64 {
	if term, _, _ := m.core.Member(s.clock(m)); term == 0 || term != m.term {
		return 0
	}
	return m.slots[slot].owner
}

// check holds what must be at every instant: whoever may serve has its key at the coordinator, hence nobody else has; and nobody
// serves by what was another's.
func (s *sim) check() {
	there := map[string]int64{}
	for _, kv := range s.ask(coord.Request{Kind: coord.CallRange, Key: slotPrefix}).KVs {
		there[kv.Key] = kv.CreateRevision
	}
	for slot := range s.slots {
		var serving []string
		for _, m := range s.members {
			owner := s.serves(m, slot)
			o := ownership{journal.SlotID(slot), owner}
			if owner == 0 {
				continue
			}
			if at, doomed := s.doomed[o]; doomed {
				if m.looked.After(at) {
					s.fail("%s serves slot %d by %d, whose key was deleted at %v", m.name, slot, owner, at.Sub(s.start))
				}
				continue // its transactions fail, and it learns why when it looks
			}
			serving = append(serving, fmt.Sprintf("%s by %d", m.name, owner))
			if key := there[ownerKey(o.slot)]; key != owner {
				s.fail("%s serves slot %d by %d, and the key is %d", m.name, slot, owner, key)
			}
			if who := s.served[o]; who != m.name {
				s.fail("%s serves slot %d by the ownership %d of %s", m.name, slot, owner, who)
			}
		}
		if len(serving) > 1 {
			s.fail("two may serve slot %d: %s", slot, strings.Join(serving, ", "))
		}
	}
}

// tend has a member do what its core says with slots, as Tenure.Run does.
func (s *sim) tend(m *simMember) {
	now := s.clock(m)
	term, _, _ := m.core.Member(now)
	if term != m.term {
		for i := range m.slots {
			s.stop(m, i)
		}
		m.term = term
	}
	for i, want := range m.core.Holdings() {
		s.tendSlot(m, i, want, now)
	}
}

func (s *sim) tendSlot(m *simMember, i int, want Holding, now time.Time) {
	h, slot := &m.slots[i], journal.SlotID(i)
	if gave := s.bug == bugHasty && h.phase == closing; h.owner != 0 && h.owner != want.Owner && !gave {
		h.before = h.owner
		s.stop(m, i)
	}
	switch {
	case m.term == 0:
	case h.owner == 0 && want.Owner > h.spent && want.Give:
		h.spent = want.Owner
		m.core.Gave(slot, want.Owner)
	case h.owner == 0 && want.Owner > h.spent:
		s.open(m, i, want.Owner, now)
	case h.owner == 0 || now.Before(h.until):
	case h.phase == opening && s.rng.IntN(15) == 0 && !s.calm:
		s.note("%s cannot open %d", m.name, i)
		owner := h.owner
		s.stop(m, i)
		m.core.Failed(now, slot, owner)
	case h.phase == opening:
		h.phase = open
	case h.phase == open && (want.Give || m.leaving):
		h.phase, h.until = closing, now.Add(time.Duration(s.rng.IntN(1500))*time.Millisecond)
		s.note("%s hands %d over", m.name, i)
		if s.bug == bugHasty {
			m.core.Gave(slot, h.owner)
		}
	case h.phase == closing:
		owner := h.owner
		s.stop(m, i)
		m.core.Gave(slot, owner)
		s.given++
	}
}

func (s *sim) open(m *simMember, i int, owner int64, now time.Time) {
	h := &m.slots[i]
	if s.bug == bugRevive && h.before != 0 {
		owner = h.before
	}
	o := ownership{journal.SlotID(i), owner}
	if _, again := s.served[o]; again {
		s.fail("%s serves slot %d again by %d", m.name, i, owner)
	}
	s.served[o] = m.name
	s.opens++
	h.owner, h.phase, h.until = owner, opening, now.Add(time.Duration(s.rng.IntN(700))*time.Millisecond)
	s.note("%s serves %d by %d", m.name, i, owner)
}

func (s *sim) stop(m *simMember, i int) {
	h := &m.slots[i]
	if h.owner == 0 {
		return
	}
	s.note("%s stops serving %d by %d", m.name, i, h.owner)
	if h.spent = h.owner; s.bug == bugReuse || s.bug == bugRevive {
		h.spent = 0
	}
	h.owner = 0
}

// act is one step of a member.
func (s *sim) act(m *simMember) {
	s.tend(m)
	if m.call != nil {
		s.answer(m)
		s.tend(m)
		return
	}
	if i := s.rng.IntN(300); i < s.slots && m.slots[i].owner != 0 && !s.calm { // it broke
		s.note("%s gives %d up", m.name, i)
		owner := m.slots[i].owner
		s.stop(m, i)
		m.core.Failed(s.clock(m), journal.SlotID(i), owner)
		if h := &m.core.slots[i]; s.bug == bugReuse {
			h.spent, h.release, h.refuseTo = 0, 0, time.Time{}
		}
	}
	if m.leaving && !slices.ContainsFunc(m.slots, func(h simSlot) bool { return h.owner != 0 }) {
		m.core.Leave()
	}
	r, _ := m.core.Next(s.clock(m))
	if r.What == Nothing {
		return
	}
	call := onWire(r, TimingOf(simTTL))
	if s.bug == bugSnatch && r.What == Campaign {
		call.Cond = nil
	}
	m.asked = s.now
	m.request, m.sent, m.call = r, s.clock(m), s.quorum.Begin(call)
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
	if m.deaf {
		if m.call.Apply(); s.now.Sub(m.asked) < simTTL/4 { // which is how long an answer is waited for
			return
		}
		fate = coord.FateOverdue
	}
	got := m.call.End(fate)
	if got.Err != nil && s.rng.IntN(2) == 0 {
		s.late = append(s.late, m.call)
	}
	if m.request.What != Look && m.request.What != Wish && m.request.What != Keep || got.Err != nil {
		s.note("%s %s %v: %v %v", m.name, m.request.What, m.request.Slots, got.Txn.Succeeded, got.Err)
	}
	a := Answer{Lease: got.Lease, KVs: got.KVs, Txn: got.Txn, Err: got.Err, SentAt: m.sent, AnswerAt: s.clock(m)}
	if s.bug == bugAnswer {
		a.SentAt = a.AnswerAt
	}
	m.call = nil
	if m.request.What == Look && a.Err == nil {
		m.looked = m.asked
	}
	m.core.Answered(m.request, a)
}
