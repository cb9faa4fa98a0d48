package broker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"unicode/utf8"

	"github.com/narumq/naru/internal/catalog"
	"github.com/narumq/naru/internal/exchange"
	"github.com/narumq/naru/internal/fault"
	"github.com/narumq/naru/internal/statelog"
)

const routingTopic = "__naru_routing"

// DefaultNamespace is there always.
const DefaultNamespace = "/"

const namespacesMax = 1_000

// Errors of routing that callers tell apart.
var (
	ErrUnknownNamespace = fault.New(fault.NotFound, "unknown namespace")
	ErrNamespaceLimit   = fault.New(fault.ResourceExhausted, "too many namespaces")
)

// routing is the exchanges of all namespaces. Mutations are planned, made durable,
// and applied, one at a time.
//
// Locks: admin, then mu. mu guards the tables; a Route holds it for reading.
type routing struct {
	b   *Broker
	s   *slot         // nil: the exchanges are not here
	log *statelog.Log // nil without s

	admin sync.Mutex // held from planning a mutation to its end
	mu    sync.RWMutex
	table routingTables
	links map[linkName]*link
}

func newRouting(b *Broker, s *slot) *routing {
	return &routing{b: b, s: s, table: newRoutingTables(), links: make(map[linkName]*link)}
}

func (s *slot) openRouting() (err error) {
	r := newRouting(s.b, s)
	if r.log, err = s.openState(routingTopic, &routingMachine{r}); err == nil {
		s.routing = r
	}
	return err
}

// routing is the exchanges if they are here, else what there is everywhere, which cannot
// be changed.
func (b *Broker) routing() *routing {
	if s := b.slot(HomeSlot); s != nil {
		return s.routing
	}
	return b.elsewhere
}

// here is nil if the exchanges are, else ErrNotOwner.
func (r *routing) here() error {
	if r.s == nil {
		return fmt.Errorf("exchanges: %w", ErrNotOwner)
	}
	return nil
}

