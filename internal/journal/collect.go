package journal

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/narumq/naru/internal/coord"
	"github.com/narumq/naru/internal/objectstore"
)

// Collection is what Collect found.
type Collection struct {
	Objects     int // in the bucket
	Bytes       int64
	Orphans     int // old enough, and nobody's
	OrphanBytes int64
	Deleted     int
	Unsettled   int // too young to tell
}

// Collector removes objects that no slot refers to. One broker of a cluster runs it at a time; two do no harm.
type Collector struct {
	Store objectstore.Store
	Coord coord.Store
	Keys  func(SlotID) (owner, head string)
	Slots SlotID // how many there are
	Name  string // of this process
	// Grace is how old an object is before it can be an orphan, by the bucket's own clock. It has to be many times AgeMax:
	// a younger object may yet be committed.
	Grace time.Duration
}

// Collect lists the bucket, then reads what all slots refer to, and deletes what is old and nobody's. In this order: an object
// that is old when it is listed can only have been committed already, or never will be.
func (c *Collector) Collect(ctx context.Context) (sum Collection, err error) {
	now, err := c.clock(ctx)
	if err != nil {
		return sum, err
	}
	old := make(map[string]int64)
	for _, prefix := range []string{"log/", "slot/", "clock/"} { // also what clock could not remove
		if err := c.list(ctx, prefix, now.Add(-c.Grace), old, &sum); err != nil {
			return sum, err
		}
	}
	if len(old) == 0 {
		return sum, nil
	}
	blocks := newBlockCache(ctx, c.Store, collectCacheBytes)
	for slot := range c.Slots {
		if err := c.keep(ctx, blocks, slot, old); err != nil {
			return sum, fmt.Errorf("what slot %d refers to: %w", slot, err)
		}
	}
	return sum, c.remove(ctx, old, &sum)
}

// clock is the bucket's, told by an object that is made for it.
func (c *Collector) clock(ctx context.Context) (time.Time, error) {
	key := fmt.Sprintf("clock/%s-%d", c.Name, time.Now().UnixNano())
	if err := c.Store.Put(ctx, key, nil); err != nil {
		return time.Time{}, err
	}
	info, err := c.Store.Stat(ctx, key)
	if err != nil {
		return time.Time{}, err
	}
	return info.Modified, c.Store.Delete(ctx, key)
}

func (c *Collector) list(ctx context.Context, prefix string, before time.Time, old map[string]int64, sum *Collection) error {
	after := ""
	for {
		page, err := c.Store.List(ctx, prefix, after, objectstore.ListMax)
		if err != nil {
			return err
		}
		for _, o := range page {
			sum.Objects++
			sum.Bytes += o.Bytes
			if o.Modified.Before(before) {
				old[o.Key] = o.Bytes
			} else {
				sum.Unsettled++
			}
		}
		if len(page) < objectstore.ListMax {
			return nil
		}
		after = page[len(page)-1].Key
	}
}

// collectCacheBytes is for the ends of objects, which slots share.
const collectCacheBytes = 16 << 20

// keep takes what a slot refers to out of old.
func (c *Collector) keep(ctx context.Context, blocks *blockCache, slot SlotID, old map[string]int64) error {
	_, key := c.Keys(slot)
	kv, ok, err := c.Coord.Get(ctx, key)
	if err != nil || !ok {
		return err
	}
	head, err := DecodeHead(kv.Value)
	if err != nil {
		return err
	}
	if head.Manifest != "" {
		delete(old, head.Manifest)
		m, err := loadManifest(ctx, c.Store, slot, head)
		if err != nil {
			return err
		}
		for _, o := range m.objects {
			delete(old, o.key)
		}
	}
	list, err := walkChain(blocks, slot, head, nil)
	for _, o := range list {
		delete(old, o.key)
	}
	return err
}

func (c *Collector) remove(ctx context.Context, old map[string]int64, sum *Collection) error {
	var keys []string
	flush := func() error {
		err := c.Store.Delete(ctx, keys...)
		if err == nil {
			sum.Deleted += len(keys)
		}
		keys = keys[:0]
		return err
	}
	for key, bytes := range old {
		sum.Orphans++
		sum.OrphanBytes += bytes
		if keys = append(keys, strings.Clone(key)); len(keys) == objectstore.DeleteMax {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	if len(keys) == 0 {
		return nil
	}
	return flush()
}
