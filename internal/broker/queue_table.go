package broker

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/narumq/naru/internal/catalog"
	"github.com/narumq/naru/internal/journal"
)

// queueTable holds the handles of all queues, and what their backends share.
type queueTable struct {
	buffered atomic.Int64 // bytes of records that queues keep decoded
	streamed atomic.Int64 // and readers of streams

	admin sync.Mutex // held while queues are made, changed and deleted

	mu     sync.RWMutex // guards what follows
	byName map[string]*Queue
}

func (t *queueTable) init(b *Broker, existing []*catalog.Queue) {
	t.byName = make(map[string]*Queue, len(existing))
	for _, meta := range existing {
		t.byName[meta.Name] = newQueue(b, meta)
	}
}

// handles are those of all queues.
func (t *queueTable) handles() []*Queue {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return slices.Collect(maps.Values(t.byName))
}

// readers are how many queues read each topic.
func (t *queueTable) readers() map[string]int {
	n := make(map[string]int)
	for _, q := range t.handles() {
		n[q.Meta().Topic]++
	}
	return n
}

// of are the queues whose home a slot is.
func (t *queueTable) of(home journal.SlotID) []*Queue {
	return slices.DeleteFunc(t.handles(), func(q *Queue) bool { return q.home() != home })
}

func (t *queueTable) find(name string) *Queue {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.byName[name]
}

// show makes a queue known that the catalog has, or its new version. Caller holds admin.
func (t *queueTable) show(b *Broker, meta *catalog.Queue) error {
	q := t.find(meta.Name)
	if q != nil && q.id == meta.ID {
		q.meta.Store(meta)
		if here := q.local(); here != nil {
			here.reconfigure()
		}
		return nil
	}
	if q != nil { // another one had the name
		t.hide(b, q)
	}
	if topic, err := b.catalog.Topic(meta.Topic); err == nil && b.topics.byIDOf(topic.ID) == nil {
		b.topics.put(b, topic) // another broker has made both since topics were taken up
	}
	q = newQueue(b, meta)
	t.mu.Lock()
	t.byName[meta.Name] = q
	t.mu.Unlock()
	s := b.slot(q.home())
	if s == nil {
		return nil
	}
	if err := s.queues.take(q); err != nil && !errors.Is(err, ErrNotOwner) {
		return err
	}
	s.triggers.poke()
	return nil
}

// hide ends a queue that the catalog does not have any more. Caller holds admin.
func (t *queueTable) hide(b *Broker, q *Queue) {
	q.gone.Store(true)
	t.mu.Lock()
	if name := q.Meta().Name; t.byName[name] == q {
		delete(t.byName, name)
	}
	t.mu.Unlock()
	if here := q.local(); here != nil {
		here.t.remove(here)
		b.peers.forget(q)
	}
}

// CreateQueue makes a queue; see catalog.Catalog.CreateQueue. If the name is
// taken, the queue that has it comes with catalog.ErrQueueExists. A queue on a
// topic that exists begins with the records that the topic still has.
func (b *Broker) CreateQueue(spec catalog.QueueSpec) (*catalog.Queue, error) {
	if _, err := ParseFilter(spec.Settings.Filter); err != nil {
		return nil, err
	}
	b.queues.admin.Lock()
	defer b.queues.admin.Unlock()
	q, topic, err := b.catalog.CreateQueue(spec, b.nowMS())
	if err != nil {
		return q, err
	}
	if topic != nil {
		b.topics.register(topic)
		b.topics.put(b, topic)
	}
	if err := b.queues.show(b, q); err != nil {
		return nil, err
	}
	b.log.Info("queue created", "queue", q.Name, "topic", q.Topic)
	return q, nil
}

// AlterQueue changes a queue; see catalog.Catalog.AlterQueue. The change may look for queues
// by FindQueue only.
func (b *Broker) AlterQueue(name string, change func(*catalog.QueueSpec) error) (*catalog.Queue, error) {
	if _, err := b.Queue(name); err != nil {
		return nil, err
	}
	b.queues.admin.Lock()
	defer b.queues.admin.Unlock()
	q, topic, err := b.catalog.AlterQueue(name, b.nowMS(), change)
	if err != nil {
		return nil, err
	}
	if topic != nil {
		b.topics.put(b, topic)
	}
	return q, b.queues.show(b, q)
}

