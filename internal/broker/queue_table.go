package broker

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/narumq/naru/internal/catalog"
	"github.com/narumq/naru/internal/queue"
	"github.com/narumq/naru/internal/statelog"
)

const queuesTopic = "__naru_queues"

// queues holds the open queues.
type queues struct {
	b       *Broker
	machine *queuesMachine
	log     *statelog.Log
	news    *Waiter // of all partitions that queues read; a token is an index in byToken

	parking  atomic.Int32 // runs that are being written
	buffered atomic.Int64 // bytes of records that queues keep decoded
	streamed atomic.Int64 // and readers of streams

	admin sync.Mutex // held while queues are made, changed and deleted

	mu      sync.RWMutex // guards what follows
	byName  map[string]*Queue
	byToken []*openQueue
}

func (b *Broker) openQueues() error {
	t := &queues{
		b: b, machine: &queuesMachine{now: b.nowMS, ledgers: make(map[uint64]*queue.Ledger)},
		news: NewWaiter(), byName: make(map[string]*Queue),
	}
	var err error
	if t.log, err = b.openState(queuesTopic, t.machine); err != nil {
		return err
	}
	b.queues = t
	exists := make(map[uint64]bool)
	for _, meta := range b.catalog.Queues() {
		exists[meta.ID] = true
		if _, err := t.put(meta); err != nil {
			return err
		}
	}
	t.findMoved()
	// What a crash between the catalog and the log left of deleted queues.
	var gone []statelog.Command
	t.log.Read(func() {
		for id := range t.machine.ledgers {
			if !exists[id] {
				gone = append(gone, statelog.Command{Key: queueKey(id)})
			}
		}
	})
	if len(gone) > 0 {
		t.log.Append(gone, func(error) {})
	}
	return nil
}

// put opens a queue, or shows the new version of one.
func (t *queues) put(meta *catalog.Queue) (*Queue, error) {
	t.mu.Lock()
	known := t.byName[meta.Name]
	t.mu.Unlock()
	if q := known; q != nil {
		q.meta.Store(meta)
		if here := q.local(); here != nil {
			here.reconfigure()
		}
		return q, nil
	}
	handle := newQueue(t.b, meta)
	q, err := newOpenQueue(t, handle)
	if err != nil {
		return nil, fmt.Errorf("queue %s: %w", meta.Name, err)
	}
	t.mu.Lock()
	q.token = len(t.byToken)
	for i, free := range t.byToken {
		if free == nil {
			q.token = i
			break
		}
	}
	if q.token == len(t.byToken) {
		t.byToken = append(t.byToken, nil)
	}
	t.byToken[q.token] = q
	handle.move(q)
	t.byName[meta.Name] = handle
	t.mu.Unlock()
	q.watch()
	return handle, nil
}

func (t *queues) remove(name string) *openQueue {
	t.mu.Lock()
	defer t.mu.Unlock()
	handle := t.byName[name]
	if handle == nil {
		return nil
	}
	handle.gone.Store(true)
	delete(t.byName, name)
	q := handle.local()
	if q != nil {
		t.byToken[q.token] = nil
	}
	return q
}

// all are the queues that are open here.
func (t *queues) all() []*openQueue {
	t.mu.RLock()
	defer t.mu.RUnlock()
	list := make([]*openQueue, 0, len(t.byName))
	for _, q := range t.byToken {
		if q != nil {
			list = append(list, q)
		}
	}
	return list
}

func (t *queues) handles() []*Queue {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return slices.Collect(maps.Values(t.byName))
}

// pump tells queues of new records until ctx ends.
func (t *queues) pump(ctx context.Context) {
	var tokens []int
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.news.C():
		}
		tokens = t.news.Dirty(tokens[:0])
		for _, token := range tokens {
			t.mu.RLock()
			q := t.byToken[token]
			t.mu.RUnlock()
			if q != nil {
				q.poke()
			}
		}
	}
}

func (t *queues) close() {
	for _, q := range t.all() {
		q.close(ErrQueueClosed)
	}
	t.log.Close()
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
	if _, err := b.queues.put(q); err != nil {
		return nil, err
	}
	b.triggers.queueMade()
	b.log.Info("queue created", "queue", q.Name, "topic", q.Topic)
	return q, nil
}

// AlterQueue changes a queue; see catalog.Catalog.AlterQueue.
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
	_, err = b.queues.put(q)
	return q, err
}

// DeleteQueue removes a queue, its bindings, and its topic if that was made for it,
// unless other queues read it.
func (b *Broker) DeleteQueue(name string) error {
	b.routing.admin.Lock() // nobody binds it meanwhile
	defer b.routing.admin.Unlock()
	return b.deleteQueue(name)
}

// deleteQueue is DeleteQueue for a caller who holds admin of routing.
func (b *Broker) deleteQueue(name string) error {
	if _, err := b.Queue(name); err != nil {
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
	if q := b.queues.remove(name); q != nil {
		q.close(ErrQueueDeleted)
		q.poke()
	}
	b.queues.log.Append([]statelog.Command{{Key: queueKey(meta.ID)}}, func(error) {})
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

// Queue returns the queue of that name, or catalog.ErrUnknownQueue, as for one that
// is internal.
func (b *Broker) Queue(name string) (*Queue, error) {
	b.queues.mu.RLock()
	q := b.queues.byName[name]
	b.queues.mu.RUnlock()
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
	b.queues.mu.RLock()
	defer b.queues.mu.RUnlock()
	return b.queues.byName[name], nil
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
