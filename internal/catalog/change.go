package catalog

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/narumq/naru/internal/record"
)

// Create makes a topic. With validateOnly it only says whether it could, and
// returns what would be made, without ids.
//
// Errors: ErrInvalidTopicName, ErrTopicExists (also for a name that differs
// from a taken one only in '.' and '_', as in Kafka), ErrInvalidPartitions,
// ErrInvalidConfig, ErrLimit, those of the store.
func (c *Catalog) Create(spec TopicSpec, validateOnly bool) (*Topic, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.begin(); err != nil {
		return nil, err
	}
	t, next, err := c.newTopic(spec)
	if err != nil || validateOnly {
		if t != nil {
			t.ID, t.Partitions = UUID{}, make([]PartitionMeta, len(t.Partitions))
		}
		return t, err
	}
	if err := c.apply([]Op{encodeTopic(t), encodeNumber(keyNextStream, next)}); err != nil {
		return nil, err
	}
	c.added(t, next)
	return t, nil
}

// newTopic makes a topic that is not stored yet, and the next stream after its
// own; c.mu is held.
func (c *Catalog) newTopic(spec TopicSpec) (t *Topic, nextStream uint64, err error) {
	if err := c.checkNewName(spec); err != nil {
		return nil, 0, err
	}
	n := spec.Partitions
	if n == -1 {
		n = c.opt.DefaultPartitions
	}
	if err := c.checkPartitions(0, n); err != nil {
		return nil, 0, err
	}
	settings, err := c.rules.settings(spec.Settings)
	if err != nil {
		return nil, 0, err
	}
	t = &Topic{Name: spec.Name, Settings: settings, Internal: spec.Internal, Partitions: make([]PartitionMeta, n),
		Tags: maps.Clone(spec.Tags), Labels: maps.Clone(spec.Labels), CreatedAt: spec.CreatedAt}
	if t.ID, err = newUUID(c.opt.Random); err != nil {
		return nil, 0, err
	}
	if other, err := c.TopicByID(t.ID); err == nil {
		return nil, 0, fmt.Errorf("random id: %s is that of %s already", t.ID, other.Name)
	}
	next := c.giveStreams(t.Partitions)
	shareEqually(t.Partitions)
	for i := range t.Partitions {
		t.Partitions[i].OpenedAt = t.CreatedAt
	}
	return t, next, nil
}

// added shows a topic that is stored; c.mu is held.
func (c *Catalog) added(t *Topic, nextStream uint64) {
	c.nextStream = nextStream
	c.partitions += len(t.Partitions)
	c.collisions[collisionKey(t.Name)] = t.Name
	c.current.Store(c.Snapshot().with(t))
}

func (c *Catalog) checkNewName(spec TopicSpec) error {
	if err := CheckTopicName(spec.Name); err != nil {
		return err
	}
	if strings.HasPrefix(spec.Name, InternalPrefix) != spec.Internal {
		return fmt.Errorf("%w: %q: names that begin with %s are for internal topics, and only they have them",
			ErrInvalidTopicName, spec.Name, InternalPrefix)
	}
	if other, taken := c.collisions[collisionKey(spec.Name)]; taken {
		if other == spec.Name {
			return fmt.Errorf("%w: %s", ErrTopicExists, spec.Name)
		}
		return fmt.Errorf("%w: %s collides with %s: names may not differ only in '.' and '_'",
			ErrTopicExists, spec.Name, other)
	}
	if n := len(c.Topics()); n >= c.opt.Limits.TopicsMax {
		return fmt.Errorf("%w: %d topics", ErrLimit, n)
	}
	return nil
}

// checkPartitions says whether a topic with have partitions may get total.
func (c *Catalog) checkPartitions(have int, total int32) error {
	lim := c.opt.Limits
	switch {
	case total < 1:
		return fmt.Errorf("%w: %d, at least 1 is needed", ErrInvalidPartitions, total)
	case total > lim.PartitionsPerTopicMax:
		return fmt.Errorf("%w: %d, at most %d are allowed per topic", ErrInvalidPartitions, total, lim.PartitionsPerTopicMax)
	case c.partitions-have+int(total) > lim.PartitionsMax:
		return fmt.Errorf("%w: %d partitions exist, at most %d are allowed", ErrLimit, c.partitions, lim.PartitionsMax)
	}
	return nil
}

