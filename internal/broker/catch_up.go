package broker

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/narumq/naru/internal/catalog"
	"github.com/narumq/naru/internal/fault"
	"github.com/narumq/naru/internal/journal"
	"github.com/narumq/naru/internal/user"
)

const (
	// lookUpMax is how long a look-up that misses may wait for what other brokers did.
	lookUpMax = 2 * time.Second
	// lookUpEvery bounds how often the catalog is asked because of look-ups that miss.
	lookUpEvery = 5 * time.Millisecond
	// vainFor is how long a name is not looked up for publishers again that was looked up in vain.
	vainFor = 100 * time.Millisecond
	// vainMax bounds how many such names are remembered.
	vainMax = 1_000
)

// following is how the broker takes up what others change in the catalog.
type following struct {
	news    chan struct{} // takes one: something was changed
	turn    turnstile     // of look-ups that miss
	begun   atomic.Int64  // look-ups that asked
	last    time.Time     // when one did; guarded by turn, and so is outcome
	outcome error         // of that
	mu      sync.Mutex    // held while handles are made what the catalog has; guards users
	before  []*user.User
	gone    []*catalog.Queue // queues that others deleted, and that may be bound still; guarded by admin of queues
	vain    vainNames
}

func (f *following) init() {
	f.news, f.turn = make(chan struct{}, 1), make(turnstile, 1)
	f.vain.began = make(map[namespaceName]time.Time)
}

// changed is told by the catalog; it does not block.
func (f *following) changed() {
	select {
	case f.news <- struct{}{}:
	default:
	}
}

// follow takes up what others change until the broker ends.
func (b *Broker) follow() {
	for {
		select {
		case <-b.ctx.Done():
			return
		case <-b.following.news:
			b.takeUp()
		}
	}
}

// catchUp takes up what other brokers have changed in the catalog until now. Its errors
// are those of the catalog and ctx's.
func (b *Broker) catchUp(ctx context.Context) error {
	if b.cfg.Cluster == nil {
		return nil
	}
	if err := b.catalog.Refresh(ctx); err != nil {
		return fmt.Errorf("reading the catalog: %w", err)
	}
	b.takeUp()
	return nil
}

// errCannotTell: what is not known here may be there.
var errCannotTell = fault.New(fault.Unavailable, "it is not known here, and whether another broker made it cannot be told at the moment")

// lookUp finds something, which another broker may have made by now. That there is no such thing is believed only when the
// catalog says so: else its error is errCannotTell. Who calls it may hold admin of routing, and no other lock.
func lookUp[T any](b *Broker, find func() (T, error)) (T, error) {
	found, err := find()
	if err == nil || b.Alone() {
		return found, err
	}
	if err := b.missed(); err != nil {
		return found, err
	}
	return find()
}

// seekQueues takes up queues that other brokers made, for one who publishes to their names and may wait as for lookUp. To names that
// are not there clients publish at any rate: see vainNames.
func (b *Broker) seekQueues(ns string, names []string) error {
	if b.Alone() {
		return nil
	}
	began, vain := time.Now(), &b.following.vain
	missing := func(name string) bool { _, err := b.namespaceQueue(ns, name); return err != nil }
	names = slices.DeleteFunc(slices.Clone(names), func(name string) bool {
		return !missing(name) || vain.has(namespaceName{ns, name}, began)
	})
	if len(names) == 0 {
		return nil
	}
	if err := b.missed(); err != nil {
		return err
	}
	for _, name := range names {
		if missing(name) {
			vain.add(namespaceName{ns, name}, began)
		}
	}
	return nil
}

// namespaceName is what a user calls a queue.
type namespaceName struct{ namespace, name string }

// vainNames are names of queues that were looked up for publishers and not found. The catalog is not asked again for them for vainFor.
type vainNames struct {
	mu    sync.Mutex
	began map[namespaceName]time.Time // the look-ups
}

func (v *vainNames) has(name namespaceName, now time.Time) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	began, ok := v.began[name]
	return ok && now.Sub(began) < vainFor
}

func (v *vainNames) add(name namespaceName, began time.Time) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.began) >= vainMax {
		clear(v.began)
	}
	v.began[name] = began
}

