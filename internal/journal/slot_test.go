package journal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/narumq/naru/internal/coord"
	"github.com/narumq/naru/internal/objectstore"
	"github.com/narumq/naru/internal/record"
)

// slotWorld is a bucket, a coordinator, and one process after the other.
type slotWorld struct {
	t      *testing.T
	bucket *objectstore.Fake
	quorum *coord.Fake
	starts int
}

func newSlotWorld(t *testing.T) *slotWorld {
	return &slotWorld{
		t: t, bucket: objectstore.NewFake(objectstore.FakeConfig{Seed: 1, Now: time.Now}), quorum: coord.NewFake(coord.FakeConfig{Seed: 1}),
	}
}

// flusher starts a process; options may be changed first.
func (w *slotWorld) flusher(change func(*FlusherOptions)) *Flusher {
	w.starts++
	opt := FlusherOptions{
		Store: w.bucket, Coord: w.quorum, SlotOf: simSlotOf, Keys: simKeys, Name: fmt.Sprintf("p%d", w.starts),
		FlushEvery: time.Millisecond, FlushBytes: 64 << 10,
	}
	if change != nil {
		change(&opt)
	}
	f := NewFlusher(opt)
	w.t.Cleanup(f.Close)
	return f
}

// open takes a slot over, whoever has it.
func (w *slotWorld) open(f *Flusher, id SlotID) *Slot {
	w.t.Helper()
	ctx := context.Background()
	owner, _ := simKeys(id)
	if _, err := w.quorum.Txn(ctx, nil, []coord.Op{coord.Delete(owner)}, nil); err != nil {
		w.t.Fatal(err)
	}
	won, err := w.quorum.Txn(ctx, nil, []coord.Op{coord.Put(owner, []byte(f.opt.Name), 0)}, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	s, err := f.Open(ctx, id, won.Revision, Options{})
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

// put appends a payload and waits for the answer.
func put(s *Slot, stream StreamID, base record.Offset, payload []byte) error {
	if err := s.Admit(context.Background(), len(payload)); err != nil {
		return err
	}
	defer s.Release(len(payload))
	done := make(chan error, 1)
	e := &Entry{Stream: stream, Base: base, Count: 1, MaxTimestamp: int64(base), Payload: payload, Done: func(_ *Entry, err error) { done <- err }}
	if err := s.Enqueue(e); err != nil {
		return err
	}
	return <-done
}

func readSlot(t *testing.T, s *Slot, stream StreamID) (list [][]byte) {
	t.Helper()
	for at := record.Offset(0); ; {
		slice, err := s.Read(stream, at, 10_000, true)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range slice.Payloads {
			list = append(list, bytes.Clone(p))
		}
		next := slice.Next
		slice.Release()
		if next == at {
			return list
		}
		at = next
	}
}

// Appends from many goroutines, to slots that all fail now and then, are there in another process afterwards.
func TestSlotsUnderLoad(t *testing.T) {
	w := newSlotWorld(t)
	f := w.flusher(nil)
	slots := make([]*Slot, simSlots)
	for id := range slots {
		slots[id] = w.open(f, SlotID(id))
	}
	w.bucket.SetRates(objectstore.Rates{objectstore.FateBroken: 0.1, objectstore.FateUnanswered: 0.1, objectstore.FateRepeated: 0.1})
	w.quorum.SetRates(coord.Rates{coord.FateBroken: 0.05, coord.FateUnanswered: 0.05})
	const each = 60
	var work sync.WaitGroup
	for id, s := range slots {
		for n := range simStreams {
			work.Go(func() {
				stream := slotStream(SlotID(id), n)
				for i := range record.Offset(each) {
					if err := put(s, stream, i, fmt.Appendf(nil, "%d of %d", i, stream)); err != nil {
						t.Errorf("stream %d offset %d: %v", stream, i, err)
						return
					}
				}
			})
		}
		work.Go(func() {
			for range 5 {
				s.Manifest(context.Background()) // may fail
				runtime.Gosched()
			}
		})
	}
	work.Wait()
	w.bucket.SetRates(objectstore.Rates{})
	w.quorum.SetRates(coord.Rates{})
	if err := slots[0].Drain(context.Background()); err != nil {
		t.Error(err)
	}
	if h := slots[0].Head(); h.Manifested != h.Sequence || h.Sequence == 0 {
		t.Errorf("drained with head %+v", h)
	}
	g := w.flusher(nil)
	for id := range SlotID(simSlots) {
		s := w.open(g, id)
		for n := range simStreams {
			stream := slotStream(id, n)
			list := readSlot(t, s, stream)
			if len(list) != each {
				t.Errorf("stream %d has %d of %d", stream, len(list), each)
			}
			for i, p := range list {
				if want := fmt.Sprintf("%d of %d", i, stream); string(p) != want {
					t.Errorf("stream %d offset %d: %q", stream, i, p)
				}
			}
		}
	}
	if err := put(slots[1], slotStream(1, 0), each, []byte("late")); !errors.Is(err, ErrNotOwner) {
		t.Errorf("an append of who is not the owner any more: %v", err)
	}
}

// More slots than one transaction takes share a process; those that are handed over together share the objects of their manifests.
func TestSlotsManyAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const slots = flushSlotsMax + 6
		w := fill(t, slots, 3, slots*benchPayload)
		f := w.flusher(t, nil)
		list := w.open(t, f)
		far(w.bucket, benchLatency)
		var work sync.WaitGroup
		for n, s := range list {
			work.Go(func() {
				_, at := s.Bounds(StreamID(slots + n))
				if err := put(s, StreamID(slots+n), at, []byte("last")); err != nil {
					t.Error(err)
				}
				if err := s.Drain(context.Background()); err != nil {
					t.Error(err)
				}
				if h := s.Head(); h.Manifested != h.Sequence || h.Sequence != 4 {
					t.Errorf("drained with head %+v", h)
				}
			})
		}
		work.Wait()
		f.Close()
		manifests := 0
		for _, o := range w.bucket.Objects() {
			if strings.HasPrefix(o.Key, "slot/") {
				manifests++
			}
		}
		if manifests > 5 {
			t.Errorf("%d objects of manifests of %d slots", manifests, slots)
		}
		far(w.bucket, 0)
		g := w.flusher(t, nil)
		for n, s := range w.open(t, g) {
			if got := readSlot(t, s, StreamID(slots+n)); len(got) == 0 || string(got[len(got)-1]) != "last" {
				t.Errorf("slot %d has %d payloads", n, len(got))
			}
		}
		g.Close()
	})
}

