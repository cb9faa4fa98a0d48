package journal

import (
	"bytes"
	"context"
	"fmt"
	"testing"

	"github.com/narumq/naru/internal/record"
	"github.com/narumq/naru/internal/vfs"
)

type put struct {
	stream  StreamID
	base    record.Offset
	payload []byte
}

func appendAll(t *testing.T, j *Journal, puts []put) {
	t.Helper()
	errs := make(chan error, len(puts))
	for _, p := range puts {
		if err := j.Admit(context.Background(), len(p.payload)); err != nil {
			t.Fatal(err)
		}
		e := &Entry{Stream: p.stream, Base: p.base, Count: 1, Payload: p.payload, Done: func(e *Entry, err error) {
			j.Release(len(e.Payload))
			errs <- err
		}}
		if err := j.Enqueue(e); err != nil {
			t.Fatal(err)
		}
	}
	for range puts {
		if err := <-errs; err != nil {
			t.Fatal(err)
		}
	}
}

func readAll(t *testing.T, j *Journal, id StreamID, from record.Offset) (out [][]byte) {
	t.Helper()
	for {
		s, err := j.Read(id, from, 700, true)
		if err != nil {
			t.Fatal(err)
		}
		if len(s.Payloads) == 0 {
			return out
		}
		for _, p := range s.Payloads {
			out = append(out, bytes.Clone(p))
		}
		from = s.Next
		s.Release()
	}
}

func TestRoundTripAcrossSegmentsAndReopening(t *testing.T) {
	fs := vfs.NewMem()
	fs.MkdirAll("d")
	opt := Options{SegmentBytes: SegmentBytesMin, CacheBytes: CacheBytesMin}
	j, err := Open(fs, "d", opt)
	if err != nil {
		t.Fatal(err)
	}
	var puts []put
	for i := range 3000 {
		s := StreamID(1 + i%3)
		puts = append(puts, put{s, record.Offset(i / 3), fmt.Appendf(nil, "stream %d offset %d %s", s, i/3, bytes.Repeat([]byte("x"), i%200))})
	}
	check := func() {
		t.Helper()
		for s := StreamID(1); s <= 3; s++ {
			got := readAll(t, j, s, 0)
			if len(got) != 1000 {
				t.Fatalf("stream %d: %d payloads", s, len(got))
			}
			for i, p := range got {
				if !bytes.Equal(p, puts[i*3+int(s)-1].payload) {
					t.Fatalf("stream %d offset %d: %q", s, i, p)
				}
			}
		}
	}
	appendAll(t, j, puts)
	check()
	for range 3 {
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
		if j, err = Open(fs, "d", opt); err != nil {
			t.Fatal(err)
		}
		check()
	}
	for {
		more, err := j.Relocate(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		if !more {
			break
		}
		check()
	}
	j.Close()
	sum, err := Check(fs, "d", func(f Finding) { t.Error(f) })
	if err != nil || sum.Records != 3000 {
		t.Fatal(sum, err)
	}
}
