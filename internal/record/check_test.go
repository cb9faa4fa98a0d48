package record

import (
	"encoding/binary"
	"errors"
	"slices"
	"testing"
)

// raw builds an uncompressed batch of hand-made record bytes.
func raw(count int32, body ...byte) []byte {
	b := NewBuilder(None)
	b.count, b.base, b.max = count, 100, 100
	b.putHeader()
	out := append(slices.Clone(b.buf), body...)
	putLength(out)
	seal(out)
	return out
}

func be32(b []byte, pos int, v int32) { binary.BigEndian.PutUint32(b[pos:], uint32(v)) }
func be64(b []byte, pos int, v int64) { binary.BigEndian.PutUint64(b[pos:], uint64(v)) }

func TestCheckHeaderErrors(t *testing.T) {
	for _, tc := range []struct {
		name string
		edit func(b []byte) []byte
		want error
	}{
		{"intact", func(b []byte) []byte { return b }, nil},
		{"empty", func(b []byte) []byte { return nil }, ErrCorrupt},
		{"header cut off", func(b []byte) []byte { return b[:60] }, ErrCorrupt},
		{"one byte short", func(b []byte) []byte { return b[:len(b)-1] }, ErrCorrupt},
		{"one byte long", func(b []byte) []byte { return append(b, 0) }, ErrCorrupt},
		{"one byte long, checksummed", func(b []byte) []byte { b = append(b, 0); seal(b); return b }, ErrCorrupt},
		{"negative length", func(b []byte) []byte { be32(b, posLength, -1); return b }, ErrCorrupt},
		{"length of nothing", func(b []byte) []byte { be32(b, posLength, 0); return b }, ErrCorrupt},
		{"huge length", func(b []byte) []byte { be32(b, posLength, 1<<31-1); return b }, ErrCorrupt},
		{"magic 0", func(b []byte) []byte { b[posMagic] = 0; return b }, ErrUnsupportedMagic},
		{"magic 1, short", func(b []byte) []byte { b[posMagic] = 1; return b[:34] }, ErrUnsupportedMagic},
		{"magic 3", func(b []byte) []byte { b[posMagic] = 3; return b }, ErrUnsupportedMagic},
		{"flipped bit", func(b []byte) []byte { b[len(b)-2] ^= 4; return b }, ErrCorrupt},
		{"flipped checksum", func(b []byte) []byte { b[posCRC] ^= 4; return b }, ErrCorrupt},
		{"codec 5", sealed(func(b []byte) { b[posAttributes+1] |= 5 }), ErrInvalidRecord},
		{"no records", sealed(func(b []byte) { be32(b, posCount, 0); be32(b, posLastOffsetDelta, -1) }), ErrInvalidRecord},
		{"negative count", sealed(func(b []byte) { be32(b, posCount, -5); be32(b, posLastOffsetDelta, -6) }), ErrInvalidRecord},
		{"smallest count", sealed(func(b []byte) { be32(b, posCount, -1<<31); be32(b, posLastOffsetDelta, 1<<31-1) }), ErrInvalidRecord},
		{"last offset delta", sealed(func(b []byte) { be32(b, posLastOffsetDelta, 6) }), ErrInvalidRecord},
		{"count too large", sealed(func(b []byte) { be32(b, posCount, 101); be32(b, posLastOffsetDelta, 100) }), ErrTooLarge},
		{"one record too many", sealed(func(b []byte) { be32(b, posCount, 7); be32(b, posLastOffsetDelta, 6) }), ErrInvalidRecord},
		{"one record too few", sealed(func(b []byte) { be32(b, posCount, 5); be32(b, posLastOffsetDelta, 4) }), ErrInvalidRecord},
		{"max timestamp", sealed(func(b []byte) { be64(b, posMaxTimestamp, -2) }), ErrInvalidTimestamp},
		{"base timestamp", sealed(func(b []byte) { be64(b, posBaseTimestamp, -2) }), ErrInvalidTimestamp},
		{"timestamp overflow", sealed(func(b []byte) { be64(b, posBaseTimestamp, 1<<63-1) }), ErrInvalidTimestamp},
		{"producer id", sealed(func(b []byte) { be64(b, posProducerID, -2) }), ErrInvalidRecord},
		{"producer without epoch", sealed(func(b []byte) { be64(b, posProducerID, 4); be32(b, posBaseSequence, 0) }), ErrInvalidRecord},
		{"producer without sequence", sealed(func(b []byte) { be64(b, posProducerID, 4); b[posProducerEpoch], b[posProducerEpoch+1] = 0, 0 }), ErrInvalidRecord},
		{"producer", sealed(func(b []byte) {
			be64(b, posProducerID, 4)
			b[posProducerEpoch], b[posProducerEpoch+1] = 0, 0
			be32(b, posBaseSequence, 9)
		}), nil},
		{"marker without sequence", sealed(func(b []byte) {
			b[posAttributes+1] |= attrControl | attrTransactional
			be64(b, posProducerID, 4)
			b[posProducerEpoch], b[posProducerEpoch+1] = 0, 0
		}), nil},
		{"no producer, zeros", sealed(func(b []byte) {
			b[posProducerEpoch], b[posProducerEpoch+1] = 0, 0
			be32(b, posBaseSequence, 0)
		}), nil},
		{"transaction without producer", sealed(func(b []byte) { b[posAttributes+1] |= attrTransactional }), ErrInvalidRecord},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := tc.edit(build(t, None, sample()))
			if _, err := Check(b, Limits{RecordsMax: 100}); !errors.Is(err, tc.want) || (err == nil) != (tc.want == nil) {
				t.Fatalf("got %v, want %v", err, tc.want)
			}
		})
	}
}

