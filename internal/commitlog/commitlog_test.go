package commitlog

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"testing"

	"github.com/narumq/naru/internal/journal"
	"github.com/narumq/naru/internal/record"
	"github.com/narumq/naru/internal/vfs"
)

func openJournal(t *testing.T, fs *vfs.Mem) *journal.Journal {
	t.Helper()
	fs.MkdirAll("d")
	j, err := journal.Open(fs, "d", journal.Options{SegmentBytes: journal.SegmentBytesMin, CacheBytes: journal.CacheBytesMin})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { j.Close() })
	return j
}

// newBatch holds a record per timestamp.
func newBatch(t *testing.T, stamps ...int64) []byte {
	t.Helper()
	b := record.NewBuilder(record.None)
	for i, ts := range stamps {
		b.Append(ts, nil, fmt.Appendf(nil, "at %d, number %d", ts, i), nil)
	}
	batch, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	return batch
}

type outcome struct {
	Appended
	err error
}

// send appends a batch as this producer's, and returns what becomes of it.
// The header is what counts; the bytes stay those of no producer.
func send(t *testing.T, p *Partition, id int64, epoch int16, first, count int32) <-chan outcome {
	t.Helper()
	batch := newBatch(t, slices.Repeat([]int64{1000 + int64(first)}, int(count))...)
	h, err := record.ParseHeader(batch)
	if err != nil {
		t.Fatal(err)
	}
	h.ProducerID, h.ProducerEpoch, h.BaseSequence = id, epoch, first
	c := make(chan outcome, 1)
	p.Append(context.Background(), batch, h, func(a Appended, err error) { c <- outcome{a, err} })
	return c
}

func plain(t *testing.T, p *Partition, stamps ...int64) Appended {
	t.Helper()
	batch := newBatch(t, stamps...)
	h, _ := record.ParseHeader(batch)
	c := make(chan outcome, 1)
	p.Append(context.Background(), batch, h, func(a Appended, err error) { c <- outcome{a, err} })
	o := <-c
	if o.err != nil {
		t.Fatal(o.err)
	}
	return o.Appended
}

func TestIdempotence(t *testing.T) {
	type step struct {
		epoch        int16
		first, count int32
		base         record.Offset // expected
		duplicate    bool
		err          error
	}
	for _, test := range []struct {
		name  string
		steps []step
	}{
		{"duplicate", []step{{0, 0, 2, 0, false, nil}, {0, 0, 2, 0, true, nil}, {0, 2, 1, 2, false, nil}, {0, 0, 2, 0, true, nil}}},
		{"gap", []step{{0, 0, 2, 0, false, nil}, {0, 3, 1, 0, false, ErrOutOfOrderSequence}, {0, 2, 1, 2, false, nil}}},
		{"part of a batch is no duplicate", []step{{0, 0, 3, 0, false, nil}, {0, 0, 2, 0, false, ErrOutOfOrderSequence}, {0, 1, 2, 0, false, ErrOutOfOrderSequence}}},
		{"unknown producers begin anywhere", []step{{0, 77, 2, 0, false, nil}, {0, 79, 2, 2, false, nil}}},
		{"five are remembered", []step{
			{0, 0, 1, 0, false, nil}, {0, 1, 1, 1, false, nil}, {0, 2, 1, 2, false, nil}, {0, 3, 1, 3, false, nil}, {0, 4, 1, 4, false, nil},
			{0, 0, 1, 0, true, nil}, {0, 5, 1, 5, false, nil}, {0, 0, 1, 0, false, ErrOutOfOrderSequence}, {0, 1, 1, 1, true, nil}}},
		{"epoch bump fences", []step{{0, 0, 2, 0, false, nil}, {1, 0, 1, 2, false, nil}, {0, 2, 1, 0, false, ErrInvalidProducerEpoch}, {1, 1, 1, 3, false, nil}, {1, 0, 1, 2, true, nil}}},
		{"a new epoch begins with 0", []step{{0, 0, 2, 0, false, nil}, {1, 2, 1, 0, false, ErrOutOfOrderSequence}, {0, 2, 1, 2, false, nil}}},
		{"sequences wrap", []step{{0, math.MaxInt32 - 1, 2, 0, false, nil}, {0, 0, 1, 2, false, nil}, {0, math.MaxInt32 - 1, 2, 0, true, nil}}},
		{"sequences wrap inside a batch", []step{{0, math.MaxInt32, 3, 0, false, nil}, {0, 2, 1, 3, false, nil}, {0, math.MaxInt32, 3, 0, true, nil}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			fs := vfs.NewMem()
			p := Open(openJournal(t, fs), 1)
			for i, s := range test.steps {
				o := <-send(t, p, 9, s.epoch, s.first, s.count)
				if !errors.Is(o.err, s.err) || s.err == nil && (o.Base != s.base || o.Duplicate != s.duplicate) {
					t.Fatalf("step %d: %+v, want %+v", i, o, s)
				}
				if s.duplicate && o.Timestamp != 1000+int64(s.first) {
					t.Errorf("step %d: timestamp %d is not the first one's", i, o.Timestamp)
				}
				// A restart changes nothing.
				q := Open(p.journal, 1)
				saved := p.SentBatches()
				slices.Reverse(saved) // in any order
				for _, b := range saved {
					q.Remember(b)
					q.Remember(b)
				}
				if a, b := fmt.Sprint(p.SentBatches()), fmt.Sprint(q.SentBatches()); a != b {
					t.Fatalf("step %d: remembered %s, had %s", i, b, a)
				}
				p = q
			}
		})
	}
}