// Namespaces returns their names, sorted.
func (b *Broker) Namespaces() []string {
	r := b.routing()
	r.mu.RLock()
	defer r.mu.RUnlock()
	var names []string
	for name := range r.table {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// HasNamespace tells whether there is one of that name.
func (b *Broker) HasNamespace(name string) bool {
	r := b.routing()
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.table[name] != nil
}

// CreateNamespace makes a namespace if it does not exist.
func (b *Broker) CreateNamespace(name string) error {
	r := b.routing()
	r.admin.Lock()
	defer r.admin.Unlock()
	switch {
	case b.HasNamespace(name):
		return nil
	case name == "" || len(name) > exchange.NameBytesMax || !utf8.ValidString(name) || strings.Contains(name, "\x00"):
		return fmt.Errorf("%w: namespace of %d bytes, 1 to %d of UTF-8 without NUL are allowed", exchange.ErrInvalid, len(name), exchange.NameBytesMax)
	case len(b.Namespaces()) >= namespacesMax:
		return ErrNamespaceLimit
	}
	return r.store([]statelog.Command{{Key: namespaceKey(name), Value: []byte{}}})
}

// DeleteNamespace deletes a namespace with its queues and exchanges, and takes away all
// permissions in it. The default one stays.
func (b *Broker) DeleteNamespace(name string) error {
	if name == DefaultNamespace {
		return fmt.Errorf("%w: the namespace %s stays", exchange.ErrInvalid, name)
	}
	r := b.routing()
	r.admin.Lock() // nobody makes a queue in it meanwhile
	defer r.admin.Unlock()
	if !b.HasNamespace(name) {
		return fmt.Errorf("%w: %s", ErrUnknownNamespace, name)
	}
	for _, q := range b.NamespaceQueues(name) {
		if err := b.deleteQueue(q.Queue.Meta().Name); err != nil && !errors.Is(err, catalog.ErrUnknownQueue) {
			return err
		}
	}
	// First: one that is made again under the name is not to let in who was let in before.
	if err := b.forgetPermissions(name); err != nil {
		return err
	}
	return r.store([]statelog.Command{{Key: namespaceKey(name)}})
}

// store makes commands durable, which applies them. Caller holds admin.
func (r *routing) store(cmds []statelog.Command) error {
	if err := r.here(); err != nil || len(cmds) == 0 {
		return err
	}
	done := make(chan error, 1)
	r.log.Append(cmds, func(err error) { done <- err })
	return <-done
}

// change plans a mutation of a namespace and carries it out.
func (r *routing) change(ns string, plan func(*exchange.Table) ([]exchange.Change, error)) error {
	r.admin.Lock()
	defer r.admin.Unlock()
	return r.carryOut(ns, plan)
}

// carryOut is change for a caller who holds admin.
func (r *routing) carryOut(ns string, plan func(*exchange.Table) ([]exchange.Change, error)) error {
	if err := r.here(); err != nil {
		return err
	}
	r.mu.RLock()
	t := r.table[ns]
	r.mu.RUnlock()
	if t == nil {
		return fmt.Errorf("%w: %s", ErrUnknownNamespace, ns)
	}
	changes, err := plan(t)
	if err != nil {
		return err
	}
	var durable []statelog.Command
	for _, c := range changes {
		if c.Durable {
			durable = append(durable, statelog.Command{Key: routingKey(ns, c.Command.Key), Value: c.Command.Value})
		}
	}
	if err := r.store(durable); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range changes {
		if !c.Durable {
			if err := t.Apply(c.Command); err != nil {
				return err
			}
		}
	}
	return nil
}

// read looks at a namespace's table, and tells whether there is one.
func (r *routing) read(ns string, f func(*exchange.Table)) bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	t := r.table[ns]
	if t != nil {
		f(t)
	}
	return t != nil
}

// Exchanges returns the exchanges of a namespace, by name.
func (b *Broker) Exchanges(ns string) (list []exchange.Spec) {
	b.routing().read(ns, func(t *exchange.Table) { list = t.Exchanges() })
	return list
}

// Exchange returns an exchange: one that was declared, else one that stands for a
// topic, which is looked up as by Topic. Errors: exchange.ErrNotFound, those of Topic
// but catalog.ErrUnknownTopic.
func (b *Broker) Exchange(ns, name string) (spec exchange.Spec, err error) {
	declared := false
	b.routing().read(ns, func(t *exchange.Table) { spec, declared = t.Get(name) })
	if declared {
		return spec, nil
	}
	_, err = b.seekTopicExchange(ns, name)
	return exchange.Spec{Name: name, Kind: exchange.Fanout, Durable: true}, err
}

// Bindings returns the bindings of a namespace but those of the default exchange.
func (b *Broker) Bindings(ns string) (list []exchange.Binding) {
	b.routing().read(ns, func(t *exchange.Table) { list = t.Bindings() })
	return list
}

// BindingCount is how many Bindings returns.
func (b *Broker) BindingCount(ns string) (n int) {
	b.routing().read(ns, func(t *exchange.Table) { n = t.BindingCount() })
	return n
}

// DeclareExchange makes an exchange; see exchange.Table.Declare. It returns when that
// is durable.
func (b *Broker) DeclareExchange(ns string, spec exchange.Spec) error {
	return b.routing().change(ns, func(t *exchange.Table) ([]exchange.Change, error) { return t.Declare(spec) })
}

// DeleteExchange deletes an exchange and its bindings; see exchange.Table.Delete.
func (b *Broker) DeleteExchange(ns, name string, ifUnused bool) error {
	return b.routing().change(ns, func(t *exchange.Table) ([]exchange.Change, error) { return t.Delete(name, ifUnused) })
}

// Bind binds a queue or an exchange to an exchange; see exchange.Table.Bind. The
// binding of a queue is durable if the queue's label LabelTransient is not set.
func (b *Broker) Bind(ns string, x exchange.Binding) error {
	if x.DestinationKind == exchange.ToQueue {
		if err := b.missed(); err != nil { // the queue that is known may be gone, and another one have its name
			return err
		}
	}
	err := b.routing().change(ns, func(t *exchange.Table) ([]exchange.Change, error) {
		durable := true
		if x.DestinationKind == exchange.ToQueue {
			b.unbindGone()
			q, err := b.namespaceQueue(ns, x.Destination)
			if err != nil {
				return nil, err
			}
			durable = q.Meta().Labels[LabelTransient] == ""
		}
		return t.Bind(x, durable)
	})
	if errors.Is(err, exchange.ErrNotFound) {
		for _, name := range []string{x.Source, x.Destination} {
			if topic, err := b.topicExchange(ns, name); err == nil && (name == x.Source || x.DestinationKind == exchange.ToExchange) {
				return b.bindTopic(topic, &x)
			}
		}
	}
	return err
}

// Unbind ends a binding; see exchange.Table.Unbind.
func (b *Broker) Unbind(ns string, x exchange.Binding) error {
	err := b.routing().change(ns, func(t *exchange.Table) ([]exchange.Change, error) { return t.Unbind(x) })
	declared := false
	b.routing().read(ns, func(t *exchange.Table) { _, declared = t.Get(x.Source) })
	if err == nil && !declared && ns == DefaultNamespace && x.DestinationKind == exchange.ToQueue {
		return b.unbindTopic(x.Source, x.Destination)
	}
	return err
}

// Published is what became of a message.
type Published struct {
	Queues int // it was routed to so many
	Err    error
}

// routings are used again.
var routings = sync.Pool{New: func() any { return new(exchange.Routing) }}

// Publish routes a message and sends it to each queue. done is called once, when it
// is durable in all of them, or refused by one. A message that is routed nowhere is
// done with. Who publishes by the name of a queue that is not known waits as for
// NamespaceQueue. Errors: exchange.ErrNotFound, exchange.ErrInternalExchange, those of
// NamespaceQueue but catalog.ErrUnknownQueue, those of Queue.Send.
func (b *Broker) Publish(ctx context.Context, ns, name string, m *exchange.Message, msg Message, done func(Published)) {
	b.publish(ctx, ns, name, m, msg, nil, done)
}

// publish is Publish but to the queues that skip, if there is one, tells.
func (b *Broker) publish(ctx context.Context, ns, name string, m *exchange.Message, msg Message, skip func(queue string) bool, done func(Published)) {
	r := routings.Get().(*exchange.Routing)
	defer routings.Put(r)
	here := b.routing()
	err := here.here()
	if err == nil && !here.read(ns, func(t *exchange.Table) { err = t.Route(r, name, m) }) {
		err = fmt.Errorf("%w: %s", ErrUnknownNamespace, ns)
	}
	if errors.Is(err, exchange.ErrNotFound) {
		find := b.seekTopicExchange
		if skip != nil { // dead letters, which do not wait
			find = b.topicExchange
		}
		var topic *catalog.Topic
		if topic, err = find(ns, name); err == nil {
			b.publishTopic(ctx, topic, m, &msg, done)
			return
		}
	}
	if err != nil {
		done(Published{Err: err})
		return
	}
	if skip != nil {
		r.Queues, r.Later = slices.DeleteFunc(r.Queues, skip), slices.DeleteFunc(r.Later, skip)
	}
	var to [8]*Queue
	queues := b.queuesOf(to[:0], ns, r.Queues)
	var unsure error // about the others
	// Dead letters, which skip some, do not wait.
	if name == exchange.Default && skip == nil && len(queues) < len(r.Queues) {
		unsure = b.seekQueues(ns, r.Queues)
		queues = b.queuesOf(to[:0], ns, r.Queues)
	}
	now := len(queues)
	queues = b.queuesOf(queues, ns, r.Later)
	if len(queues) == 0 {
		done(Published{Err: unsure})
		return
	}
	p := &publishing{queues: len(queues), done: done}
	if unsure != nil {
		failed := unsure // or each message has one on the heap
		p.err.Store(&failed)
	}
	p.left.Store(int32(len(queues)))
	for i, q := range queues {
		out := msg
		if i >= now {
			out.Delay = milliseconds(r.DelayMillis)
		}
		if lanes := q.Meta().Settings.Lanes; out.Lane >= lanes {
			out.Lane = lanes - 1
		}
		q.Send(ctx, []Message{out}, p.sent)
	}
}

// queuesOf appends the queues that exist.
func (b *Broker) queuesOf(list []*Queue, ns string, names []string) []*Queue {
	for _, name := range names {
		if q, err := b.namespaceQueue(ns, name); err == nil {
			list = append(list, q)
		}
	}
	return list
}

// publishing is one call of Publish.
type publishing struct {
	queues int
	left   atomic.Int32
	err    atomic.Pointer[error]
	done   func(Published)
}

func (p *publishing) sent(list []Sent) {
	if err := list[0].Err; err != nil {
		p.err.CompareAndSwap(nil, &err)
	}
	if p.left.Add(-1) > 0 {
		return
	}
	out := Published{Queues: p.queues}
	if err := p.err.Load(); err != nil {
		out.Err = *err
	}
	p.done(out)
}
