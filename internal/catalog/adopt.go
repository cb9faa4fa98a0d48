package catalog

import (
	"fmt"
	"maps"
	"slices"
)

// AdoptTopic makes a topic that another catalog has: everything is kept, its id too, but the streams, which are new. owned says that a
// queue of its name owns it.
//
// Errors: those of Create; ErrTopicExists also for the id.
func (c *Catalog) AdoptTopic(t *Topic, owned bool) (*Topic, error) {
	return changed(c, func() (_ *Topic, p change, err error) {
		if err := c.checkNewName(TopicSpec{Name: t.Name, Internal: t.Internal}); err != nil {
			return nil, p, err
		}
		if other, err := c.TopicByID(t.ID); err == nil {
			return nil, p, fmt.Errorf("%w: %s has the id of %s", ErrTopicExists, other.Name, t.Name)
		}
		if err := c.checkPartitions(0, int32(len(t.Partitions))); err != nil {
			return nil, p, err
		}
		made := *t
		if made.Settings, err = c.rules.settings(t.Settings.Explicit); err != nil {
			return nil, p, err
		}
		made.Tags, made.Labels = maps.Clone(t.Tags), maps.Clone(t.Labels)
		made.Partitions = make([]PartitionMeta, len(t.Partitions))
		next := c.giveStreams(&made, 0, owned)
		for i, was := range t.Partitions {
			was.Stream, was.LogStart, was.Parents = made.Partitions[i].Stream, 0, slices.Clone(was.Parents)
			made.Partitions[i] = was
		}
		return &made, change{[]Op{encodeTopic(&made), encodeNumber(keyNextStream, next)}, func() { c.added(&made, next) }}, nil
	})
}

// AdoptQueue makes a queue that another catalog has: everything is kept but the id, which is new. Its topic has to be there.
//
// Errors: those of CreateQueue.
func (c *Catalog) AdoptQueue(q *Queue) (*Queue, error) {
	return changed(c, func() (_ *Queue, p change, err error) {
		if err := c.checkNewQueue(&QueueSpec{Name: q.Name, Settings: q.Settings}); err != nil {
			return nil, p, err
		}
		if _, err := c.Topic(q.Topic); err != nil {
			return nil, p, err
		}
		made := *q
		made.ID, made.Tags, made.Labels = c.nextQueue, maps.Clone(q.Tags), maps.Clone(q.Labels)
		return &made, change{[]Op{encodeQueue(&made), encodeNumber(keyNextQueue, made.ID+1)}, func() {
			c.nextQueue++
			c.putQueue(&made)
		}}, nil
	})
}
