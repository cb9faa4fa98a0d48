package journal

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/narumq/naru/internal/coord"
	"github.com/narumq/naru/internal/objectstore"
	"github.com/narumq/naru/internal/record"
)

// costs is what a steady load of 64 slots asks of the bucket.
type costs struct {
	flushes, puts, gets int64
	written, stored     int64 // bytes
	objects             int   // that are there at the end
}

func (c costs) String() string {
	n := float64(c.flushes)
	return fmt.Sprintf("%d flushes: %.2f PUTs and %.2f GETs per flush, %.3f bytes stored per byte written, %d objects",
		c.flushes, float64(c.puts)/n, float64(c.gets)/n, float64(c.stored)/float64(c.written), c.objects)
}

// load writes flushes of so many bytes, shared by 64 slots. Every tidyEvery of them is what a period of the broker's brings: a
// round of manifests and merging. What is older than keep flushes is deleted.
func load(t testing.TB, flushes, bytes, tidyEvery, keep int) (c costs) {
	w := &benchWorld{bucket: objectstore.NewFake(objectstore.FakeConfig{Now: time.Now}), quorum: coord.NewFake(coord.FakeConfig{}), slots: 64}
	f := w.flusher(t, func(o *FlusherOptions) { o.FlushBytes, o.FlushEvery = 1<<30, time.Hour })
	slots := w.open(t, f)
	payload := make([]byte, bytes/w.slots-frameHeaderBytes)
	before := w.bucket.Usage()
	for i := range flushes {
		w.flush(t, f, slots, record.Offset(i), payload)
		c.written += int64(w.slots * len(payload))
		if i%tidyEvery != tidyEvery-1 {
			continue
		}
		for n, s := range slots {
			s.Trim(StreamID(w.slots+n), record.Offset(max(0, i-keep)))
		}
		for more := true; more; {
			var err error
			if more, err = f.tidy(context.Background()); err != nil {
				t.Fatal(err)
			}
		}
		u := w.bucket.Usage()
		c.puts, c.stored = u[objectstore.OpPut].Calls-before[objectstore.OpPut].Calls, u[objectstore.OpPut].Bytes-before[objectstore.OpPut].Bytes
		c.gets = u[objectstore.OpGet].Calls - before[objectstore.OpGet].Calls
		collector := Collector{Store: w.bucket, Coord: w.quorum, Keys: simKeys, Slots: SlotID(w.slots), Name: "c"}
		if _, err := collector.Collect(context.Background()); err != nil {
			t.Fatal(err)
		}
		after := w.bucket.Usage() // what collecting has asked for is no part of it: it is every 15 minutes
		for k := range before {
			before[k].Calls += after[k].Calls - u[k].Calls
			before[k].Bytes += after[k].Bytes - u[k].Bytes
		}
	}
	c.flushes, c.objects = int64(flushes), len(w.bucket.Objects())
	return c
}

