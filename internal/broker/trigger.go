package broker

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/narumq/naru/internal/fault"
	"github.com/narumq/naru/internal/queue"
	"github.com/narumq/naru/internal/record"
	"github.com/narumq/naru/internal/statelog"
	"github.com/narumq/naru/internal/trigger"
)

const triggersTopic = "__naru_triggers"

// Errors of triggers that callers tell apart.
var (
	ErrUnknownTrigger = fault.New(fault.NotFound, "unknown trigger")
	ErrTriggerExists  = fault.New(fault.AlreadyExists, "trigger exists")
	// ErrConfigured: only the configuration file changes it.
	ErrConfigured = fault.New(fault.FailedPrecondition, "trigger comes from the configuration file")
	// ErrProgramsOff: who can reach the API could run programs, and may not.
	ErrProgramsOff = fault.New(fault.FailedPrecondition, "triggers that start programs are off: serve with --trigger-programs, or put the trigger into the configuration file")
	// ErrTooManyTriggers: there are trigger.TriggersMax.
	ErrTooManyTriggers = fault.New(fault.ResourceExhausted, "too many triggers")
)

// TriggersConfig says what triggers do.
type TriggersConfig struct {
	// Run does the work of one try, until ctx ends. A try that fails is repeated.
	Run func(ctx context.Context, w trigger.Work) error
	// Programs allows those to run that were defined by a client.
	Programs bool
	// Configured are those of the configuration file: others that came from there
	// before are forgotten. But with none at all, nil, a broker of a cluster leaves those
	// of other brokers' files alone.
	Configured []trigger.Spec
}

// triggers is what happens around the pure trigger.Table of a slot, in which are those of
// the slot's queues: one goroutine looks at the queues, makes durable what the table decides, and starts the work.
//
// Locks: admin, then a queue's mu; mu and the log's are taken last.
type triggers struct {
	b     *Broker
	s     *slot
	table *trigger.Table // guarded by log; definitions and conditions by admin as well
	log   *statelog.Log
	wake  chan struct{} // takes one

	naming chan struct{} // has one while a name of the slot is given to a trigger

	admin    sync.Mutex // held while triggers are made, deleted and looked at
	began    bool       // loop runs; guarded by admin
	cfg      TriggersConfig
	watching map[trigger.ID]*watching // guarded by admin
	running  int                      // guarded by admin
	toRead   int                      // messages, in this round; guarded by admin

	mu    sync.Mutex // guards what follows
	ended []endedTry
}

// watching is a trigger's view of its queue.
type watching struct {
	q     *openQueue // nil: there is none of that name
	watch *readyWatch
	fresh bool        // nothing was seen yet since the broker started
	again int64       // when to look though nothing happens, milliseconds
	dirty atomic.Bool // something happened
}

// endedTry is a try that is over.
type endedTry struct {
	id      trigger.ID
	number  uint64
	attempt int32
	failure string
}

// triggering is what triggers do, from when it is said on.
type triggering struct {
	mu  sync.Mutex      // guards cfg
	cfg *TriggersConfig // nil: they do not fire yet
}

func (s *slot) openTriggers() (err error) {
	t := &triggers{
		b: s.b, s: s, table: trigger.NewTable(), wake: make(chan struct{}, 1), naming: make(chan struct{}, 1),
		watching: make(map[trigger.ID]*watching),
	}
	if t.log, err = s.openState(triggersTopic, t.table); err == nil {
		s.triggers = t
	}
	return err
}

// StartTriggers lets triggers fire, in slots that are open and those that will be. Call
// it once.
func (b *Broker) StartTriggers(cfg TriggersConfig) error {
	b.triggering.mu.Lock()
	b.triggering.cfg = &cfg
	b.triggering.mu.Unlock()
	for _, s := range b.slots.all() {
		if err := s.triggers.begin(); err != nil {
			return err
		}
	}
	return nil
}

// begin lets the slot's triggers fire if they may. It may be called more than once.
func (t *triggers) begin() error {
	t.b.triggering.mu.Lock()
	cfg := t.b.triggering.cfg
	t.b.triggering.mu.Unlock()
	t.admin.Lock()
	defer t.admin.Unlock()
	if cfg == nil || t.began {
		return nil
	}
	t.began, t.cfg = true, *cfg
	err := t.configure(cfg.Configured)
	t.s.work.Go(func() { t.loop(t.s.ctx) }) // of a slot of a cluster those fire that are there
	return err
}

