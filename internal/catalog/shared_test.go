package catalog

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/narumq/naru/internal/coord"
	"github.com/narumq/naru/internal/record"
	"github.com/narumq/naru/internal/user"
)

const testSlots = 8

// party is several brokers over one coordinator.
type party struct {
	t      testing.TB
	quorum *coord.Fake
	all    []*Catalog
	told   []*atomic.Int64
	heard  []chan struct{} // of capacity 1: likewise
	joined int
}

// join opens a catalog under a lease of its own. Slots are owned by the brokers in turn.
func (p *party) join() *Catalog {
	p.t.Helper()
	lease, err := p.quorum.Grant(p.t.Context(), coord.TTLMax)
	if err != nil {
		p.t.Fatal(err)
	}
	n := p.joined
	p.joined++
	member := p.put(fmt.Sprintf("member/%d", n), lease)
	told, heard := &atomic.Int64{}, make(chan struct{}, 1)
	owned := map[int]Fence{}
	for slot := range testSlots {
		if slot%partySize == n {
			owned[slot] = p.put(fmt.Sprintf("owner/%d", slot), lease)
		}
	}
	c, err := Open(Options{
		Store: NewCoord(CoordConfig{
			Store: p.quorum, Context: p.t.Context(), Member: member, Name: fmt.Sprintf("m%d", n), Slots: testSlots,
			SlotOwner: func(slot int) (Fence, bool) { f, ok := owned[slot]; return f, ok },
		}),
		Random: seeded(uint64(n + 1)), Slots: testSlots, Changed: func() {
			told.Add(1)
			select {
			case heard <- struct{}{}:
			default:
			}
		},
	})
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { _ = c.Close() })
	p.all, p.told, p.heard = append(p.all, c), append(p.told, told), append(p.heard, heard)
	return c
}

const partySize = 3

func (p *party) put(key string, lease coord.LeaseID) Fence {
	p.t.Helper()
	if _, err := p.quorum.Txn(p.t.Context(), nil, []coord.Op{coord.Put(key, nil, lease)}, nil); err != nil {
		p.t.Fatal(err)
	}
	kv, _, err := p.quorum.Get(p.t.Context(), key)
	if err != nil {
		p.t.Fatal(err)
	}
	return Fence{key, kv.CreateRevision}
}

func newParty(t testing.TB, n int) *party {
	p := &party{t: t, quorum: newQuorum()}
	for range n {
		p.join()
	}
	return p
}

// same holds all catalogs, and one that is opened now, against each other.
func (p *party) same() {
	p.t.Helper()
	p.join()
	want := ""
	for i, c := range p.all {
		if err := c.Refresh(p.t.Context()); err != nil {
			p.t.Fatal(err)
		}
		got := dumpAll(c)
		if want == "" {
			want = got
		}
		if got != want {
			p.t.Fatalf("catalog %d has\n%s\nand the first\n%s", i, got, want)
		}
	}
}

func dumpAll(c *Catalog) string {
	var out strings.Builder
	c.mu.Lock()
	fmt.Fprintln(&out, c.ClusterID(), c.nextStream, c.nextProducer, c.nextQueue, c.partitions, c.collisions)
	c.mu.Unlock()
	for _, t := range c.Topics() {
		fmt.Fprint(&out, t.Name, t.ID, t.Internal, t.Settings.Explicit, t.Tags)
		for _, p := range t.Partitions {
			fmt.Fprint(&out, " ", p.Stream, p.Keys, p.Closed)
		}
		fmt.Fprintln(&out)
	}
	for _, q := range c.Queues() {
		fmt.Fprintln(&out, q.Name, q.ID, q.Topic, q.Owned, q.Settings, q.Labels, q.Tags)
	}
	for _, u := range c.Users() {
		fmt.Fprintln(&out, u.Name, u.Tags, u.Permissions)
	}
	return out.String()
}

