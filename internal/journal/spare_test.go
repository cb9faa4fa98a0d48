package journal

import (
	"bytes"
	"context"
	"runtime"
	"sync/atomic"
	"testing"
	"weak"

	"github.com/narumq/naru/internal/objectstore"
	"github.com/narumq/naru/internal/record"
)

// The memory of an object is used again when it left the cache and nobody reads it, and not before.
func TestBodiesAreUsedAgain(t *testing.T) {
	w := newSlotWorld(t)
	f := w.flusher(func(o *FlusherOptions) { o.CacheBytes = 1 }) // the newest object
	s := w.open(f, 0)
	next := record.Offset(0)
	write := func(objects int) {
		for range objects {
			if err := put(s, 3, next, bytes.Repeat([]byte{byte('a' + next)}, 1000)); err != nil {
				t.Fatal(err)
			}
			next++
		}
	}
	write(1)
	held, err := s.Read(3, 0, 2000, true)
	if err != nil || len(held.Payloads) != 1 {
		t.Fatalf("%d payloads, %v", len(held.Payloads), err)
	}
	body := &held.chunks[0].mem[0]
	write(8)
	if want := bytes.Repeat([]byte{'a'}, 1000); !bytes.Contains(held.Payloads[0], want) {
		t.Errorf("it was written over while it was read: %.40q", held.Payloads[0])
	}
	held.Release()
	again := false
	for range 4 {
		write(1)
		slice, err := s.Read(3, next-1, 2000, true)
		if err != nil {
			t.Fatal(err)
		}
		again = again || &slice.chunks[0].mem[0] == body
		slice.Release()
	}
	if !again {
		t.Error("nothing has used it again")
	}
}

// A try that failed may still be reading the object: its memory is nobody's afterwards.
func TestBodiesInDoubtAreNotUsedAgain(t *testing.T) {
	w := newSlotWorld(t)
	f := w.flusher(func(o *FlusherOptions) { o.CacheBytes = 1 })
	s := w.open(f, 0)
	for i := range record.Offset(4) {
		var tries atomic.Int32
		w.bucket.SetGate(func(_ context.Context, c *objectstore.Call) objectstore.Fate {
			if c.Op.Kind == objectstore.OpPut && tries.Add(1) == 1 {
				return objectstore.FateTimedOut
			}
			return objectstore.FateDone
		})
		if err := put(s, 3, i, make([]byte, 1000)); err != nil {
			t.Fatal(err)
		}
		if tries.Load() != 2 {
			t.Fatalf("%d tries", tries.Load())
		}
	}
	if n := len(f.spare.kept); n != 0 {
		t.Errorf("the memory of %d objects is to be used again", n)
	}
}

// The cache is bounded by the memory that it holds: an object may fill only a little of its own.
func TestCacheCountsMemory(t *testing.T) {
	w := newSlotWorld(t)
	f := w.flusher(func(o *FlusherOptions) { o.CacheBytes = 64 << 10 })
	s := w.open(f, 0)
	for i := range record.Offset(40) {
		if err := put(s, 3, i, []byte("little")); err != nil {
			t.Fatal(err)
		}
	}
	held := 0
	for _, k := range f.cache.chunks {
		held += cap(k.mem)
	}
	if n := len(f.cache.chunks); n < 2 || held > 64<<10 {
		t.Errorf("%d objects are in %d bytes of memory", n, held)
	}
}

// What the cache has forgotten is nobody's memory any more.
func TestCacheLetsGo(t *testing.T) {
	const chunks, bytes, kept = 64, 1 << 10, 8
	c := newCache(kept * bytes)
	all := make([]weak.Pointer[chunk], chunks)
	for i := range all {
		k := &chunk{seg: SegmentID(i), mem: make([]byte, bytes), reuse: func([]byte) {}}
		k.refs.Store(1)
		c.add(k)
		all[i] = weak.Make(k)
	}
	runtime.GC()
	alive := 0
	for _, p := range all {
		if p.Value() != nil {
			alive++
		}
	}
	if alive != kept {
		t.Errorf("%d chunks are in memory, of which the cache has %d", alive, len(c.chunks))
	}
}
