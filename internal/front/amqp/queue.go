package amqp

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"strings"

	"github.com/narumq/naru/internal/broker"
	"github.com/narumq/naru/internal/catalog"
	"github.com/narumq/naru/internal/exchange"
	"github.com/narumq/naru/internal/user"
	wire "github.com/narumq/naru/internal/wire/amqp091"
)

// Labels of queues that were declared here. On disk: never rename.
const (
	labelExclusive  = "amqp.exclusive"
	labelAutoDelete = "amqp.auto-delete"
	labelArguments  = "amqp.arguments" // as fieldText writes a table
	labelSet        = "true"
)

// errCode is an error whose code callers look at.
type errCode = *wire.Error

// queue finds a queue that this connection may use.
func (ch *channel) queue(name string) (*broker.Queue, errCode) {
	q, err := ch.c.s.broker.NamespaceQueue(ch.c.vhost, name)
	if err != nil {
		return nil, queueRefusal(err, name, ch.c.vhost)
	}
	// One without an owner is a moment old: it is about to get its own.
	if owner := ch.c.s.ownerOf(q); owner != ch.c && (owner != nil || Exclusive(q.Meta())) {
		return nil, lockedQueue(name, ch.c.vhost)
	}
	return q, nil
}

func lockedQueue(name, vhost string) errCode {
	return refuse(wire.ResourceLocked, "cannot obtain exclusive access to locked %s. It could be originally declared on another "+
		"connection or the exclusive property value does not match that of the original declaration.", queueNamed(name, vhost))
}

// named is the queue that a method means: the last one declared if it names none.
func (ch *channel) named(name string) (string, error) {
	if name = strip(name); name != "" {
		return name, nil
	}
	if ch.lastQueue == "" {
		return "", refuse(wire.NotFound, "no previously declared queue")
	}
	return ch.lastQueue, nil
}

// randomName is a name that nobody can guess.
func randomName(prefix string) string {
	var b [16]byte
	rand.Read(b[:])
	return prefix + base64.RawURLEncoding.EncodeToString(b[:])
}

func (ch *channel) queueDeclare(m *wire.QueueDeclare) error {
	name := strip(m.Queue)
	if strings.HasPrefix(name, replyQueue) {
		return ch.declareReply(name, m)
	}
	var q *broker.Queue
	var err error
	if m.Passive {
		if name, err = ch.named(m.Queue); err != nil {
			return err
		}
		var refused errCode
		if q, refused = ch.queue(name); refused != nil {
			return refused
		}
	} else if name, q, err = ch.declare(name, m); err != nil {
		return err
	}
	ch.lastQueue = name
	ch.c.s.used(q)
	if m.NoWait {
		return nil
	}
	ok := &wire.QueueDeclareOk{Queue: name, MessageCount: ready(q), ConsumerCount: uint32(ch.c.s.consumersOf(q))}
	return ch.answer(false, ok)
}

// ready is how many messages a queue has to deliver.
func ready(q *broker.Queue) uint32 {
	n := q.Stats().Ready
	return uint32(min(max(n, 0), 1<<32-1))
}

// declare makes a queue, or finds one that is the same.
func (ch *channel) declare(name string, m *wire.QueueDeclare) (string, *broker.Queue, error) {
	b, vhost := ch.c.s.broker, ch.c.vhost
	d, err := declarationOf(name, m, vhost)
	if err != nil {
		return name, nil, err
	}
	made := name == ""
	if made {
		name = randomName("amq.gen-")
	}
	if err := ch.c.mayQueue(user.Configure, name); err != nil {
		return name, nil, err
	}
	if have, err := b.NamespaceQueue(vhost, name); err == nil {
		return name, have, ch.c.s.equivalent(ch.c, name, have, d)
	} else if !made && strings.HasPrefix(name, reservedPrefix) {
		return name, nil, refuse(wire.AccessRefused, "queue name '%s' contains reserved prefix 'amq.*'", name)
	}
	if to := d.settings.DeadLetterRoute; to != nil {
		if err := ch.c.mayForward(ch.c.mayQueue(user.Read, name), to.Exchange); err != nil {
			return name, nil, err
		}
	}
	ch.c.s.declaring.Lock()
	q, err := b.CreateNamespaceQueue(vhost, name, d.spec())
	if err == nil && d.exclusive {
		ch.c.s.own(ch.c, q, name)
		ch.c.addExclusive(q, name)
	}
	ch.c.s.declaring.Unlock()
	switch {
	case errors.Is(err, catalog.ErrQueueExists) && q != nil:
		return name, q, ch.c.s.equivalent(ch.c, name, q, d)
	case err != nil:
		return name, nil, refusal(err, vhost)
	}
	ch.c.s.watchExpiry(vhost, name, q)
	return name, q, nil
}

