package broker

import (
	"context"
	"flag"
	"fmt"
	"testing"
	"time"

	"github.com/narumq/naru/internal/coord"
	"github.com/narumq/naru/internal/journal"
	"github.com/narumq/naru/internal/objectstore"
)

// On the object medium every machine of these tests has a bucket and a coordinator instead of a disk.
var medium = flag.String("medium", "disk", "what machines keep records in: disk, object")

// cloud is what a machine without a disk has.
type cloud struct {
	t       *testing.T
	bucket  *objectstore.Fake
	quorum  *coord.Fake
	flusher *journal.Flusher
	starts  int
}

func newCloud(t *testing.T) *cloud {
	c := &cloud{t: t, bucket: objectstore.NewFake(objectstore.FakeConfig{Now: time.Now}), quorum: coord.NewFake(coord.FakeConfig{})}
	t.Cleanup(func() {
		if c.flusher != nil {
			c.flusher.Close()
		}
	})
	return c
}

// open takes the only slot over, as a new process would.
func (c *cloud) open(opt journal.Options) (Medium, error) {
	ctx := context.Background()
	if c.starts++; c.flusher != nil {
		c.flusher.Close()
	}
	keys := func(journal.SlotID) (owner, head string) { return "owner", "head" }
	c.flusher = journal.NewFlusher(journal.FlusherOptions{
		Store: c.bucket, Coord: c.quorum, Keys: keys, Name: fmt.Sprintf("start-%d", c.starts),
		SlotOf: func(journal.StreamID) journal.SlotID { return 0 }, FlushEvery: 100 * time.Microsecond, EntryBytesMax: 60 << 10,
	})
	if _, err := c.quorum.Txn(ctx, nil, []coord.Op{coord.Delete("owner")}, nil); err != nil {
		return nil, err
	}
	won, err := c.quorum.Txn(ctx, nil, []coord.Op{coord.Put("owner", []byte("me"), 0)}, nil)
	if err != nil {
		return nil, err
	}
	opt.RelocateEvery = 0
	return c.flusher.Open(ctx, 0, won.Revision, opt)
}

// crash ends the flusher first, so that nothing that was not committed is.
func (c *cloud) crash() { c.flusher.Close() }

// needsDisk leaves out a test that is about disks.
func (m *machine) needsDisk(why string) {
	if m.cloud != nil {
		m.t.Skip("a disk: ", why)
	}
}
