package catalog

import (
	"fmt"
	"slices"

	"github.com/narumq/naru/internal/record"
)

// Reshard closes partitions of a topic and opens others, which take over their
// hash keys: in one change, so that each key has a partition at any time.
type Reshard struct {
	Close []Closing
	Open  []Opening
	At    int64 // milliseconds since 1970
	// Fences are of those who closed the partitions: the plan is applied only while they have them.
	Fences []Fence
}

// Closing is a partition that gets no more records.
type Closing struct {
	Partition int32
	End       record.Offset // one past its last record
}

// Opening is a new partition. Its index is the next one.
type Opening struct {
	Keys    KeyRange
	Parents []int32 // one or two
	// Closed is a step on the way from many partitions to many others: it never
	// gets a record.
	Closed bool
}

// Reshard applies a plan that was made for this version of the topic.
//
// Errors: ErrUnknownTopic, ErrInternalTopic, ErrReshard for a plan that does not
// fit, ErrLimit, those of the store.
func (c *Catalog) Reshard(name string, plan Reshard) (*Topic, error) {
	return changed(c, func() (*Topic, change, error) {
		t, err := c.changeable(name)
		if err != nil {
			return nil, change{}, err
		}
		if err := c.mayReshard(t, plan); err != nil {
			return nil, change{}, err
		}
		have := len(t.Partitions)
		if err := c.checkPartitions(have, int32(have+len(plan.Open))); err != nil {
			return nil, change{}, err
		}
		resharded := *t
		resharded.Resharded = true
		resharded.Partitions = append(slices.Clone(t.Partitions), make([]PartitionMeta, len(plan.Open))...)
		next := c.giveStreams(&resharded, have, c.ownedByQueue(t))
		plan.apply(resharded.Partitions, have)
		if err := checkTree(resharded.Partitions); err != nil {
			return nil, change{}, fmt.Errorf("%w: %s: %w", ErrReshard, name, err)
		}
		return &resharded, change{[]Op{encodeTopic(&resharded), encodeNumber(keyNextStream, next)}, func() { c.put(&resharded, next) }}, nil
	}, plan.Fences...)
}

// mayReshard refuses what would not fit the topic as it is now; c.mu is held.
func (c *Catalog) mayReshard(t *Topic, plan Reshard) error {
	for _, q := range c.Queues() {
		if q.Topic == t.Name && q.Settings.Lanes > 1 {
			return fmt.Errorf("%w: the partitions of %s are the lanes of queue %s", ErrReshard, t.Name, q.Name)
		}
	}
	for _, x := range plan.Close {
		if x.Partition < 0 || int(x.Partition) >= len(t.Partitions) || t.Partitions[x.Partition].Closed {
			return fmt.Errorf("%w: %s has no open partition %d", ErrReshard, t.Name, x.Partition)
		}
	}
	return nil
}

// apply puts the plan into partitions, of which have were there before.
func (plan *Reshard) apply(parts []PartitionMeta, have int) {
	at := plan.At
	for i, o := range plan.Open {
		p := &parts[have+i]
		for _, parent := range o.Parents {
			// A child is always younger, whatever the clock did.
			at = max(at, parts[parent].OpenedAt+reshardedAfterMS)
		}
		p.Keys, p.Parents, p.OpenedAt = o.Keys, o.Parents, at
		if o.Closed {
			p.Closed, p.ClosedAt = true, at
		}
	}
	for _, c := range plan.Close {
		p := &parts[c.Partition]
		p.Closed, p.ClosedAt, p.End = true, max(at, p.OpenedAt), c.End
	}
}

// reshardedAfterMS is by how much a partition is younger than those whose place it
// takes. Who names times in seconds can tell them apart.
const reshardedAfterMS = 1_000

// PlanSplit closes a partition; one that takes its hash keys below at, and one
// for the others, open.
func (t *Topic) PlanSplit(partition int32, at HashKey) (Reshard, error) {
	p := newPlanner(t)
	if err := p.split(partition, at); err != nil {
		return Reshard{}, fmt.Errorf("%w: %s: %w", ErrReshard, t.Name, err)
	}
	return p.plan(), nil
}

// PlanMerge closes two partitions whose hash keys are adjacent; one opens for both.
func (t *Topic) PlanMerge(a, b int32) (Reshard, error) {
	p := newPlanner(t)
	if _, err := p.merge(a, b); err != nil {
		return Reshard{}, fmt.Errorf("%w: %s: %w", ErrReshard, t.Name, err)
	}
	return p.plan(), nil
}

// PlanCount splits and merges until n partitions with equal shares of the hash keys
// are open. A partition has at most two parents, so there may be closed ones in
// between.
func (t *Topic) PlanCount(n int) (Reshard, error) {
	if n < 1 || n > reshardCountMax {
		return Reshard{}, fmt.Errorf("%w: %s: %d open partitions, 1 to %d are allowed", ErrReshard, t.Name, n, reshardCountMax)
	}
	p := newPlanner(t)
	for i := range n {
		want := equalShare(i, n)
		if i > 0 {
			if err := p.cut(want.First); err != nil {
				return Reshard{}, err
			}
		}
	}
	for i := range n {
		if err := p.join(equalShare(i, n)); err != nil {
			return Reshard{}, err
		}
	}
	return p.plan(), nil
}

// reshardCountMax bounds the work of a plan.
const reshardCountMax = 10_000

