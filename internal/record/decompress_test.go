package record

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"

	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
)

// body returns the records of a batch, uncompressed.
func body(records []Record) []byte {
	b := NewBuilder(None)
	for _, r := range records {
		b.Append(r.Timestamp, r.Key, r.Value, r.Headers)
	}
	return b.buf[HeaderBytes:]
}

// xerial frames src as the Java snappy library does, in blocks of blockBytes.
func xerial(src []byte, blockBytes int) []byte {
	out := append([]byte{0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0}, 0, 0, 0, 1, 0, 0, 0, 1)
	for len(src) > 0 {
		n := min(len(src), blockBytes)
		block := snappy.Encode(nil, src[:n])
		out = binary.BigEndian.AppendUint32(out, uint32(len(block)))
		out = append(out, block...)
		src = src[n:]
	}
	return out
}

func xerialSamples(records []Record) [][]byte {
	return [][]byte{xerial(body(records), 32<<10), xerial(body(records), 100)}
}

func TestSnappyFramings(t *testing.T) {
	want := sample()
	frames := append(xerialSamples(want), snappy.Encode(nil, body(want)))
	for i, framed := range frames {
		b := withBody(build(t, None, want), Snappy, framed)
		got, err := readAll(b, Limits{})
		if err != nil {
			t.Fatalf("framing %d: %v", i, err)
		}
		mustEqual(t, got, want, 0)
	}
}

func TestSnappyLyingLengths(t *testing.T) {
	good := xerial(body(sample()), 1<<20)
	huge := binary.AppendUvarint(nil, 1<<31)
	for name, b := range map[string][]byte{
		"header cut off":     good[:15],
		"length cut off":     good[:18],
		"block cut off":      good[:len(good)-1],
		"length of 4 GiB":    append(bytes.Clone(good[:16]), 255, 255, 255, 255),
		"decoded length":     append(huge, 0),
		"100 MiB in 5 bytes": append(binary.AppendUvarint(nil, 100<<20), 0),
		"empty":              {},
	} {
		n := allocated(func() {
			if _, err := decompress(Snappy, b, 128<<20); err == nil {
				t.Errorf("%s: accepted", name)
			}
		})
		if n > 1<<20 {
			t.Errorf("%s: %d bytes allocated", name, n)
		}
	}
	if out, err := decompress(Snappy, good[:16], 10); err != nil || len(out) != 0 {
		t.Errorf("a frame of no blocks: %d bytes, %v", len(out), err)
	}
}

// A batch may not expand beyond the limit, and not cost much more than it
// before that is found out.
func TestDecompressionBombs(t *testing.T) {
	zeros := make([]byte, 32<<20)
	for _, c := range allCodecs[1:] {
		bomb, err := compress(c, nil, zeros)
		if err != nil {
			t.Fatal(err)
		}
		n := allocated(func() {
			if _, err := decompress(c, bomb, 1<<20); !errors.Is(err, ErrTooLarge) {
				t.Errorf("%s: %d bytes expand without bound: %v", c, len(bomb), err)
			}
		})
		if n > 16<<20 {
			t.Errorf("%s: %d bytes allocated for a limit of 1 MiB", c, n)
		}
		if out, err := decompress(c, bomb, len(zeros)); err != nil || len(out) != len(zeros) {
			t.Errorf("%s: at the very limit: %d bytes, %v", c, len(out), err)
		}
		if _, err := decompress(c, bomb, len(zeros)-1); !errors.Is(err, ErrTooLarge) {
			t.Errorf("%s: one byte beyond the limit: %v", c, err)
		}
	}
}

func TestDamagedCompression(t *testing.T) {
	for _, c := range allCodecs[1:] {
		whole, err := compress(c, nil, body(sample()))
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range [][]byte{whole[:len(whole)/2], whole[:1], append([]byte{1, 2, 3}, whole...)} {
			if _, err := decompress(c, b, 1<<24); !errors.Is(err, ErrInvalidRecord) && !errors.Is(err, ErrTooLarge) {
				t.Errorf("%s: damage is answered with %v", c, err)
			}
		}
		// A pooled decoder is as good as new afterwards.
		if out, err := decompress(c, whole, 1<<24); err != nil || !bytes.Equal(out, body(sample())) {
			t.Errorf("%s: after damage: %v", c, err)
		}
	}
}

// Concatenated gzip members and zstd frames are one stream, as for Java.
func TestConcatenatedStreams(t *testing.T) {
	for _, c := range []Codec{Gzip, Zstd} {
		a, _ := compress(c, nil, []byte("나루"))
		b, _ := compress(c, nil, []byte("터"))
		if out, err := decompress(c, append(a, b...), 100); err != nil || string(out) != "나루터" {
			t.Errorf("%s: %q, %v", c, out, err)
		}
	}
}

// Clients that compress a stream, such as librdkafka, do not say how long it is.
func TestZstdOfUnknownLength(t *testing.T) {
	for _, n := range []int{0, 1, 5_000, 20_000, 130_000, 140_000, 3_000_000} {
		body := bytes.Repeat([]byte("나루터에 배가 "), n/20+1)
		var z bytes.Buffer
		w, err := zstd.NewWriter(&z, zstd.WithEncoderConcurrency(1))
		if err != nil {
			t.Fatal(err)
		}
		for rest := body; len(rest) > 0; { // in pieces, so that there is no length
			k := min(len(rest), 1000)
			if _, err := w.Write(rest[:k]); err != nil {
				t.Fatal(err)
			}
			rest = rest[k:]
			if err := w.Flush(); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		once := z.Bytes()
		for _, src := range [][]byte{once, append(bytes.Clone(once), once...)} {
			want := bytes.Repeat(body, len(src)/len(once))
			out, err := decompress(Zstd, src, 16<<20)
			if err != nil || !bytes.Equal(out, want) {
				t.Errorf("%d bytes in %d: %d, %v", len(want), len(src), len(out), err)
			}
			if _, err := decompress(Zstd, src, len(want)-1); err == nil {
				t.Errorf("%d bytes pass a limit below", len(want))
			}
			if bound := zstdBound(src); bound < len(want) {
				t.Errorf("the bound of %d bytes is %d", len(want), bound)
			}
		}
	}
	e, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	stream := bytes.Repeat([]byte("강을 건너는 배 "), 1000)
	whole := e.EncodeAll(stream, nil)
	var h zstd.Header
	if err := h.Decode(whole); err != nil || !h.HasFCS {
		t.Fatal(h, err)
	}
	out, err := decompress(Zstd, withoutLength(whole, &h), 1<<20)
	if err != nil || !bytes.Equal(out, stream) {
		t.Errorf("one block without a length: %d of %d, %v", len(out), len(stream), err)
	}
}

// withoutLength is the same frame with a header that does not say how long it is.
func withoutLength(frame []byte, h *zstd.Header) []byte {
	descriptor := byte(0)
	if h.HasCheckSum {
		descriptor = 4
	}
	const window = 10 << 3 // 1 MiB
	return append(append(bytes.Clone(frame[:4]), descriptor, window), frame[h.HeaderSize:]...)
}