// An object that cannot be copied keeps neither others from being merged nor manifests from being written.
func TestMergeWithoutUnsound(t *testing.T) {
	w := newSlotWorld(t)
	f := w.flusher(nil)
	s := w.open(f, 0)
	for i := range record.Offset(2*mergeObjectsMin + 1) {
		if err := put(s, 3, i, []byte("some")); err != nil {
			t.Fatal(err)
		}
	}
	f = w.flusher(nil)
	s = w.open(f, 0)
	f.blocks.forget(&bucketObject{key: w.logObjects()[3], size: 1 << 20})
	if err := w.bucket.Delete(context.Background(), w.logObjects()[3]); err != nil {
		t.Fatal(err)
	}
	if _, err := f.tidy(context.Background()); err == nil {
		t.Error("an object was merged that is not there")
	}
	if h := s.Head(); h.Manifested != h.Sequence {
		t.Errorf("no manifest was written: %+v", h)
	}
	before := s.Stats().Segments
	if more, err := f.tidy(context.Background()); err != nil || !more {
		t.Errorf("the others were not merged: %v", err)
	}
	if after := s.Stats().Segments; after != 2 || before != 2*mergeObjectsMin+1 {
		t.Errorf("%d objects became %d", before, after)
	}
	if len(f.unsound) != 1 {
		t.Errorf("%d objects are not to be merged", len(f.unsound))
	}
	s.Trim(3, 4)
	if _, err := f.tidy(context.Background()); err != nil || len(f.unsound) != 0 {
		t.Errorf("%d objects that nobody has are remembered, %v", len(f.unsound), err)
	}
}

