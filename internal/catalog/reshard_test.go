package catalog

import (
	"fmt"
	"math/big"
	"math/rand/v2"
	"reflect"
	"testing"

	"pgregory.net/rapid"
)

func TestHashKeys(t *testing.T) {
	limit := new(big.Int).Lsh(big.NewInt(1), 128)
	rapid.Check(t, func(t *rapid.T) {
		k := HashKey{rapid.Uint64().Draw(t, "hi"), rapid.Uint64().Draw(t, "lo")}
		back, err := ParseHashKey(k.String())
		if err != nil || back != k {
			t.Fatalf("%s became %s: %v", k, back, err)
		}
		if k != HashKeyMax && new(big.Int).Sub(k.Next().big(), k.big()).Cmp(big.NewInt(1)) != 0 {
			t.Fatalf("after %s comes %s", k, k.Next())
		}
		if k != (HashKey{}) && k.before().Next() != k {
			t.Fatalf("before %s is %s", k, k.before())
		}
		stored, ok := parseHexadecimal(k.hexadecimal())
		if !ok || stored != k {
			t.Fatalf("stored %s", stored)
		}
		text := rapid.StringMatching(`[0-9]{1,40}`).Draw(t, "text")
		n, _ := new(big.Int).SetString(text, 10)
		valid := n.Cmp(limit) < 0 && n.String() == text
		if got, err := ParseHashKey(text); (err == nil) != valid || valid && got.big().Cmp(n) != 0 {
			t.Fatalf("%s became %s: %v", text, got, err)
		}
	})
	for _, bad := range []string{"", "-1", "+1", "1.", "01", "340282366920938463463374607431768211456", "1a", "999999999999999999999999999999999999999"} {
		if k, err := ParseHashKey(bad); err == nil {
			t.Errorf("%q is %s", bad, k)
		}
	}
}

// The ranges that Amazon gives the shards of a stream of three.
func TestEqualShares(t *testing.T) {
	for i, want := range []string{
		"0-113427455640312821154458202477256070484",
		"113427455640312821154458202477256070485-226854911280625642308916404954512140969",
		"226854911280625642308916404954512140970-340282366920938463463374607431768211455",
	} {
		r := equalShare(i, 3)
		if got := fmt.Sprintf("%s-%s", r.First, r.Last); got != want {
			t.Errorf("share %d is %s, want %s", i, got, want)
		}
	}
	for n := 1; n < 300; n++ {
		parts := make([]PartitionMeta, n)
		shareEqually(parts)
		if err := checkTree(parts); err != nil {
			t.Fatalf("%d partitions: %v", n, err)
		}
	}
}

func resharded(t *testing.T, c *Catalog, plan Reshard, err error) *Topic {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	plan.At = 2_000
	topic, err := c.Reshard("t", plan)
	if err != nil {
		t.Fatal(err)
	}
	return topic
}

func TestReshard(t *testing.T) {
	for from := 1; from <= 9; from++ {
		for to := 1; to <= 9; to++ {
			store := NewMem()
			c := open(t, store)
			topic, err := c.Create(TopicSpec{Name: "t", Partitions: int32(from), CreatedAt: 1_000}, false)
			if err != nil {
				t.Fatal(err)
			}
			plan, err := topic.PlanCount(to)
			topic = resharded(t, c, plan, err)
			open := topic.Open()
			if len(open) != to {
				t.Fatalf("from %d to %d: %d are open", from, to, len(open))
			}
			for i, p := range open {
				if topic.Partitions[p].Keys != equalShare(i, to) {
					t.Errorf("from %d to %d: partition %d has %v", from, to, p, topic.Partitions[p].Keys)
				}
			}
			if again, err := topic.PlanCount(to); err != nil || len(again.Close)+len(again.Open) > 0 {
				t.Errorf("from %d to %d: once more does %v, %v", from, to, again, err)
			}
		}
	}
}

// What is stored is what there was, and a tree that is damaged is refused.
func TestReshardedTopicIsStored(t *testing.T) {
	store := NewMem()
	c := open(t, store)
	topic, err := c.Create(TopicSpec{Name: "t", Partitions: 2, CreatedAt: 1_000, Tags: map[string]string{"a": "b"}}, false)
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for range 20 {
		open := topic.Open()
		var plan Reshard
		if i := rng.IntN(len(open)); rng.IntN(2) == 0 || len(open) == 1 {
			keys := topic.Partitions[open[i]].Keys
			plan, err = topic.PlanSplit(open[i], HashKey{keys.First.Hi/2 + keys.Last.Hi/2 + 1, rng.Uint64()})
		} else {
			i = max(i, 1)
			plan, err = topic.PlanMerge(open[i], open[i-1])
		}
		for i := range plan.Close {
			plan.Close[i].End = 7
		}
		topic = resharded(t, c, plan, err)
	}
	if topic, err = c.Annotate("t", func(tags, labels map[string]string) error { labels["x"] = "y"; delete(tags, "a"); return nil }); err != nil {
		t.Fatal(err)
	}
	for i, p := range topic.Partitions {
		for _, parent := range p.Parents {
			if up := topic.Partitions[parent]; p.OpenedAt < up.OpenedAt+reshardedAfterMS || up.ClosedAt < up.OpenedAt || !up.Closed {
				t.Errorf("partition %d: %+v has parent %+v", i, p, up)
			}
		}
	}
	again, err := open(t, store).Topic("t")
	if err != nil {
		t.Fatal(err)
	}
	again.Tags = topic.Tags // empty or nil
	again.Settings, topic.Settings = Settings{}, Settings{}
	if !reflect.DeepEqual(again, topic) {
		t.Errorf("stored\n%+v\nread\n%+v", topic, again)
	}
}

func TestReshardRefuses(t *testing.T) {
	c := open(t, NewMem())
	topic, err := c.Create(TopicSpec{Name: "t", Partitions: 3}, false)
	if err != nil {
		t.Fatal(err)
	}
	third := topic.Partitions[1].Keys
	for name, plan := range map[string]func() (Reshard, error){
		"at the start":    func() (Reshard, error) { return topic.PlanSplit(1, third.First) },
		"past the end":    func() (Reshard, error) { return topic.PlanSplit(1, third.Last.Next()) },
		"not there":       func() (Reshard, error) { return topic.PlanSplit(3, third.Last) },
		"not adjacent":    func() (Reshard, error) { return topic.PlanMerge(0, 2) },
		"with itself":     func() (Reshard, error) { return topic.PlanMerge(1, 1) },
		"none":            func() (Reshard, error) { return topic.PlanCount(0) },
		"below the first": func() (Reshard, error) { return topic.PlanMerge(-1, 0) },
	} {
		_, err := plan()
		if err == nil {
			t.Errorf("%s: no error", name)
			continue
		}
		wantErr(t, err, ErrReshard)
	}
	plan, err := topic.PlanSplit(1, third.Last)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Reshard("t", plan); err != nil {
		t.Fatal(err)
	}
	_, err = c.Reshard("t", plan) // of a version that is over
	wantErr(t, err, ErrReshard)
	_, err = c.Reshard("t", Reshard{Open: plan.Open})
	wantErr(t, err, ErrReshard)
	_, err = c.AddPartitions("t", 9, false)
	wantErr(t, err, ErrInvalidPartitions)
}