// holdWrites makes commits wait until the returned function is called.
func holdWrites(fs *vfs.Mem, err error) (reached chan struct{}, release func()) {
	reached, open := make(chan struct{}, 64), make(chan struct{})
	fs.SetFault(func(op vfs.Op) error {
		if op.Kind != vfs.OpWrite || op.Off < 64 || op.Len > 60_000 {
			return nil
		}
		select {
		case reached <- struct{}{}:
		default:
		}
		<-open
		return err
	})
	return reached, func() { close(open) }
}

// A duplicate of a batch that is on its way shares its outcome, good or bad,
// and after a failure nobody waits for what will never come.
func TestDuplicateWhilePending(t *testing.T) {
	for _, fault := range []error{nil, io.ErrUnexpectedEOF} {
		t.Run(fmt.Sprint(fault), func(t *testing.T) {
			fs := vfs.NewMem()
			p := Open(openJournal(t, fs), 1)
			reached, release := holdWrites(fs, fault)
			first := send(t, p, 9, 0, 0, 2)
			<-reached
			again := []<-chan outcome{send(t, p, 9, 0, 0, 2), send(t, p, 9, 0, 0, 2)}
			next := send(t, p, 9, 0, 2, 1)
			if hw := p.HighWatermark(); hw != 0 {
				t.Errorf("high watermark %d before the commit", hw)
			}
			if n := len(p.SentBatches()); n != 0 {
				t.Errorf("%d batches would be saved that are not durable", n)
			}
			release()
			if o := <-first; !errors.Is(o.err, fault) || o.Duplicate || o.Base != 0 {
				t.Errorf("first: %+v", o)
			}
			for _, c := range again {
				if o := <-c; !errors.Is(o.err, fault) || !o.Duplicate && fault == nil || o.Base != 0 {
					t.Errorf("again: %+v", o)
				}
			}
			if o := <-next; !errors.Is(o.err, fault) || fault == nil && o.Base != 2 {
				t.Errorf("next: %+v", o)
			}
			if fault == nil {
				return
			}
			// As if it had been let in just before the failure.
			a := newAppending()
			a.partition, a.header, a.done = p, record.Header{ProducerID: 9, BaseSequence: 0, Count: 2}, nil
			a.entry.Payload = newBatch(t, 1, 1)
			if _, finished, err := p.enqueue(a); finished || !errors.Is(err, journal.ErrFailed) {
				t.Errorf("a retry after the failure: finished %v, %v", finished, err)
			}
		})
	}
}

func TestRead(t *testing.T) {
	fs := vfs.NewMem()
	p := Open(openJournal(t, fs), 1)
	for i := range 4 {
		plain(t, p, int64(i), int64(i), int64(i)) // offsets 3i to 3i+2
	}
	one := len(newBatch(t, 0, 0, 0))
	p.Trim(4)
	for _, test := range []struct {
		from       record.Offset
		max        int
		atLeastOne bool
		batches    int
		next       record.Offset
		err        error
	}{
		{3, 1000, true, 0, 0, ErrOffsetOutOfRange},
		{4, 1, true, 1, 6, nil},  // from the middle of a batch
		{4, 1, false, 0, 4, nil}, // too long
		{4, one, false, 1, 6, nil},
		{4, 2*one - 1, true, 1, 6, nil},
		{4, 2 * one, true, 2, 9, nil},
		{8, 1 << 20, true, 2, 12, nil},
		{12, 1 << 20, true, 0, 12, nil},
		{13, 1 << 20, true, 0, 0, ErrOffsetOutOfRange},
		{-1, 1 << 20, true, 0, 0, ErrOffsetOutOfRange},
	} {
		s, err := p.Read(test.from, test.max, test.atLeastOne)
		if !errors.Is(err, test.err) || len(s.Payloads) != test.batches || err == nil && s.Next != test.next {
			t.Errorf("%+v: %d batches, next %d, %v", test, len(s.Payloads), s.Next, err)
		}
		for i, b := range s.Payloads {
			h, err := record.ParseHeader(b)
			if want := test.from/3*3 + record.Offset(3*i); err != nil || h.BaseOffset != want || h.LeaderEpoch != 0 {
				t.Errorf("%+v: batch %d: %+v, %v", test, i, h, err)
			}
		}
		s.Release()
		s.Release()
	}
	if n := p.Available(12, 1000); n != 0 {
		t.Errorf("%d bytes at the end", n)
	}
	if n := p.Available(4, 10); n != 10 {
		t.Errorf("%d bytes, asked for at most 10", n)
	}
	if n := p.Available(9, 1<<20); n < one {
		t.Errorf("%d bytes, a batch has %d", n, one)
	}
}

