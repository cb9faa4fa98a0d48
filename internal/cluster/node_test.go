package cluster

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/narumq/naru/internal/coord"
	"github.com/narumq/naru/internal/journal"
)

// yard is where nodes of a test serve.
type yard struct {
	t      *testing.T
	quorum *coord.Fake
	slots  int
	mu     sync.Mutex
	at     map[journal.SlotID]string // who has a slot open
	spent  map[ownership]bool        // guarded by mu, as is the rest
	given  int
	broken map[string]bool // nodes that open nothing
}

type yardNode struct {
	*Node
	name string
	y    *yard
	stop context.CancelFunc
	over chan struct{}

	tenures chan *Tenure  // that begin; whoever wants to know reads it
	fail    chan struct{} // ends one
}

func newYard(t *testing.T, slots int) *yard {
	y := &yard{
		t: t, quorum: coord.NewFake(coord.FakeConfig{Now: time.Now}), slots: slots,
		at: map[journal.SlotID]string{}, spent: map[ownership]bool{}, broken: map[string]bool{},
	}
	_, err := y.quorum.Txn(t.Context(), nil, []coord.Op{coord.Put(identityKey, fmt.Appendf(nil, `{"id":"x","slots":%d}`, slots), 0)}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return y
}

func (y *yard) join(name string, way coord.Store) *yardNode {
	n := &yardNode{name: name, y: y, over: make(chan struct{}), tenures: make(chan *Tenure, 10), fail: make(chan struct{})}
	n.Node = NewNode(NodeConfig{
		Coord: way, Timing: TimingOf(2 * time.Second), Slots: y.slots, Self: Member{Name: name},
		Serve: n.serve,
	})
	n.SetReady(true)
	ctx, stop := context.WithCancel(context.Background())
	n.stop = stop
	go func() {
		n.Run(ctx)
		close(n.over)
	}()
	y.t.Cleanup(func() { stop(); <-n.over })
	return n
}

func (n *yardNode) serve(t *Tenure) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	n.tenures <- t
	go func() {
		select {
		case <-n.fail:
			cancel()
		case <-ctx.Done():
		}
	}()
	switch err := t.Run(ctx, n); {
	case err == nil:
		<-t.Leaving()
	case errors.Is(err, ErrOver):
		<-t.Context().Done()
	case ctx.Err() == nil:
		n.y.t.Error(err)
	}
}

func (n *yardNode) Open(_ context.Context, slot journal.SlotID, owner int64) error {
	n.y.mu.Lock()
	defer n.y.mu.Unlock()
	o := ownership{slot, owner}
	if n.y.at[slot] != "" || n.y.spent[o] {
		n.y.t.Errorf("%s opens %d by %d, which %q has", n.name, slot, owner, n.y.at[slot])
	}
	n.y.spent[o] = true
	if n.y.broken[n.name] {
		return errors.New("broken")
	}
	n.y.at[slot] = n.name
	return nil
}

func (n *yardNode) Close(slot journal.SlotID, planned bool) {
	n.y.mu.Lock()
	defer n.y.mu.Unlock()
	if n.y.at[slot] == n.name {
		delete(n.y.at, slot)
	}
	if planned {
		n.y.given++
	}
}

// spread is how many slots each node has open.
func (y *yard) spread() map[string]int {
	y.mu.Lock()
	defer y.mu.Unlock()
	m := map[string]int{}
	for _, name := range y.at {
		m[name]++
	}
	return m
}

// until waits for a condition, and returns how long it took.
func (y *yard) until(what string, is func() bool) time.Duration {
	y.t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	began := time.Now()
	for ; !is(); <-tick.C {
		if time.Since(began) > 20*time.Second {
			y.t.Fatalf("not %s after 20 s: %v", what, y.spread())
		}
	}
	return time.Since(began)
}

