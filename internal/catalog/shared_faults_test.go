package catalog

import (
	"context"
	"testing"
	"time"

	"github.com/narumq/naru/internal/coord"
	"github.com/narumq/naru/internal/record"
	"github.com/narumq/naru/internal/user"
)

// A change whose answer was lost is known by its name, although another broker has changed something since.
func TestSharedUnknownOutcome(t *testing.T) {
	p := newParty(t, 2)
	a, b := p.all[0], p.all[1]
	first := true
	p.quorum.SetGate(func(_ context.Context, c *coord.Call) coord.Fate {
		if c.Request.Kind != coord.CallTxn || !first {
			return coord.FateDone
		}
		first = false
		c.Apply()
		create(t, b, "b", 1)
		return coord.FateUnanswered
	})
	create(t, a, "a", 1) // once: the second time it would exist
	p.quorum.SetGate(nil)
	p.same()
}

// A piece of a large change that arrives when it is finished changes nothing.
func TestSharedLatePiece(t *testing.T) {
	p := newParty(t, 2)
	s, b := p.all[0].shared.(*Coord), p.all[1]
	var ops []Op
	for i := range 2 * coordOpsMax {
		ops = append(ops, encodeStart(uint64(1000+i), 1))
	}
	ops = append(ops, encodeUser(&user.User{Name: "u"}))
	var late *coord.Call
	p.quorum.SetGate(func(_ context.Context, c *coord.Call) coord.Fate {
		if c.Request.Kind == coord.CallTxn && len(c.Request.Then) > 1 && c.Request.Then[len(c.Request.Then)-1].Kind == coord.OpDelete {
			late = c
			s.cancel()
			return coord.FateBroken
		}
		return coord.FateDone
	})
	if err := s.Apply(ops); err != nil || late == nil {
		t.Fatalf("the last piece: %v, %v", late, err)
	}
	p.quorum.SetGate(nil)
	if err := b.DeleteUser("u"); err != nil {
		t.Fatal(err)
	}
	late.Apply()
	p.all = p.all[1:]
	p.same()
	if len(b.Users()) != 0 {
		t.Error("a user came back")
	}
}

// What happened while no watch told of it, and is forgotten, is heard of all the same.
func TestSharedCompacted(t *testing.T) {
	p := newParty(t, 2)
	p.quorum.CutWatches(coord.ErrUnavailable)
	create(t, p.all[0], "a", 1)
	_, at, err := p.quorum.Range(t.Context(), coordCommit)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.quorum.Compact(t.Context(), at); err != nil {
		t.Fatal(err)
	}
	p.hears(1)
	if _, err := p.all[1].Topic("a"); err != nil {
		t.Error(err)
	}
	p.hearsNext()
}

// hears waits until a catalog is told that others changed something.
func (p *party) hears(n int) {
	p.t.Helper()
	select {
	case <-p.heard[n]:
	case <-time.After(10 * time.Second):
		p.t.Fatal("not told")
	}
}

func (p *party) hearsNext() {
	p.t.Helper()
	create(p.t, p.all[0], "next", 1)
	p.hears(1)
	if _, err := p.all[1].Topic("next"); err != nil {
		p.t.Error(err)
	}
}

// What a change loads on its way is told of, too.
func TestSharedChangeTells(t *testing.T) {
	p := newParty(t, 2)
	p.quorum.CutWatches(coord.ErrUnavailable)
	create(t, p.all[0], "a", 1)
	b := p.all[1]
	s := b.shared.(*Coord)
	b.mu.Lock()
	b.stale, s.known = true, false // as after an answer that never came
	b.mu.Unlock()
	create(t, b, "b", 1)
	p.hears(1)
}

// A mirror never goes back, whatever a watch tells late.
func TestMirrorNeverGoesBack(t *testing.T) {
	var m mirror
	m.init()
	at := func(revision int64, value string) coord.KV {
		return coord.KV{Key: coordEntry + "a", Value: []byte(value), ModRevision: revision}
	}
	m.replace([]coord.KV{at(10, "new")}, 10)
	m.follow(coord.Change{Revision: 9, Events: []coord.Event{{KV: at(9, "old")}}})
	m.replace([]coord.KV{at(8, "older")}, 8)
	if values, _, _, err := m.view(); err != nil || string(values["a"]) != "new" {
		t.Errorf("it shows %q, %v", values["a"], err)
	}
	m.follow(coord.Change{Revision: 11, Events: []coord.Event{{Deleted: true, KV: coord.KV{Key: coordEntry + "a", ModRevision: 11}}}})
	if values, _, _, _ := m.view(); len(values) != 0 {
		t.Errorf("it shows %v", values)
	}
}

// A log start that is stored when the topic is gone is in nobody's way, and goes with the next one.
func TestSharedOrphans(t *testing.T) {
	t.Run("what changed is read", func(t *testing.T) { orphans(t, func(*Catalog, *Coord) {}) })
	t.Run("all is read", func(t *testing.T) {
		orphans(t, func(c *Catalog, s *Coord) {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.stale, s.known = true, false
		})
	})
}

func orphans(t *testing.T, between func(*Catalog, *Coord)) {
	p := newParty(t, 2)
	a, b := p.all[0], p.all[1]
	topics := map[string]uint64{} // to the stream in slot 1, which b owns
	for _, name := range []string{"gone", "stays"} {
		for _, part := range create(t, a, name, testSlots).Partitions {
			if a.SlotOf(part.Stream) == 1 {
				topics[name] = part.Stream
			}
		}
	}
	if err := b.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	p.quorum.CutWatches(coord.ErrUnavailable)
	if _, err := a.Delete("gone"); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"gone", "stays"} {
		if err := b.SetLogStarts(map[uint64]record.Offset{topics[name]: 5}); err != nil {
			t.Fatal(err)
		}
		between(b, b.shared.(*Coord))
		p.same()
	}
	if starts, err := b.LogStarts(1); err != nil || len(starts) != 1 || starts[topics["stays"]] != 5 {
		t.Errorf("log starts %v: %v", starts, err)
	}
}
