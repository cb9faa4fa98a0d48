package broker

import (
	"context"
	"errors"
	"fmt"

	"github.com/narumq/naru/internal/catalog"
	"github.com/narumq/naru/internal/exchange"
	"github.com/narumq/naru/internal/fault"
	"github.com/narumq/naru/internal/record"
	"github.com/narumq/naru/internal/statelog"
)

// ErrTopicExchange refuses a binding between exchanges of which one is a topic.
var ErrTopicExchange = fault.New(fault.Unimplemented, "the exchange is a topic, which can be bound to queues only")

// topicExchange is the topic that the exchange of that name stands for: one in the default namespace, where no exchange was
// declared by the name, and that was not made for a queue. Its error is exchange.ErrNotFound.
func (b *Broker) topicExchange(ns, name string) (*catalog.Topic, error) {
	topic, err := b.catalog.Topic(name)
	q, none := b.catalog.Queue(name) // the topic of a queue has the queue's name
	if ns != DefaultNamespace || err != nil || topic.Internal || none == nil && q.Owned {
		return nil, fmt.Errorf("%w: '%s'", exchange.ErrNotFound, name)
	}
	return topic, nil
}

// seekTopicExchange is topicExchange for who may wait as for lookUp.
func (b *Broker) seekTopicExchange(ns, name string) (*catalog.Topic, error) {
	find := func() (*catalog.Topic, error) { return b.topicExchange(ns, name) }
	if ns != DefaultNamespace {
		return find() // no topic of another broker's would matter
	}
	return lookUp(b, find)
}

// publishTopic appends a message to the topic that an exchange stands for, under the routing key.
func (b *Broker) publishTopic(ctx context.Context, topic *catalog.Topic, m *exchange.Message, msg *Message, done func(Published)) {
	rec := NewRecord{Partition: -1, Timestamp: -1, Value: msg.Value, Headers: msg.Headers}
	if m.Key != "" {
		rec.Key = []byte(m.Key)
	}
	if msg.Expiry > 0 {
		at := fmt.Append(nil, b.nowMS()+msg.Expiry.Milliseconds())
		rec.Headers = append(append(make([]record.HeaderField, 0, len(msg.Headers)+1), msg.Headers...), record.HeaderField{Key: HeaderExpires, Value: at})
	}
	err := b.Produce(ctx, topic.Name, nil, []NewRecord{rec}, func(list []Sent) { done(Published{Queues: 1, Err: list[0].Err}) })
	if errors.Is(err, catalog.ErrUnknownTopic) { // else it cannot be told
		err = fmt.Errorf("%w: '%s'", exchange.ErrNotFound, topic.Name)
	}
	if err != nil {
		done(Published{Err: err})
	}
}

// bindTopic makes a link from a topic to a queue, from what comes now on. It returns when that is durable.
func (b *Broker) bindTopic(topic *catalog.Topic, x *exchange.Binding) error {
	if x.DestinationKind != exchange.ToQueue {
		return fmt.Errorf("%w: '%s'", ErrTopicExchange, topic.Name)
	}
	q, err := b.namespaceQueue(DefaultNamespace, x.Destination)
	if err != nil {
		return err
	}
	parts, err := lookUp(b, func() ([]*Partition, error) { return b.topics.partitionsOf(topic.Name) }) // the catalog hears of it first
	if err != nil {
		return err
	}
	r := b.routing()
	r.admin.Lock()
	defer r.admin.Unlock()
	name := linkName{topic.Name, x.Destination}
	if l := r.link(name); l != nil && l.current(b) {
		return nil
	} else if l != nil {
		l.stop()
	} else if r.linkCount() >= linksMax {
		return fmt.Errorf("%w: %d bindings to topics", exchange.ErrLimit, linksMax)
	}
	state := linkState{topic: topic.ID, queue: q.id}
	for _, p := range parts {
		_, high, err := p.Bounds()
		if err != nil {
			return err
		}
		state.next = append(state.next, high)
	}
	if err := r.store([]statelog.Command{{Key: name.key(), Value: state.encode(linkMade)}}); err != nil {
		return err
	}
	r.link(name).start(b)
	return nil
}

// unbindTopic ends a link, if there is one.
func (b *Broker) unbindTopic(topic, queue string) error {
	r := b.routing()
	r.admin.Lock()
	defer r.admin.Unlock()
	return r.unlink(linkName{topic, queue})
}

// endLink ends a link whose topic or queue is gone, unless another has its place already.
func (b *Broker) endLink(l *link) error {
	r := b.routing()
	r.admin.Lock()
	defer r.admin.Unlock()
	if r.link(l.name) != l {
		return nil
	}
	return r.unlink(l.name)
}

// unlink ends a link. Caller holds admin.
func (r *routing) unlink(name linkName) error {
	l := r.link(name)
	if l == nil {
		return nil
	}
	err := r.store([]statelog.Command{{Key: name.key()}})
	if err == nil {
		l.stop()
	}
	return err
}

// unlinkQueue ends the links of a queue that was deleted. Caller holds admin.
func (b *Broker) unlinkQueue(queue string) (failed error) {
	r := b.routing()
	for _, l := range r.allLinks() {
		if l.name.queue == queue {
			failed = errors.Join(failed, r.unlink(l.name))
		}
	}
	return failed
}

func (r *routing) link(name linkName) *link {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.links[name]
}

func (r *routing) linkCount() int {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return len(r.links)
}

func (r *routing) allLinks() (list []*link) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	for _, l := range r.links {
		list = append(list, l)
	}
	return list
}

// startLinks lets the links go on from where they were. Those whose topic or queue is gone end.
func (b *Broker) startLinks() {
	for _, l := range b.routing().allLinks() {
		l.start(b)
	}
}
