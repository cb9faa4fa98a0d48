package load

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
)

func TestTallyIgnoresOrderAndSeesContent(t *testing.T) {
	a := &kgo.Record{Key: []byte("a"), Value: []byte("1")}
	b := &kgo.Record{Key: []byte("b"), Value: []byte("2")}
	swapped := &kgo.Record{Key: []byte("1"), Value: []byte("a")}
	sum := func(records ...*kgo.Record) (t Tally) {
		for _, r := range records {
			t.Add(r)
		}
		return t
	}
	if err := mustEqual(sum(a, b), sum(b, a)); err != nil {
		t.Errorf("order matters: %v", err)
	}
	if mustEqual(sum(a, b), sum(a, a)) == nil {
		t.Error("a repeated record in place of another went unnoticed")
	}
	if mustEqual(sum(a), sum(swapped)) == nil {
		t.Error("a swap of key and value went unnoticed")
	}
	if mustEqual(sum(a, b), sum(a)) == nil {
		t.Error("a lost record went unnoticed")
	}
}

func TestSyntheticRecordsDifferAndRepeatBySeed(t *testing.T) {
	s, again := NewSynthetic(1), NewSynthetic(1)
	seen := map[string]bool{}
	for range 2 * syntheticBlocks {
		var r, same kgo.Record
		s.Fill(&r)
		again.Fill(&same)
		if len(r.Value) != SyntheticBytes || string(r.Value) != string(same.Value) {
			t.Fatalf("record %d: %d bytes, or not the same for the same seed", len(seen), len(r.Value))
		}
		seen[string(r.Value)] = true
	}
	if len(seen) != 2*syntheticBlocks {
		t.Errorf("%d distinct records of %d", len(seen), 2*syntheticBlocks)
	}
}
