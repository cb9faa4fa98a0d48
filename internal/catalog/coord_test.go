package catalog

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/narumq/naru/internal/coord"
)

const ownerKey = "owner"

func newQuorum() *coord.Fake { return coord.NewFake(coord.FakeConfig{}) }

var ownerships int

// owned takes the catalog over, whoever had it.
func owned(t testing.TB, quorum *coord.Fake) CoordConfig {
	t.Helper()
	for _, op := range []coord.Op{coord.Delete(ownerKey), coord.Put(ownerKey, []byte("me"), 0)} {
		if _, err := quorum.Txn(t.Context(), nil, []coord.Op{op}, nil); err != nil {
			t.Fatal(err)
		}
	}
	kv, _, err := quorum.Get(t.Context(), ownerKey)
	if err != nil {
		t.Fatal(err)
	}
	ownerships++
	fence := Fence{ownerKey, kv.CreateRevision}
	return CoordConfig{
		Store: quorum, Context: t.Context(), Member: fence, Name: fmt.Sprintf("o%d", ownerships),
		SlotOwner: func(int) (Fence, bool) { return fence, true },
	}
}

// fates has the transactions of a quorum end so, one after the other, and those after them well.
func fates(quorum *coord.Fake, list ...coord.Fate) {
	quorum.SetGate(func(_ context.Context, c *coord.Call) coord.Fate {
		if c.Request.Kind != coord.CallTxn || len(list) == 0 {
			return coord.FateDone
		}
		fate := list[0]
		list = list[1:]
		return fate
	})
}

// givenUp has the next transaction fail, and its caller give up soon. The call may yet arrive; back ends all this.
func givenUp(s *Coord, quorum *coord.Fake) (late **coord.Call, back func()) {
	late = new(*coord.Call)
	s.setPatience(coordPause)
	quorum.SetGate(func(_ context.Context, c *coord.Call) coord.Fate {
		if c.Request.Kind != coord.CallTxn {
			return coord.FateDone
		}
		*late = c
		return coord.FateBroken
	})
	return late, func() {
		s.setPatience(coordPatience)
		quorum.SetGate(nil)
	}
}

func (s *Coord) setPatience(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cfg.Patience = d
}

func TestCatalogOnCoord(t *testing.T) {
	quorum := newQuorum()
	c := open(t, NewCoord(owned(t, quorum)))
	create(t, c, "a", 3)
	create(t, c, "b", 1)
	again := open(t, NewCoord(owned(t, quorum)))
	if again.ClusterID() != c.ClusterID() || len(again.Topics()) != 2 {
		t.Errorf("found %s with %d topics", again.ClusterID(), len(again.Topics()))
	}
	_, err := c.Create(TopicSpec{Name: "c", Partitions: 1}, false)
	wantErr(t, err, ErrNotOwner)
	wantErr(t, err, ErrStorage)
	create(t, again, "c", 1)
}

// An answer that was lost is found out: the change has happened once, or not at all.
func TestCoordUnknownOutcomes(t *testing.T) {
	for _, list := range [][]coord.Fate{
		{coord.FateUnanswered}, {coord.FateOverdue}, {coord.FateBroken, coord.FateTimedOut}, {coord.FateBroken, coord.FateUnanswered, coord.FateBroken},
	} {
		quorum := newQuorum()
		c := open(t, NewCoord(owned(t, quorum)))
		fates(quorum, list...)
		create(t, c, "a", 1)
		create(t, c, "b", 1)
		if n := len(open(t, NewCoord(owned(t, quorum))).Topics()); n != 2 {
			t.Errorf("%v: %d topics", list, n)
		}
	}
}

// A change whose caller has given up is applied late, or never: what comes after it knows.
func TestCoordLateChange(t *testing.T) {
	for _, arrives := range []string{"never", "before the next", "with the next owner"} {
		quorum := newQuorum()
		s := NewCoord(owned(t, quorum))
		c := open(t, s)
		late, back := givenUp(s, quorum)
		_, err := c.Create(TopicSpec{Name: "late", Partitions: 1}, false)
		wantErr(t, err, ErrStorage)
		back()
		if arrives == "with the next owner" {
			owned(t, quorum)
		}
		if arrives != "never" {
			(*late).Apply()
		}
		_, err = c.Create(TopicSpec{Name: "next", Partitions: 1}, false)
		if next := err == nil; next != (arrives != "with the next owner") {
			t.Errorf("arrives %s: the next change: %v", arrives, err)
		}
		_, err = open(t, NewCoord(owned(t, quorum))).Topic("late")
		if there := err == nil; there != (arrives == "before the next") {
			t.Errorf("arrives %s: %v", arrives, err)
		}
	}
}