// planner holds a topic's partitions as they would be.
type planner struct {
	topic *Topic
	parts []PartitionMeta
	open  []int32 // those that are, in the order of their hash keys
}

func newPlanner(t *Topic) *planner {
	return &planner{topic: t, parts: slices.Clone(t.Partitions), open: t.Open()}
}

// place is where an open partition is among them.
func (p *planner) place(partition int32) (int, error) {
	if partition < 0 || int(partition) >= len(p.parts) {
		return 0, fmt.Errorf("there is no partition %d", partition)
	}
	i := slices.Index(p.open, partition)
	if i < 0 {
		return 0, fmt.Errorf("partition %d is closed", partition)
	}
	return i, nil
}

func (p *planner) add(keys KeyRange, parents ...int32) int32 {
	for _, parent := range parents {
		p.parts[parent].Closed = true
	}
	p.parts = append(p.parts, PartitionMeta{Keys: keys, Parents: parents})
	return int32(len(p.parts) - 1)
}

func (p *planner) split(partition int32, at HashKey) error {
	i, err := p.place(partition)
	if err != nil {
		return err
	}
	keys := p.parts[partition].Keys
	if at.Compare(keys.First) <= 0 || at.Compare(keys.Last) > 0 {
		return fmt.Errorf("partition %d cannot be split at %s, it has %s to %s", partition, at, keys.First, keys.Last)
	}
	low := p.add(KeyRange{keys.First, at.before()}, partition)
	high := p.add(KeyRange{at, keys.Last}, partition)
	p.open = slices.Replace(p.open, i, i+1, low, high)
	return nil
}

func (p *planner) merge(a, b int32) (int32, error) {
	i, err := p.place(a)
	if err != nil {
		return 0, err
	}
	j, err := p.place(b)
	if err != nil {
		return 0, err
	}
	if j != i+1 && i != j+1 {
		return 0, fmt.Errorf("partitions %d and %d are not adjacent", a, b)
	}
	i = min(i, j)
	keys := KeyRange{p.parts[p.open[i]].Keys.First, p.parts[p.open[i+1]].Keys.Last}
	child := p.add(keys, a, b)
	p.open = slices.Replace(p.open, i, i+2, child)
	return child, nil
}

// cut splits the partition that has the key, unless it begins with it.
func (p *planner) cut(at HashKey) error {
	i := p.find(at)
	if p.parts[p.open[i]].Keys.First == at {
		return nil
	}
	return p.split(p.open[i], at)
}

// join merges what makes up the range.
func (p *planner) join(keys KeyRange) error {
	for {
		i := p.find(keys.First)
		if p.parts[p.open[i]].Keys == keys {
			return nil
		}
		if _, err := p.merge(p.open[i], p.open[i+1]); err != nil {
			return err
		}
	}
}

func (p *planner) find(k HashKey) int {
	i, _ := slices.BinarySearchFunc(p.open, k, func(x int32, k HashKey) int { return p.parts[x].Keys.Last.Compare(k) })
	return i
}

// plan is what to do.
func (p *planner) plan() Reshard {
	var plan Reshard
	for i := range p.parts {
		m := &p.parts[i]
		switch {
		case i >= len(p.topic.Partitions):
			plan.Open = append(plan.Open, Opening{m.Keys, m.Parents, m.Closed})
		case m.Closed && !p.topic.Partitions[i].Closed:
			plan.Close = append(plan.Close, Closing{Partition: int32(i)})
		}
	}
	return plan
}

// Open lists the partitions that take records, in the order of their hash keys.
func (t *Topic) Open() []int32 {
	open := make([]int32, 0, len(t.Partitions))
	for i := range t.Partitions {
		if !t.Partitions[i].Closed {
			open = append(open, int32(i))
		}
	}
	slices.SortFunc(open, func(a, b int32) int {
		return t.Partitions[a].Keys.First.Compare(t.Partitions[b].Keys.First)
	})
	return open
}

// Children are the partitions that took the place of one.
func (t *Topic) Children(partition int32) (children []int32) {
	for i := range t.Partitions {
		if slices.Contains(t.Partitions[i].Parents, partition) {
			children = append(children, int32(i))
		}
	}
	return children
}

// shareEqually gives the partitions of a topic that was never resharded their hash
// keys.
func shareEqually(parts []PartitionMeta) {
	for i := range parts {
		parts[i].Keys = equalShare(i, len(parts))
	}
}

// checkTree tells whether the open partitions have each hash key once, and whether
// parents are what they have to be.
func checkTree(parts []PartitionMeta) error {
	for i := range parts {
		p := &parts[i]
		if p.Keys.First.Compare(p.Keys.Last) > 0 || len(p.Parents) > 2 {
			return fmt.Errorf("partition %d has hash keys %s to %s and %d parents", i, p.Keys.First, p.Keys.Last, len(p.Parents))
		}
		for _, parent := range p.Parents {
			if parent < 0 || int(parent) >= i || !parts[parent].Closed {
				return fmt.Errorf("partition %d has parent %d", i, parent)
			}
		}
	}
	next, ended := HashKey{}, false
	t := Topic{Partitions: parts}
	for _, i := range t.Open() {
		if parts[i].Keys.First != next || ended {
			return fmt.Errorf("partition %d begins at hash key %s, not at %s", i, parts[i].Keys.First, next)
		}
		next, ended = parts[i].Keys.Last.Next(), parts[i].Keys.Last == HashKeyMax
	}
	if !ended {
		return fmt.Errorf("no partition has hash key %s", next)
	}
	return nil
}
