package journal

import (
	"context"
	"fmt"
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