// giveStreams fills in the streams of new partitions and returns the next one.
func (c *Catalog) giveStreams(partitions []PartitionMeta) uint64 {
	for i := range partitions {
		partitions[i] = PartitionMeta{Stream: c.nextStream + uint64(i)}
	}
	return c.nextStream + uint64(len(partitions))
}

// change finds a topic that users may change; c.mu is held.
func (c *Catalog) change(name string) (*Topic, error) {
	t, err := c.Topic(name)
	if err != nil {
		return nil, err
	}
	if t.Internal {
		return nil, fmt.Errorf("%w: %s cannot be changed", ErrInternalTopic, name)
	}
	return t, nil
}

// Delete removes a topic and returns what it was.
//
// Errors: ErrUnknownTopic, ErrInternalTopic, those of the store.
func (c *Catalog) Delete(name string) (*Topic, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.begin(); err != nil {
		return nil, err
	}
	t, err := c.change(name)
	if err != nil {
		return nil, err
	}
	if names := c.viewers(name); len(names) > 0 {
		return nil, fmt.Errorf("%w: %s is read by %s, which has to be deleted first", ErrTopicInUse, name, names[0])
	}
	if err := c.apply(c.deletion(t)); err != nil {
		return nil, err
	}
	c.removed(t)
	return t, nil
}

// deletion is what takes a topic out of the store; c.mu is held.
func (c *Catalog) deletion(t *Topic) []Op {
	ops := []Op{{Key: prefixTopic + t.Name}}
	for _, p := range t.Partitions {
		if _, ok := c.starts[p.Stream]; ok {
			ops = append(ops, Op{Key: startKey(p.Stream)})
		}
	}
	return ops
}

// removed forgets a topic that is out of the store; c.mu is held.
func (c *Catalog) removed(t *Topic) {
	for _, p := range t.Partitions {
		delete(c.starts, p.Stream)
	}
	c.partitions -= len(t.Partitions)
	delete(c.collisions, collisionKey(t.Name))
	c.current.Store(c.Snapshot().without(t))
}

// AddPartitions gives a topic more partitions, total in all.
//
// Errors: ErrUnknownTopic, ErrInternalTopic, ErrInvalidPartitions (also for a
// total that is not more than there are), ErrLimit, those of the store.
func (c *Catalog) AddPartitions(name string, total int32, validateOnly bool) (*Topic, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.begin(); err != nil {
		return nil, err
	}
	t, err := c.change(name)
	if err != nil {
		return nil, err
	}
	have := len(t.Partitions)
	if int(total) <= have {
		return nil, fmt.Errorf("%w: %s has %d partitions, %d is not more", ErrInvalidPartitions, name, have, total)
	}
	if t.Resharded {
		return nil, fmt.Errorf("%w: %s has closed partitions: it gets more by splitting those that are open", ErrInvalidPartitions, name)
	}
	if err := c.checkPartitions(have, total); err != nil {
		return nil, err
	}
	grown := *t
	grown.Partitions = append(slices.Clone(t.Partitions), make([]PartitionMeta, int(total)-have)...)
	next := c.nextStream
	if !validateOnly {
		next = c.giveStreams(grown.Partitions[have:])
	}
	shareEqually(grown.Partitions)
	for i := have; i < len(grown.Partitions); i++ {
		grown.Partitions[i].OpenedAt = t.CreatedAt
	}
	if validateOnly {
		return &grown, nil
	}
	if err := c.apply([]Op{encodeTopic(&grown), encodeNumber(keyNextStream, next)}); err != nil {
		return nil, err
	}
	c.nextStream = next
	c.partitions += int(total) - have
	c.current.Store(c.Snapshot().with(&grown))
	return &grown, nil
}

