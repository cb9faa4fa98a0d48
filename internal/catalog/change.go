package catalog

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
)

// Create makes a topic. With validateOnly it only says whether it could, and
// returns what would be made, without ids.
//
// Errors: ErrInvalidTopicName, ErrTopicExists (also for a name that differs
// from a taken one only in '.' and '_', as in Kafka), ErrInvalidPartitions,
// ErrInvalidConfig, ErrLimit, those of the store.
func (c *Catalog) Create(spec TopicSpec, validateOnly bool) (*Topic, error) {
	return changed(c, func() (t *Topic, p change, err error) {
		t, next, err := c.newTopic(spec, false)
		if err != nil {
			return nil, p, err
		}
		if validateOnly {
			t.ID, t.Partitions = UUID{}, make([]PartitionMeta, len(t.Partitions))
			return t, p, nil
		}
		return t, change{[]Op{encodeTopic(t), encodeNumber(keyNextStream, next)}, func() { c.added(t, next) }}, nil
	})
}

// newTopic makes a topic that is not stored yet, and the next stream after its
// own; c.mu is held. One that is owned is made for a queue of its name.
func (c *Catalog) newTopic(spec TopicSpec, owned bool) (t *Topic, nextStream uint64, err error) {
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
	next := c.giveStreams(t, 0, owned)
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

// changeable finds a topic that users may change; c.mu is held.
func (c *Catalog) changeable(name string) (*Topic, error) {
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
	return changed(c, func() (t *Topic, p change, err error) {
		if t, err = c.changeable(name); err != nil {
			return nil, p, err
		}
		if names := c.viewers(name); len(names) > 0 {
			return nil, p, fmt.Errorf("%w: %s is read by %s, which has to be deleted first", ErrTopicInUse, name, names[0])
		}
		return t, change{c.deletion(t), func() { c.removed(t) }}, nil
	})
}

// deletion is what takes a topic out of the store; c.mu is held.
func (c *Catalog) deletion(t *Topic) []Op {
	ops := []Op{{Key: prefixTopic + t.Name}}
	for _, p := range t.Partitions {
		// Where others store log starts, there may be some that are not known here.
		if _, ok := c.starts[p.Stream]; ok || c.shared != nil {
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
	return changed(c, func() (grown *Topic, p change, err error) {
		t, err := c.changeable(name)
		if err != nil {
			return nil, p, err
		}
		have := len(t.Partitions)
		if int(total) <= have {
			return nil, p, fmt.Errorf("%w: %s has %d partitions, %d is not more", ErrInvalidPartitions, name, have, total)
		}
		if t.Resharded {
			return nil, p, fmt.Errorf("%w: %s has closed partitions: it gets more by splitting those that are open", ErrInvalidPartitions, name)
		}
		if err := c.checkPartitions(have, total); err != nil {
			return nil, p, err
		}
		grown, next := c.grown(t, int(total))
		if validateOnly {
			for i := have; i < len(grown.Partitions); i++ {
				grown.Partitions[i].Stream = 0
			}
			return grown, p, nil
		}
		return grown, change{[]Op{encodeTopic(grown), encodeNumber(keyNextStream, next)}, func() { c.put(grown, next) }}, nil
	})
}

// grown is a topic with more partitions, and the next stream; c.mu is held.
func (c *Catalog) grown(t *Topic, total int) (*Topic, uint64) {
	have := len(t.Partitions)
	grown := *t
	grown.Partitions = append(slices.Clone(t.Partitions), make([]PartitionMeta, total-have)...)
	next := c.giveStreams(&grown, have, c.ownedByQueue(t))
	shareEqually(grown.Partitions)
	for i := have; i < total; i++ {
		grown.Partitions[i].OpenedAt = t.CreatedAt
	}
	return &grown, next
}

// put shows a stored version of a topic that may have more partitions; c.mu is held.
func (c *Catalog) put(t *Topic, nextStream uint64) {
	if was, err := c.Topic(t.Name); err == nil {
		c.partitions += len(t.Partitions) - len(was.Partitions)
	}
	c.nextStream = nextStream
	c.current.Store(c.Snapshot().with(t))
}

// Alter changes a topic's settings: all the changes or none.
//
// Errors: ErrUnknownTopic, ErrInternalTopic, ErrInvalidConfig, those of the
// store.
func (c *Catalog) Alter(name string, changes []Change, validateOnly bool) (*Topic, error) {
	return changed(c, func() (_ *Topic, p change, err error) {
		t, err := c.changeable(name)
		if err != nil {
			return nil, p, err
		}
		settings, err := c.rules.alter(t.Settings, changes)
		if err != nil {
			return nil, p, err
		}
		altered := *t
		altered.Settings = settings
		if validateOnly {
			return &altered, p, nil
		}
		if maps.Equal(settings.Explicit, t.Settings.Explicit) {
			return t, p, nil
		}
		return &altered, change{[]Op{encodeTopic(&altered)}, func() { c.put(&altered, c.nextStream) }}, nil
	})
}

// Annotate changes a topic's tags and labels: edit may change the maps that it
// gets, which are never nil, and refuse. It is called again where another broker
// changed something meanwhile.
//
// Errors: ErrUnknownTopic, ErrInternalTopic, edit's, those of the store.
func (c *Catalog) Annotate(name string, edit func(tags, labels map[string]string) error) (*Topic, error) {
	return changed(c, func() (_ *Topic, p change, err error) {
		t, err := c.changeable(name)
		if err != nil {
			return nil, p, err
		}
		edited := *t
		edited.Tags, edited.Labels = cloneMap(t.Tags), cloneMap(t.Labels)
		if err := edit(edited.Tags, edited.Labels); err != nil {
			return nil, p, err
		}
		if maps.Equal(edited.Tags, t.Tags) && maps.Equal(edited.Labels, t.Labels) {
			return t, p, nil
		}
		return &edited, change{[]Op{encodeTopic(&edited)}, func() { c.put(&edited, c.nextStream) }}, nil
	})
}

// ProducerIDBlock is how many producer ids are taken from the store at a time.
// Those of a block that are left at a restart are never used.
const ProducerIDBlock = 1000

// NextProducerIDBlock takes n producer ids from first on: nobody else ever gets
// them.
func (c *Catalog) NextProducerIDBlock() (first int64, n int, err error) {
	first, err = changed(c, func() (first int64, p change, err error) {
		if c.nextProducer > math.MaxInt64-ProducerIDBlock {
			return 0, p, fmt.Errorf("%w: producer ids are used up", ErrLimit)
		}
		next := c.nextProducer + ProducerIDBlock
		return int64(c.nextProducer), change{[]Op{encodeNumber(keyNextProducer, next)}, func() { c.nextProducer = next }}, nil
	})
	if err != nil {
		return 0, 0, err
	}
	return first, ProducerIDBlock, nil
}
