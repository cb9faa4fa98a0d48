package journal

import (
	"container/list"
	"context"
	"fmt"
	"io"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/narumq/naru/internal/objectstore"
)

const (
	// blockBytes is the piece in which objects are cached. Small, because a stream may have only a little in each object: pieces of
	// 1 MiB are no faster where it has much, and 16 times the traffic where it has little (BenchmarkCatchUp).
	blockBytes = 64 << 10
	// fetchBytesMax is what one request asks for: blocks that follow each other come together.
	fetchBytesMax = 1 << 20
	bucketTimeout = 30 * time.Second // of one request
	// footBytesMax is for extents from the footers of objects, of all slots together.
	footBytesMax = 8 * extentCacheBytesMax
)

// blockCache holds blocks of objects that were read from the bucket, least recently used out first. All slots of a process share
// one. Objects never change and their names are never used again, so that what is here is true for ever. Nothing in it was
// checked: whoever reads frames or footers does that.
type blockCache struct {
	ctx      context.Context // ends requests
	store    objectstore.Store
	bytesMax int64
	spawn    func(func()) // runs beside the caller
	disk     *diskCache   // behind the memory; nil: none
	counts   blockCounts

	mu    sync.Mutex
	byKey map[blockKey]*block
	order *list.List // of *block that have come, most recently used in front
	bytes int64      // of those

	footers map[string]*footer // guarded by mu
	sharing int                // guarded by mu: who wants footers to be remembered
}

// blockKey names the n-th block of an object.
type blockKey struct {
	object string
	n      int64
}

// block is a piece of an object that is here, or on its way.
type block struct {
	key   blockKey
	done  chan struct{} // closed when data and err are final
	data  []byte
	err   error
	place *list.Element // guarded by blockCache.mu; nil: on its way, or not kept
}

type blockCounts struct{ hits, misses, ahead, diskHits, fetched, requests atomic.Int64 }

func newBlockCache(ctx context.Context, store objectstore.Store, bytesMax int64) *blockCache {
	return &blockCache{
		ctx: ctx, store: store, bytesMax: bytesMax, spawn: func(f func()) { f() }, byKey: make(map[blockKey]*block), order: list.New(),
		footers: make(map[string]*footer),
	}
}