// Alter changes a topic's settings: all the changes or none.
//
// Errors: ErrUnknownTopic, ErrInternalTopic, ErrInvalidConfig, those of the
// store.
func (c *Catalog) Alter(name string, changes []Change, validateOnly bool) (*Topic, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.begin(); err != nil {
		return nil, err
	}
	t, err := c.change(name)
	if err != nil {
		return nil, err
	}
	settings, err := c.rules.alter(t.Settings, changes)
	if err != nil {
		return nil, err
	}
	altered := *t
	altered.Settings = settings
	if validateOnly {
		return &altered, nil
	}
	if maps.Equal(settings.Explicit, t.Settings.Explicit) {
		return t, nil
	}
	if err := c.apply([]Op{encodeTopic(&altered)}); err != nil {
		return nil, err
	}
	c.current.Store(c.Snapshot().with(&altered))
	return &altered, nil
}

// Annotate changes a topic's tags and labels: edit may change the maps that it
// gets, which are never nil, and refuse.
//
// Errors: ErrUnknownTopic, ErrInternalTopic, edit's, those of the store.
func (c *Catalog) Annotate(name string, edit func(tags, labels map[string]string) error) (*Topic, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.begin(); err != nil {
		return nil, err
	}
	t, err := c.change(name)
	if err != nil {
		return nil, err
	}
	changed := *t
	changed.Tags, changed.Labels = make(map[string]string), make(map[string]string)
	maps.Copy(changed.Tags, t.Tags)
	maps.Copy(changed.Labels, t.Labels)
	if err := edit(changed.Tags, changed.Labels); err != nil {
		return nil, err
	}
	if maps.Equal(changed.Tags, t.Tags) && maps.Equal(changed.Labels, t.Labels) {
		return t, nil
	}
	if err := c.apply([]Op{encodeTopic(&changed)}); err != nil {
		return nil, err
	}
	c.current.Store(c.Snapshot().with(&changed))
	return &changed, nil
}

// SetLogStarts stores where logs start, in one change. Streams that no longer
// exist, and starts that are not after what is stored, are passed over: they
// are the late news of somebody who did not know.
func (c *Catalog) SetLogStarts(starts map[uint64]record.Offset) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.begin(); err != nil {
		return err
	}
	exists := c.streams(starts)
	var ops []Op
	for _, stream := range slices.Sorted(maps.Keys(starts)) {
		if exists[stream] && starts[stream] > c.starts[stream] {
			ops = append(ops, encodeStart(stream, starts[stream]))
		} else {
			delete(exists, stream)
		}
	}
	if len(ops) == 0 {
		return nil
	}
	if err := c.apply(ops); err != nil {
		return err
	}
	for stream := range exists {
		c.starts[stream] = starts[stream]
	}
	return nil
}

// streams returns which of the streams some topic has.
func (c *Catalog) streams(asked map[uint64]record.Offset) map[uint64]bool {
	exists := make(map[uint64]bool, len(asked))
	for _, t := range c.Topics() {
		for _, p := range t.Partitions {
			if _, ok := asked[p.Stream]; ok {
				exists[p.Stream] = true
			}
		}
	}
	return exists
}

// ProducerIDBlock is how many producer ids are taken from the store at a time.
// Those of a block that are left at a restart are never used.
const ProducerIDBlock = 1000

// NextProducerIDBlock takes n producer ids from first on: nobody else ever gets
// them.
func (c *Catalog) NextProducerIDBlock() (first int64, n int, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.begin(); err != nil {
		return 0, 0, err
	}
	if c.nextProducer > math.MaxInt64-ProducerIDBlock {
		return 0, 0, fmt.Errorf("%w: producer ids are used up", ErrLimit)
	}
	next := c.nextProducer + ProducerIDBlock
	if err := c.apply([]Op{encodeNumber(keyNextProducer, next)}); err != nil {
		return 0, 0, err
	}
	first, c.nextProducer = int64(c.nextProducer), next
	return first, ProducerIDBlock, nil
}