// The index does not keep all extents that this process ever wrote: those of objects that left the cache are in their footers.
func TestSlotForgetsExtents(t *testing.T) {
	w := newSlotWorld(t)
	f := w.flusher(func(o *FlusherOptions) { o.FlushBytes, o.FlushEvery, o.CacheBytes = 1<<30, time.Hour, 1 }) // of the newest object
	s := w.open(f, 0)
	const objects, each = mergeObjectsMin / 2, 3
	next := record.Offset(0)
	done := make(chan error, each)
	store := func() {
		for range each {
			e := &Entry{Stream: 3, Base: next, Count: 1, Payload: make([]byte, extentBytesMax), Done: func(_ *Entry, err error) { done <- err }}
			if err := s.Enqueue(e); err != nil {
				t.Fatal(err)
			}
			next++
		}
		f.do(f.core.close)
		for range each {
			if err := <-done; err != nil {
				t.Fatal(err)
			}
		}
	}
	tidy := func() {
		if _, err := f.tidy(t.Context()); err != nil {
			t.Fatal(err)
		}
		if len(s.recents) != 1 {
			t.Errorf("%d runs are recent", len(s.recents))
		}
	}
	for range objects {
		store()
	}
	tidy()
	kept := 0
	for _, r := range s.index.streams[3].runs {
		kept += len(r.extents)
	}
	if kept != each {
		t.Errorf("%d extents of %d objects are in the index", kept, objects)
	}
	s.foot = newExtentCache(extentCacheBytesMax) // so that footers are read
	if list := readSlot(t, s, 3); len(list) != objects*each {
		t.Errorf("%d of %d payloads", len(list), objects*each)
	}
	last := s.index.streams[3].runs[objects-1] // whose footer nobody read
	s.Trim(3, next)                            // all of it is dead
	store()
	tidy()
	s.foot.mu.Lock()
	defer s.foot.mu.Unlock()
	if s.foot.byKey[extentKey{last.seg.id, last.footer.first}] != nil {
		t.Error("the extents of a dead run are kept")
	}
}

// Who waits for a manifest in vain is not remembered: others would write it, of a slot that may be closed by then.
func TestManifestGivenUp(t *testing.T) {
	w := newSlotWorld(t)
	f := w.flusher(nil)
	s := w.open(f, 0)
	f.tidying <- struct{}{}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Manifest(ctx); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	<-f.tidying
	if len(f.wanted) != 0 {
		t.Errorf("%d slots are remembered", len(f.wanted))
	}
}

// Extents of footers are kept within one bound for all slots.
func TestSlotsShareExtents(t *testing.T) {
	w := newSlotWorld(t)
	f := w.flusher(nil)
	kept := make(map[*extentCache]int)
	for id := range SlotID(simSlots) {
		s := w.open(f, id)
		for n := range 2 * footBytesMax / (1 << 20) {
			s.foot.put(extentKey{SegmentID(id), uint32(n)}, make([]extent, 1<<20/extentBytes))
		}
		kept[s.foot] = s.foot.bytes
	}
	total := 0
	for _, n := range kept {
		total += n
	}
	if total > footBytesMax {
		t.Errorf("%d slots keep %d bytes of extents", simSlots, total)
	}
}

