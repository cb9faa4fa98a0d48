package cluster

import (
	"slices"
	"testing"
	"time"
)

// A broker whose requests arrive, and which hears no answer, is in nobody's way: its slots are served by others about as soon as
// those of one that is dead, and it comes back when it hears again.
func TestDeaf(t *testing.T) {
	for seed := range uint64(5) {
		s := newSim(seed, noBug)
		s.calm = true
		s.pass(simSettle)
		deaf := s.owner(0)
		if deaf == nil {
			t.Fatalf("seed %d: nobody serves slot 0\n%s", seed, tail(s.trace.String()))
		}
		deaf.deaf = true
		s.note("%s is deaf", deaf.name)
		s.pass(simTTL + 3*time.Second)
		for slot := range s.slots {
			if m := s.owner(slot); m == nil || m == deaf {
				s.fail("slot %d is served by nobody", slot)
			}
		}
		deaf.deaf = false
		s.pass(simSettle)
		if s.settled(); s.problem != "" {
			t.Errorf("seed %d: %s\n%s", seed, s.problem, tail(s.trace.String()))
		}
	}
}

// pass lets time pass in the calm.
func (s *sim) pass(d time.Duration) {
	for end := s.now.Add(d); s.now.Before(end) && s.problem == ""; s.now = s.now.Add(50 * time.Millisecond) {
		for _, m := range s.members {
			s.act(m)
		}
		s.check()
	}
}

// owner is the member that serves a slot now.
func (s *sim) owner(slot int) *simMember {
	i := slices.IndexFunc(s.members, func(m *simMember) bool { return s.serves(m, slot) != 0 })
	if i < 0 {
		return nil
	}
	return s.members[i]
}