// Where the records are not looked at, the count is judged by itself.
func TestCheckCompressedCount(t *testing.T) {
	for _, n := range []int32{0, -1, -1 << 31} {
		b := build(t, LZ4, sample())
		be32(b, posCount, n)
		be32(b, posLastOffsetDelta, n-1)
		seal(b)
		if _, err := Check(b, Limits{}); !errors.Is(err, ErrInvalidRecord) {
			t.Fatalf("count %d: %v", n, err)
		}
	}
}

// sealed makes an edit that a producer would have checksummed.
func sealed(edit func(b []byte)) func([]byte) []byte {
	return func(b []byte) []byte { edit(b); seal(b); return b }
}

func TestCheckRecordErrors(t *testing.T) {
	for _, tc := range []struct {
		name string
		n    int32
		body []byte
		ok   bool
	}{
		// length 6 is 0x0c: attributes, timestamp, offset, key, value, headers.
		{"null key and value", 1, []byte{0x0c, 0, 0, 0, 1, 1, 0}, true},
		{"two records", 2, []byte{0x0c, 0, 0, 0, 1, 1, 0, 0x0c, 0, 0, 2, 1, 1, 0}, true},
		{"padded varint", 1, []byte{0x8c, 0, 0, 0, 0, 1, 1, 0}, true},
		{"varlong beyond 64 bits", 1, []byte{0x1e, 0, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x02, 0, 1, 1, 0}, false},
		{"no bytes", 1, nil, false},
		{"empty record", 1, []byte{0}, false},
		{"negative length", 1, []byte{1, 0, 0, 0, 1, 1, 0}, false},
		{"length too long", 1, []byte{0x0e, 0, 0, 0, 1, 1, 0}, false},
		{"length too short", 1, []byte{0x0a, 0, 0, 0, 1, 1, 0}, false},
		{"trailing byte", 1, []byte{0x0c, 0, 0, 0, 1, 1, 0, 0}, false},
		{"trailing byte inside", 1, []byte{0x0e, 0, 0, 0, 1, 1, 0, 0}, false},
		{"first offset 1", 1, []byte{0x0c, 0, 0, 2, 1, 1, 0}, false},
		{"repeated offset", 2, []byte{0x0c, 0, 0, 0, 1, 1, 0, 0x0c, 0, 0, 0, 1, 1, 0}, false},
		{"key length -2", 1, []byte{0x0c, 0, 0, 0, 3, 1, 0}, false},
		{"key too long", 1, []byte{0x0c, 0, 0, 0, 8, 1, 0}, false},
		{"value too long", 1, []byte{0x0c, 0, 0, 0, 1, 8, 0}, false},
		{"header count -1", 1, []byte{0x0c, 0, 0, 0, 1, 1, 1}, false},
		{"header count without headers", 1, []byte{0x0c, 0, 0, 0, 1, 1, 2}, false},
		{"header", 1, []byte{0x10, 0, 0, 0, 1, 1, 2, 0, 1}, true},
		{"header with null key", 1, []byte{0x10, 0, 0, 0, 1, 1, 2, 1, 1}, false},
		{"header count of 2^30", 1, []byte{0x14, 0, 0, 0, 1, 1, 0x80, 0x80, 0x80, 0x80, 0x08}, false},
		{"varint of 6 bytes", 1, []byte{0x8c, 0x80, 0x80, 0x80, 0x80, 0, 0, 0, 0, 1, 1, 0}, false},
		{"varint beyond 32 bits", 1, []byte{0x8c, 0x80, 0x80, 0x80, 0x10, 0, 0, 0, 1, 1, 0}, false},
		{"varlong of 11 bytes", 1, []byte{0x20, 0, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0, 0, 1, 1, 0}, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := raw(tc.n, tc.body...)
			_, err := Check(b, Limits{})
			if (err == nil) != tc.ok || err != nil && !errors.Is(err, ErrInvalidRecord) {
				t.Fatalf("Check: %v", err)
			}
			if _, err := readAll(b, Limits{}); (err == nil) != tc.ok {
				t.Fatalf("Reader: %v", err)
			}
		})
	}
}

