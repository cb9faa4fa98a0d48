package journal

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/narumq/naru/internal/coord"
	"github.com/narumq/naru/internal/objectstore"
	"github.com/narumq/naru/internal/record"
)

// benchLatency is what each request to the bucket of these benchmarks takes.
const benchLatency = 20 * time.Millisecond

// far makes a bucket one that is some way off.
func far(bucket *objectstore.Fake, latency time.Duration) {
	bucket.SetGate(func(ctx context.Context, _ *objectstore.Call) objectstore.Fate {
		select {
		case <-ctx.Done():
			return objectstore.FateTimedOut
		case <-time.After(latency):
			return objectstore.FateDone
		}
	})
}

// benchWorld is a bucket with objects that hold a share of each of so many streams.
type benchWorld struct {
	bucket *objectstore.Fake
	quorum *coord.Fake
	slots  int
	starts int
	size   int64 // of all payloads
}

const benchPayload = 16 << 10

// fill writes objects of about so many bytes, with so many streams of as many slots in each.
func fill(t testing.TB, streams, objects, bytes int) *benchWorld {
	w := &benchWorld{bucket: objectstore.NewFake(objectstore.FakeConfig{}), quorum: coord.NewFake(coord.FakeConfig{}), slots: streams}
	f := w.flusher(t, func(o *FlusherOptions) { o.FlushBytes, o.FlushEvery = 1<<30, time.Hour })
	slots := w.open(t, f)
	each := bytes/streams/(benchPayload+frameHeaderBytes) + 1
	for i := range objects {
		var done sync.WaitGroup
		for n, s := range slots {
			for k := range each {
				done.Add(1)
				e := &Entry{
					Stream: StreamID(streams + n), Base: record.Offset(i*each + k), Count: 1, Payload: make([]byte, benchPayload),
					Done: func(_ *Entry, err error) {
						if err != nil {
							t.Error(err)
						}
						done.Done()
					},
				}
				if err := s.Enqueue(e); err != nil {
					t.Fatal(err)
				}
				w.size += benchPayload
			}
		}
		f.do(f.core.close)
		done.Wait()
	}
	f.Close()
	return w
}

func (w *benchWorld) flusher(t testing.TB, change func(*FlusherOptions)) *Flusher {
	w.starts++
	opt := FlusherOptions{
		Store: w.bucket, Coord: w.quorum, SlotOf: func(id StreamID) SlotID { return SlotID(int(id) % w.slots) },
		Keys: simKeys, Name: fmt.Sprintf("p%d", w.starts), PendingBytesMax: 1 << 30,
	}
	if change != nil {
		change(&opt)
	}
	f := NewFlusher(opt)
	t.Cleanup(f.Close)
	return f
}

// open takes all slots over, several at a time.
func (w *benchWorld) open(t testing.TB, f *Flusher) []*Slot {
	ctx := context.Background()
	slots, owners := make([]*Slot, w.slots), make([]int64, w.slots)
	for id := range slots {
		owner, _ := simKeys(SlotID(id))
		w.quorum.Txn(ctx, nil, []coord.Op{coord.Delete(owner)}, nil)
		won, err := w.quorum.Txn(ctx, nil, []coord.Op{coord.Put(owner, []byte(f.opt.Name), 0)}, nil)
		if err != nil {
			t.Fatal(err)
		}
		owners[id] = won.Revision
	}
	var work sync.WaitGroup
	for id := range slots {
		work.Go(func() {
			s, err := f.Open(ctx, SlotID(id), owners[id], Options{})
			if err != nil {
				t.Error(err)
			}
			slots[id] = s
		})
	}
	work.Wait()
	if t.Failed() {
		t.FailNow()
	}
	return slots
}

// catchUp reads a stream from its start, as a consumer does that was away, and tells how many bytes it has.
func catchUp(t testing.TB, s *Slot, stream StreamID) (bytes int64) {
	for at := record.Offset(0); ; {
		slice, err := s.Read(stream, at, 1<<20, true)
		if err != nil {
			t.Fatal(err)
		}
		next := slice.Next
		bytes += int64(slice.Bytes)
		slice.Release()
		if next == at {
			return bytes
		}
		at = next
	}
}

// How fast one consumer catches up, 20 ms from the bucket.
func BenchmarkCatchUp(b *testing.B) {
	for _, c := range []struct{ streams, objects, bytes int }{{1, 16, 8 << 20}, {1, 64, 1 << 20}, {16, 32, 4 << 20}, {64, 32, 8 << 20}} {
		b.Run(fmt.Sprintf("objects=%dMiB/streams=%d", c.bytes>>20, c.streams), func(b *testing.B) {
			w := fill(b, c.streams, c.objects, c.bytes)
			var read, fetched int64
			for b.Loop() {
				b.StopTimer()
				far(w.bucket, 0)
				f := w.flusher(b, nil)
				slots := w.open(b, f)
				far(w.bucket, benchLatency)
				b.StartTimer()
				before := f.ReadStats()
				read += catchUp(b, slots[0], StreamID(c.streams))
				fetched += f.ReadStats().FetchedBytes - before.FetchedBytes
			}
			b.ReportMetric(float64(fetched)/float64(read), "fetched/read")
			b.ReportMetric(float64(read)/(1<<20)/b.Elapsed().Seconds(), "MiB/s")
		})
	}
}

// How long it takes to take 64 slots over that have 32 objects each after their manifest, 20 ms from the bucket.
func BenchmarkTakeOver(b *testing.B) {
	w := fill(b, 64, 32, 1<<20)
	far(w.bucket, benchLatency)
	for b.Loop() {
		w.open(b, w.flusher(b, nil))
	}
}

// What forgetting costs a slot of many old runs, while nobody can read or commit.
func BenchmarkForgetExtents(b *testing.B) {
	for _, runs := range []int{100_000, 1_000_000} {
		b.Run(fmt.Sprint(runs), func(b *testing.B) {
			s := &Slot{view: newView(Options{Live: func(StreamID) (record.Offset, bool) { return 0, true }}, newCache(1<<20), newExtentCache(1<<20))}
			const streams = 1000
			seg := &segment{id: 1}
			seg.sealed.Store(true)
			for i := range runs {
				s.index.addSealed(seg, runEntry{stream: StreamID(i % streams), base: record.Offset(i / streams), last: record.Offset(i / streams), bytes: 1})
			}
			b.ResetTimer()
			for range b.N {
				s.forgetExtents()
			}
		})
	}
}