// DeleteQueue removes a queue, its bindings, and its topic if that was made for it,
// unless other queues read it.
func (b *Broker) DeleteQueue(name string) error {
	if _, err := b.Queue(name); err != nil {
		return err
	}
	r := b.routing()
	r.admin.Lock() // nobody binds it meanwhile
	defer r.admin.Unlock()
	return b.deleteQueue(name)
}

// deleteQueue is DeleteQueue for a caller who holds admin of routing.
func (b *Broker) deleteQueue(name string) error {
	if _, err := b.queue(name); err != nil {
		return err
	}
	b.queues.admin.Lock()
	defer b.queues.admin.Unlock()
	var topic *catalog.Topic
	meta, err := b.catalog.Queue(name)
	if err == nil && meta.Owned {
		topic, _ = b.catalog.Topic(meta.Topic)
	}
	if meta, err = b.catalog.DeleteQueue(name); err != nil {
		return err
	}
	if q := b.queues.find(name); q != nil && q.id == meta.ID {
		b.queues.hide(b, q)
	}
	if topic != nil {
		if _, err := b.catalog.Topic(meta.Topic); errors.Is(err, catalog.ErrUnknownTopic) {
			b.forgetTopic(topic)
		}
	}
	b.log.Info("queue deleted", "queue", name)
	return b.unbindQueue(meta)
}

// Queues returns all queues but internal ones, sorted by name. Do not change the
// slice.
func (b *Broker) Queues() []*catalog.Queue {
	list := b.catalog.Queues()
	if !slices.ContainsFunc(list, (*catalog.Queue).Internal) {
		return list
	}
	return slices.DeleteFunc(slices.Clone(list), (*catalog.Queue).Internal)
}

// QueueMeta is what the catalog has of the queue that Queue returns.
func (b *Broker) QueueMeta(name string) (*catalog.Queue, error) {
	q, err := b.Queue(name)
	if err != nil {
		return nil, err
	}
	return q.Meta(), nil
}

// FindQueue is QueueMeta for a change that AlterQueue is given, and waits for nothing: that one holds
// what Queue asks other brokers with, and plans again where it was behind.
func (b *Broker) FindQueue(name string) (*catalog.Queue, error) {
	q, err := b.catalog.Queue(name)
	if err == nil && q.Internal() {
		return nil, fmt.Errorf("%w: %s", catalog.ErrUnknownQueue, name)
	}
	return q, err
}

// Queue returns the queue of that name, or catalog.ErrUnknownQueue, as for one that
// is internal.
func (b *Broker) Queue(name string) (*Queue, error) {
	return lookUp(b, func() (*Queue, error) { return b.queue(name) })
}

// queue is Queue for who may hold locks: what another broker makes comes by and by.
func (b *Broker) queue(name string) (*Queue, error) {
	q := b.queues.find(name)
	if q == nil || q.Meta().Internal() {
		return nil, fmt.Errorf("%w: %s", catalog.ErrUnknownQueue, name)
	}
	return q, nil
}

// InternalQueue returns a queue of the broker's own, whose name begins with
// catalog.InternalPrefix. It is made if it does not exist.
func (b *Broker) InternalQueue(name string) (*Queue, error) {
	_, err := b.CreateQueue(catalog.QueueSpec{Name: name, Settings: catalog.DefaultQueueSettings(), Internal: true})
	if err != nil && !errors.Is(err, catalog.ErrQueueExists) {
		return nil, err
	}
	return b.FindInternalQueue(name)
}

// FindInternalQueue is InternalQueue for one that exists, else catalog.ErrUnknownQueue.
func (b *Broker) FindInternalQueue(name string) (*Queue, error) {
	return lookUp(b, func() (*Queue, error) {
		if q := b.queues.find(name); q != nil {
			return q, nil
		}
		return nil, fmt.Errorf("%w: %s", catalog.ErrUnknownQueue, name)
	})
}

// DeadLetterSources returns the names of the queues whose dead letters go to this
// one, sorted.
func (b *Broker) DeadLetterSources(name string) []string {
	var names []string
	for _, q := range b.Queues() {
		if q.Settings.DeadLetter == name {
			names = append(names, q.Name)
		}
	}
	return names
}
