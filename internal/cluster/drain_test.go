package cluster

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/narumq/naru/internal/coord"
)

// drain is an operator's wish, whoever else is drained.
func (s *sim) drain(m *simMember) {
	s.note("%s is drained", m.name)
	s.ask(coord.Request{Kind: coord.CallTxn, Then: []coord.Op{coord.Put(drainPrefix+m.name, nil, 0)}})
}

// servedBy checks that every slot is served, by one of some brokers.
func (s *sim) servedBy(members ...*simMember) {
	for slot := range s.slots {
		if m := s.owner(slot); m == nil || !slices.Contains(members, m) {
			s.fail("slot %d is not served by those who ought to", slot)
		}
	}
}

// Drained brokers own nothing while another one can, and all when that dies: as soon as its lease ends, as others would. They give
// it back to the next one that is not drained. Of brokers that are all drained each keeps what it would have.
func TestDrainedServeRatherThanNobody(t *testing.T) {
	for seed := range uint64(5) { // the last has a single slot
		s := newSim(seed, noBug)
		s.calm = true
		s.pass(simSettle)
		a, b, c := s.members[0], s.members[1], s.members[2]
		s.drain(a)
		s.drain(b)
		s.pass(simSettle)
		s.servedBy(c)

		s.note("%s dies", c.name)
		s.members = []*simMember{a, b}
		s.pass(simTTL + 2*time.Second)
		s.servedBy(a, b)

		s.members = append(s.members, nil)
		s.begin(2)
		s.pass(simSettle)
		s.servedBy(s.members[2])

		s.drain(s.members[2])
		s.pass(simSettle)
		given := s.given
		s.pass(simSettle)
		if s.settled(); s.given != given {
			s.fail("brokers that are all drained hand %d slots over", s.given-given)
		}
		if s.problem != "" {
			t.Errorf("seed %d: %s\n%s", seed, s.problem, tail(s.trace.String()))
		}
	}
}

// joins has a broker be up, by its key alone.
func joins(t *testing.T, quorum coord.Store, node int32, m Member) {
	t.Helper()
	if err := put(t.Context(), quorum, coord.Put(memberKey(node), m.Encode(), 0)); err != nil {
		t.Fatal(err)
	}
}

// The last broker that could own slots is not drained.
func TestDrainNeedsAnHeir(t *testing.T) {
	quorum := newYard(t, 8).quorum
	refused := func(node int32, want string) {
		t.Helper()
		if err := Drain(t.Context(), quorum, node); !errors.Is(err, ErrNoHeir) || !strings.Contains(err.Error(), want) {
			t.Errorf("draining %d: %v, want %q", node, err, want)
		}
	}
	join := func(node int32, m Member) { joins(t, quorum, node, m) }
	join(1, Member{Name: "a", Ready: true})
	refused(1, "drained already: none; not ready: none;")
	join(2, Member{Name: "b"})
	refused(1, "drained already: none; not ready: 2;")
	join(3, Member{Name: "c", Ready: true})
	if err := Drain(t.Context(), quorum, 1); err != nil {
		t.Fatal(err)
	}
	refused(3, "drained already: 1; not ready: 2;")
	if err := Undrain(t.Context(), quorum, 1); err != nil {
		t.Fatal(err)
	}
	if err := Drain(t.Context(), quorum, 3); err != nil {
		t.Error(err)
	}
}

// hasty is a coordinator to which another operator comes first.
type hasty struct {
	coord.Store
	first func()
}

func (h hasty) Txn(ctx context.Context, cond []coord.Compare, then, otherwise []coord.Op) (coord.TxnResult, error) {
	h.first()
	return h.Store.Txn(ctx, cond, then, otherwise)
}

// Of two operators who drain the last two brokers at a time one is refused.
func TestDrainAtATime(t *testing.T) {
	quorum := newYard(t, 8).quorum
	joins(t, quorum, 1, Member{Name: "a", Ready: true})
	joins(t, quorum, 2, Member{Name: "b", Ready: true})
	err := Drain(t.Context(), hasty{quorum, func() {
		if err := Drain(t.Context(), quorum, 2); err != nil {
			t.Error(err)
		}
	}}, 1)
	p, readErr := ReadPicture(t.Context(), quorum)
	if !errors.Is(err, ErrNoHeir) || readErr != nil || p.Drained[1] || !p.Drained[2] {
		t.Errorf("%v; the picture: %+v, %v", err, p, readErr)
	}
}
