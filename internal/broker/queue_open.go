package broker

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/narumq/naru/internal/catalog"
	"github.com/narumq/naru/internal/queue"
	"github.com/narumq/naru/internal/record"
)

// openQueue is a queue whose home is open here: what happens around the pure
// queue.Queue. It loads records, keeps commands on their way to the log, and wakes who
// waits.
//
// Locks: mu, then the log's of the ledgers (queues.log.Read). Callbacks run
// without either.
type openQueue struct {
	t      *queues
	b      *Broker
	handle *Queue
	id     uint64
	key    []byte // of its commands
	token  int
	ledger *queue.Ledger // guarded by t.log
	filter Filter
	looked atomic.Uint64 // id of the queue of which moved says what is there
	sent   atomic.Int64  // messages, since the broker started

	sendersMu sync.Mutex // guards senders
	senders   []*sender  // by partition, made when they are needed
	turn      atomic.Uint32
	expiring  atomic.Bool  // a message that expires was seen
	taken     atomic.Int64 // messages that are on their way, of a queue that refuses what is too much
	partsN    atomic.Int32 // len(parts)

	mu       sync.Mutex // guards what follows
	parts    []*Partition
	core     *queue.Queue
	loaded   []buffer // by source
	spares   [][]record.Record
	metas    []queue.Meta     // for loading
	got      []queue.Delivery // for receiving
	dead     []queue.DeadLetter
	dying    []func()             // dead letters on their way, in order
	burying  bool                 // somebody sends them
	burial   *burial              // those that go to an exchange; nil: there are none
	moved    map[queue.Tag]string // ids of dead letters that a crash left in both queues, without attempts
	receives []*receive
	timer    *time.Timer
	timerAt  int64 // when timer fires, milliseconds; 0: not at all
	writing  bool  // commands are on their way to the log
	lazy     bool  // those may wait for others
	urgent   bool  // what is pending must not wait
	own      [][]byte
	after    []func(error) // called when what is pending is durable
	ids      map[[16]byte]*sendingID
	attempts map[string]attempt
	cancels  map[string]bool // redrives that shall end
	closed   error
	sealed   bool // closed, and nothing is written any more
	watches  []*readyWatch
	idle     sync.Cond // of mu: writing became false, and nothing follows

	failures atomic.Int64 // commands that did not become durable
}

func newOpenQueue(t *queues, handle *Queue) (*openQueue, error) {
	meta := handle.Meta()
	q := &openQueue{
		t: t, b: t.b, handle: handle, id: meta.ID, key: queueKey(meta.ID),
		ids: make(map[[16]byte]*sendingID), attempts: make(map[string]attempt), cancels: make(map[string]bool),
	}
	q.idle.L = &q.mu
	var err error
	if q.filter, err = ParseFilter(meta.Settings.Filter); err != nil {
		return nil, err
	}
	topic, err := t.b.catalog.Topic(meta.Topic)
	if err != nil {
		return nil, err
	}
	q.takePartitions(topic)
	t.log.Read(func() { q.ledger = t.machine.ledgers[meta.ID] })
	if q.ledger == nil {
		q.ledger = t.newLedger(meta.ID)
	}
	q.mu.Lock() // what is noted below comes back on another goroutine
	defer q.mu.Unlock()
	q.loaded = make([]buffer, len(q.parts))
	t.log.Read(func() { q.core = queue.New(q.config(), q.ledger) })
	q.recoverSentIDs()
	q.resumeRedrives()
	return q, nil
}

// newLedger adds the ledger of a new queue.
func (t *queues) newLedger(id uint64) (l *queue.Ledger) {
	t.log.Change(func() { l = t.machine.ledger(id) })
	return l
}

func (q *openQueue) config() queue.Config {
	meta := q.Meta()
	s := &meta.Settings
	cfg := queue.Config{Sources: len(q.parts), Ordered: s.Ordered, AttemptsMax: s.AttemptsMax}
	cfg.ExpireReady = s.DeadLetterExpired
	if s.Lanes > 1 {
		for i := range q.parts {
			cfg.Priority = append(cfg.Priority, int32(i))
		}
	}
	return cfg
}

