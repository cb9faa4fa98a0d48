package journal

import (
	"sort"
	"sync"
	"sync/atomic"
)

// chunk is a piece of recent bytes of one segment, in file order. The
// committer builds a commit in chunks and writes it from there, so that the
// write buffer is the cache. It is also the buffer of a read from disk.
type chunk struct {
	seg   SegmentID
	start int64        // position in the segment of mem[0]
	mem   []byte       // fixed; bytes that are committed never change
	n     int          // bytes used; the committer's alone until closed
	used  atomic.Int64 // len(mem) while the chunk may grow, then n
	refs  atomic.Int32 // the cache, and each reader
	reuse func([]byte) // takes mem when nobody refers to it; may be nil
}

// close says that nothing more will be added: bytes behind n are old ones.
func (c *chunk) close() { c.used.Store(int64(c.n)) }

// end is where the chunk ends in the segment. While it may grow, extents tell
// how much of it is committed.
func (c *chunk) end() int64 { return c.start + c.used.Load() }

func (c *chunk) room() int { return len(c.mem) - c.n }

// cache is a bounded queue of chunks, oldest first.
type cache struct {
	mu       sync.Mutex
	chunks   []*chunk // by (segment, start)
	bytes    int64    // of memory: an object may have more than it fills
	bytesMax int64
	chunkCap int
	free     sync.Pool // *chunk with chunkCap capacity
}

func newCache(bytesMax int64) *cache {
	c := &cache{bytesMax: bytesMax, chunkCap: int(min(chunkBytesMax, bytesMax/4))}
	c.free.New = func() any { return &chunk{mem: make([]byte, c.chunkCap)} }
	return c
}

// buffer returns an empty chunk with room for n bytes and one reference, of the
// cache's full size if whole is set or n comes near it.
func (c *cache) buffer(n int, whole bool) *chunk {
	var k *chunk
	if n <= c.chunkCap && (whole || n > c.chunkCap/2) {
		k = c.free.Get().(*chunk)
		k.n = 0
	} else {
		k = &chunk{mem: make([]byte, n)}
	}
	k.used.Store(int64(len(k.mem)))
	k.refs.Store(1)
	return k
}

// release gives one reference back.
func (c *cache) release(k *chunk) {
	if k.refs.Add(-1) != 0 {
		return
	}
	if k.reuse != nil {
		k.reuse(k.mem)
	} else if len(k.mem) == c.chunkCap {
		c.free.Put(k)
	}
}

// add appends a chunk that the committer has begun, and forgets the oldest.
func (c *cache) add(k *chunk) {
	c.mu.Lock()
	c.chunks = append(c.chunks, k)
	c.bytes += int64(cap(k.mem))
	var evicted []*chunk
	for c.bytes > c.bytesMax && len(c.chunks) > 1 {
		old := c.chunks[0]
		c.chunks[0] = nil // else it stays in memory
		c.chunks = c.chunks[1:]
		c.bytes -= int64(cap(old.mem))
		evicted = append(evicted, old)
	}
	c.mu.Unlock()
	for _, old := range evicted {
		c.release(old)
	}
}

// get returns the chunk that holds pos of seg with a reference, or nil.
func (c *cache) get(seg SegmentID, pos int64) *chunk {
	c.mu.Lock()
	defer c.mu.Unlock()
	i := sort.Search(len(c.chunks), func(i int) bool {
		k := c.chunks[i]
		return k.seg > seg || k.seg == seg && k.start > pos
	}) - 1
	if i < 0 {
		return nil
	}
	k := c.chunks[i]
	if k.seg != seg || pos >= k.end() {
		return nil
	}
	k.refs.Add(1)
	return k
}
