package broker

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/narumq/naru/internal/catalog"
	"github.com/narumq/naru/internal/record"
)

func openStreams(t *testing.T) *Broker {
	t.Helper()
	b, err := Open(Config{Dir: t.TempDir(), Store: catalog.NewMem(), RetentionEvery: -1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

// streamWith makes a stream with n messages of so many bytes.
func streamWith(t *testing.T, b *Broker, name string, n, bytes int, change ...func(*catalog.QueueSettings)) *Queue {
	t.Helper()
	s := catalog.DefaultQueueSettings()
	s.Stream, s.Retention = true, 0
	for _, f := range change {
		f(&s)
	}
	if _, err := b.CreateQueue(catalog.QueueSpec{Name: name, Settings: s}); err != nil {
		t.Fatal(err)
	}
	q, err := b.Queue(name)
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		sendOne(t, q, fmt.Appendf(nil, "%-*d", bytes, i))
	}
	return q
}

func sendOne(t *testing.T, q *Queue, value []byte) {
	t.Helper()
	done := make(chan Sent, 1)
	q.Send(context.Background(), []Message{{Value: value, Delay: -1}}, func(s []Sent) { done <- s[0] })
	if s := <-done; s.Err != nil {
		t.Fatal(s.Err)
	}
}

func readStream(t *testing.T, q *Queue, from StreamStart) *StreamReader {
	t.Helper()
	r, err := q.ReadStream(from)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}

// wantOffsets takes what there is.
func wantOffsets(t *testing.T, r *StreamReader, want ...record.Offset) {
	t.Helper()
	var got []record.Offset
	for {
		rec, _, err := r.Peek()
		if err != nil {
			t.Fatal(err)
		}
		if rec == nil {
			break
		}
		got = append(got, rec.Offset)
		r.Pause()
		if rec, _, _ = r.Peek(); rec.Offset != got[len(got)-1] {
			t.Fatalf("after a pause %d is next, not %d", rec.Offset, got[len(got)-1])
		}
		r.Advance()
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("read %v, want %v", got, want)
	}
}

func TestStreamNothingIsTaken(t *testing.T) {
	b := openStreams(t)
	q := streamWith(t, b, "s", 5, 10)
	for range 2 {
		wantOffsets(t, readStream(t, q, StreamStart{At: AtFirst}), 0, 1, 2, 3, 4)
	}
	wantOffsets(t, readStream(t, q, StreamStart{At: AtOffset, Offset: 3}), 3, 4)
	wantOffsets(t, readStream(t, q, StreamStart{At: AtLast}), 4)
	later := readStream(t, q, StreamStart{At: AtOffset, Offset: 6})
	fresh := readStream(t, q, StreamStart{})
	wantOffsets(t, later)
	wantOffsets(t, fresh)
	sendOne(t, q, nil)
	<-fresh.C()
	sendOne(t, q, nil)
	wantOffsets(t, later, 6)
	wantOffsets(t, fresh, 5, 6)
	if _, err := q.Receive(context.Background(), ReceiveRequest{Max: 1}); !errors.Is(err, ErrStream) {
		t.Errorf("receive: %v", err)
	}
	if err := q.Purge(); !errors.Is(err, ErrStream) {
		t.Errorf("purge: %v", err)
	}
	if n := q.Stats().Ready; n != 7 {
		t.Errorf("%d ready", n)
	}
	if err := b.Retain(time.Now()); err != nil {
		t.Fatal(err)
	}
	wantOffsets(t, readStream(t, q, StreamStart{At: AtFirst}), 0, 1, 2, 3, 4, 5, 6)
}

func TestStreamKeepsWhatRetentionSays(t *testing.T) {
	b := openStreams(t)
	q := streamWith(t, b, "s", 10, 100<<10, func(s *catalog.QueueSettings) { s.BytesMax = 300 << 10 })
	r := readStream(t, q, StreamStart{At: AtFirst})
	if rec, _, err := r.Peek(); err != nil || rec.Offset != 0 {
		t.Fatal(rec, err)
	}
	if err := b.Retain(time.Now()); err != nil {
		t.Fatal(err)
	}
	start := q.local().partitions()[0].LogStart()
	if start < 5 || start > 8 {
		t.Errorf("the log starts at %d", start)
	}
	r.drop()
	rec, _, err := r.Peek()
	if err != nil || rec.Offset != start {
		t.Errorf("a reader that was overtaken goes on with %v, %v; the log starts at %d", rec, err, start)
	}
}

// TestStreamReadersShareMemory pauses more of them than there is room for.
func TestStreamReadersShareMemory(t *testing.T) {
	b := openStreams(t)
	q := streamWith(t, b, "s", 3, 100<<10)
	b.queues.streamed.Store(streamsBytesMax)
	r := readStream(t, q, StreamStart{At: AtFirst})
	r.Peek()
	r.Pause()
	if len(r.list) != 0 || b.queues.streamed.Load() != streamsBytesMax {
		t.Errorf("%d records are kept, %d bytes", len(r.list), b.queues.streamed.Load())
	}
	wantOffsets(t, r, 0, 1, 2)
	b.queues.streamed.Store(0)
	r = readStream(t, q, StreamStart{At: AtFirst})
	r.Peek()
	r.Pause()
	if len(r.list) == 0 || b.queues.streamed.Load() < 100<<10 {
		t.Errorf("%d records are kept, %d bytes", len(r.list), b.queues.streamed.Load())
	}
	r.Close()
	if n := b.queues.streamed.Load(); n != 0 {
		t.Errorf("%d bytes after the end", n)
	}
}

func TestStreamDeleted(t *testing.T) {
	b := openStreams(t)
	q := streamWith(t, b, "s", 1, 10)
	r := readStream(t, q, StreamStart{})
	if err := b.DeleteQueue("s"); err != nil {
		t.Fatal(err)
	}
	<-r.C()
	if _, _, err := r.Peek(); !errors.Is(err, ErrQueueDeleted) {
		t.Errorf("error is %v", err)
	}
}
