package record

import (
	"bytes"
	"encoding/binary"
	"errors"
	"runtime"
	"testing"
)

// fuzzLimits keep the work of one input small; the allocation bound follows.
var fuzzLimits = Limits{BatchBytesMax: 1 << 20, DecompressedBytesMax: 1 << 20, RecordsMax: 10_000, HeadersMax: 1000}

// Reading an input may allocate its decompressed records a few times over (the
// buffer grows by doubling), headers at 40 bytes for two on the wire, and a
// decoder's working set, once.
const fuzzAllocMax = 64 << 20

func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

func seeds(f *testing.F) {
	for _, c := range allCodecs {
		b := build(f, c, sample()[:5])
		f.Add(b)
		f.Add(b[:len(b)-1])
	}
	for _, body := range xerialSamples(sample()[:5]) {
		f.Add(withBody(build(f, None, sample()[:5]), Snappy, body))
	}
	f.Add(raw(1, 0x0c, 0, 0, 0, 1, 1, 0))
	f.Add(raw(1, 0x14, 0, 0, 0, 1, 1, 0x80, 0x80, 0x80, 0x80, 0x08))
	f.Add(raw(1<<30, 0x0c, 0, 0, 0, 1, 1, 0))
	f.Add([]byte{})
}

// withBody replaces what is behind the header of b.
func withBody(b []byte, c Codec, body []byte) []byte {
	out := append(bytes.Clone(b[:HeaderBytes]), body...)
	out[posAttributes+1] = out[posAttributes+1]&^attrCodecMask | byte(c)
	putLength(out)
	seal(out)
	return out
}

// FuzzCheck: what Check accepts uncompressed, the reader reads to the end; and
// Check allocates nothing in proportion to anything.
func FuzzCheck(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		// Nearly no input has a right checksum and length: try it with both too.
		tries := [][]byte{b}
		if len(b) >= HeaderBytes {
			fixed := bytes.Clone(b)
			fixed[posMagic] = Magic
			putLength(fixed)
			seal(fixed)
			tries = append(tries, fixed)
		}
		for _, b := range tries {
			var h Header
			var err error
			if n := allocated(func() { h, err = Check(b, fuzzLimits) }); n > 1<<16 {
				t.Fatalf("Check allocated %d bytes", n)
			}
			if err != nil {
				continue
			}
			if h.Bytes() != len(b) || h.Count < 1 {
				t.Fatalf("accepted %+v in %d bytes", h, len(b))
			}
			if h.Codec() != None {
				continue
			}
			records, err := readAll(b, fuzzLimits)
			if err != nil || len(records) != int(h.Count) {
				t.Fatalf("accepted, then read %d of %d records: %v", len(records), h.Count, err)
			}
			for i, r := range records {
				if r.Offset != h.BaseOffset+Offset(i) {
					t.Fatalf("record %d has offset %d", i, r.Offset)
				}
			}
			packed, err := Recompress(b, LZ4, fuzzLimits)
			if errors.Is(err, ErrTooLarge) {
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			again, err := Recompress(packed, None, fuzzLimits)
			if err != nil || !bytes.Equal(again, b) {
				t.Fatalf("compressed and back, the batch differs: %v", err)
			}
		}
	})
}

func FuzzReader(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) < HeaderBytes {
			return
		}
		for c := range codecCount {
			batch := withBody(b, c, b[HeaderBytes:])
			batch[posMagic] = Magic
			var records []Record
			if n := allocated(func() { records, _ = readAll(batch, fuzzLimits) }); n > fuzzAllocMax {
				t.Fatalf("%s: %d bytes allocated for %d", c, n, len(b))
			}
			total := 0
			for _, r := range records {
				total += len(r.Key) + len(r.Value)
			}
			if total > fuzzLimits.DecompressedBytesMax {
				t.Fatalf("%s: %d bytes of records", c, total)
			}
		}
	})
}

// FuzzBuilder: what is built from any records is accepted, and reads equal.
func FuzzBuilder(f *testing.F) {
	f.Add([]byte("key\x00value\x00나루\x00\x01\x02"), int64(1_700_000_000_000), byte(0))
	f.Add([]byte{}, int64(-1), byte(4))
	f.Add(bytes.Repeat([]byte{7, 0}, 500), int64(1<<62), byte(2))
	f.Fuzz(func(t *testing.T, text []byte, ts int64, codec byte) {
		c := Codec(codec % byte(codecCount))
		b := NewBuilder(c)
		var want []Record
		for i, part := range bytes.SplitN(text, []byte{0}, 1000) {
			r := Record{Timestamp: ts + int64(i*i)<<(i%40), Value: part}
			switch i % 4 {
			case 1:
				r.Key, r.Value = part, nil
			case 2:
				r.Key = binary.AppendVarint(nil, ts)
				r.Headers = []HeaderField{{string(part), part}, {"", nil}, {"x", []byte{}}}
			}
			want = append(want, r)
			b.Append(r.Timestamp, r.Key, r.Value, r.Headers)
		}
		out, err := b.Build()
		if errors.Is(err, ErrInvalidTimestamp) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Check(out, Limits{}); err != nil {
			t.Fatal(err)
		}
		got, err := readAll(out, Limits{})
		if err != nil {
			t.Fatal(err)
		}
		mustEqual(t, got, want, 0)
	})
}