func TestOffsetsByTime(t *testing.T) {
	fs := vfs.NewMem()
	j := openJournal(t, fs)
	p := Open(j, 1)
	if off, ts, err := p.OffsetForTime(0); off != -1 || ts != -1 || err != nil {
		t.Error("empty:", off, ts, err)
	}
	if off, ts, err := p.OffsetOfMaxTime(); off != -1 || ts != -1 || err != nil {
		t.Error("empty:", off, ts, err)
	}
	// Timestamps may go back. Many batches, so that there are several extents,
	// runs and segments, the older of them sealed.
	var stamps []int64
	for i := range int64(400) {
		batch := []int64{10 * i, 10*i + 7, 10*i + 3}
		if i%50 == 20 {
			batch[1] = 10*i + 90
		}
		stamps = append(stamps, batch...)
		b := record.NewBuilder(record.None)
		for _, ts := range batch {
			b.Append(ts, nil, bytes.Repeat([]byte("x"), 150), nil)
		}
		raw, _ := b.Build()
		h, _ := record.ParseHeader(raw)
		c := make(chan error, 1)
		p.Append(context.Background(), raw, h, func(_ Appended, err error) { c <- err })
		if err := <-c; err != nil {
			t.Fatal(err)
		}
	}
	for _, start := range []record.Offset{0, 61, 1198} {
		p.Trim(start)
		for _, ms := range []int64{-5, 0, 1, 3, 7, 8, 205, 290, 291, 3990, 3993, 3997, 3998, 1 << 40} {
			want, wantStamp := record.Offset(-1), int64(-1)
			for i := int(start); i < len(stamps); i++ {
				if stamps[i] >= ms {
					want, wantStamp = record.Offset(i), stamps[i]
					break
				}
			}
			if off, ts, err := p.OffsetForTime(ms); off != want || ts != wantStamp || err != nil {
				t.Errorf("from %d, time %d: offset %d at %d, %v; want %d at %d", start, ms, off, ts, err, want, wantStamp)
			}
		}
		best := int(start)
		for i := best; i < len(stamps); i++ {
			if stamps[i] > stamps[best] {
				best = i
			}
		}
		if off, ts, err := p.OffsetOfMaxTime(); off != record.Offset(best) || ts != stamps[best] || err != nil {
			t.Errorf("from %d: greatest is offset %d at %d, %v; want %d at %d", start, off, ts, err, best, stamps[best])
		}
	}
}

func TestRetentionStart(t *testing.T) {
	p := Open(openJournal(t, vfs.NewMem()), 1)
	for i := range int64(300) {
		plain(t, p, slices.Repeat([]int64{i}, 30)...) // about 1 kB, 30 offsets
	}
	if got := p.RetentionStart(-1, -1); got != 0 {
		t.Error("no limit:", got)
	}
	// Pieces are kept whole: no more than one extent of 64 KiB too much.
	got := p.RetentionStart(200, -1)
	if got > 200*30 || got < 200*30-80*30 {
		t.Errorf("by time: %d, want about %d", got, 200*30)
	}
	if got := p.RetentionStart(1000, -1); got != 9000 {
		t.Errorf("all is too old: %d", got)
	}
	size := p.SizeBytes()
	got = p.RetentionStart(-1, size/2)
	if got > 4500 || got < 4500-80*30 {
		t.Errorf("by size: %d, want about 4500", got)
	}
	if got := p.RetentionStart(-1, size+1); got != 0 {
		t.Errorf("all fits: %d", got)
	}
}

// Records without a timestamp are as old as what follows them: their age alone
// never deletes them.
func TestRetentionWithoutTimestamps(t *testing.T) {
	p := Open(openJournal(t, vfs.NewMem()), 1)
	for range 200 {
		plain(t, p, slices.Repeat([]int64{record.NoTimestamp}, 30)...)
	}
	if got := p.RetentionStart(1_000_000, -1); got != 0 {
		t.Errorf("records of unknown age deleted up to %d", got)
	}
	for range 200 {
		plain(t, p, slices.Repeat([]int64{5}, 30)...)
	}
	plain(t, p, 2_000_000)
	if got := p.RetentionStart(1_000_000, -1); got < 6000 {
		t.Errorf("old records keep those before them: %d", got)
	}
	if got := p.RetentionStart(-1, 1000); got < 6000 {
		t.Errorf("by size: %d", got)
	}
}

