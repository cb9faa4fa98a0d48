package broker

import (
	"context"
	"flag"
	"fmt"
	"testing"
	"time"

	"github.com/narumq/naru/internal/catalog"
	"github.com/narumq/naru/internal/coord"
	"github.com/narumq/naru/internal/journal"
	"github.com/narumq/naru/internal/objectstore"
	"github.com/narumq/naru/internal/peer"
)

// On the object medium every machine of these tests has a bucket and a coordinator instead of a disk, and may have several slots.
var (
	medium    = flag.String("medium", "disk", "what machines keep records in: disk, object")
	slotCount = flag.Int("slots", 1, "how many slots a machine has on the object medium")
)

// cloud is what a machine without a disk has.
type cloud struct {
	t       *testing.T
	bucket  *objectstore.Fake
	quorum  *coord.Fake
	slots   int
	flusher *journal.Flusher
	starts  int
}

func newCloud(t *testing.T) *cloud {
	c := &cloud{
		t: t, bucket: objectstore.NewFake(objectstore.FakeConfig{Now: time.Now}), quorum: coord.NewFake(coord.FakeConfig{}), slots: *slotCount,
	}
	t.Cleanup(func() {
		if c.flusher != nil {
			c.flusher.Close()
		}
	})
	return c
}

// boot begins anew, as a new process would.
func (c *cloud) boot() {
	if c.starts++; c.flusher != nil {
		c.flusher.Close()
	}
	c.flusher = newFlusher(c.bucket, c.quorum, fmt.Sprintf("start-%d", c.starts), c.slots)
}

func newFlusher(bucket objectstore.Store, quorum coord.Store, name string, slots int) *journal.Flusher {
	return journal.NewFlusher(journal.FlusherOptions{
		Store: bucket, Coord: quorum, Keys: slotKeys, Name: name, FlushEvery: 100 * time.Microsecond, EntryBytesMax: objectEntryBytesMax,
		SlotOf: func(s journal.StreamID) journal.SlotID { return journal.SlotID(uint64(s) % uint64(slots)) },
	})
}

const objectEntryBytesMax = 60 << 10

func slotKeys(id journal.SlotID) (owner, head string) {
	return fmt.Sprintf("owner/%d", id), fmt.Sprintf("head/%d", id)
}

// open takes a slot over.
func (c *cloud) open(id journal.SlotID) func(journal.Options) (Medium, error) {
	return func(opt journal.Options) (Medium, error) { return takeSlot(c.quorum, c.flusher, id, opt) }
}

// takeSlot makes a flusher's process the owner of a slot, whoever that was.
func takeSlot(quorum coord.Store, f *journal.Flusher, id journal.SlotID, opt journal.Options) (Medium, error) {
	ctx := context.Background()
	owner, _ := slotKeys(id)
	if _, err := quorum.Txn(ctx, nil, []coord.Op{coord.Delete(owner)}, nil); err != nil {
		return nil, err
	}
	won, err := quorum.Txn(ctx, nil, []coord.Op{coord.Put(owner, []byte("me"), 0)}, nil)
	if err != nil {
		return nil, err
	}
	opt.RelocateEvery = 0
	s, err := f.Open(ctx, id, won.Revision, opt)
	if err != nil {
		return nil, err
	}
	return s, nil
}

// alone is a cluster of one broker.
type alone struct{}

func (alone) Owner(journal.SlotID) int32                 { return 1 }
func (alone) Leader(journal.SlotID) (node, epoch int32)  { return 1, 1 }
func (alone) Fence(journal.SlotID) (catalog.Fence, bool) { return catalog.Fence{}, true }

func (alone) Members() []Member { return []Member{{Node: 1}} }

func (alone) Peer(node int32) (*peer.Client, error) {
	return nil, fmt.Errorf("%w: there is no broker %d", peer.ErrNotSent, node)
}

// crash ends the flusher first, so that nothing that was not committed is.
func (c *cloud) crash() { c.flusher.Close() }

// needsDisk leaves out a test that is about disks.
func (m *machine) needsDisk(why string) {
	if m.cloud != nil {
		m.t.Skip("a disk: ", why)
	}
}
