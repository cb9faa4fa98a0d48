package catalog

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// placed says where the streams of a topic have to be, in the plainest form.
func placed(topic *Topic, owned bool, slots int) (want []int) {
	home := SlotOfName(topic.Name, slots)
	for i := range topic.Partitions {
		switch {
		case owned:
			want = append(want, home)
		case topic.Internal:
			want = append(want, i%slots)
		default:
			want = append(want, (home+i)%slots)
		}
	}
	return want
}

// Streams are in the slots where they ought to be, nobody's twice, and no id is passed over that could be given.
func TestModelSlots(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		slots := rapid.SampledFrom([]int{1, 2, 7, 64}).Draw(t, "slots")
		s := NewMem()
		c, err := Open(Options{Store: s, Random: seeded(1), Slots: slots})
		if err != nil {
			t.Fatal(err)
		}
		given := map[uint64]bool{}
		newest := uint64(0)
		for n := range rapid.IntRange(1, 12).Draw(t, "changes") {
			before := newest
			topic, steps, owned := c.draw(t, n)
			want := placed(topic, owned, slots)
			need := map[int]uint64{} // by slot
			for i, p := range topic.Partitions {
				if c.SlotOf(p.Stream) != want[i] {
					t.Fatalf("%s-%d has stream %d in slot %d, want %d", topic.Name, i, p.Stream, c.SlotOf(p.Stream), want[i])
				}
				if given[p.Stream] || p.Stream <= before {
					t.Fatalf("%s-%d has stream %d, and %d was given out", topic.Name, i, p.Stream, before)
				}
				given[p.Stream], newest = true, max(newest, p.Stream)
				need[want[i]]++
			}
			most := steps - 1 // each may have passed over some
			most += slices.Max(slices.Collect(maps.Values(need)))
			if newest > before+most*uint64(slots) {
				t.Fatalf("%s went from %d to %d, and has at most %d streams in a slot", topic.Name, before, newest, most)
			}
			if c, err = Open(Options{Store: s, Random: seeded(uint64(n + 2)), Slots: slots}); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// draw makes a topic in one or two steps, owned by a queue or not.
func (c *Catalog) draw(t *rapid.T, n int) (topic *Topic, steps uint64, owned bool) {
	steps = 1
	partitions := rapid.Int32Range(1, 130).Draw(t, "partitions")
	var err error
	switch kind := rapid.SampledFrom([]string{"topic", "internal", "queue", "internal queue", "more", "reshard", "reshard queue"}).Draw(t, "kind"); kind {
	case "topic", "internal":
		topic, err = c.Create(TopicSpec{Name: nameOf(n, kind == "internal"), Partitions: partitions, Internal: kind == "internal"}, false)
	case "queue", "internal queue":
		settings := DefaultQueueSettings()
		settings.Lanes = rapid.Int32Range(1, LanesMax).Draw(t, "lanes")
		internal := kind == "internal queue"
		_, topic, err = c.CreateQueue(QueueSpec{Name: nameOf(n, internal), Settings: settings, Internal: internal}, 0)
		owned = true
	case "more", "reshard":
		steps = 2
		if topic, err = c.Create(TopicSpec{Name: nameOf(n, false), Partitions: 1}, false); err == nil && kind == "more" {
			topic, err = c.AddPartitions(topic.Name, 1+partitions, false)
		} else if err == nil {
			topic, err = c.recount(topic, int(partitions))
		}
	case "reshard queue":
		steps = 2
		if _, topic, err = c.CreateQueue(QueueSpec{Name: nameOf(n, false), Settings: DefaultQueueSettings()}, 0); err == nil {
			topic, err = c.recount(topic, 1+int(partitions)%9)
		}
		owned = true
	}
	if err != nil {
		t.Fatal(err)
	}
	return topic, steps, owned
}

func nameOf(n int, internal bool) string {
	if internal {
		return fmt.Sprintf("%s%d", InternalPrefix, n)
	}
	return fmt.Sprintf("n%d", n)
}

func (c *Catalog) recount(topic *Topic, n int) (*Topic, error) {
	plan, err := topic.PlanCount(n)
	if err != nil {
		return nil, err
	}
	return c.Reshard(topic.Name, plan)
}