func TestWatch(t *testing.T) {
	j := openJournal(t, vfs.NewMem())
	p, q := Open(j, 1), Open(j, 2)
	w := NewWaiter()
	p.Watch(w, 3)
	q.Watch(w, 0)
	q.Watch(w, 5)
	quiet := func() bool { return len(w.C()) == 0 && len(w.Dirty(nil)) == 0 }
	if !quiet() {
		t.Error("news before any")
	}
	plain(t, p, 1)
	plain(t, p, 1)
	<-w.C()
	if got := w.Dirty([]int{8}); !slices.Equal(got, []int{8, 3}) || !quiet() {
		t.Error(got)
	}
	plain(t, q, 1)
	<-w.C()
	if got := w.Dirty(nil); !slices.Equal(got, []int{0, 5}) {
		t.Error(got)
	}
	q.Unwatch(w, 0)
	q.Unwatch(w, 7) // never watched
	q.Delete()
	<-w.C()
	if got := w.Dirty(nil); !slices.Equal(got, []int{5}) {
		t.Error(got)
	}
	q.Unwatch(w, 5)
	p.Unwatch(w, 3)
	plain(t, p, 1)
	if !quiet() {
		t.Error("news after unwatching")
	}
}

func TestDelete(t *testing.T) {
	p := Open(openJournal(t, vfs.NewMem()), 1)
	plain(t, p, 1)
	p.Delete()
	if o := <-send(t, p, -1, 0, 0, 1); !errors.Is(o.err, ErrDeleted) {
		t.Error(o)
	}
	if n := p.SizeBytes(); n != 0 {
		t.Errorf("%d bytes after deletion", n)
	}
}

func TestExpireProducersAndTheirBound(t *testing.T) {
	p := Open(openJournal(t, vfs.NewMem()), 1)
	for id := range int64(4) {
		<-send(t, p, id, 0, int32(id), 1) // at 1000+id
	}
	p.ExpireProducers(1002)
	if got := p.Producers(); len(got) != 2 || got[0] != (ProducerInfo{2, 0, 2, 1002}) {
		t.Errorf("%+v", got)
	}
	for id := range int64(3 * producersMax) {
		p.Remember(SentBatch{ProducerID: 10 + id, Base: record.Offset(100 + id)})
	}
	got := p.Producers()
	if len(got) > producersMax || got[len(got)-1].ID != 10+3*producersMax-1 {
		t.Errorf("%d producers, the last is %+v", len(got), got[len(got)-1])
	}
}

// What is acknowledged, and what producers sent, is there after a crash at any
// sync.
func TestPartitionCrashes(t *testing.T) {
	fs := vfs.NewMem()
	p := Open(openJournal(t, fs), 1)
	var clones []*vfs.Mem
	var highs []record.Offset
	fs.OnSync(func(fs *vfs.Mem) {
		highs = append(highs, p.HighWatermark())
		clones = append(clones, fs.ProcessCrashClone())
	})
	for i := range int32(40) {
		if o := <-send(t, p, 9, 0, i, 1); o.err != nil {
			t.Fatal(o.err)
		}
	}
	fs.OnSync(nil)
	for i, clone := range clones {
		j := openJournal(t, clone)
		p := Open(j, 1)
		if p.HighWatermark() < highs[i] {
			t.Errorf("sync %d: high watermark %d, was %d", i, p.HighWatermark(), highs[i])
		}
		j.Close()
	}
	if len(clones) < 80 {
		t.Errorf("%d clones", len(clones))
	}
}

// A closed partition knows where it ends when what was on its way has ended, and
// refuses the rest; what was appended before is a duplicate still.
func TestClose(t *testing.T) {
	p := Open(openJournal(t, vfs.NewMem()), 1)
	first := send(t, p, 7, 0, 0, 3)
	end, err := p.Close(context.Background())
	if o := <-first; err != nil || o.err != nil || end != 3 || p.HighWatermark() != 3 {
		t.Fatalf("ends at %d, %v; the append: %+v", end, err, o)
	}
	if o := <-send(t, p, 7, 0, 3, 1); !errors.Is(o.err, ErrClosed) {
		t.Errorf("an append: %+v", o)
	}
	if o := <-send(t, p, 7, 0, 0, 3); o.err != nil || !o.Duplicate || o.Base != 0 {
		t.Errorf("the first again: %+v", o)
	}
	p.Reopen()
	if o := <-send(t, p, 7, 0, 3, 1); o.err != nil || o.Base != 3 {
		t.Errorf("after it was opened again: %+v", o)
	}
}
