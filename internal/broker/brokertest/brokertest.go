// Package brokertest lets tests of front ends have a broker that owns some slots of a cluster and not others.
package brokertest

import (
	"path"
	"strconv"
	"sync"

	"github.com/narumq/naru/internal/broker"
	"github.com/narumq/naru/internal/journal"
	"github.com/narumq/naru/internal/vfs"
)

// Slot names a slot.
type Slot = journal.SlotID

// Cluster is what a broker is told of the others.
type Cluster struct {
	broker.Cluster // nil: what is not below is not asked
	Live           []broker.Member

	mu     sync.Mutex
	owners map[Slot]int32 // guarded by mu
}

// Own says that a broker has a slot; 0: nobody.
func (c *Cluster) Own(node int32, slot Slot) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.owners == nil {
		c.owners = map[Slot]int32{}
	}
	c.owners[slot] = node
}

// Owner implements broker.Cluster.
func (c *Cluster) Owner(slot Slot) int32 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.owners[slot]
}

// Members implements broker.Cluster.
func (c *Cluster) Members() []broker.Member { return c.Live }

// OpenSlot opens a slot whose journal is in a directory of dir: as it was left there, or new.
func OpenSlot(b *broker.Broker, slot Slot, dir string) error {
	return b.OpenSlot(slot, func(opt journal.Options) (broker.Medium, error) {
		fs, own := vfs.OS(), path.Join(dir, strconv.Itoa(int(slot)))
		if err := fs.MkdirAll(own); err != nil {
			return nil, err
		}
		return journal.Open(fs, own, opt)
	})
}
