package journal

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/narumq/naru/internal/coord"
	"github.com/narumq/naru/internal/objectstore"
	"github.com/narumq/naru/internal/record"
	"github.com/narumq/naru/internal/vfs"
)

// logObjects are the keys of the objects of appends.
func (w *slotWorld) logObjects() (keys []string) {
	for _, o := range w.bucket.Objects() {
		if strings.HasPrefix(o.Key, "log/") {
			keys = append(keys, o.Key)
		}
	}
	return keys
}

// An object that is gone although it is committed is lost data, and says so; to who does not own the slot any more it is not.
func TestSlotMissingObject(t *testing.T) {
	w := newSlotWorld(t)
	if err := put(w.open(w.flusher(nil), 0), 3, 0, []byte("one")); err != nil {
		t.Fatal(err)
	}
	unread := func(o *FlusherOptions) { o.BlockCacheBytes = 1 } // so that what opening has read is not there any more
	s := w.open(w.flusher(unread), 0)
	s.flusher.blocks.forget(&bucketObject{key: w.logObjects()[0], size: 1 << 20})

	misses := 0
	w.bucket.SetGate(func(_ context.Context, c *objectstore.Call) objectstore.Fate {
		if c.Op.Kind == objectstore.OpGet && misses < 3*goneMax {
			misses++
			return objectstore.FateMissing
		}
		return objectstore.FateDone
	})
	for {
		slice, err := s.Read(3, 0, 1000, true)
		if err != nil && !errors.Is(err, ErrGone) || err == nil && len(slice.Payloads) != 1 {
			t.Fatalf("not found for a while: %d payloads, %v", len(slice.Payloads), err)
		}
		if err == nil {
			break
		}
	}
	if misses < goneMax {
		t.Errorf("%d misses", misses)
	}
	w.bucket.SetGate(nil)

	s.flusher.blocks.forget(&bucketObject{key: w.logObjects()[0], size: 1 << 20})
	if err := w.bucket.Delete(context.Background(), w.logObjects()...); err != nil {
		t.Fatal(err)
	}
	if slice, err := s.Read(3, 0, 1000, true); !errors.Is(err, ErrLost) {
		t.Errorf("a committed object was deleted: %d payloads, %v", len(slice.Payloads), err)
	}
	owner, _ := simKeys(0)
	if _, err := w.quorum.Txn(context.Background(), nil, []coord.Op{coord.Delete(owner)}, nil); err != nil {
		t.Fatal(err)
	}
	if slice, err := s.Read(3, 0, 1000, true); !errors.Is(err, ErrNotOwner) {
		t.Errorf("an object was deleted, and the slot is somebody else's: %d payloads, %v", len(slice.Payloads), err)
	}
}

