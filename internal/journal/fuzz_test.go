package journal

import (
	"bytes"
	"context"
	"errors"
	"runtime"
	"testing"

	"github.com/narumq/naru/internal/record"
	"github.com/narumq/naru/internal/vfs"
)

// writeSegment makes a directory with one segment of these bytes.
func writeSegment(t testing.TB, b []byte) *vfs.Mem {
	fs := vfs.NewMem()
	fs.MkdirAll("d")
	file, err := fs.Create("d/" + SegmentID(1).String())
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if _, err := file.WriteAt(b, 0); err != nil {
		t.Fatal(err)
	}
	return fs
}

func segmentBytes(t *testing.F, seal bool) []byte {
	fs := vfs.NewMem()
	fs.MkdirAll("d")
	j, err := Open(fs, "d", Options{SegmentBytes: SegmentBytesMin, CacheBytes: CacheBytesMin})
	if err != nil {
		t.Fatal(err)
	}
	m := newSimModel(2)
	for i := range 6 {
		if err := appendOne(j, m, StreamID(1+i%2)); err != nil {
			t.Fatal(err)
		}
	}
	name, end := j.active.path, j.active.end
	crashed := fs.ProcessCrashClone()
	j.Close()
	if !seal {
		fs = crashed
	}
	file, err := fs.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	if seal {
		end, _ = file.Size()
	}
	b := make([]byte, end)
	file.ReadAt(b, 0)
	return b
}

// reseal makes the checksums of a segment's header, trailer and footer fit, so
// that what they say is believed.
func reseal(b []byte) {
	if len(b) < segmentHeaderBytes+trailerBytes {
		return
	}
	le.PutUint32(b[60:], checksum(b[:60]))
	end := b[len(b)-trailerBytes:]
	dataEnd, table := le.Uint64(end[16:]), int64(le.Uint32(end[28:]))*extentBytes
	if from := int64(dataEnd) + table; dataEnd < uint64(len(b)) && from <= int64(len(b)-trailerBytes) {
		runs := b[from : len(b)-trailerBytes]
		for i := 0; i+runBytes <= len(runs); i += runBytes {
			first, n := int64(le.Uint32(runs[i+40:])), int64(le.Uint32(runs[i+44:]))
			if lo, hi := int64(dataEnd)+first*extentBytes, int64(dataEnd)+(first+n)*extentBytes; hi <= from {
				le.PutUint32(runs[i+48:], checksum(b[lo:hi]))
			}
		}
		le.PutUint32(end[40:], checksum(runs))
	}
	le.PutUint32(end[60:], checksum(end[:60]))
	for pos := segmentHeaderBytes; pos+frameHeaderBytes <= len(b) && uint64(pos) < dataEnd; pos += frameAlign {
		if b[pos+48] == frameVersion {
			le.PutUint32(b[pos:], checksum(b[pos+4:pos+frameHeaderBytes]))
		}
	}
}

// FuzzSegment opens, reads, relocates and checks a directory whose one segment
// holds any bytes at all: no panic, and no more memory than the file explains.
func FuzzSegment(f *testing.F) {
	sealed, active := segmentBytes(f, true), segmentBytes(f, false)
	for _, b := range [][]byte{sealed, active, sealed[:70], sealed[64:], {}, make([]byte, 500)} {
		f.Add(b, false)
		f.Add(b, true)
	}
	f.Fuzz(func(t *testing.T, b []byte, believed bool) {
		if len(b) > 1<<16 {
			return
		}
		b = bytes.Clone(b)
		if believed {
			reseal(b)
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		useSegment(t, writeSegment(t, b))
		runtime.ReadMemStats(&after)
		if n := after.TotalAlloc - before.TotalAlloc; n > 16<<20+200*uint64(len(b)) {
			t.Errorf("%d bytes of memory for a file of %d", n, len(b))
		}
	})
}

func useSegment(t *testing.T, fs *vfs.Mem) {
	if _, err := Check(fs, "d", func(Finding) {}); err != nil && !errors.Is(err, ErrVersion) {
		t.Fatal(err)
	}
	j, err := Open(fs, "d", Options{SegmentBytes: SegmentBytesMin, CacheBytes: CacheBytesMin, RelocateBytesPerSecond: -1})
	if err != nil {
		if !errors.Is(err, ErrVersion) {
			t.Fatal(err)
		}
		return
	}
	defer j.Close()
	j.index.mu.RLock()
	var ids []StreamID
	for id := range j.index.streams {
		ids = append(ids, id)
	}
	j.index.mu.RUnlock()
	for _, id := range ids {
		start, next := j.Bounds(id)
		for _, from := range []record.Offset{start, start + 1, next - 1} {
			if s, err := j.Read(id, from, 1<<20, true); err == nil {
				s.Release()
			} else if !errors.Is(err, ErrDamaged) {
				t.Fatal(err)
			}
		}
		j.SeekTime(id, start, 1)
		j.Available(id, start, 1<<20)
	}
	if err := j.Replay(0, func(Replayed) {}); err != nil {
		t.Fatal(err)
	}
	if _, err := j.Relocate(context.Background()); err != nil {
		t.Fatal(err)
	}
}

func FuzzFormat(f *testing.F) {
	f.Add(segmentHeader{id: 3, salt: 4, flags: flagRelocated}.encode())
	t := trailer{salt: 1, dataEnd: 2, extents: 3, runs: 4, replaced: 5, tableCRC: 6}
	b := make([]byte, trailerBytes)
	t.encode(b)
	f.Add(b)
	b = make([]byte, frameHeaderBytes+8)
	(&frame{length: 3, stream: 4, base: 5, count: 6}).encode(b)
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		if h, ok, err := decodeSegmentHeader(b); ok && err == nil {
			if again, ok, err := decodeSegmentHeader(h.encode()); !ok || err != nil || again != h {
				t.Errorf("header %+v, again %+v", h, again)
			}
		}
		if x, ok, err := decodeTrailer(b); ok && err == nil {
			c := make([]byte, trailerBytes)
			x.encode(c)
			if again, ok, err := decodeTrailer(c); !ok || err != nil || again != x {
				t.Errorf("trailer %+v, again %+v", x, again)
			}
		}
		if len(b) >= frameHeaderBytes {
			if x, ok := decodeFrame(b); ok {
				c := make([]byte, frameHeaderBytes)
				x.encode(c)
				if again, ok := decodeFrame(c); !ok || again != x {
					t.Errorf("frame %+v, again %+v", x, again)
				}
			}
		}
	})
}