// flush appends a payload to a stream of each slot, and commits them together.
func (w *benchWorld) flush(t testing.TB, f *Flusher, slots []*Slot, at record.Offset, payload []byte) {
	done := make(chan error, len(slots))
	for n, s := range slots {
		e := &Entry{Stream: StreamID(w.slots + n), Base: at, Count: 1, Payload: payload, Done: func(_ *Entry, err error) { done <- err }}
		if err := s.Enqueue(e); err != nil {
			t.Fatal(err)
		}
	}
	f.do(f.core.close)
	for range slots {
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
}

// What the bucket is asked for stays small, whatever the size of a flush: 10 flushes in a second, 2 s between rounds.
func TestBucketCosts(t *testing.T) {
	if testing.Short() {
		t.Skip("writes a gigabyte")
	}
	for _, x := range []struct {
		flushes, bytes int
		puts, stored   float64
	}{{40, 8 << 20, 2, 1.3}, {80, 1 << 20, 2, 2.5}, {400, 64 << 10, 2, 4.5}} {
		c := load(t, x.flushes, x.bytes, 20, x.flushes/2)
		t.Logf("%4d KiB: %v", x.bytes>>10, c)
		if n := float64(c.puts) / float64(c.flushes); n > x.puts {
			t.Errorf("%.2f PUTs per flush, want at most %.2f", n, x.puts)
		}
		if n := float64(c.stored) / float64(c.written); n > x.stored {
			t.Errorf("%.3f bytes stored per byte written, want at most %.1f", n, x.stored)
		}
	}
}

// However long the log is that manifests list, they cost about what is written at most, and objects are merged all the same.
func TestManifestCosts(t *testing.T) {
	const slots, flushes, bytes, history = 8, 200, 24 << 10, 1000
	w := &benchWorld{bucket: objectstore.NewFake(objectstore.FakeConfig{}), quorum: coord.NewFake(coord.FakeConfig{}), slots: slots}
	manifests := 0
	f := w.flusher(t, func(o *FlusherOptions) {
		o.FlushBytes, o.FlushEvery = 1<<30, time.Hour
		o.Observer.Manifest = func(bytes int) { manifests += bytes }
	})
	list := w.open(t, f)
	for n, s := range list {
		for i := range record.Offset(history) {
			seg := s.segment("log/old/0", 8<<20, 8<<20, 1, 0)
			seg.held = 1 << 20
			s.index.addSealed(seg, runEntry{stream: StreamID(2*slots + n), base: i, last: i, bytes: 1 << 20})
		}
	}
	rounds := 0
	for i := range flushes {
		w.flush(t, f, list, record.Offset(i), make([]byte, bytes/slots-frameHeaderBytes))
		for more := i%20 == 19; more; rounds++ {
			var err error
			if more, err = f.tidy(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	objects := 0
	for _, o := range liveObjects(list) {
		if o.size <= mergeObjectBytes {
			objects++
		}
	}
	if written := flushes * bytes; manifests > written*5/4 || objects > flushes/2 {
		t.Errorf("%d bytes of manifests for %d bytes written, %d objects of %d flushes, %d rounds", manifests, written, objects, flushes, rounds)
	}
}

// What is to be merged has to be worth the manifests that say so.
func TestMergingPaysOff(t *testing.T) {
	w := newSlotWorld(t)
	f := w.flusher(nil)
	s, other := w.open(f, 0), w.open(f, 1)
	part := func(s *Slot) []mergePart { return []mergePart{{slot: s}} }
	for _, x := range []struct {
		manifest, unlisted int64
		group              []*mergeable
		want               bool
	}{
		{manifestsSmall, 0, []*mergeable{{parts: part(s)}}, true},
		{10 << 20, 0, []*mergeable{{parts: part(s)}}, false},
		{10 << 20, 0, []*mergeable{{parts: part(other)}}, true}, // whose manifest is small
		{10 << 20, 5 << 20, []*mergeable{{parts: part(s)}, {parts: part(s)}}, false},
		{10 << 20, 10 << 20, []*mergeable{{parts: part(s)}, {parts: part(s)}}, true},
		{10 << 20, 5 << 20, []*mergeable{{parts: part(s), held: 6 << 20, live: 1 << 20}}, true},
		{10 << 20, 0, slices.Repeat([]*mergeable{{parts: part(s)}}, mergeObjectsMax), true},
	} {
		s.lane.head.ManifestOf, s.unlisted = x.manifest, x.unlisted
		if got := paysOff([][]*mergeable{x.group}); got != x.want {
			t.Errorf("a manifest of %d bytes, %d written, %d objects: %v", x.manifest, x.unlisted, len(x.group), got)
		}
	}
}

// A manifest is written when what the next owner would have to read is worth it.
func TestManifestDue(t *testing.T) {
	w := newSlotWorld(t)
	s := w.open(w.flusher(nil), 0)
	for _, x := range []struct {
		objects            uint64
		manifest, unlisted int64
		want               bool
	}{
		{manifestEvery - 1, 1 << 20, 100 << 20, false},
		{manifestEvery, 1 << 20, manifestShare << 20, true},
		{manifestEvery, 1 << 20, 1<<20 - 1, false},
		{manifestChain, manifestSmall, 1, true},
		{manifestChain, 1 << 20, 1 << 19, false},
		{manifestChain, 1 << 20, 1 << 20, true},
		{manifestChainMax, 1 << 20, 1, true},
	} {
		s.lane.head.Sequence, s.lane.head.ManifestOf, s.unlisted = x.objects, x.manifest, x.unlisted
		if got := s.manifestDue(); got != x.want {
			t.Errorf("%d objects of %d bytes, a manifest of %d: %v", x.objects, x.unlisted, x.manifest, got)
		}
	}
}

// Manifests that are too large for one object are in several.
func TestManifestsInSeveralObjects(t *testing.T) {
	w := newSlotWorld(t)
	f := w.flusher(nil)
	const runs = manifestsBytesMax / (4 + runBytes) / 2
	var slots []*Slot
	for id := range SlotID(simSlots) {
		s := w.open(f, id)
		seg := s.segment("log/old/0", 8<<20, 8<<20-trailerBytes, 1, 0)
		for i := range record.Offset(runs) {
			s.index.addSealed(seg, runEntry{stream: slotStream(id, 0), base: i, last: i, bytes: 1})
		}
		if err := put(s, slotStream(id, 1), 0, []byte("one")); err != nil {
			t.Fatal(err)
		}
		slots = append(slots, s)
	}
	for s, err := range f.writeManifests(t.Context(), slots, nil, time.Now()) {
		if err != nil {
			t.Error(s.id, err)
		}
	}
	objects := 0
	for _, o := range w.bucket.Objects() {
		if strings.HasPrefix(o.Key, "slot/") {
			objects++
		}
		if o.Bytes > manifestsBytesMax {
			t.Errorf("%s has %d bytes", o.Key, o.Bytes)
		}
	}
	if objects != simSlots {
		t.Errorf("the manifests are in %d objects", objects)
	}
	again := w.flusher(nil)
	for id := range SlotID(simSlots) {
		if n := len(w.open(again, id).index.streams[slotStream(id, 0)].runs); n != runs {
			t.Errorf("slot %d has %d of %d runs", id, n, runs)
		}
	}
}

// twoTiers has a slot hold objects of two sizes, as many of each as are merged into one.
func twoTiers(t *testing.T, s *Slot) {
	t.Helper()
	for i := range record.Offset(2 * mergeObjectsMin) {
		if err := put(s, 3, i, make([]byte, 1+i%2*mergeTierBytes)); err != nil {
			t.Fatal(err)
		}
	}
}

// A round merges more than one group, of several tiers, and begins none when what it has merged has waited for long.
func TestMergeRound(t *testing.T) {
	w := newSlotWorld(t)
	f := w.flusher(nil)
	s := w.open(f, 0)
	twoTiers(t, s)
	if swaps, err := f.mergeAll(t.Context(), f.owned(), time.Now().Add(-f.opt.AgeMax)); len(swaps) != 0 || err != nil {
		t.Errorf("%d slots have merged objects, late: %v", len(swaps), err)
	}
	if _, err := f.tidy(t.Context()); err != nil || s.Stats().Segments != 2 {
		t.Errorf("%d objects were left, %v", s.Stats().Segments, err)
	}
	for i, payload := range readSlot(t, s, 3) {
		if len(payload) != 1+i%2*mergeTierBytes {
			t.Errorf("offset %d has %d bytes", i, len(payload))
		}
	}
}

// A slot that is handed over takes no appends, and waits for the object that is being merged and for no more.
func TestMergingEndsForWhoWaits(t *testing.T) {
	w := newSlotWorld(t)
	f := w.flusher(nil)
	s := w.open(f, 0)
	twoTiers(t, s)
	began, drains, merged := make(chan struct{}), make(chan struct{}), 0
	w.bucket.SetGate(func(_ context.Context, c *objectstore.Call) objectstore.Fate {
		if c.Op.Kind == objectstore.OpPut && strings.HasPrefix(c.Op.Key, "log/") {
			if merged++; merged == 1 { // one after the other
				close(began)
				<-drains
			}
		}
		return objectstore.FateDone
	})
	tidied := make(chan error, 1)
	go func() {
		_, err := f.tidy(context.Background())
		tidied <- err
	}()
	<-began
	drained := make(chan error, 1)
	go func() { drained <- s.Drain(context.Background()) }()
	for asked := false; !asked; runtime.Gosched() {
		f.mu.Lock()
		asked = f.wanted[s]
		f.mu.Unlock()
	}
	close(drains)
	if err := errors.Join(<-drained, <-tidied); err != nil || merged != 1 {
		t.Errorf("%d objects were merged first, %v", merged, err)
	}
}

// Large objects stay as they are, whoever has how many of their slots, until most of what is ours in them is dead.
func TestMergeWeight(t *testing.T) {
	for _, x := range []struct {
		o    mergeable
		want int64
	}{
		{mergeable{size: 8 << 20, held: 128 << 10, live: 128 << 10}, 0},
		{mergeable{size: 8 << 20, held: 128 << 10, live: 33 << 10}, 0},
		{mergeable{size: 8 << 20, held: 128 << 10, live: 32 << 10}, 32 << 10},
		{mergeable{size: 1 << 20, held: 16 << 10, live: 1 << 10}, 1 << 20},
	} {
		if got := x.o.weight(); got != x.want {
			t.Errorf("%+v weighs %d, want %d", x.o, got, x.want)
		}
	}
}

// Of large objects only those are looked at closely of which a slot has little left, and they are weighed as a whole.
func TestLiveObjects(t *testing.T) {
	w := newSlotWorld(t)
	f := w.flusher(nil)
	slots := []*Slot{w.open(f, 0), w.open(f, 1)}
	// Bytes of each object, for each slot: of a stream that stays, and of one that is dead.
	for i, x := range []struct {
		key   string
		size  int64
		bytes [2][2]int64
	}{
		{"alive", 8 << 20, [2][2]int64{{100, 0}, {100, 0}}},
		{"little is left", 8 << 20, [2][2]int64{{10, 90}, {20, 80}}},
		{"one has little left", 8 << 20, [2][2]int64{{10, 90}, {100, 0}}},
		{"half", 8 << 20, [2][2]int64{{50, 50}, {50, 50}}},
		{"dead", 8 << 20, [2][2]int64{{0, 100}, {0, 100}}},
		{"small", 1 << 20, [2][2]int64{{100, 0}, {0, 100}}},
	} {
		for n, s := range slots {
			seg := s.segment(x.key, x.size, x.size, 1, uint64(i))
			for dead, bytes := range x.bytes[n] {
				if bytes > 0 {
					at := record.Offset(i)
					s.index.addSealed(seg, runEntry{stream: StreamID(simSlots*(dead+1) + n), base: at, last: at, bytes: bytes})
					seg.held += bytes
				}
			}
		}
	}
	for n, s := range slots {
		s.Trim(StreamID(2*simSlots+n), 100)
	}
	want := "[little is left: 30 of 200 in 2, one has little left: 110 of 200 in 2, small: 100 of 100 in 1]"
	for range 2 {
		var got []string
		for _, o := range liveObjects(slots) {
			got = append(got, fmt.Sprintf("%s: %d of %d in %d", o.key, o.live, o.held, len(o.parts)))
		}
		slices.Sort(got)
		if got := "[" + strings.Join(got, ", ") + "]"; got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}
