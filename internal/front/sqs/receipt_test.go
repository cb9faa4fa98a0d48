package sqs

import (
	"encoding/base64"
	"encoding/binary"
	"math"
	"testing"

	"github.com/narumq/naru/internal/record"
)

var someReceipts = []receipt{
	{},
	{queue: 7, source: 2, offset: 1 << 40, attempt: 3, receivedAt: 1_700_000_000_123},
	{queue: math.MaxUint64, source: math.MaxInt32, offset: math.MaxInt64, attempt: math.MaxInt32, receivedAt: 1<<48 - 1},
	{queue: 1, source: -1, offset: -1, attempt: -1},
}

func TestReceiptHandles(t *testing.T) {
	ours, other := newReceipts("cluster-a"), newReceipts("cluster-b")
	for _, want := range someReceipts {
		handle := ours.appendHandle(nil, want)
		if got, ok := ours.parse(handle); !ok || got != want {
			t.Errorf("%+v came back as %+v, %v", want, got, ok)
		}
		if len(handle) != receiptText {
			t.Errorf("a handle of %d characters", len(handle))
		}
		if _, ok := other.parse(handle); ok {
			t.Error("a handle of another broker was taken")
		}
		for i := range handle { // one wrong character
			for _, c := range []byte("A_z=+ \x00\n") {
				if mangled := append([]byte(nil), handle...); mangled[i] != c {
					mangled[i] = c
					if r, ok := ours.parse(mangled); ok {
						t.Fatalf("%q at %d was taken as %+v", c, i, r)
					}
				}
			}
		}
		for _, wrong := range [][]byte{handle[1:], handle[:51], append(handle, 'A'), append(handle, '\n')} {
			if _, ok := ours.parse(wrong); ok {
				t.Errorf("%q was taken", wrong)
			}
		}
	}
	for _, wrong := range []string{"", "x", "AQEBwJnKyrHigUMZj6rYigCgxlaS3SLy0a", "null"} {
		if _, ok := ours.parse([]byte(wrong)); ok {
			t.Errorf("%q was taken", wrong)
		}
	}
}

// A handle that was given before an upgrade must still be known after it, and
// one of a version to come must not be read as one of today.
func TestReceiptFormat(t *testing.T) {
	const today = "AQAAAAAAAAAHAAAAAgAAAQAAAAAAAAAAAwGLz-Voe1mFGPtTVTFm"
	rs := newReceipts("format")
	got := string(rs.appendHandle(nil, someReceipts[1]))
	if got != today {
		t.Errorf("%s, want %s", got, today)
	}
	raw, err := base64.RawURLEncoding.DecodeString(today)
	if err != nil {
		t.Fatal(err)
	}
	raw[0] = receiptVersion + 1
	binary.BigEndian.PutUint64(raw[receiptChecked:], rs.check(raw[:receiptChecked]))
	if r, ok := rs.parse(base64.RawURLEncoding.AppendEncode(nil, raw)); ok {
		t.Errorf("version 2 was taken as %+v", r)
	}
}

func FuzzReceipt(f *testing.F) {
	rs := newReceipts("fuzz")
	for _, r := range someReceipts {
		f.Add(rs.appendHandle(nil, r))
	}
	f.Add([]byte("AQEBwJnKyrHigUMZj6rYigCgxlaS3SLy0a"))
	f.Fuzz(func(t *testing.T, handle []byte) {
		var got receipt
		var ok bool
		if n := testing.AllocsPerRun(1, func() { got, ok = rs.parse(handle) }); n > 0 {
			t.Errorf("%v allocations", n)
		}
		if again := rs.appendHandle(nil, got); ok && string(again) != string(handle) {
			t.Errorf("%q is also %q", again, handle)
		}
		r := receipt{offset: record.Offset(len(handle))}
		for i, c := range handle {
			r.queue = r.queue*31 + uint64(c)
			r.attempt = r.attempt<<1 ^ int32(c)
			r.source ^= int32(c) << (i % 24)
			r.receivedAt = (r.receivedAt<<8 | int64(c)) & (1<<48 - 1)
		}
		if back, ok := rs.parse(rs.appendHandle(nil, r)); !ok || back != r {
			t.Errorf("%+v came back as %+v", r, back)
		}
	})
}