// A change of one broker is there for another one that asks, and the others hear of it.
func TestSharedRefresh(t *testing.T) {
	p := newParty(t, 2)
	create(t, p.all[0], "a", 3)
	if err := p.all[1].Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := p.all[1].Topic("a"); err != nil || p.told[1].Load() == 0 {
		t.Errorf("after Refresh: %v, told %d times", err, p.told[1].Load())
	}
	before := p.quorum.Usage()
	for range 10 {
		if err := p.all[1].Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	used := p.quorum.Usage()
	if gets, all := used[coord.CallGet]-before[coord.CallGet], used[coord.CallRange]-before[coord.CallRange]; gets != 10 || all != 0 {
		t.Errorf("10 times refreshed with %d gets and %d ranges", gets, all)
	}
	p.same()
}

// What a plan finds to be in its way may be gone at another broker.
func TestSharedPlansOnWhatThereIs(t *testing.T) {
	p := newParty(t, 2)
	a, b := p.all[0], p.all[1]
	p.quorum.CutWatches(coord.ErrUnavailable) // nobody hears of it by a watch
	create(t, a, "a", 1)
	_, err := b.Create(TopicSpec{Name: "a", Partitions: 1}, false)
	wantErr(t, err, ErrTopicExists)
	if _, err := b.Delete("a"); err != nil {
		t.Fatal(err)
	}
	_, err = a.Delete("a")
	wantErr(t, err, ErrUnknownTopic)
	_, err = a.Create(TopicSpec{Name: "a", Partitions: 1}, true)
	if err != nil {
		t.Fatal(err)
	}
	create(t, a, "a", 1)
	p.same()
}

// hammer has each broker make changes that get into each other's way, and returns what succeeded.
func (p *party) hammer(changes int) (streams map[uint64]string, made map[string]bool, tags, blocks int) {
	var mu sync.Mutex
	var wg sync.WaitGroup
	streams, made = map[uint64]string{}, map[string]bool{}
	given := map[int64]bool{}
	for i, c := range p.all {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(1, uint64(i)))
			for n := range changes {
				name := fmt.Sprintf("t%d", rng.IntN(changes))
				topic, err := c.Create(TopicSpec{Name: name, Partitions: 1 + rng.Int32N(3)}, false)
				_, aerr := c.Annotate("shared", func(tags, _ map[string]string) error {
					tags[fmt.Sprintf("%d-%d", i, n)] = "x"
					return nil
				})
				first, _, berr := c.NextProducerIDBlock()
				_, uerr := c.PutUser("u", func(u *user.User, _ bool) error {
					if u.Permissions == nil {
						u.Permissions = map[string]user.Permissions{}
					}
					u.Permissions[fmt.Sprintf("%d-%d", i, n)] = user.Permissions{}
					return nil
				})
				mu.Lock()
				if err == nil {
					if made[name] {
						p.t.Errorf("%s was made twice", name)
					}
					made[name] = true
					for _, part := range topic.Partitions {
						if other := streams[part.Stream]; other != "" {
							p.t.Errorf("stream %d is that of %s and %s", part.Stream, other, name)
						}
						streams[part.Stream] = name
					}
				} else if !errors.Is(err, ErrTopicExists) {
					p.t.Errorf("creating: %v", err)
				}
				if aerr != nil || berr != nil || uerr != nil || given[first] {
					p.t.Errorf("%v, %v, %v; producers from %d on", aerr, berr, uerr, first)
				}
				given[first] = true
				tags++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return streams, made, tags, len(given)
}

// Several brokers change the same things at the same time: what succeeded is there, once.
func TestSharedConcurrentChanges(t *testing.T) {
	for name, rates := range map[string]coord.Rates{
		"well": {}, "with faults": {coord.FateBroken: 0.02, coord.FateUnanswered: 0.03},
	} {
		t.Run(name, func(t *testing.T) {
			p := newParty(t, partySize)
			create(t, p.all[0], "shared", 1)
			p.quorum.SetRates(rates)
			stop := p.disturb()
			streams, made, changes, blocks := p.hammer(12)
			stop()
			p.quorum.SetRates(coord.Rates{})
			p.same()
			c := p.all[0]
			topic, err := c.Topic("shared")
			if err != nil {
				t.Fatal(err)
			}
			u, err := c.User("u")
			if err != nil {
				t.Fatal(err)
			}
			if len(topic.Tags) != changes || len(u.Permissions) != changes || blocks != changes {
				t.Errorf("%d tags and %d permissions, %d blocks, want %d", len(topic.Tags), len(u.Permissions), blocks, changes)
			}
			if len(c.Topics()) != len(made)+1 {
				t.Errorf("%d topics, %d were made", len(c.Topics()), len(made)+1)
			}
			for _, topic := range c.Topics() {
				for _, part := range topic.Partitions {
					if topic.Name != "shared" && streams[part.Stream] != topic.Name {
						t.Errorf("stream %d of %s is that of %q", part.Stream, topic.Name, streams[part.Stream])
					}
				}
			}
		})
	}
}

// disturb breaks watches, and has the coordinator forget its past, with every third call that comes.
func (p *party) disturb() (stop func()) {
	var calls atomic.Int64
	p.quorum.SetGate(func(ctx context.Context, c *coord.Call) coord.Fate {
		switch calls.Add(1) % 9 {
		case 0:
			p.quorum.CutWatches(coord.ErrUnavailable)
		case 3:
			p.quorum.CutWatches(coord.ErrCompacted)
		}
		return p.quorum.Draw()
	})
	return func() { p.quorum.SetGate(nil) }
}

// A broker whose lease is over changes nothing.
func TestSharedLeaseOver(t *testing.T) {
	p := newParty(t, 2)
	kv, _, err := p.quorum.Get(t.Context(), "member/0")
	if err != nil {
		t.Fatal(err)
	}
	create(t, p.all[0], "a", 1)
	if err := p.quorum.Revoke(t.Context(), kv.Lease); err != nil {
		t.Fatal(err)
	}
	_, err = p.all[0].Create(TopicSpec{Name: "b", Partitions: 1}, false)
	wantErr(t, err, ErrNotOwner)
	create(t, p.all[1], "b", 1)
	if kvs, _, err := p.quorum.Range(t.Context(), coordDone); err != nil || len(kvs) != 1 {
		t.Errorf("%d names of changes are left, of one broker: %v", len(kvs), err)
	}
}

// Log starts are the slot owner's, wake nobody, and are read by the next owner as they are.
func TestSharedLogStarts(t *testing.T) {
	p := newParty(t, 2)
	a, b := p.all[0], p.all[1]
	topic := create(t, a, "a", testSlots)
	if err := b.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	told := p.told[1].Load()
	for _, part := range topic.Partitions {
		err := a.SetLogStarts(map[uint64]record.Offset{part.Stream: 7})
		if mine := a.SlotOf(part.Stream)%partySize == 0; mine && err != nil || !mine && !errors.Is(err, ErrNotOwner) {
			t.Errorf("slot %d: %v", a.SlotOf(part.Stream), err)
		}
		starts, err := b.LogStarts(b.SlotOf(part.Stream))
		want := map[uint64]record.Offset{part.Stream: 7}
		if a.SlotOf(part.Stream)%partySize != 0 {
			want = map[uint64]record.Offset{}
		}
		if err != nil || !maps.Equal(starts, want) {
			t.Errorf("slot %d starts at %v, %v; want %v", b.SlotOf(part.Stream), starts, err, want)
		}
	}
	if err := b.Refresh(t.Context()); err != nil || p.told[1].Load() != told {
		t.Errorf("told %d times of log starts: %v", p.told[1].Load()-told, err)
	}
	if _, err := b.Delete("a"); err != nil {
		t.Fatal(err)
	}
	if kvs, _, err := p.quorum.Range(t.Context(), coordSlot); err != nil || slices.ContainsFunc(kvs, func(kv coord.KV) bool {
		return strings.Contains(kv.Key, prefixStart)
	}) {
		t.Errorf("log starts of a topic that is gone: %v, %v", kvs, err)
	}
}
