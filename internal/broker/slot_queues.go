package broker

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/narumq/naru/internal/queue"
	"github.com/narumq/naru/internal/statelog"
)

const queuesTopic = "__naru_queues"

// queues holds the open queues of a slot: those whose home it is.
type queues struct {
	b       *Broker
	s       *slot
	machine *queuesMachine
	log     *statelog.Log
	news    *Waiter      // of all partitions that queues read; a token is an index in byToken
	parking atomic.Int32 // runs that are being written

	mu      sync.RWMutex // guards what follows
	byToken []*openQueue
	ended   bool // handles do not know of them any more
}

func (s *slot) openQueues() error {
	t := &queues{b: s.b, s: s, machine: &queuesMachine{now: s.b.nowMS, ledgers: make(map[uint64]*queue.Ledger)}, news: NewWaiter()}
	var err error
	if t.log, err = s.openState(queuesTopic, t.machine); err != nil {
		return err
	}
	s.queues = t
	exists := make(map[uint64]bool)
	for _, q := range s.b.queues.of(s.id) {
		exists[q.id] = true
		if _, err := t.open(q); err != nil {
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

// open opens a queue; its handle does not know of it yet.
func (t *queues) open(handle *Queue) (*openQueue, error) {
	q, err := newOpenQueue(t, handle)
	if err != nil {
		return nil, fmt.Errorf("queue %s: %w", handle.Meta().Name, err)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ended {
		return nil, ErrNotOwner
	}
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
	return q, nil
}

// show lets the handles of queues know that they are open here, and then the broker by
// open, after what happened to them in the catalog while the slot was opened.
func (t *queues) show(open func()) error {
	t.b.queues.admin.Lock()
	defer t.b.queues.admin.Unlock()
	known := make(map[uint64]bool)
	for _, q := range t.all() {
		known[q.id] = true
		if q.handle.gone.Load() {
			t.remove(q)
			continue
		}
		if topic, err := t.b.catalog.Topic(q.Meta().Topic); err == nil {
			q.grow(topic)
		}
		t.watch(q)
	}
	for _, handle := range t.b.queues.of(t.s.id) {
		if known[handle.id] {
			continue
		}
		q, err := t.open(handle)
		if err != nil {
			return err
		}
		t.watch(q)
	}
	open()
	return nil
}

// watch lets a queue hear of its partitions, and its handle of it.
func (t *queues) watch(q *openQueue) {
	t.mu.RLock()
	if !t.ended {
		q.handle.move(q)
	}
	t.mu.RUnlock()
	q.watch()
}

// take opens a queue that is new in a slot that is open.
func (t *queues) take(handle *Queue) error {
	q, err := t.open(handle)
	if err == nil {
		t.watch(q)
	}
	return err
}

// hide tells the handles that the queues are not here any more.
func (t *queues) hide() {
	t.mu.Lock()
	t.ended = true
	t.mu.Unlock()
	for _, q := range t.all() {
		q.handle.move(newRemoteQueue(q.handle))
		t.b.peers.forget(q.handle)
	}
}

// remove ends a queue that was deleted.
func (t *queues) remove(q *openQueue) {
	t.mu.Lock()
	t.byToken[q.token] = nil
	t.mu.Unlock()
	q.close(ErrQueueDeleted)
	q.poke()
	t.log.Append([]statelog.Command{{Key: q.key}}, func(error) {})
}

// all are the queues that are open.
func (t *queues) all() []*openQueue {
	t.mu.RLock()
	defer t.mu.RUnlock()
	list := make([]*openQueue, 0, len(t.byToken))
	for _, q := range t.byToken {
		if q != nil {
			list = append(list, q)
		}
	}
	return list
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

func (t *queues) close(why error) {
	for _, q := range t.all() {
		q.close(why)
	}
	t.log.Close()
}