// Merging keeps in memory what is live of an object, and not what lies between; and does not read many large ones at a time.
func TestMergeKeepsWhatIsLive(t *testing.T) {
	w := newSlotWorld(t)
	s := w.open(w.flusher(nil), 0)
	payloads := [][]byte{[]byte("first"), make([]byte, 1<<20), []byte("last")}
	done := make(chan error, len(payloads))
	for i, b := range payloads {
		e := &Entry{Stream: StreamID(3 * (i + 1)), Count: 1, Payload: b, Done: func(_ *Entry, err error) { done <- err }}
		if err := s.Enqueue(e); err != nil {
			t.Fatal(err)
		}
	}
	for range payloads {
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	f := w.flusher(nil)
	s = w.open(f, 0)
	s.Trim(6, 1)
	m := merging{f: f, swaps: make(map[*Slot]*replacement), newest: make(map[*Slot]SegmentID)}
	if err := m.readAll(t.Context(), slices.Collect(maps.Values(liveObjects([]*Slot{s})))); err != nil {
		t.Fatal(err)
	}
	kept := 0
	for _, frame := range m.frames {
		kept += cap(frame.payload)
	}
	if len(m.frames) != 2 || kept > 1<<10 {
		t.Errorf("%d frames, in %d bytes of memory", len(m.frames), kept)
	}

	for _, x := range []struct{ objects, size, want int }{{1024, 64 << 10, mergeRequests}, {3, 1 << 20, 3}, {1024, 8 << 20, 8}, {2, 100 << 20, 1}} {
		group := slices.Repeat([]*mergeable{{size: int64(x.size)}}, x.objects)
		if n := readTogether(group); n != x.want {
			t.Errorf("%d of %d objects of %d bytes are read together, want %d", n, x.objects, x.size, x.want)
		}
	}
}

// What waits for a commit is bounded, and who waits for room gives up when told.
func TestSlotBackPressure(t *testing.T) {
	w := newSlotWorld(t)
	gate := make(chan struct{})
	w.bucket.SetGate(func(context.Context, *objectstore.Call) objectstore.Fate { <-gate; return objectstore.FateDone })
	f := w.flusher(func(o *FlusherOptions) { o.PendingBytesMax = 10_000 })
	s := w.open(f, 0)
	var acked atomic.Int32
	for i := range record.Offset(3) {
		if err := s.Admit(context.Background(), 3000); err != nil {
			t.Fatal(err)
		}
		e := &Entry{Stream: 3, Base: i, Count: 1, Payload: make([]byte, 3000), Done: func(*Entry, error) { acked.Add(1) }}
		if err := s.Enqueue(e); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := s.Admit(ctx, 3000); !errors.Is(err, context.Canceled) || acked.Load() != 0 {
		t.Errorf("admitted beyond the bound: %v, %d acked", err, acked.Load())
	}
	close(gate)
	if err := s.Drain(context.Background()); err != nil || acked.Load() != 3 {
		t.Errorf("%v, %d acked", err, acked.Load())
	}
	if err := s.Admit(context.Background(), 1); !errors.Is(err, ErrNotOwner) {
		t.Errorf("a drained slot: %v", err)
	}
	if err := s.Admit(context.Background(), s.EntryBytesMax()+1); !errors.Is(err, ErrTooLarge) {
		t.Errorf("too large: %v", err)
	}
}

// A damaged object is told apart from the end of the log.
func TestSlotDamage(t *testing.T) {
	w := newSlotWorld(t)
	f := w.flusher(nil)
	s := w.open(f, 0)
	if err := put(s, 3, 0, []byte("one")); err != nil {
		t.Fatal(err)
	}
	var key string
	for _, o := range w.bucket.Objects() {
		if strings.HasPrefix(o.Key, "log/") {
			key = o.Key
		}
	}
	body, err := w.bucket.Get(context.Background(), key, 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	for _, at := range []int{70, len(body) - 10, len(body) - trailerBytes - 10} {
		damaged := bytes.Clone(body)
		damaged[at] ^= 1
		if err := w.bucket.Delete(context.Background(), key); err != nil {
			t.Fatal(err)
		}
		if err := w.bucket.Put(context.Background(), key, damaged); err != nil {
			t.Fatal(err)
		}
		again := w.flusher(nil)
		owner, _ := simKeys(0)
		kv, _, err := w.quorum.Get(context.Background(), owner)
		if err != nil {
			t.Fatal(err)
		}
		s, err := again.Open(context.Background(), 0, kv.CreateRevision, Options{})
		if err == nil {
			_, err = s.Read(3, 0, 1000, true)
		}
		if !errors.Is(err, ErrDamaged) {
			t.Errorf("byte %d of %d: %v", at, len(body), err)
		}
	}
}

// An object whose end came damaged is read anew when the slot is opened again.
func TestSlotOpensAfterDamageOnTheWay(t *testing.T) {
	w := newSlotWorld(t)
	if err := put(w.open(w.flusher(nil), 0), 3, 0, []byte("one")); err != nil {
		t.Fatal(err)
	}
	key := w.logObjects()[0]
	body, err := w.bucket.Get(t.Context(), key, 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	store := func(body []byte) {
		t.Helper()
		if err := errors.Join(w.bucket.Delete(t.Context(), key), w.bucket.Put(t.Context(), key, body)); err != nil {
			t.Fatal(err)
		}
	}
	chain := bytes.Index(body, []byte{chainVersion, 0, 0}) // of no objects before
	for _, at := range []int{len(body) - 10, len(body) - trailerBytes - 10, chain} {
		damaged := bytes.Clone(body)
		damaged[at] ^= 1
		store(damaged)
		f := w.flusher(nil)
		owner, _ := simKeys(0)
		kv, _, err := w.quorum.Get(t.Context(), owner)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Open(t.Context(), 0, kv.CreateRevision, Options{}); !errors.Is(err, ErrDamaged) {
			t.Errorf("byte %d of %d: %v", at, len(body), err)
		}
		store(body)
		s, err := f.Open(t.Context(), 0, kv.CreateRevision, Options{})
		if err != nil {
			t.Errorf("byte %d of %d, which is whole again: %v", at, len(body), err)
		} else if list := readSlot(t, s, 3); len(list) != 1 {
			t.Errorf("byte %d of %d, which is whole again: %d payloads", at, len(body), len(list))
		}
	}
}

// Who cannot reach the bucket hears of it, once a period, and not while it can.
func TestFlusherCutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newSlotWorld(t)
		var told atomic.Int32
		f := w.flusher(func(o *FlusherOptions) {
			o.CutOff = func(since time.Duration, err error) {
				if !errors.Is(err, objectstore.ErrUnavailable) || since < 30*time.Second {
					t.Errorf("cut off for %v by %v", since, err)
				}
				told.Add(1)
			}
		})
		s := w.open(f, 0)
		pass := func(d time.Duration) {
			time.Sleep(d)
			synctest.Wait()
		}
		pass(time.Minute)
		w.bucket.SetRates(objectstore.Rates{objectstore.FateBroken: 1})
		done := make(chan error, 1)
		go func() { done <- put(s, 3, 0, []byte("one")) }()
		if pass(29 * time.Second); told.Load() != 0 {
			t.Error("told too early")
		}
		if pass(2 * time.Second); told.Load() != 1 {
			t.Errorf("told %d times after 31 s", told.Load())
		}
		if pass(30 * time.Second); told.Load() != 2 {
			t.Errorf("told %d times after 61 s", told.Load())
		}
		w.bucket.SetRates(objectstore.Rates{})
		if err := <-done; err != nil {
			t.Error(err)
		}
		if pass(time.Hour); told.Load() != 2 {
			t.Error("told of nothing")
		}
		f.Close()
	})
}

// A bucket that is slow ends merging, and no slot: what comes of it would be too old by then.
func TestMergingIsNotAwaitedForTooLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newSlotWorld(t)
		s := w.open(w.flusher(nil), 0)
		for i := range record.Offset(mergeObjectsMax) {
			if err := put(s, 3, i, []byte("old")); err != nil {
				t.Fatal(err)
			}
		}
		f := w.flusher(nil)
		s = w.open(f, 0) // which has none of it in memory
		w.bucket.SetGate(func(ctx context.Context, c *objectstore.Call) objectstore.Fate {
			if c.Op.Kind != objectstore.OpGet {
				return objectstore.FateDone
			}
			select {
			case <-time.After(10 * time.Second):
				return objectstore.FateDone
			case <-ctx.Done():
				return objectstore.FateTimedOut
			}
		})
		_, _ = f.tidy(t.Context()) // which may be in vain
		if err := put(s, 3, mergeObjectsMax, []byte("new")); err != nil {
			t.Error(err)
		}
		f.Close()
	})
}