// missed takes up what other brokers did, if there are others, for who looked for something in vain. Its error is errCannotTell.
func (b *Broker) missed() error {
	if b.Alone() {
		return nil
	}
	if err := b.catchUpTogether(); err != nil {
		return fmt.Errorf("%w: %w", errCannotTell, err)
	}
	return nil
}

// catchUpTogether is catchUp for all who come until it begins.
func (b *Broker) catchUpTogether() error {
	f := &b.following
	ctx, cancel := b.bounded(b.cfg.waits.lookUp)
	defer cancel()
	begun := f.begun.Load()
	if err := f.turn.lock(ctx); err != nil {
		return err
	}
	defer f.turn.unlock()
	if f.begun.Load() > begun { // while this one waited
		return f.outcome
	}
	if wait := lookUpEvery - time.Since(f.last); wait > 0 {
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	f.begun.Add(1)
	f.last = time.Now()
	f.outcome = b.catchUp(ctx)
	return f.outcome
}

// takeUp makes the handles what the catalog has.
func (b *Broker) takeUp() {
	b.following.mu.Lock()
	defer b.following.mu.Unlock()
	b.takeUpTopics()
	b.takeUpQueues()
	now := b.catalog.Users()
	if !reflect.DeepEqual(now, b.following.before) {
		b.following.before = now
		b.users.tell()
	}
}

func (b *Broker) takeUpTopics() {
	t := &b.topics
	for _, topic := range t.metas() { // first: its offsets go too, and there may be another of its name
		if _, err := b.catalog.TopicByID(topic.ID); err != nil {
			b.forgetTopic(topic)
		}
	}
	for _, topic := range b.catalog.Topics() {
		state := t.byIDOf(topic.ID)
		if state != nil && state.meta.Load() == topic {
			continue
		}
		t.register(topic)
		t.put(b, topic)
		if state != nil {
			b.topicGrew(topic)
		}
	}
}

func (b *Broker) takeUpQueues() {
	b.queues.admin.Lock()
	defer b.queues.admin.Unlock()
	gone := &b.following.gone
	for _, q := range b.queues.handles() {
		meta, err := b.catalog.Queue(q.Meta().Name)
		if err != nil || meta.ID != q.id {
			b.queues.hide(b, q)
			*gone = append(*gone, q.Meta())
		}
	}
	for _, meta := range b.catalog.Queues() {
		if q := b.queues.find(meta.Name); q != nil && q.Meta() == meta {
			continue
		}
		if err := b.queues.show(b, meta); err != nil {
			b.log.Error("queue of another broker's making is not served", "queue", meta.Name, "err", err)
		}
	}
	if b.routing().here() != nil {
		*gone = nil // the owner of the exchanges sees to it
	} else if len(*gone) > 0 {
		b.work.Go(func() {
			r := b.routing()
			r.admin.Lock()
			defer r.admin.Unlock()
			b.unbindGone()
		})
	}
}

// unbindGone ends the bindings of queues that other brokers deleted. What is bound later is to others, maybe of the same names. Caller
// holds admin of routing.
func (b *Broker) unbindGone() {
	b.queues.admin.Lock()
	gone := b.following.gone
	b.following.gone = nil
	b.queues.admin.Unlock()
	for _, meta := range gone {
		if err := b.unbindQueue(meta); err != nil {
			b.log.Warn("bindings of a queue that is gone stay", "queue", meta.Name, "err", err)
		}
	}
}

// takeUpStarts takes up where the logs of a slot start, as its last owner said.
func (b *Broker) takeUpStarts(id journal.SlotID) error {
	starts, err := b.catalog.LogStarts(int(id))
	if err != nil {
		return err
	}
	t := &b.topics
	t.mu.Lock()
	defer t.mu.Unlock()
	for stream, start := range starts {
		at := journal.StreamID(stream)
		if had, known := t.streams[at]; known && start > had {
			t.streams[at] = start
		}
	}
	return nil
}

func (t *topics) byIDOf(id catalog.UUID) *topicState {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.byID[id]
}

// metas are the topics that have handles.
func (t *topics) metas() (list []*catalog.Topic) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	list = slices.Grow(list, len(t.byID))
	for _, state := range t.byID {
		list = append(list, state.meta.Load())
	}
	return list
}