// readAt is io.ReaderAt of an object.
func (c *blockCache) readAt(o *bucketObject, b []byte, off int64) (n int, err error) {
	for _, k := range c.want(o, off, off+int64(len(b)), false) {
		<-k.done
		at := off + int64(n) - k.key.n*blockBytes
		if k.err != nil {
			return n, k.err
		}
		if at >= int64(len(k.data)) {
			break
		}
		n += copy(b[n:], k.data[at:])
	}
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

// want returns the blocks that hold [off, end) of an object, and sees to it that they come. A block that somebody else has asked
// for is not asked for again.
func (c *blockCache) want(o *bucketObject, off, end int64, ahead bool) (all []*block) {
	var missing []*block
	end = min(end, o.size)
	c.mu.Lock()
	for n := off / blockBytes; n*blockBytes < end; n++ {
		key := blockKey{o.key, n}
		k := c.byKey[key]
		switch {
		case k == nil:
			k = &block{key: key, done: make(chan struct{})}
			c.byKey[key] = k
			missing = append(missing, k)
		case k.place != nil:
			c.order.MoveToFront(k.place)
		}
		all = append(all, k)
	}
	c.mu.Unlock()
	if ahead {
		c.counts.ahead.Add(int64(len(missing)))
	} else {
		c.counts.misses.Add(int64(len(missing)))
		c.counts.hits.Add(int64(len(all) - len(missing)))
	}
	c.fetch(o, c.fromDisk(missing))
	return all
}

// fetch gets blocks with as few requests as it can, all at once, and returns when the last of them has ended.
func (c *blockCache) fetch(o *bucketObject, blocks []*block) {
	for len(blocks) > 0 {
		n := 1
		for n < len(blocks) && n < fetchBytesMax/blockBytes && blocks[n].key.n == blocks[0].key.n+int64(n) {
			n++
		}
		group := blocks[:n]
		if blocks = blocks[n:]; len(blocks) == 0 {
			c.get(o, group)
		} else {
			c.spawn(func() { c.get(o, group) })
		}
	}
}

// get is one request.
func (c *blockCache) get(o *bucketObject, group []*block) {
	ctx, cancel := context.WithTimeout(c.ctx, bucketTimeout)
	defer cancel()
	off := group[0].key.n * blockBytes
	length := min(int64(len(group))*blockBytes, o.size-off)
	body, err := c.store.Get(ctx, o.key, off, length)
	if err != nil && c.ctx.Err() != nil {
		err = fmt.Errorf("%w: %w", ErrClosed, err)
	}
	c.counts.requests.Add(1)
	c.counts.fetched.Add(int64(len(body)))
	for i, k := range group {
		k.err = err
		part := body[min(i*blockBytes, len(body)):min((i+1)*blockBytes, len(body))]
		if len(group) > 1 {
			part = slices.Clone(part) // else each block would hold all of them in memory
		}
		k.data = part
		whole := err == nil && int64(len(part)) == min(blockBytes, o.size-k.key.n*blockBytes)
		c.settle(k, whole)
		if whole && c.disk != nil {
			c.disk.offer(k.key, part)
		}
	}
}

// settle gives a block to those who wait for it, and keeps it if it is whole.
func (c *blockCache) settle(k *block, keep bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	defer close(k.done)
	if c.byKey[k.key] != k {
		return // forgotten meanwhile
	}
	if !keep {
		delete(c.byKey, k.key)
		return
	}
	k.place = c.order.PushFront(k)
	c.bytes += int64(len(k.data))
	for c.bytes > c.bytesMax && c.order.Len() > 1 {
		c.drop(c.order.Back().Value.(*block))
	}
}

// drop forgets a block. Caller holds mu.
func (c *blockCache) drop(k *block) {
	delete(c.byKey, k.key)
	if k.place != nil {
		c.order.Remove(k.place)
		c.bytes -= int64(len(k.data))
		k.place = nil
	}
}

// fromDisk settles what the disk has, and returns the rest.
func (c *blockCache) fromDisk(blocks []*block) []*block {
	if c.disk == nil {
		return blocks
	}
	return slices.DeleteFunc(blocks, func(k *block) bool {
		data, ok := c.disk.get(k.key)
		if ok {
			k.data = data
			c.counts.diskHits.Add(1)
			c.settle(k, true)
		}
		return ok
	})
}

// forget drops what is here of an object that was found damaged: perhaps it only came so.
func (c *blockCache) forget(o *bucketObject) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for n := int64(0); n*blockBytes < o.size; n++ {
		if k := c.byKey[blockKey{o.key, n}]; k != nil {
			c.drop(k)
		}
		if c.disk != nil {
			c.disk.forget(blockKey{o.key, n})
		}
	}
}

// ReadStats counts what a process read from the bucket since its Flusher began.
type ReadStats struct {
	BlockHits, BlockMisses int64 // blocks that readers found in memory, or on their way, and those they did not
	BlocksAhead            int64 // blocks that were asked for before a reader came
	DiskHits               int64 // of the blocks not found in memory, those on the local disk
	Requests, FetchedBytes int64 // from the bucket
	CacheBytes, DiskBytes  int64 // in memory and on disk now
}

func (c *blockCache) stats() ReadStats {
	n := &c.counts
	s := ReadStats{
		BlockHits: n.hits.Load(), BlockMisses: n.misses.Load(), BlocksAhead: n.ahead.Load(), DiskHits: n.diskHits.Load(),
		Requests: n.requests.Load(), FetchedBytes: n.fetched.Load(),
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	s.CacheBytes = c.bytes
	if c.disk != nil {
		s.DiskBytes = c.disk.used()
	}
	return s
}