// What is made to ask the bucket for the time goes, if not at once, then later.
func TestCollectLeavesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newSlotWorld(t)
		c := Collector{Store: w.bucket, Coord: w.quorum, Keys: simKeys, Slots: simSlots, Name: "c", Grace: time.Hour}
		w.bucket.SetGate(func(_ context.Context, c *objectstore.Call) objectstore.Fate {
			if c.Op.Kind == objectstore.OpStat {
				return objectstore.FateBroken
			}
			return objectstore.FateDone
		})
		if _, err := c.Collect(t.Context()); err == nil {
			t.Error("the time was told")
		}
		w.bucket.SetGate(nil)
		time.Sleep(2 * time.Hour)
		if _, err := c.Collect(t.Context()); err != nil {
			t.Error(err)
		}
		if list := w.bucket.Objects(); len(list) != 0 {
			t.Errorf("%v are left", list)
		}
	})
}

// Nothing is begun after the end, also not by a timer that went off shortly before.
func TestFlusherBeginsNothingAfterClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newSlotWorld(t)
		var puts atomic.Int32
		w.bucket.SetRates(objectstore.Rates{objectstore.FateBroken: 1})
		f := w.flusher(func(o *FlusherOptions) { o.Observer.Put = func(int, time.Duration, error) { puts.Add(1) } })
		s := w.open(f, 0)
		done := make(chan error, 1)
		go func() { done <- put(s, 3, 0, []byte("one")) }()
		time.Sleep(time.Second)
		f.Close()
		if err := <-done; !errors.Is(err, ErrNotOwner) {
			t.Error(err)
		}
		before := puts.Load()
		time.Sleep(2 * retryMax)
		f.tick()
		synctest.Wait()
		if n := puts.Load(); before == 0 || n != before {
			t.Errorf("%d tries, and %d after the end", before, n-before)
		}
	})
}

