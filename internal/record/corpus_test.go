package record

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"testing"
)

var allCodecs = []Codec{None, Gzip, Snappy, LZ4, Zstd}

// binaryValue does not compress and holds every byte.
func binaryValue(n int) []byte {
	r := rand.New(rand.NewPCG(1, 2))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

// sample is records of every shape: null and empty, Korean, binary, headers
// with repeated keys, timestamps out of order.
func sample() []Record {
	const t0 = 1_700_000_000_000
	return []Record{
		{Timestamp: t0, Key: []byte("key"), Value: []byte("value")},
		{Timestamp: t0 + 5, Key: nil, Value: nil},
		{Timestamp: t0 - 1000, Key: []byte{}, Value: []byte{}},
		{Timestamp: t0 + 7, Key: []byte("나루"), Value: []byte("나루터에 배를 대다 — 모든 배가 오가는 곳")},
		{Timestamp: t0 + 8, Value: binaryValue(3000), Headers: []HeaderField{
			{Key: "h", Value: []byte("1")}, {Key: "h", Value: nil}, {Key: "", Value: []byte{}}, {Key: "머리", Value: []byte{0, 255}},
		}},
		{Timestamp: t0 + 9, Value: bytes.Repeat([]byte("되풀이 "), 20_000)},
	}
}

func build(t testing.TB, c Codec, records []Record) []byte {
	t.Helper()
	b := NewBuilder(c)
	for _, r := range records {
		b.Append(r.Timestamp, r.Key, r.Value, r.Headers)
	}
	if b.Len() != len(records) {
		t.Fatalf("builder holds %d records, appended %d", b.Len(), len(records))
	}
	out, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// ofSize returns a batch of n records with values of size bytes.
func ofSize(t testing.TB, c Codec, n, size int) []byte {
	records := make([]Record, n)
	for i := range records {
		v := bytes.Repeat([]byte(fmt.Sprintf("record %d ", i)), size/8+1)[:size]
		records[i] = Record{Timestamp: int64(1_700_000_000_000 + i), Value: v}
	}
	return build(t, c, records)
}

func readAll(b []byte, lim Limits) ([]Record, error) {
	r, err := NewReader(b, lim)
	if err != nil {
		return nil, err
	}
	var out []Record
	for rec, ok := r.Next(); ok; rec, ok = r.Next() {
		out = append(out, rec)
	}
	return out, r.Err()
}

// text writes a record so that null and empty differ.
func text(r Record) string {
	q := func(b []byte) string {
		if b == nil {
			return "null"
		}
		return hex.EncodeToString(b) + "."
	}
	s := fmt.Sprintf("%d@%d %s=%s", r.Offset, r.Timestamp, q(r.Key), q(r.Value))
	for _, h := range r.Headers {
		s += fmt.Sprintf(" %q:%s", h.Key, q(h.Value))
	}
	return s
}

func mustEqual(t testing.TB, got, want []Record, base Offset) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d records, want %d", len(got), len(want))
	}
	for i := range want {
		w := want[i]
		w.Offset = base + Offset(i)
		if text(got[i]) != text(w) {
			t.Fatalf("record %d:\n got %.300s\nwant %.300s", i, text(got[i]), text(w))
		}
	}
}
