package broker

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/narumq/naru/internal/catalog"
	"github.com/narumq/naru/internal/exchange"
)

// NamedQueue is a queue of a namespace under the name that its user gave it.
type NamedQueue struct {
	Name  string
	Queue *Queue
}

// Labels of queues of namespaces. On disk: never rename.
const (
	// LabelName has the user's name, where the queue's is another.
	LabelName      = "routing.name"
	LabelNamespace = "routing.namespace" // but for the default one
	// LabelTransient is set on queues that do not outlive the process.
	LabelTransient = "routing.transient"
)

// NamespaceQueue returns a queue, or catalog.ErrUnknownQueue.
func (b *Broker) NamespaceQueue(ns, name string) (*Queue, error) {
	return lookUp(b, func() (*Queue, error) { return b.namespaceQueue(ns, name) })
}

// namespaceQueue is NamespaceQueue for who may hold locks.
func (b *Broker) namespaceQueue(ns, name string) (*Queue, error) {
	own := queueName(ns, name)
	q, err := b.queue(own)
	if err != nil && own == name && strings.ContainsAny(name, "._") { // it may have been made beside its like: see createNamed
		if made, err := b.queue(madeName(ns, name)); err == nil {
			return made, nil
		}
	}
	return q, err
}

// NamespaceQueues returns the queues of a namespace, by the names of the broker.
func (b *Broker) NamespaceQueues(ns string) (list []NamedQueue) {
	for _, meta := range b.Queues() {
		if of := meta.Labels[LabelNamespace]; of == ns || of == "" && ns == DefaultNamespace {
			q, err := b.queue(meta.Name)
			if err != nil {
				continue // deleted meanwhile
			}
			name := meta.Name
			if own, ok := meta.Labels[LabelName]; ok {
				name = own
			}
			list = append(list, NamedQueue{name, q})
		}
	}
	return list
}

// CreateNamespaceQueue is CreateQueue by the user's name.
func (b *Broker) CreateNamespaceQueue(ns, name string, spec catalog.QueueSpec) (*Queue, error) {
	if name == "" || len(name) > exchange.NameBytesMax || !utf8.ValidString(name) {
		return nil, fmt.Errorf("%w: name of %d bytes, 1 to %d of UTF-8 are allowed", catalog.ErrInvalidQueue, len(name), exchange.NameBytesMax)
	}
	r := b.routing()
	r.admin.Lock() // the namespace stays until the queue is there
	defer r.admin.Unlock()
	if !b.HasNamespace(ns) {
		return nil, fmt.Errorf("%w: %s", ErrUnknownNamespace, ns)
	}
	if q, err := b.namespaceQueue(ns, name); err == nil {
		return q, fmt.Errorf("%w: %s", catalog.ErrQueueExists, name)
	}
	q, err := b.createNamed(ns, name, queueName(ns, name), spec)
	if errors.Is(err, catalog.ErrTopicExists) { // of a name that differs in '.' and '_' only, which topics may not have
		q, err = b.createNamed(ns, name, madeName(ns, name), spec)
	}
	return q, err
}

// createNamed makes the queue that its user calls name, under a name of the broker's.
func (b *Broker) createNamed(ns, name, own string, spec catalog.QueueSpec) (*Queue, error) {
	spec.Name, spec.Labels = own, mapsClone(spec.Labels)
	if own != name {
		spec.Labels[LabelName] = name
	}
	if ns != DefaultNamespace {
		spec.Labels[LabelNamespace] = ns
	}
	_, err := b.CreateQueue(spec)
	if err != nil && !errors.Is(err, catalog.ErrQueueExists) {
		return nil, err
	}
	q, again := b.Queue(own)
	return q, errors.Join(err, again)
}

func mapsClone(m map[string]string) map[string]string {
	out := make(map[string]string, len(m)+2)
	for k, v := range m {
		out[k] = v
	}
	return out
}

// DeleteNamespaceQueue is DeleteQueue by the user's name.
func (b *Broker) DeleteNamespaceQueue(ns, name string) error {
	q, err := b.NamespaceQueue(ns, name)
	if err != nil {
		return err
	}
	return b.DeleteQueue(q.Meta().Name)
}

// unbindQueue ends the bindings of a queue that was deleted. Caller holds admin of routing.
func (b *Broker) unbindQueue(meta *catalog.Queue) error {
	ns, name := cmp.Or(meta.Labels[LabelNamespace], DefaultNamespace), cmp.Or(meta.Labels[LabelName], meta.Name)
	if ns == DefaultNamespace {
		if err := b.unlinkQueue(name); err != nil {
			return err
		}
	}
	if r := b.routing(); r.here() != nil || !b.HasNamespace(ns) {
		return nil // the owner of the exchanges sees that it is gone
	}
	return b.routing().carryOut(ns, func(t *exchange.Table) ([]exchange.Change, error) { return t.RemoveQueue(name), nil })
}

// unbindLost ends the bindings of queues that are not there: a crash came after the queue's end.
func (b *Broker) unbindLost() (failed error) {
	r := b.routing()
	r.admin.Lock()
	defer r.admin.Unlock()
	for _, ns := range b.Namespaces() {
		var names []string
		r.read(ns, func(t *exchange.Table) { names = t.Queues() })
		for _, name := range names {
			if _, err := b.namespaceQueue(ns, name); errors.Is(err, catalog.ErrUnknownQueue) {
				failed = errors.Join(failed, r.carryOut(ns, func(t *exchange.Table) ([]exchange.Change, error) { return t.RemoveQueue(name), nil }))
			}
		}
	}
	return failed
}

// queueName is the broker's name of a queue that its user calls name: that itself
// where a topic may have it, in the default namespace, else one made of it.
func queueName(ns, name string) string {
	if ns == DefaultNamespace && catalog.CheckTopicName(name) == nil && !strings.HasPrefix(name, madeNamePrefix) {
		return name
	}
	return madeName(ns, name)
}