// Who finds out what became of an object, along the chain, leaves nothing of that in memory.
func TestSlotMissingOldObject(t *testing.T) {
	w := newSlotWorld(t)
	s := w.open(w.flusher(func(o *FlusherOptions) { o.CacheBytes = 1 }), 0)
	for i := range record.Offset(chainListed + 2) {
		if err := put(s, 3, i, []byte("some")); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.bucket.Delete(t.Context(), w.logObjects()[0]); err != nil {
		t.Fatal(err)
	}
	if slice, err := s.Read(3, 0, 1000, true); !errors.Is(err, ErrLost) {
		t.Errorf("a committed object was deleted: %d payloads, %v", len(slice.Payloads), err)
	}
	if n := len(s.flusher.blocks.footers); n != 0 {
		t.Errorf("the footers of %d objects stay in memory", n)
	}
}

// To look for a time asks for what an object lists, and finds out about one that is not there as reading does.
func TestSlotSeekTimeMissingObject(t *testing.T) {
	w := newSlotWorld(t)
	first := w.open(w.flusher(nil), 0)
	for i := range record.Offset(2) {
		if err := put(first, 3, i, []byte("some")); err != nil {
			t.Fatal(err)
		}
	}
	s := w.open(w.flusher(func(o *FlusherOptions) { o.BlockCacheBytes = 1 }), 0)
	for _, key := range w.logObjects() {
		s.flusher.blocks.forget(&bucketObject{key: key, size: 1 << 20})
	}
	misses := 0
	w.bucket.SetGate(func(context.Context, *objectstore.Call) objectstore.Fate {
		if misses++; misses < goneMax {
			return objectstore.FateMissing
		}
		return objectstore.FateDone
	})
	if base, ok, err := s.SeekTime(3, 0, 0); base != 0 || !ok || err != nil || misses < goneMax {
		t.Errorf("not found for a moment: %d, %v, %v after %d requests", base, ok, err, misses)
	}
	w.bucket.SetGate(nil)
	if err := w.bucket.Delete(t.Context(), w.logObjects()...); err != nil {
		t.Fatal(err)
	}
	if base, ok, err := s.SeekTime(3, 0, 1); !errors.Is(err, ErrLost) || isMissing(err) {
		t.Errorf("a committed object was deleted: %d, %v, %v", base, ok, err)
	}
	owner, _ := simKeys(0)
	if _, err := w.quorum.Txn(t.Context(), nil, []coord.Op{coord.Delete(owner)}, nil); err != nil {
		t.Fatal(err)
	}
	if base, ok, err := s.SeekTime(3, 0, 1); !errors.Is(err, ErrNotOwner) {
		t.Errorf("an object was deleted, and the slot is somebody else's: %d, %v, %v", base, ok, err)
	}
}

// Readers of one block share one request, and what is kept is bounded.
func TestBlockCache(t *testing.T) {
	bucket := objectstore.NewFake(objectstore.FakeConfig{})
	body := bytes.Repeat([]byte("0123456789abcdef"), 20*blockBytes/16)
	body = body[:len(body)-100]
	if err := bucket.Put(context.Background(), "a", body); err != nil {
		t.Fatal(err)
	}
	gate := make(chan struct{})
	bucket.SetGate(func(context.Context, *objectstore.Call) objectstore.Fate { <-gate; return objectstore.FateDone })
	c := newBlockCache(context.Background(), bucket, 4*blockBytes)
	o := &bucketObject{c, "a", int64(len(body))}
	var work sync.WaitGroup
	for range 10 {
		work.Go(func() {
			b := make([]byte, 3*blockBytes)
			if n, err := o.ReadAt(b, 100); n != len(b) || err != nil || !bytes.Equal(b, body[100:100+n]) {
				t.Errorf("%d bytes, %v", n, err)
			}
		})
	}
	close(gate)
	work.Wait()
	if u := bucket.Usage()[objectstore.OpGet]; u.Calls != 1 {
		t.Errorf("%d requests by ten readers of the same blocks", u.Calls)
	}
	b := make([]byte, len(body))
	if n, err := o.ReadAt(b, 0); n != len(b) || err != nil || !bytes.Equal(b, body) {
		t.Errorf("the whole object: %d bytes, %v", n, err)
	}
	st := c.stats()
	if st.CacheBytes > 4*blockBytes || st.BlockHits+st.BlockMisses != 10*4+20 || int(st.Requests) != int(bucket.Usage()[objectstore.OpGet].Calls) {
		t.Errorf("%+v", st)
	}
	if n, err := o.ReadAt(b, 100); n != len(body)-100 || err == nil {
		t.Errorf("past the end: %d bytes, %v", n, err)
	}
	bucket.SetGate(func(context.Context, *objectstore.Call) objectstore.Fate { return objectstore.FateBroken })
	o.blocks.forget(o)
	if _, err := o.ReadAt(b[:10], 0); !errors.Is(err, objectstore.ErrUnavailable) {
		t.Errorf("a request that failed: %v", err)
	}
	bucket.SetGate(nil)
	if _, err := o.ReadAt(b[:10], 0); err != nil {
		t.Errorf("an error was kept: %v", err)
	}
	closed, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := (&bucketObject{newBlockCache(closed, bucket, 1), "a", o.size}).ReadAt(b[:10], 0); !errors.Is(err, ErrClosed) {
		t.Errorf("read after the end: %v", err)
	}
}

// The disk has what memory has not; a bad byte and a full disk are misses.
func TestBlockCacheOnDisk(t *testing.T) {
	bucket := objectstore.NewFake(objectstore.FakeConfig{})
	body := bytes.Repeat([]byte("0123456789abcdef"), 8*blockBytes/16)
	if err := bucket.Put(context.Background(), "a", body); err != nil {
		t.Fatal(err)
	}
	fs := vfs.NewMem()
	disk, err := newDiskCache(fs, "cache", 4*blockBytes, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	c := newBlockCache(context.Background(), bucket, blockBytes)
	c.disk = disk
	o := &bucketObject{c, "a", int64(len(body))}
	b := make([]byte, len(body))
	read := func(from, to int64) (requests int64) {
		t.Helper()
		before := bucket.Usage()[objectstore.OpGet].Calls
		if n, err := o.ReadAt(b[:to-from], from); int64(n) != to-from || err != nil || !bytes.Equal(b[:n], body[from:to]) {
			t.Fatalf("%d bytes at %d: %v", n, from, err)
		}
		for len(disk.queue) > 0 {
			disk.write(<-disk.queue)
		}
		return bucket.Usage()[objectstore.OpGet].Calls - before
	}
	read(0, 4*blockBytes)
	if n := read(0, 4*blockBytes); n != 0 {
		t.Errorf("%d requests for what is on disk", n)
	}
	fs.Corrupt("cache/"+diskCacheFile, blockBytes+5, 1)
	if n := read(0, 3*blockBytes); n != 1 {
		t.Errorf("%d requests for a block that is damaged on disk", n)
	}
	read(4*blockBytes, 8*blockBytes)
	if used := fs.Used(); used > 5*blockBytes {
		t.Errorf("%d bytes on disk", used)
	}
	fs.SetCapacity(1)
	again, err := newDiskCache(fs, "cache", 100*blockBytes, disk.log)
	if err != nil {
		t.Fatal(err)
	}
	c.disk, disk = again, again
	read(0, 8*blockBytes)
	if again.used() != 0 || read(0, 8*blockBytes) == 0 {
		t.Errorf("%d bytes on a full disk", again.used())
	}
}

// However long chains are, slots that share them have each object read once.
func TestSlotsReadChainsOnce(t *testing.T) {
	const objects = manifestChainMax + 40
	w := fill(t, 2, objects, 2)
	c := newBlockCache(t.Context(), w.bucket, 1)
	before := w.bucket.Usage()[objectstore.OpGet].Calls
	for id := range SlotID(2) {
		_, key := simKeys(id)
		kv, _, err := w.quorum.Get(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		head, err := DecodeHead(kv.Value)
		if err != nil {
			t.Fatal(err)
		}
		if list, err := walkChain(c, id, head, nil); len(list) != objects || err != nil {
			t.Errorf("a chain of %d, %v", len(list), err)
		}
	}
	if n := w.bucket.Usage()[objectstore.OpGet].Calls - before; n > objects {
		t.Errorf("%d requests for %d objects", n, objects)
	}
}

// Catching up and taking over do not wait for one request after the other, however far the bucket is.
func TestSlotsReadInParallel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := fill(t, 64, 32, 64*benchPayload)
		far(w.bucket, benchLatency)
		f := w.flusher(t, nil)
		began := time.Now()
		slots := w.open(t, f)
		if took := time.Since(began); took > 10*benchLatency {
			t.Errorf("taking over 64 slots of 32 objects took %v", took)
		}
		alone := newBlockCache(context.Background(), w.bucket, 1<<20)
		alone.spawn = func(f func()) { go f() }
		began = time.Now()
		if list, err := walkChain(alone, 7, slots[7].Head(), nil); len(list) != 32 || err != nil {
			t.Errorf("a chain of %d, %v", len(list), err)
		}
		if took := time.Since(began); took > 4*benchLatency {
			t.Errorf("reading a chain took %v", took)
		}
		began = time.Now()
		if n := catchUp(t, slots[5], 64+5); n != w.size/64 {
			t.Errorf("%d of %d bytes", n, w.size/64)
		}
		if took := time.Since(began); took > 10*benchLatency {
			t.Errorf("catching up over 32 objects took %v", took)
		}
		f.Close()
	})
}

// A process that has a disk reads again without the bucket; the next one begins anew.
func TestFlusherCacheOnDisk(t *testing.T) {
	w := fill(t, 1, 4, 4*benchPayload)
	fs := vfs.NewMem()
	for range 2 {
		f := w.flusher(t, func(o *FlusherOptions) { o.CacheFS, o.CacheDir, o.BlockCacheBytes = fs, "cache", 1 })
		s := w.open(t, f)[0]
		f.ahead = nil
		for f.ReadStats().DiskBytes < int64(len(w.bucket.Objects()))*blockBytes {
			if n := catchUp(t, s, 1); n != w.size {
				t.Fatalf("%d of %d bytes", n, w.size)
			}
		}
		before := w.bucket.Usage()[objectstore.OpGet].Calls
		if n := catchUp(t, s, 1); n != w.size || f.ReadStats().DiskHits == 0 {
			t.Errorf("%d of %d bytes; %+v", n, w.size, f.ReadStats())
		}
		if before == 0 {
			t.Error("the bucket was not asked")
		}
		f.Close()
	}
	if fs.OpenFiles() != 0 {
		t.Errorf("%d files are open", fs.OpenFiles())
	}
}