// Slots are taken, spread when brokers come, moved, and handed over by one that leaves.
func TestNodes(t *testing.T) {
	y := newYard(t, 64)
	a := y.join("a", y.quorum)
	t.Log("64 slots taken after", y.until("taken", func() bool { return y.spread()["a"] == 64 }))
	b := y.join("b", y.quorum)
	t.Log("spread over two after", y.until("spread", func() bool { s := y.spread(); return s["a"] == 32 && s["b"] == 32 }))
	y.until("seen", func() bool { return b.State().Owned == 32 && a.Owner(63) != 0 })
	node := b.State().Node
	slot := journal.SlotID(0)
	for a.Owner(slot) == node {
		slot++
	}
	if err := Move(t.Context(), y.quorum, slot, node); err != nil {
		t.Fatal(err)
	}
	y.until("moved", func() bool { return a.Owner(slot) == node })
	if err := Drain(t.Context(), y.quorum, a.State().Node); err != nil {
		t.Fatal(err)
	}
	t.Log("drained after", y.until("drained", func() bool { return y.spread()["b"] == 64 }))
	p, err := ReadPicture(t.Context(), y.quorum)
	if err != nil || len(p.Members) != 2 || !p.Drained[a.State().Node] || p.Drained[node] || p.Places[slot] != node || p.Owners[slot].Node != node {
		t.Errorf("the picture: %+v, %v", p, err)
	}
	if err := Undrain(t.Context(), y.quorum, a.State().Node); err != nil {
		t.Fatal(err)
	}
	y.until("back", func() bool { return y.spread()["a"] == 31 })
	if err := Unmove(t.Context(), y.quorum, slot); err != nil {
		t.Fatal(err)
	}
	y.until("back where it was", func() bool { return y.spread()["a"] == 32 })
	began := time.Now()
	a.stop()
	<-a.over
	y.until("handed over", func() bool { return y.spread()["b"] == 64 })
	t.Log("one left after", time.Since(began))
	if want := 32 + 1 + 31 + 31 + 1 + 32; y.given != want {
		t.Errorf("%d slots were handed over as planned, want %d", y.given, want)
	}
	for what, err := range map[error]error{
		ErrNoMember: Move(t.Context(), y.quorum, 0, 99),
		ErrNoSlot:   Move(t.Context(), y.quorum, 64, node),
	} {
		if !errors.Is(err, what) {
			t.Errorf("%v, want %v", err, what)
		}
	}
}

// A slot that one broker cannot open is served by another, whatever the hash says.
func TestNodeRefuses(t *testing.T) {
	y := newYard(t, 8)
	y.broken["a"] = true
	y.join("a", y.quorum)
	y.until("tried", func() bool { y.mu.Lock(); defer y.mu.Unlock(); return len(y.spent) == 8 })
	y.join("b", y.quorum)
	y.until("served", func() bool { return y.spread()["b"] == 8 })
}

// A broker whose server fails gives all to others, and comes back; one that gives a slot up leaves that to others.
func TestNodeFails(t *testing.T) {
	y := newYard(t, 8)
	a := y.join("a", y.quorum)
	y.until("taken", func() bool { return y.spread()["a"] == 8 })
	b := y.join("b", y.quorum)
	var shared map[string]int
	y.until("shared", func() bool { shared = y.spread(); return shared["b"] > 0 && b.State().Owned == shared["b"] })
	first := <-a.tenures
	a.fail <- struct{}{}
	y.until("taken", func() bool { return y.spread()["b"] == 8 })
	second := <-a.tenures
	y.until("shared again", func() bool { s := y.spread(); return s["a"] > 0 && s["a"]+s["b"] == 8 })
	if first.Valid() || !second.Valid() || first.Node != second.Node {
		t.Errorf("tenures: %+v, %+v", first, second)
	}
	slot := journal.SlotID(0)
	at := func() string { y.mu.Lock(); defer y.mu.Unlock(); return y.at[slot] }
	for at() != "a" {
		slot++
	}
	second.GiveUp(slot, second.holds(slot), errors.New("broken"))
	y.until("left to another", func() bool { return at() == "b" })
	y.until("back", func() bool { return at() == "a" })
}

func (t *Tenure) holds(slot journal.SlotID) int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.held[slot].Owner
}

// way is a way to the quorum that can be cut.
type way struct {
	coord.Store
	cut atomic.Bool
}

func (w *way) KeepAlive(ctx context.Context, id coord.LeaseID) (time.Duration, error) {
	if w.cut.Load() {
		return 0, coord.ErrUnavailable
	}
	return w.Store.KeepAlive(ctx, id)
}

func (w *way) Range(ctx context.Context, prefix string) ([]coord.KV, int64, error) {
	if w.cut.Load() {
		return nil, 0, coord.ErrUnavailable
	}
	return w.Store.Range(ctx, prefix)
}

func (w *way) Txn(ctx context.Context, cond []coord.Compare, then, otherwise []coord.Op) (coord.TxnResult, error) {
	if w.cut.Load() {
		return coord.TxnResult{}, coord.ErrUnavailable
	}
	return w.Store.Txn(ctx, cond, then, otherwise)
}

// What a broker served that hears nothing of the others any more is served by them within the lease and two seconds, and it comes
// back when it can.
func TestNodeTakeOver(t *testing.T) {
	y := newYard(t, 64)
	w := &way{Store: y.quorum}
	a, b := y.join("a", w), y.join("b", y.quorum)
	spread := func() bool { s := y.spread(); return s["a"] == 32 && s["b"] == 32 }
	y.until("spread", spread)
	changed := b.State().Changed
	w.cut.Store(true)
	took := y.until("taken over", func() bool { return y.spread()["b"] == 64 })
	if t.Log("taken over after", took); took > 4*time.Second {
		t.Errorf("taken over after %v", took)
	}
	<-changed
	y.until("seen", func() bool { return b.State().Owned == 64 })
	if st := a.State(); st.Owned != 0 || st.Node != 0 || st.View.Err == nil {
		t.Errorf("who was cut off: %+v", st)
	}
	w.cut.Store(false)
	y.until("spread again", spread)
}
