package record

import (
	"bytes"
	"errors"
	"slices"
	"testing"
)

func TestRoundTripAllCodecs(t *testing.T) {
	for _, c := range allCodecs {
		t.Run(c.String(), func(t *testing.T) {
			want := sample()
			b := build(t, c, want)
			h, times, err := Inspect(b, Limits{})
			if err != nil {
				t.Fatal(err)
			}
			if h.Codec() != c || h.Bytes() != len(b) || int(h.Count) != len(want) ||
				h.LastOffset() != Offset(len(want)-1) || h.ProducerID != -1 || h.LeaderEpoch != -1 {
				t.Fatalf("header %+v", h)
			}
			if h.MaxTimestamp != 1_700_000_000_009 || c == None && times.Min != 1_700_000_000_000-1000 {
				t.Fatalf("max timestamp %d, times %+v", h.MaxTimestamp, times)
			}
			SetBaseOffset(b, 1<<40)
			SetLeaderEpoch(b, 7)
			if h, err = Check(b, Limits{}); err != nil || h.BaseOffset != 1<<40 || h.LeaderEpoch != 7 {
				t.Fatalf("after patching: %+v, %v", h, err)
			}
			got, err := readAll(b, Limits{})
			if err != nil {
				t.Fatal(err)
			}
			mustEqual(t, got, want, 1<<40)
		})
	}
}

func TestRecompressEveryPair(t *testing.T) {
	for _, from := range allCodecs {
		for _, to := range allCodecs {
			b := build(t, from, sample())
			SetBaseOffset(b, 42)
			before := slices.Clone(b)
			out, err := Recompress(b, to, Limits{})
			if err != nil {
				t.Fatalf("%s to %s: %v", from, to, err)
			}
			if !bytes.Equal(b, before) {
				t.Fatalf("%s to %s changed its input", from, to)
			}
			h, err := Check(out, Limits{})
			if err != nil || h.Codec() != to {
				t.Fatalf("%s to %s: codec %s, %v", from, to, h.Codec(), err)
			}
			got, err := readAll(out, Limits{})
			if err != nil {
				t.Fatal(err)
			}
			mustEqual(t, got, sample(), 42)
		}
	}
}

// A batch whose records do not match its count must not become an uncompressed
// one, which is promised to be readable.
func TestRecompressWalks(t *testing.T) {
	b := build(t, Zstd, sample())
	b[posCount+3]--
	b[posLastOffsetDelta+3]--
	seal(b)
	if _, err := Check(b, Limits{}); err != nil {
		t.Fatal(err)
	}
	if _, err := Recompress(b, None, Limits{}); !errors.Is(err, ErrInvalidRecord) {
		t.Fatalf("got %v", err)
	}
}

func TestStampLogAppendTime(t *testing.T) {
	for _, c := range allCodecs {
		b := build(t, c, sample())
		StampLogAppendTime(b, 1_800_000_000_000)
		h, times, err := Inspect(b, Limits{})
		if err != nil || !h.LogAppendTime() || h.MaxTimestamp != 1_800_000_000_000 || h.Codec() != c {
			t.Fatalf("%s: %+v, %v", c, h, err)
		}
		if c == None && times != (Times{1_800_000_000_000, 1_800_000_000_000}) {
			t.Fatalf("times %+v", times)
		}
		got, err := readAll(b, Limits{})
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range got {
			if r.Timestamp != 1_800_000_000_000 {
				t.Fatalf("%s: timestamp %d", c, r.Timestamp)
			}
		}
	}
}

// A producer that fills MaxTimestamp with the last record's timestamp is found
// out and put right.
func TestInspectTellsTrueTimes(t *testing.T) {
	b := build(t, None, []Record{{Timestamp: 500}, {Timestamp: 900}, {Timestamp: 700}})
	SetMaxTimestamp(b, 700)
	h, times, err := Inspect(b, Limits{})
	if err != nil || h.MaxTimestamp != 700 || times != (Times{500, 900}) {
		t.Fatalf("%+v %+v %v", h, times, err)
	}
	SetMaxTimestamp(b, times.Max)
	if h, err = Check(b, Limits{}); err != nil || h.MaxTimestamp != 900 {
		t.Fatalf("%+v %v", h, err)
	}
}

func TestSplit(t *testing.T) {
	a, b := build(t, None, sample()), build(t, LZ4, sample())
	run := slices.Concat(a, b)
	first, rest, err := Split(run)
	if err != nil || !bytes.Equal(first, a) {
		t.Fatal(err)
	}
	first, rest, err = Split(rest)
	if err != nil || !bytes.Equal(first, b) || len(rest) != 0 {
		t.Fatal(err)
	}
	if _, _, err = Split(run[:len(a)-1]); !errors.Is(err, ErrCorrupt) {
		t.Fatalf("cut off: %v", err)
	}
}

func TestBuilder(t *testing.T) {
	b := NewBuilder(Gzip)
	if _, err := b.Build(); !errors.Is(err, ErrInvalidRecord) {
		t.Fatalf("empty: %v", err)
	}
	b.Append(-2, nil, nil, nil)
	b.Append(5, nil, nil, nil)
	if _, err := b.Build(); !errors.Is(err, ErrInvalidTimestamp) {
		t.Fatalf("timestamp -2: %v", err)
	}
	b.Append(NoTimestamp, nil, []byte("x"), nil)
	if b.Len() != 1 || b.Bytes() != HeaderBytes+8 {
		t.Fatalf("%d records, %d bytes", b.Len(), b.Bytes())
	}
	first, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	kept := slices.Clone(first)
	b.Append(9, nil, []byte("another"), nil)
	if _, err := b.Build(); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(kept, first) {
		t.Fatal("a built batch changed when the builder was used again")
	}
}

func TestCodecNames(t *testing.T) {
	for _, c := range allCodecs {
		if got, err := ParseCodec(c.String()); err != nil || got != c {
			t.Fatalf("%s: %v %v", c, got, err)
		}
	}
	if _, err := ParseCodec("brotli"); err == nil {
		t.Fatal("brotli accepted")
	}
	if Codec(7).Known() || Codec(7).String() != "codec(7)" {
		t.Fatal(Codec(7).String())
	}
}