// takePartitions takes up those of the topic's partitions that are new.
func (q *openQueue) takePartitions(topic *catalog.Topic) {
	for i := len(q.parts); i < len(topic.Partitions); i++ {
		p, err := q.b.topics.partitionByID(topic.ID, int32(i))
		if err != nil {
			return // the topic was deleted meanwhile
		}
		q.parts = append(q.parts, p)
		q.partsN.Store(int32(len(q.parts)))
	}
}

// watch asks for news of the partitions. The token is known.
func (q *openQueue) watch() {
	for _, p := range q.parts {
		p.Watch(q.t.news, q.token)
	}
}

// reconfigure takes up a new version of the queue, which its handle has.
func (q *openQueue) reconfigure() {
	q.mu.Lock()
	q.t.log.Read(func() { q.core.Configure(q.config()) })
	q.mu.Unlock()
	q.poke()
}

// topicGrew lets the topic's queues, and links, read its new partitions.
func (b *Broker) topicGrew(topic *catalog.Topic) {
	b.queues.admin.Lock() // a queue that is being made may have seen fewer
	defer b.queues.admin.Unlock()
	for _, s := range b.slots.all() {
		for _, q := range s.queues.all() {
			if q.Meta().Topic == topic.Name {
				q.grow(topic)
			}
		}
	}
	for _, l := range b.routing().allLinks() {
		if l.name.topic == topic.Name {
			l.grew()
		}
	}
}

func (q *openQueue) grow(topic *catalog.Topic) {
	q.mu.Lock()
	had := len(q.parts)
	q.takePartitions(topic)
	for _, p := range q.parts[had:] {
		p.Watch(q.t.news, q.token)
		q.loaded = append(q.loaded, buffer{})
	}
	q.t.log.Read(func() { q.core.Configure(q.config()) })
	q.mu.Unlock()
	q.poke()
}

// Meta is the queue as the catalog has it now.
func (q *openQueue) Meta() *catalog.Queue { return q.handle.Meta() }

// poke looks after whoever waits, because something changed.
func (q *openQueue) poke() {
	q.mu.Lock()
	var done calls
	q.lookAfter(&done)
	q.noticed()
	q.mu.Unlock()
	done.run()
}

// lookAfter serves those who wait, and then gives up what is too much: what somebody
// waits for is not. Caller holds mu.
func (q *openQueue) lookAfter(done *calls) {
	if len(q.receives) > 0 {
		q.serve(done)
	}
	if q.eager() && q.closed == nil {
		q.tend()
		q.arm()
		q.write()
	}
}

// close ends the queue for its callers, and waits for commands on their way.
func (q *openQueue) close(why error) {
	for _, p := range q.partitions() {
		p.Unwatch(q.t.news, q.token)
	}
	q.mu.Lock()
	var done calls
	q.closed = why
	for _, r := range q.receives {
		r.finish(&done, nil, why)
	}
	q.receives = nil
	if q.timer != nil {
		q.timer.Stop()
	}
	q.write()
	q.hurry()
	for q.writing { // what was accepted is answered
		q.idle.Wait()
	}
	q.sealed = true
	for i := range q.loaded {
		q.evict(queue.Source(i))
	}
	q.mu.Unlock()
	done.run()
}

// calls are callbacks to run once no lock is held.
type calls []func()

func (c calls) run() {
	for _, f := range c {
		f()
	}
}

// command adds a command of the shell's own; done is called when it is durable.
// Caller holds mu.
func (q *openQueue) command(cmd []byte, done func(error)) {
	q.own = append(q.own, cmd)
	if done != nil {
		q.after = append(q.after, done)
	}
	q.write()
}

// Ack implements queueBackend.
func (q *openQueue) Ack(tags []queue.Tag, done func([]error)) {
	q.mu.Lock()
	if q.closed != nil {
		q.mu.Unlock()
		if done != nil {
			done(slices.Repeat([]error{q.closed}, len(tags)))
		}
		return
	}
	now, failures := q.b.nowMS(), q.failures.Load()
	var errs []error
	q.t.log.Read(func() {
		q.core.Tick(now)
		errs = q.core.Ack(now, tags, make([]error, 0, len(tags)))
	})
	if done == nil {
		q.writeLater()
		q.mu.Unlock()
		return
	}
	q.after = append(q.after, func(err error) {
		if err != nil || q.failures.Load() != failures {
			q.notAcked(tags, errs, err)
		}
		done(errs)
	})
	q.write()
	q.mu.Unlock()
}

