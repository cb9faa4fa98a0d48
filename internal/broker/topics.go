package broker

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/narumq/naru/internal/catalog"
	"github.com/narumq/naru/internal/fault"
	"github.com/narumq/naru/internal/journal"
	"github.com/narumq/naru/internal/record"
)

// ErrUnknownPartition names a partition that its topic does not have.
var ErrUnknownPartition = fault.New(fault.NotFound, "unknown partition")

// topics holds the open partitions of every topic.
type topics struct {
	changing sync.Mutex // one change is shown at a time
	mu       sync.RWMutex
	byName   map[string]*topicState
	byID     map[catalog.UUID]*topicState
	streams  map[journal.StreamID]record.Offset // those that exist, and their stored log start
}

// topicState is a topic with its partitions. The slice only grows, under
// topics.mu, by replacement.
type topicState struct {
	meta       atomic.Pointer[catalog.Topic]
	place      atomic.Pointer[placement]
	partitions []*Partition
}

func (t *topics) init(existing []*catalog.Topic) {
	t.byName = make(map[string]*topicState)
	t.byID = make(map[catalog.UUID]*topicState)
	t.streams = make(map[journal.StreamID]record.Offset)
	for _, topic := range existing {
		t.register(topic)
	}
}

// register lets the journal know a topic's streams.
func (t *topics) register(topic *catalog.Topic) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, p := range topic.Partitions {
		id := journal.StreamID(p.Stream)
		if _, known := t.streams[id]; !known {
			t.streams[id] = p.LogStart
		}
	}
}

// live answers the journal; see journal.Options.
func (t *topics) live(id journal.StreamID) (record.Offset, bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	start, ok := t.streams[id]
	return start, ok
}

func (t *topics) openAll(b *Broker, existing []*catalog.Topic) {
	for _, topic := range existing {
		t.put(b, topic)
	}
}

// put shows a topic as the catalog has it now, which may be later than what the
// caller has: changes come here in any order. Partitions that are new are opened; grew tells
// whether they are of a topic that was shown before, perhaps by another broker's doing.
func (t *topics) put(b *Broker, topic *catalog.Topic) (grew bool) {
	t.changing.Lock()
	defer t.changing.Unlock()
	topic, err := b.catalog.TopicByID(topic.ID)
	if err != nil {
		return false // it was deleted
	}
	t.register(topic)
	t.mu.RLock()
	state := t.byID[topic.ID]
	t.mu.RUnlock()
	if state == nil {
		state = &topicState{}
	}
	state.meta.Store(topic)
	partitions := append([]*Partition(nil), state.partitions...)
	grew = len(partitions) > 0 && len(partitions) < len(topic.Partitions)
	for i := len(partitions); i < len(topic.Partitions); i++ {
		p := &Partition{broker: b, topic: state, index: int32(i)}
		p.away.b, p.away.slot = b, p.Slot()
		b.place(p)
		partitions = append(partitions, p)
	}
	closeThose(partitions)
	state.place.Store(&placement{topic, partitions, topic.Open()})
	t.mu.Lock()
	defer t.mu.Unlock()
	state.partitions = partitions
	t.byName[topic.Name] = state
	t.byID[topic.ID] = state
	return grew
}

// closeThose closes the logs of partitions that the catalog has closed: whoever did that
// may have closed them where they were before.
func closeThose(partitions []*Partition) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel() // what is on its way need not be waited for
	for _, p := range partitions {
		if log, err := p.local(); err == nil && p.Closed() {
			_, _ = log.Close(ctx)
		}
	}
}

// remove hides a topic and returns its partitions.
func (t *topics) remove(topic *catalog.Topic) []*Partition {
	t.changing.Lock()
	defer t.changing.Unlock()
	t.mu.Lock()
	defer t.mu.Unlock()
	state := t.byID[topic.ID]
	delete(t.byID, topic.ID)
	if t.byName[topic.Name] == state {
		delete(t.byName, topic.Name)
	}
	for _, p := range topic.Partitions {
		delete(t.streams, journal.StreamID(p.Stream))
	}
	if state == nil {
		return nil
	}
	return state.partitions
}

// all returns every open partition.
func (t *topics) all() []*Partition {
	t.mu.RLock()
	defer t.mu.RUnlock()
	var list []*Partition
	for _, state := range t.byID {
		list = append(list, state.partitions...)
	}
	return list
}

func (s *topicState) partition(index int32) (*Partition, error) {
	if index < 0 || int(index) >= len(s.partitions) {
		return nil, fmt.Errorf("%w: %s has %d, asked for %d", ErrUnknownPartition, s.meta.Load().Name, len(s.partitions), index)
	}
	p := s.partitions[index]
	return p, nil
}

// Topics returns all topics, sorted by name, internal ones included. Do not
// change the slice.
func (b *Broker) Topics() []*catalog.Topic { return b.catalog.Topics() }

// Topic returns the topic of that name, or catalog.ErrUnknownTopic.
func (b *Broker) Topic(name string) (*catalog.Topic, error) {
	return lookUp(b, func() (*catalog.Topic, error) { return b.catalog.Topic(name) })
}

