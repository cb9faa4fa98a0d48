// Package brokertest lets tests of front ends have a broker that owns some slots of a cluster and not others.
package brokertest

import (
	"context"
	"path"
	"strconv"
	"sync"

	"github.com/narumq/naru/internal/broker"
	"github.com/narumq/naru/internal/catalog"
	"github.com/narumq/naru/internal/coord"
	"github.com/narumq/naru/internal/journal"
	"github.com/narumq/naru/internal/peer"
	"github.com/narumq/naru/internal/vfs"
)

// Slot names a slot.
type Slot = journal.SlotID

// Cluster is what a broker is told of the others.
type Cluster struct {
	broker.Cluster // nil: what is not below is not asked

	mu     sync.Mutex
	live   []broker.Member // guarded by mu
	owners map[Slot]int32  // guarded by mu
	epochs map[Slot]int32  // guarded by mu
	looked chan<- Slot     // guarded by mu; nil: nobody is told
}

// Live says which brokers there are, by number.
func (c *Cluster) Live(members ...broker.Member) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.live = members
}

// Own says that a broker has a slot; 0: nobody. Each time that somebody gets it is an epoch.
func (c *Cluster) Own(node int32, slot Slot) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.owners == nil {
		c.owners, c.epochs = map[Slot]int32{}, map[Slot]int32{}
	}
	if node != 0 && node != c.owners[slot] {
		c.epochs[slot]++
	}
	c.owners[slot] = node
}

// Looked tells which slot's leader was asked for next.
func (c *Cluster) Looked() <-chan Slot {
	told := make(chan Slot, 1)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.looked = told
	return told
}

// Leader implements broker.Cluster.
func (c *Cluster) Leader(slot Slot) (node, epoch int32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.looked != nil {
		c.looked <- slot
		c.looked = nil
	}
	return c.owners[slot], c.epochs[slot]
}

// Owner implements broker.Cluster.
func (c *Cluster) Owner(slot Slot) int32 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.owners[slot]
}

// Peer implements broker.Cluster: nobody answers.
func (c *Cluster) Peer(int32) (*peer.Client, error) { return nil, broker.ErrNotOwner }

// Fence implements broker.Cluster: owners have no keys here.
func (c *Cluster) Fence(Slot) (catalog.Fence, bool) { return catalog.Fence{}, true }

// Members implements broker.Cluster.
func (c *Cluster) Members() []broker.Member {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.live
}

// medium is a slot's journal with the epoch of who has it.
type medium struct {
	*journal.Journal
	epoch int32
}

// Epoch is the slot's.
func (m medium) Epoch() int32 { return m.epoch }

// OpenSlot opens a slot that the broker has, whose journal is in a directory of dir: as it was left there, or new.
func (c *Cluster) OpenSlot(b *broker.Broker, slot Slot, dir string) error {
	_, epoch := c.Leader(slot)
	return b.OpenSlot(slot, func(opt journal.Options) (broker.Medium, error) {
		fs, own := vfs.OS(), path.Join(dir, strconv.Itoa(int(slot)))
		if err := fs.MkdirAll(own); err != nil {
			return nil, err
		}
		j, err := journal.Open(fs, own, opt)
		if err != nil {
			return nil, err
		}
		return medium{j, epoch}, nil
	})
}

// Catalog is one that several brokers of a test share. It fences nobody.
type Catalog struct {
	quorum *coord.Fake
	fence  catalog.Fence
	slots  int
}

// NewCatalog makes a catalog for so many slots.
func NewCatalog(ctx context.Context, slots int) (*Catalog, error) {
	const key = "fence"
	quorum := coord.NewFake(coord.FakeConfig{})
	if _, err := quorum.Txn(ctx, nil, []coord.Op{coord.Put(key, []byte("all"), 0)}, nil); err != nil {
		return nil, err
	}
	kv, _, err := quorum.Get(ctx, key)
	if err != nil {
		return nil, err
	}
	return &Catalog{quorum, catalog.Fence{Key: key, Created: kv.CreateRevision}, slots}, nil
}

// Store is the catalog for one broker, which has a name of its own, until ctx ends.
func (c *Catalog) Store(ctx context.Context, name string) catalog.Store {
	return catalog.NewCoord(catalog.CoordConfig{
		Store: c.quorum, Context: ctx, Member: c.fence, Slots: c.slots, Name: name,
		SlotOwner: func(int) (catalog.Fence, bool) { return c.fence, true },
	})
}