// notAcked says of which records the ack does not hold, after commands failed: the
// one that would have ended a record may not be of the same append, if it was
// acked twice.
func (q *openQueue) notAcked(tags []queue.Tag, errs []error, why error) {
	if why == nil {
		why = queue.ErrNotLeased
	}
	q.t.log.Read(func() {
		for i, t := range tags {
			if errs[i] == nil && !q.ledger.Done(t.Source, t.Offset) {
				errs[i] = why
			}
		}
	})
}

// Nack implements queueBackend.
func (q *openQueue) Nack(tags []queue.Tag, delay time.Duration, done func([]error)) {
	q.change(done, len(tags), func(now int64) []error {
		errs := q.core.Release(now, tags, delay.Milliseconds(), nil)
		q.core.GiveUp(tags)
		return errs
	})
}

// Reject implements queueBackend.
func (q *openQueue) Reject(tags []queue.Tag, done func([]error)) {
	q.change(done, len(tags), func(now int64) []error { return q.core.Reject(now, tags, nil) })
}

// Extend implements queueBackend.
func (q *openQueue) Extend(tags []queue.Tag, leases []time.Duration, done func([]error)) {
	q.change(done, len(tags), func(now int64) (errs []error) {
		for i := range tags {
			errs = q.core.Extend(now, tags[i:i+1], leases[i].Milliseconds(), errs)
		}
		return errs
	})
}

// change runs f on n deliveries, and calls done at once.
func (q *openQueue) change(done func([]error), n int, f func(now int64) []error) {
	q.mu.Lock()
	if q.closed != nil {
		q.mu.Unlock()
		done(slices.Repeat([]error{q.closed}, n))
		return
	}
	now := q.b.nowMS()
	var errs []error
	q.t.log.Read(func() {
		q.core.Tick(now)
		errs = f(now)
	})
	var calls calls
	q.serve(&calls)
	if q.eager() {
		q.tend() // what was given back may be too much
	}
	q.buryDead()
	q.noticed()
	q.write()
	q.mu.Unlock()
	calls.run()
	done(errs)
}

// Purge implements queueBackend.
func (q *openQueue) Purge() error { return q.purge(false) }

// PurgeReady implements queueBackend.
func (q *openQueue) PurgeReady() error { return q.purge(true) }

func (q *openQueue) purge(idle bool) error {
	if err := q.refuseStream(); err != nil {
		return err
	}
	parts := q.partitions()
	ends := make([]record.Offset, len(parts))
	for i, p := range parts {
		var err error
		if _, ends[i], err = p.Bounds(); err != nil {
			return err
		}
	}
	q.mu.Lock()
	if q.closed != nil {
		defer q.mu.Unlock()
		return q.closed
	}
	for i := range parts {
		if cmd := q.core.FinishBelow(queue.Source(i), ends[i], idle); cmd != nil {
			q.own = append(q.own, cmd)
		}
	}
	outcome := make(chan error, 1)
	q.after = append(q.after, func(err error) { outcome <- err })
	q.write()
	q.mu.Unlock()
	if err := <-outcome; err != nil {
		return err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.t.log.Read(func() {
		for i, to := range ends {
			q.core.Purged(queue.Source(i), to)
			q.forget(queue.Source(i), to)
		}
	})
	q.tally()
	q.noticed()
	return nil
}

// floors tells up to where the partitions of owned topics are done with.
func (b *Broker) floors() map[*Partition]record.Offset {
	list := make(map[*Partition]record.Offset)
	readers := b.queues.readers()
	for _, s := range b.slots.all() {
		s.queues.floors(list, readers)
		s.triggers.hold(list)
	}
	return list
}

func (t *queues) floors(list map[*Partition]record.Offset, readers map[string]int) {
	for _, q := range t.all() {
		if meta := q.Meta(); !meta.Owned || meta.Settings.Stream || readers[meta.Topic] > 1 {
			continue
		}
		parts := q.partitions()
		t.log.Read(func() {
			for i, p := range parts {
				list[p] = min(q.ledger.Floor(queue.Source(i)), p.HighWatermark())
			}
		})
	}
	if p, err := t.b.topics.partition(delaysTopic, int32(t.s.id)); err == nil {
		if floor, ok := t.delaysFloor(p); ok {
			list[p] = floor
		}
	}
}