// A late request that arrives when the catalog was read anew is found by the change after.
func TestCoordLateAfterReading(t *testing.T) {
	quorum := newQuorum()
	s := NewCoord(owned(t, quorum))
	if err := s.Apply([]Op{{"a", []byte("1")}}); err != nil {
		t.Fatal(err)
	}
	late, back := givenUp(s, quorum)
	if err := s.Apply([]Op{{"late", []byte("1")}}); err == nil {
		t.Fatal("no error")
	}
	back()
	keysOf(t, s, "a")
	(*late).Apply()
	wantErr(t, s.Apply([]Op{{"b", []byte("1")}}), ErrConflict)
	keysOf(t, s, "a late")
	if err := s.Apply([]Op{{"b", []byte("1")}}); err != nil {
		t.Fatal(err)
	}
	keysOf(t, s, "a b late")
}

func keysOf(t *testing.T, s Store, want string) {
	t.Helper()
	var keys []string
	if err := s.Scan("", func(key string, _ []byte) error { keys = append(keys, key); return nil }); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(keys, " "); got != want {
		t.Errorf("keys are %q, want %q", got, want)
	}
}

// A change of more keys than a transaction takes happens whole or not at all, wherever it is interrupted, and
// whoever goes on.
func TestCoordLargeChange(t *testing.T) {
	const n = 3*coordOpsMax + 7
	var ops []Op
	for i := range n {
		ops = append(ops, Op{fmt.Sprintf("new/%04d", i), []byte{}}, Op{Key: fmt.Sprintf("old/%04d", i)})
	}
	for cut := range 9 {
		quorum := newQuorum()
		cfg := owned(t, quorum)
		s := NewCoord(cfg)
		for i := range n {
			if i%100 == 0 || i == n-1 {
				if err := s.Apply([]Op{{fmt.Sprintf("old/%04d", i), []byte("x")}}); err != nil {
					t.Fatal(err)
				}
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		s.ctx = ctx
		count := 0
		quorum.SetGate(func(_ context.Context, c *coord.Call) coord.Fate {
			if c.Request.Kind != coord.CallTxn {
				return coord.FateDone
			}
			if count++; count > cut {
				cancel()
				return coord.FateBroken
			}
			return coord.FateDone
		})
		err := s.Apply(ops)
		if done := err == nil; done != (cut > 0) {
			t.Fatalf("cut after %d: %v", cut, err)
		}
		quorum.SetGate(nil)
		after := NewCoord(owned(t, quorum))
		for _, again := range []bool{false, true} {
			old, made := 0, 0
			if err := after.Scan("", func(key string, _ []byte) error {
				if strings.HasPrefix(key, "old/") {
					old++
				} else if strings.HasPrefix(key, "new/") {
					made++
				}
				return nil
			}); err != nil {
				t.Fatal(err)
			}
			if whole := old == 0 && made == n; whole != (cut > 0) || !whole && made > 0 {
				t.Errorf("cut after %d, again %v: %d old, %d new", cut, again, old, made)
			}
			if err := after.Apply([]Op{{"other", []byte("1")}}); err != nil {
				t.Fatal(err)
			}
		}
		if _, left, _ := quorum.Get(t.Context(), coordRest); left {
			t.Errorf("cut after %d: something is left", cut)
		}
	}
}

func TestCoordRefusesWhatIsTooLarge(t *testing.T) {
	quorum := newQuorum()
	s := NewCoord(owned(t, quorum))
	wantErr(t, s.Apply([]Op{{"a", make([]byte, 2<<20)}}), coord.ErrInvalid, "bytes")
	var ops []Op
	for i := range 200 {
		ops = append(ops, Op{fmt.Sprint(i), make([]byte, 10<<10)})
	}
	wantErr(t, s.Apply(ops), ErrStorage, "nothing was changed")
	keysOf(t, s, "")
	if err := s.Apply([]Op{{"a", []byte("1")}, {"a", []byte("2")}}); err != nil {
		t.Fatal(err)
	}
	keysOf(t, s, "a")
}

// A change ends with the ownership.
func TestCoordEnds(t *testing.T) {
	quorum := newQuorum()
	cfg := owned(t, quorum)
	ctx, cancel := context.WithCancel(t.Context())
	cfg.Context = ctx
	c := open(t, NewCoord(cfg))
	quorum.SetGate(func(context.Context, *coord.Call) coord.Fate { cancel(); return coord.FateBroken })
	if _, err := c.Create(TopicSpec{Name: "a", Partitions: 1}, false); !errors.Is(err, ErrStorage) {
		t.Errorf("got %v", err)
	}
}