// TopicByID returns the topic with that id, or catalog.ErrUnknownTopic.
func (b *Broker) TopicByID(id catalog.UUID) (*catalog.Topic, error) {
	return lookUp(b, func() (*catalog.Topic, error) { return b.catalog.TopicByID(id) })
}

// Partition returns a partition, ErrUnknownPartition or catalog.ErrUnknownTopic.
func (b *Broker) Partition(topic string, index int32) (*Partition, error) {
	if index < 0 {
		return b.topics.partition(topic, index)
	}
	return lookUp(b, func() (*Partition, error) { return b.topics.partition(topic, index) })
}

func (t *topics) partition(topic string, index int32) (*Partition, error) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	state := t.byName[topic]
	if state == nil {
		return nil, fmt.Errorf("%w: %s", catalog.ErrUnknownTopic, topic)
	}
	return state.partition(index)
}

// partitionsOf returns all partitions of a topic.
func (t *topics) partitionsOf(name string) ([]*Partition, error) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	state := t.byName[name]
	if state == nil {
		return nil, fmt.Errorf("%w: %s", catalog.ErrUnknownTopic, name)
	}
	return state.partitions, nil
}

// placementOf is where a topic's records go now.
func (t *topics) placementOf(name string) (*placement, error) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	state := t.byName[name]
	if state == nil {
		return nil, fmt.Errorf("%w: %s", catalog.ErrUnknownTopic, name)
	}
	return state.place.Load(), nil
}

// PartitionByID is Partition by the topic's id.
func (b *Broker) PartitionByID(id catalog.UUID, index int32) (*Partition, error) {
	if index < 0 {
		return b.topics.partitionByID(id, index)
	}
	return lookUp(b, func() (*Partition, error) { return b.topics.partitionByID(id, index) })
}

func (t *topics) partitionByID(id catalog.UUID, index int32) (*Partition, error) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	state := t.byID[id]
	if state == nil {
		return nil, fmt.Errorf("%w: id %s", catalog.ErrUnknownTopic, id)
	}
	return state.partition(index)
}

// CreateTopic makes a topic; see catalog.Catalog.Create.
func (b *Broker) CreateTopic(spec catalog.TopicSpec, validateOnly bool) (*catalog.Topic, error) {
	if spec.CreatedAt == 0 {
		spec.CreatedAt = b.nowMS()
	}
	topic, err := b.catalog.Create(spec, validateOnly)
	if err != nil || validateOnly {
		return topic, err
	}
	b.topics.register(topic)
	b.topics.put(b, topic)
	b.log.Info("topic created", "topic", topic.Name, "partitions", len(topic.Partitions))
	return topic, nil
}

// EnsureTopic returns the topic, made with defaults if it does not exist and
// the broker creates topics on demand.
func (b *Broker) EnsureTopic(name string) (*catalog.Topic, error) {
	topic, err := b.Topic(name)
	if err == nil || !b.cfg.AutoCreate || !errors.Is(err, catalog.ErrUnknownTopic) {
		return topic, err
	}
	topic, err = b.CreateTopic(catalog.TopicSpec{Name: name, Partitions: -1}, false)
	if errors.Is(err, catalog.ErrTopicExists) {
		return b.catalog.Topic(name) // another was faster, or the name collides
	}
	return topic, err
}

// DeleteTopic removes a topic, its records and the offsets committed for it. A
// topic that a queue reads stays: catalog.ErrTopicInUse.
func (b *Broker) DeleteTopic(name string) error {
	topic, err := b.catalog.Delete(name)
	if err != nil {
		return err
	}
	b.forgetTopic(topic)
	b.log.Info("topic deleted", "topic", name)
	return nil
}

// forgetTopic ends a topic that is out of the catalog.
func (b *Broker) forgetTopic(topic *catalog.Topic) {
	for _, p := range b.topics.remove(topic) {
		if log, err := p.local(); err == nil {
			log.Delete()
			if s := b.slot(p.Slot()); s != nil {
				s.forget(log.ID())
			}
		}
	}
	for _, s := range b.slots.all() {
		s.groups.DropTopicOffsets(topic.Name, nil)
	}
}

// AddPartitions gives a topic more partitions, total in all.
func (b *Broker) AddPartitions(name string, total int32, validateOnly bool) error {
	topic, err := b.catalog.AddPartitions(name, total, validateOnly)
	if err != nil || validateOnly {
		return err
	}
	b.topics.register(topic)
	b.topics.put(b, topic)
	b.topicGrew(topic)
	return nil
}

// AnnotateTopic changes a topic's tags and labels; see catalog.Catalog.Annotate.
func (b *Broker) AnnotateTopic(name string, edit func(tags, labels map[string]string) error) error {
	topic, err := b.catalog.Annotate(name, edit)
	if err != nil {
		return err
	}
	if b.topics.put(b, topic) {
		b.topicGrew(topic)
	}
	return nil
}

// AlterTopic changes a topic's settings: all the changes or none.
func (b *Broker) AlterTopic(name string, changes []catalog.Change, validateOnly bool) error {
	topic, err := b.catalog.Alter(name, changes, validateOnly)
	if err != nil || validateOnly {
		return err
	}
	if b.topics.put(b, topic) {
		b.topicGrew(topic)
	}
	return nil
}