func (ch *channel) queueBind(m *wire.QueueBind) error {
	x, err := ch.binding(m.Queue, m.Exchange, m.RoutingKey, m.Arguments)
	if err == nil {
		err = ch.bind(x)
	}
	if err != nil {
		return err
	}
	return ch.answer(m.NoWait, &wire.QueueBindOk{})
}

func (ch *channel) queueUnbind(m *wire.QueueUnbind) error {
	x, err := ch.binding(m.Queue, m.Exchange, m.RoutingKey, m.Arguments)
	if err == nil {
		err = ch.unbind(x)
	}
	if err != nil {
		return err
	}
	return ch.answer(false, &wire.QueueUnbindOk{})
}

// binding is of a queue. Without a queue and a key, the key is the last queue's name.
func (ch *channel) binding(queue, from, key string, arguments wire.Table) (exchange.Binding, error) {
	name, err := ch.named(queue)
	if err != nil {
		return exchange.Binding{}, err
	}
	if queue == "" && key == "" {
		key = name
	}
	if strings.HasPrefix(name, replyQueue) {
		return exchange.Binding{}, refuse(wire.AccessRefused, "cannot bind or unbind to a volatile (direct reply-to) queue")
	}
	return exchange.Binding{Source: strip(from), Destination: name, Key: key, Arguments: argumentsOf(arguments)}, nil
}

func (ch *channel) queuePurge(m *wire.QueuePurge) error {
	name, err := ch.named(m.Queue)
	if err != nil {
		return err
	}
	if err := ch.c.mayQueue(user.Read, name); err != nil {
		return err
	}
	q, refused := ch.queue(name)
	if refused != nil {
		return refused
	}
	if err := ch.notForStreams(q, name, "queue.purge"); err != nil {
		return err
	}
	n := ready(q)
	if err := q.PurgeReady(); err != nil {
		return queueRefusal(err, name, ch.c.vhost)
	}
	return ch.answer(m.NoWait, &wire.QueuePurgeOk{MessageCount: n})
}

func (ch *channel) queueDelete(m *wire.QueueDelete) error {
	name, err := ch.named(m.Queue)
	if err != nil {
		return err
	}
	if err := ch.c.mayQueue(user.Configure, name); err != nil {
		return err
	}
	q, refused := ch.queue(name)
	switch {
	case refused == nil:
	case refused.Code == wire.NotFound: // it is gone, as the client wants it
		return ch.answer(m.NoWait, &wire.QueueDeleteOk{})
	default:
		return refused
	}
	if m.IfUnused && ch.c.s.consumersOf(q) > 0 {
		return failedPrecondition("%s in use", queueNamed(name, ch.c.vhost))
	}
	n := ready(q)
	if m.IfEmpty && n > 0 {
		return failedPrecondition("%s not empty", queueNamed(name, ch.c.vhost))
	}
	if err := ch.c.s.deleteQueue(ch.c.vhost, name, q); err != nil {
		return refusal(err, ch.c.vhost)
	}
	delete(ch.c.exclusives, q)
	return ch.answer(m.NoWait, &wire.QueueDeleteOk{MessageCount: n})
}
