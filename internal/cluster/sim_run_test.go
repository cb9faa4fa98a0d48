package cluster

import (
	"flag"
	"slices"
	"testing"
	"time"

	"github.com/narumq/naru/internal/coord"
	"github.com/narumq/naru/internal/journal"
)

var seeds = flag.Int("cluster-seeds", 30, "seeds of TestSimulation")

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
	if s.rng.IntN(s.harsh*5) == 0 {
		s.note("the coordinator loses its leader")
		s.quorum.LoseLeader()
	}
	if s.rng.IntN(100) == 0 {
		s.operate()
	}
	i := s.rng.IntN(len(s.members))
	m := s.members[i]
	if s.rng.IntN(s.harsh) == 0 {
		switch s.rng.IntN(4) {
		case 0:
			s.note("%s crashes", m.name)
			s.begin(i)
		case 1:
			s.note("%s leaves", m.name)
			m.core.SetReady(false)
			m.leaving = true
		default:
			m.stopped = s.now.Add(time.Duration(s.rng.IntN(25)) * time.Second)
			s.note("%s stops until %v", m.name, m.stopped.Sub(s.start))
		}
	}
	if m = s.members[i]; s.now.Before(m.stopped) {
		return
	}
	if s.rng.IntN(10) == 0 {
		m.core.Hint()
	}
	if m.leaving && m.core.Left() {
		s.begin(i)
		return
	}
	s.act(m)
	s.check()
}

// operate is what somebody does to the cluster by hand.
func (s *sim) operate() {
	slot := journal.SlotID(s.rng.IntN(s.slots))
	m := s.members[s.rng.IntN(len(s.members))]
	var op coord.Op
	switch s.rng.IntN(10) {
	case 0, 1:
		op = coord.Put(placeKey(slot), []byte(m.name), 0)
	case 2:
		op = coord.Delete(placeKey(slot))
	case 3, 4, 5, 6, 7:
		op = coord.Put(drainPrefix+m.name, nil, 0)
	case 8:
		op = coord.Delete(drainPrefix + m.name)
	default:
		op = coord.Delete(ownerKey(slot))
		for _, kv := range s.ask(coord.Request{Kind: coord.CallGet, Key: op.Key}).KVs {
			s.doomed[ownership{slot, kv.CreateRevision}] = s.now
		}
	}
	s.note("an operator: %d %s %s", op.Kind, op.Key, op.Value)
	s.ask(coord.Request{Kind: coord.CallTxn, Then: []coord.Op{op}})
}

// simSettle is after how long all is where it belongs: what a lease ended leaves, at once; planned changes come after, a few at a
// time, and to a broker that seemed to be dead only after its lease. Beside that a slot that could not be opened is refused for a while, and clocks differ.
const simSettle = 2*simTTL + 2*time.Second + refuseMax*5/4 + 2*simSlots*time.Second

// run plays a seed, and ends in peace: then every slot is served within the lease and two seconds, and in the end where it belongs.
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
	s.bare = slices.Repeat([]time.Time{s.now}, s.slots)
	for end := s.now.Add(simSettle); s.now.Before(end); {
		for i, m := range s.members {
			if s.act(m); m.leaving && m.core.Left() {
				s.begin(i)
			}
		}
		s.check()
		s.patient()
		s.now = s.now.Add(50 * time.Millisecond)
	}
	s.settled()
}

// patient checks that no slot that somebody could serve stays without an owner: for a moment only, and for each broker that seems to
// be there and takes nothing, as long as the next in rank waits for it by the slowest clock.
func (s *sim) patient() {
	_, v := s.placement()
	s.ghosts = max(s.ghosts, s.silent(v))
	patience := float64(TimingOf(simTTL).patience()) / (1 - simDrift)
	limit := 2*time.Second + time.Duration(s.ghosts)*time.Duration(patience)
	for slot := range s.slots {
		if v.Owners[slot].Revision != 0 || len(able(v, journal.SlotID(slot))) == 0 {
			s.bare[slot] = s.now
		}
		if bare := s.now.Sub(s.bare[slot]); bare > limit {
			s.fail("slot %d is without an owner for %v", slot, bare)
		}
	}
}

// silent is how many members have a key, which the rest of their lease keeps, and take nothing: they are dead, they leave, or their
// membership is over, which others see when the lease ends.
func (s *sim) silent(v View) (n int) {
	for _, seen := range v.Members {
		if !slices.ContainsFunc(s.members, func(m *simMember) bool { return m.name == seen.member.Name && m.core.alive && !m.leaving }) {
			n++
		}
	}
	return n
}

// able are the processes that would serve a slot if they had to.
func able(v View, slot journal.SlotID) (names []string) {
	for _, seen := range v.Members {
		if m := seen.member; m.Ready && !slices.Contains(m.Refuses, slot) {
			names = append(names, m.Name)
		}
	}
	return names
}

// placement is who ought to own what, by the coordinator's own words.
func (s *sim) placement() (placement, View) {
	live := s.ask(coord.Request{Kind: coord.CallRange, Key: LivePrefix}).KVs
	want := readWishes(s.ask(coord.Request{Kind: coord.CallRange, Key: WantPrefix}).KVs)
	v := View{Members: Members(live), Owners: owners(live, s.slots)}
	return v.placement(s.slots, want), v
}

// settled checks that every slot is where it belongs.
func (s *sim) settled() {
	p, v := s.placement()
	if len(v.Members) != len(s.members) {
		s.fail("%d members in the end", len(v.Members))
	}
	for slot := range s.slots {
		right, _ := p.rank(journal.SlotID(slot), 0)
		if v.Owners[slot].Node != right {
			s.fail("slot %d belongs to %d in the end, and is at %d", slot, right, v.Owners[slot].Node)
		}
		serving := 0
		for _, m := range s.members {
			if owner := s.serves(m, slot); owner != 0 {
				serving++
			}
			spared := slices.ContainsFunc(able(v, journal.SlotID(slot)), func(name string) bool { return !p.wishes.drained[name] })
			if p.wishes.drained[m.name] && spared && s.serves(m, slot) != 0 {
				s.fail("%s is drained, and serves %d", m.name, slot)
			}
		}
		if serving != 1 {
			s.fail("%d serve slot %d in the end", serving, slot)
		}
	}
}

func TestSimulation(t *testing.T) {
	opens, given := 0, 0
	for seed := range uint64(*seeds) {
		s := newSim(seed, noBug)
		if s.run(); s.problem != "" {
			t.Fatalf("seed %d: %s\n%s", seed, s.problem, tail(s.trace.String()))
		}
		again := newSim(seed, noBug)
		if again.run(); again.trace.String() != s.trace.String() {
			t.Fatalf("seed %d: two runs differ", seed)
		}
		opens += s.opens
		given += s.given
	}
	if opens < 20**seeds || given < 5**seeds {
		t.Errorf("only %d slots opened, and %d handed over, in %d seeds", opens, given, *seeds)
	}
	t.Logf("%d slots opened, %d handed over", opens, given)
}

// TestSimulationFindsBugs is the canary.
func TestSimulationFindsBugs(t *testing.T) {
	for b := noBug + 1; b < bugs; b++ {
		found, seed := false, uint64(0)
		for ; seed < 300 && !found; seed++ {
			s := newSim(seed, b)
			s.run()
			found = s.problem != ""
			if found {
				t.Logf("bug %d, seed %d: %s", b, seed, s.problem)
			}
		}
		if !found {
			t.Errorf("bug %d was not found", b)
		}
	}
}

func tail(text string) string { return text[max(0, len(text)-6000):] }
