package kinesis

import (
	"bytes"
	"math/big"
	"testing"
	"time"

	"github.com/narumq/naru/internal/catalog"
	"github.com/narumq/naru/internal/record"
	"pgregory.net/rapid"
)

func number(t interface{ Fatalf(string, ...any) }, q sequence) *big.Int {
	n, ok := new(big.Int).SetString(q.String(), 10)
	if !ok || len(q.String()) != 56 {
		t.Fatalf("%+v is written %s", q, q)
	}
	return n
}

// Numbers are read as they were written, grow with offsets, and those of a child are
// above its parent's, however late its last record came.
func TestSequenceNumbers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		meta := &catalog.PartitionMeta{OpenedAt: rapid.Int64Range(0, 1<<45).Draw(t, "opened")}
		shard := rapid.Int32Range(0, 1<<31-1).Draw(t, "shard")
		o := record.Offset(rapid.Int64Range(0, 1<<61).Draw(t, "offset"))
		q, before, next := recordSequence(meta, shard, o), placeSequence(meta, shard, o), recordSequence(meta, shard, o+1)
		if back, ok := parseSequence(q.String()); !ok || back != q {
			t.Fatalf("%+v became %+v, %v", q, back, ok)
		}
		if q.at() != o || q.after() != o+1 || before.at() != o || before.after() != o {
			t.Fatalf("offset %d: at %d after %d; the place before: at %d after %d", o, q.at(), q.after(), before.at(), before.after())
		}
		first := firstSequence(meta, shard)
		if first.at() != 0 || first.after() != 0 {
			t.Fatalf("the start is at %d, after %d", first.at(), first.after())
		}
		child := firstSequence(&catalog.PartitionMeta{OpenedAt: meta.OpenedAt + 1_000}, rapid.Int32().Draw(t, "child")&(1<<31-1))
		list := []sequence{first, before, q, next, child}
		for i := range list[1:] {
			if number(t, list[i]).Cmp(number(t, list[i+1])) >= 0 {
				t.Fatalf("%s is not below %s", list[i], list[i+1])
			}
		}
	})
	// The first number of a shard that Kinesis made at that time.
	born := time.Date(2015, 1, 22, 1, 22, 2, 0, time.UTC).UnixMilli()
	q := firstSequence(&catalog.PartitionMeta{OpenedAt: born}, 1)
	if got := q.String(); got[:5] != "49547" {
		t.Errorf("a shard of 2015 begins with %s", got)
	}
}

func FuzzSequence(f *testing.F) {
	f.Add(sequence{1_700_000_000, 3, 7}.String())
	f.Add("49999999999999999999999999999999999999999999999999999999")
	f.Add("0")
	f.Fuzz(func(t *testing.T, s string) {
		if q, ok := parseSequence(s); ok && q.String() != s {
			t.Fatalf("%q was read as %s", s, q)
		}
	})
}

func FuzzToken(f *testing.F) {
	tokens, now := newTokens("a"), time.UnixMilli(1_700_000_000_000)
	good := tokens.iterator(iterator{catalog.UUID{1}, 2, 3, "s"}, now)
	f.Add(good)
	f.Add(tokens.seal(kindShards, now, []byte("{}")))
	f.Add(newTokens("b").iterator(iterator{catalog.UUID{1}, 2, 3, "s"}, now))
	f.Add("")
	f.Add(good[:5] + "\n\n" + good[5:])
	f.Fuzz(func(t *testing.T, s string) {
		it, made, ok := tokens.parseIterator(s)
		if ok && tokens.iterator(it, made) != s {
			t.Fatalf("%q was read as %+v", s, it)
		}
		if ok && s != good {
			t.Fatalf("%q is none of ours", s)
		}
	})
}

// A token is good for what it was made for, whole, and nowhere else.
func TestTokens(t *testing.T) {
	tokens, now := newTokens("a"), time.UnixMilli(1_700_000_000_000)
	it := iterator{catalog.UUID{1}, 2, 3, "s"}
	token := tokens.iterator(it, now)
	if got, made, ok := tokens.parseIterator(token); !ok || got != it || !made.Equal(now) {
		t.Fatalf("%+v at %s, %v", got, made, ok)
	}
	if len(tokens.iterator(iterator{stream: string(bytes.Repeat([]byte("s"), 128))}, now)) > 512 {
		t.Error("iterators have at most 512 characters")
	}
	for i := range token {
		b := []byte(token)
		b[i] ^= 1
		if _, _, ok := tokens.parseIterator(string(b)); ok {
			t.Fatalf("changed at %d, it is still good", i)
		}
		if _, _, ok := tokens.parseIterator(token[:i] + "\n" + token[i:]); ok {
			t.Fatalf("with a line break at %d, it is still good", i)
		}
	}
	if _, _, ok := newTokens("b").parseIterator(token); ok {
		t.Error("it is good elsewhere")
	}
	if _, _, ok := tokens.open(kindShards, token); ok {
		t.Error("an iterator is a page")
	}
}