// configure makes the triggers of the configuration file what they are there. Caller
// holds admin.
func (t *triggers) configure(specs []trigger.Spec) error {
	if specs == nil && t.b.cfg.Cluster != nil {
		return nil
	}
	named, here := make(map[string]bool), make(map[string]bool)
	for i := range specs {
		spec := specs[i]
		spec.Configured = true
		if err := spec.Validate(); err != nil {
			return fmt.Errorf("trigger %s: %w", spec.Name, err)
		}
		if named[spec.Name] {
			return fmt.Errorf("trigger %s: %w", spec.Name, ErrTriggerExists)
		}
		named[spec.Name] = true
		if t.b.homeOf(spec.Queue) != t.s.id {
			continue
		}
		here[spec.Name] = true
		if err := t.define(&spec); err != nil {
			return fmt.Errorf("trigger %s: %w", spec.Name, err)
		}
	}
	var gone []trigger.Command
	for _, x := range t.all() {
		if x.Spec.Configured && !here[x.Spec.Name] {
			t.forget(x.ID)
			gone = append(gone, trigger.Remove(x.ID))
		}
	}
	return t.append(gone)
}

// define makes a trigger, or changes the one of that name. Caller holds admin.
func (t *triggers) define(spec *trigger.Spec) error {
	id, created, queueID := newTriggerID(), t.b.nowMS(), uint64(0)
	x := t.find(spec.Name)
	if x == nil && len(t.all()) >= trigger.TriggersMax {
		return fmt.Errorf("%w: %d", ErrTooManyTriggers, trigger.TriggersMax)
	}
	if x != nil {
		id, created = x.ID, x.CreatedAt
		t.forget(id)
	}
	if x != nil && x.Same(spec) {
		return nil // what became of its queue shows when one looks
	}
	if q, err := t.queue(spec.Queue); err == nil { // else it is to be made yet
		if x == nil || x.QueueID != q.id || !x.Spec.SameConditions(spec) {
			return t.bind(id, q, created, spec)
		}
		queueID = q.id
	}
	c, err := trigger.Define(id, queueID, created, spec)
	if err != nil {
		return err
	}
	return t.append([]trigger.Command{c})
}

// queue is a queue whose home is where its triggers live: here.
func (t *triggers) queue(name string) (*openQueue, error) {
	q, err := t.b.queue(name)
	if err != nil {
		return nil, err
	}
	if here := q.local(); here != nil {
		return here, nil
	}
	return nil, fmt.Errorf("queue %s: %w", name, ErrNotOwner)
}

// bind defines a trigger on a queue, with whose messages it begins. Caller holds
// admin.
func (t *triggers) bind(id trigger.ID, q *openQueue, created int64, spec *trigger.Spec) error {
	c, err := trigger.Define(id, q.id, created, spec)
	if err != nil {
		return err
	}
	cmds := []trigger.Command{c}
	for i := range spec.Conditions {
		if spec.Conditions[i].On == trigger.OnEvery {
			floors, ends := q.extent()
			cmds = append(cmds, trigger.Begin(id, i, floors, ends))
		}
	}
	return t.append(cmds)
}

// extent is from where on, and up to where, a queue has messages.
func (q *openQueue) extent() (floors, ends []record.Offset) {
	for i, p := range q.partitions() {
		q.t.log.Read(func() { floors = append(floors, max(q.ledger.Floor(queue.Source(i)), p.LogStart())) })
		ends = append(ends, p.HighWatermark())
	}
	return floors, ends
}

// append makes commands durable, and waits for it. Caller holds admin.
func (t *triggers) append(cmds []trigger.Command) error {
	if len(cmds) == 0 {
		return nil
	}
	outcome := make(chan error, 1)
	t.log.Append(cmds, func(err error) { outcome <- err })
	return <-outcome
}

func (t *triggers) all() (list []*trigger.Trigger) {
	t.log.Read(func() { list = t.table.Triggers() })
	return list
}

func (t *triggers) find(name string) (x *trigger.Trigger) {
	t.log.Read(func() { x = t.table.Find(name) })
	return x
}

// forget ends the watching of a trigger, which begins again if it is still there.
// Caller holds admin.
func (t *triggers) forget(id trigger.ID) {
	if w := t.watching[id]; w != nil {
		w.leave()
		delete(t.watching, id)
	}
}

func (w *watching) leave() {
	if w.q != nil {
		w.q.unwatchReady(w.watch)
		w.q = nil
	}
}

// hold keeps back the floors of partitions that triggers have yet to read.
func (t *triggers) hold(floors map[*Partition]record.Offset) {
	var readers []trigger.Reader
	t.log.Read(func() { readers = t.table.Readers() })
	for _, r := range readers {
		q, err := t.queue(r.Queue)
		if err != nil || q.id != r.QueueID {
			continue
		}
		for i, p := range q.partitions() {
			if have, ok := floors[p]; ok && q.priorityOf(i) >= r.MinPriority {
				floors[p] = min(have, r.From(int32(i)))
			}
		}
	}
}

func newTriggerID() trigger.ID {
	var b [8]byte
	rand.Read(b[:]) // never fails
	return trigger.ID(binary.BigEndian.Uint64(b[:]))
}

// poke lets the loop look around.
func (t *triggers) poke() {
	select {
	case t.wake <- struct{}{}:
	default:
	}
}
