package group

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/narumq/naru/internal/record"
)

// Table is what groups keep across restarts: committed offsets, and each
// group's last generation. It is a state machine whose commands are made by
// SaveGroup, ForgetGroup, CommitOffset and ForgetOffset. Not safe for
// concurrent use.
type Table struct {
	groups map[string]*kept
}

// kept is what one group keeps. One that keeps nothing is not in the table.
type kept struct {
	saved  []byte // the group's value as stored, nil = none
	topics map[string]map[int32]slot
}

// slot is a Committed without the weight of two time.Time.
type slot struct {
	offset                 record.Offset
	committedAt, expiresAt int64 // ms
	metadata               string
	leaderEpoch            int32
}

func (s slot) committed() Committed {
	return Committed{
		Offset: s.offset, LeaderEpoch: s.leaderEpoch, Metadata: s.metadata,
		CommittedAt: fromMillis(s.committedAt), ExpiresAt: fromMillis(s.expiresAt),
	}
}

// NewTable returns an empty table.
func NewTable() *Table { return &Table{groups: map[string]*kept{}} }

// Reset empties the table.
func (t *Table) Reset() { clear(t.groups) }

// Apply carries out one command. The bytes are not kept. On an error, which
// wraps ErrCorrupt or ErrNewerFormat, the table is unchanged.
func (t *Table) Apply(key, value []byte) error {
	kind, group, p, err := decodeKey(key)
	if err != nil {
		return err
	}
	switch {
	case kind == keyGroup && value == nil:
		delete(t.groups, group)
	case kind == keyTopic && value == nil:
		t.forgetTopic(p.Topic)
	case kind == keyTopic:
		return fmt.Errorf("%w: topic %q has a value", ErrNewerFormat, p.Topic)
	case kind == keyGroup:
		if _, err := decodeSaved(group, value); err != nil {
			return fmt.Errorf("group %q: %w", group, err)
		}
		t.group(group).saved = slices.Clone(value)
	case value == nil:
		t.forget(group, p)
	default:
		c, err := decodeCommitted(value)
		if err != nil {
			return fmt.Errorf("group %q, topic %q, partition %d: %w", group, p.Topic, p.Partition, err)
		}
		t.commit(group, p, c)
	}
	return nil
}

func (t *Table) group(id string) *kept {
	k := t.groups[id]
	if k == nil {
		k = &kept{topics: map[string]map[int32]slot{}}
		t.groups[id] = k
	}
	return k
}

func (t *Table) commit(group string, p PartitionKey, c Committed) {
	k := t.group(group)
	slots := k.topics[p.Topic]
	if slots == nil {
		slots = map[int32]slot{}
		k.topics[p.Topic] = slots
	}
	slots[p.Partition] = slot{
		offset: c.Offset, leaderEpoch: c.LeaderEpoch, metadata: c.Metadata,
		committedAt: millis(c.CommittedAt), expiresAt: millis(c.ExpiresAt),
	}
}

func (t *Table) forget(group string, p PartitionKey) {
	if k := t.groups[group]; k != nil {
		delete(k.topics[p.Topic], p.Partition)
		t.tidy(group, k, p.Topic)
	}
}

func (t *Table) forgetTopic(topic string) {
	for group, k := range t.groups {
		clear(k.topics[topic])
		t.tidy(group, k, topic)
	}
}

// tidy drops what holds nothing any more.
func (t *Table) tidy(group string, k *kept, topic string) {
	if len(k.topics[topic]) == 0 {
		delete(k.topics, topic)
	}
	if len(k.topics) == 0 && k.saved == nil {
		delete(t.groups, group)
	}
}

// Snapshot emits the commands that make an empty table into this one, always in
// the same order.
func (t *Table) Snapshot(emit func(key, value []byte)) {
	for _, group := range t.Groups() {
		k := t.groups[group]
		if k.saved != nil {
			emit(groupKey(group), k.saved)
		}
		t.Each(group, func(p PartitionKey, c Committed) {
			emit(offsetKey(group, p), encodeCommitted(c))
		})
	}
}

// Groups returns the names of all groups that keep something, sorted.
func (t *Table) Groups() []string { return slices.Sorted(maps.Keys(t.groups)) }

// Len returns the number of groups that keep something.
func (t *Table) Len() int { return len(t.groups) }

// Has says whether the group keeps anything.
func (t *Table) Has(group string) bool { return t.groups[group] != nil }

// Count returns how many offsets the group has committed.
func (t *Table) Count(group string) int {
	n := 0
	if k := t.groups[group]; k != nil {
		for _, slots := range k.topics {
			n += len(slots)
		}
	}
	return n
}

// Saved returns the group's last stored generation, nil if it has none.
func (t *Table) Saved(group string) (*Saved, error) {
	k := t.groups[group]
	if k == nil || k.saved == nil {
		return nil, nil
	}
	return decodeSaved(group, k.saved)
}

// Get returns what a group committed in one partition.
func (t *Table) Get(group string, p PartitionKey) (Committed, bool) {
	k := t.groups[group]
	if k == nil {
		return Committed{}, false
	}
	s, ok := k.topics[p.Topic][p.Partition]
	return s.committed(), ok
}

// Each calls f for every committed offset of a group, by topic and partition.
func (t *Table) Each(group string, f func(PartitionKey, Committed)) {
	k := t.groups[group]
	if k == nil {
		return
	}
	for _, topic := range slices.Sorted(maps.Keys(k.topics)) {
		slots := k.topics[topic]
		for _, n := range slices.Sorted(maps.Keys(slots)) {
			f(PartitionKey{topic, n}, slots[n].committed())
		}
	}
}

// Topics returns the names of the topics that groups have offsets in, sorted.
func (t *Table) Topics() []string {
	found := map[string]struct{}{}
	for _, k := range t.groups {
		for topic := range k.topics {
			found[topic] = struct{}{}
		}
	}
	return slices.Sorted(maps.Keys(found))
}

// UnusedSince says since when an offset of a topic, committed at the time given,
// is of no use to its group; false if it is in use.
type UnusedSince func(topic string, committed time.Time) (time.Time, bool)

// Expired returns the offsets of a group that have been unused for as long as
// retention, or whose committer's own time is over.
func (t *Table) Expired(group string, now time.Time, retention time.Duration, unused UnusedSince) []PartitionKey {
	var out []PartitionKey
	t.Each(group, func(p PartitionKey, c Committed) {
		since, ok := unused(p.Topic, c.CommittedAt)
		if !ok {
			return
		}
		end := c.ExpiresAt
		if end.IsZero() {
			end = since.Add(retention)
		}
		if !end.After(now) {
			out = append(out, p)
		}
	})
	return out
}

// UnusedSince returns the rule by which a group's offsets age: while it has
// members only the topics age that none of them reads, if that can be known;
// otherwise from the last commit, or since the last member left.
func (c *Coordinator) UnusedSince(id string) UnusedSince {
	g := c.groups[id]
	return func(topic string, committed time.Time) (time.Time, bool) {
		switch {
		case g == nil:
			return committed, true
		case g.state == Empty:
			if g.since.After(committed) {
				return g.since, true
			}
			return committed, true
		case g.state == Stable && g.subscribedKnown:
			_, used := g.subscribed[topic]
			return committed, !used
		}
		return time.Time{}, false
	}
}