func TestLimits(t *testing.T) {
	b := build(t, None, sample())
	for _, lim := range []Limits{{BatchBytesMax: len(b) - 1}, {RecordsMax: 5}, {HeadersMax: 3}} {
		if _, err := Check(b, lim); !errors.Is(err, ErrTooLarge) {
			t.Fatalf("%+v: %v", lim, err)
		}
	}
	if _, err := Check(b, Limits{BatchBytesMax: len(b), RecordsMax: 6, HeadersMax: 4}); err != nil {
		t.Fatal(err)
	}
}

func TestVarints(t *testing.T) {
	for _, v := range []int64{0, -1, 1, 63, 64, -64, -65, 8191, 8192, 1 << 20, -1 << 20, 1<<31 - 1, -1 << 31, 1 << 40, 1<<63 - 1, -1 << 63} {
		b := appendVarint(nil, v)
		if len(b) != varintBytes(v) {
			t.Fatalf("%d: %d bytes, counted %d", v, len(b), varintBytes(v))
		}
		if got, n := varint64(b, 0); got != v || n != len(b) {
			t.Fatalf("%d: varlong %d, %d", v, got, n)
		}
		if v == int64(int32(v)) {
			if got, n := varint32(b, 0); int64(got) != v || n != len(b) {
				t.Fatalf("%d: varint %d, %d", v, got, n)
			}
		}
		for i := range b {
			if _, n := varint64(b[:i], 0); n != -1 {
				t.Fatalf("%d: cut off at %d is accepted", v, i)
			}
			if _, n := varint32(b[:i], 0); n != -1 {
				t.Fatalf("%d: cut off at %d is accepted", v, i)
			}
		}
	}
}

func TestCheckAllocatesNothing(t *testing.T) {
	b := build(t, None, sample())
	if n := testing.AllocsPerRun(100, func() {
		if _, err := Check(b, Limits{}); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Fatalf("%v allocations", n)
	}
}

func BenchmarkCheck(b *testing.B) {
	for _, bc := range []struct {
		name    string
		n, size int
		codec   Codec
	}{{"1KiB", 900, 1024, None}, {"100B", 9000, 100, None}, {"10B", 50_000, 10, None}, {"lz4", 900, 1024, LZ4}} {
		b.Run(bc.name, func(b *testing.B) {
			batch := ofSize(b, bc.codec, bc.n, bc.size)
			b.SetBytes(int64(len(batch)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Check(batch, Limits{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkReader(b *testing.B) {
	for _, c := range allCodecs {
		b.Run(c.String(), func(b *testing.B) {
			batch := ofSize(b, c, 900, 1024)
			b.SetBytes(900 * 1024)
			b.ReportAllocs()
			for b.Loop() {
				r, err := NewReader(batch, Limits{})
				if err != nil {
					b.Fatal(err)
				}
				for _, ok := r.Next(); ok; _, ok = r.Next() {
				}
				if r.Err() != nil {
					b.Fatal(r.Err())
				}
			}
		})
	}
}