func FuzzManifest(f *testing.F) {
	m := manifest{slot: 3, sequence: 9, objects: []manifestObject{{"log/a", 500, 300, 7, 9, 100}}, streams: []manifestStream{{
		stream: 5, next: 12, runs: []manifestRun{{0, runEntry{stream: 5, base: 2, last: 11, bytes: 100, n: 1}}},
	}}}
	f.Add(m.encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 4 { // so that what is behind the checksum is reached
			b = le.AppendUint32(bytes.Clone(b[:len(b)-4]), checksum(b[:len(b)-4]))
		}
		m, err := decodeManifest(b)
		if err != nil {
			return
		}
		// Not the same bytes: runs have some in reserve.
		if again, err := decodeManifest(m.encode()); err != nil || !reflect.DeepEqual(again, m) {
			t.Errorf("%+v became %+v, %v", m, again, err)
		}
	})
}

func FuzzChain(f *testing.F) {
	f.Add(encodeChain([]link{{1, 2, []objectRef{{"log/x", 7}, {"log/y", 8}}}, {2, 1, nil}, {3, 9, []objectRef{{"log/x", 7}}}}))
	f.Fuzz(func(t *testing.T, b []byte) {
		links, err := decodeChain(b)
		if err != nil {
			return
		}
		// Not the same bytes: objects may be listed twice, or for nobody.
		if again, err := decodeChain(encodeChain(links)); err != nil || !reflect.DeepEqual(again, links) {
			t.Errorf("%v became %v, %v", links, again, err)
		}
	})
}

// Counters are those of Stats.
func TestSlotCounters(t *testing.T) {
	w := newSlotWorld(t)
	s := w.open(w.flusher(nil), 0)
	if err := put(s, 3, 0, []byte("some")); err != nil {
		t.Fatal(err)
	}
	readSlot(t, s, 3)
	got, want := s.Counters(), s.Stats()
	if want.Segments != 1 || want.Streams != 1 || want.BytesWritten == 0 || want.BytesHit == 0 {
		t.Fatalf("%+v", want)
	}
	want.Segments, want.Streams, want.DiskBytes = 0, 0, 0
	if got != want {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}
