package amqp

import (
	"context"
	"errors"
	"strings"

	"github.com/narumq/naru/internal/broker"
	"github.com/narumq/naru/internal/catalog"
	"github.com/narumq/naru/internal/exchange"
	wire "github.com/narumq/naru/internal/wire/amqp091"
)

// What follows is for those who declare and delete without a connection. Its errors are told with Explain.

// Explain says an error of this package with a code of the protocol, and RabbitMQ's words for it without the code's name.
func Explain(err error) (code int, text string) {
	e := refusal(err, "")
	if e.Text == "" {
		return int(e.Code), e.Code.String()
	}
	return int(e.Code), e.Text
}

// QueueInfo tells how a queue was declared, and who has it.
type QueueInfo struct {
	Durable, AutoDelete, Exclusive bool
	Type                           string
	Arguments                      map[string]any // as Plain has them
	Consumers                      int
	Owner                          string // the connection whose queue it is; empty: everybody's
	SoleConsumer                   string // the tag of one that gets all, if one does
}

// DescribeQueue tells of a queue.
func (s *Server) DescribeQueue(q *broker.Queue) QueueInfo {
	meta := q.Meta()
	info := QueueInfo{
		Durable: Durable(meta), AutoDelete: AutoDelete(meta), Exclusive: Exclusive(meta), Type: queueType(meta), Arguments: PlainArguments(meta),
	}
	s.mail.Lock()
	m := s.mailboxes[q]
	if m != nil && m.owner != nil {
		info.Owner = m.owner.name()
	}
	s.mail.Unlock()
	if m == nil {
		return info
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if info.Consumers = len(m.consumers); info.Consumers > 0 && (m.single || m.consumers[0].exclusive) {
		info.SoleConsumer = m.consumers[0].tag
	}
	return info
}

// DeclareQueue makes a queue, or finds one that is the same, and tells which. Arguments are as wire.TableOf takes them.
func (s *Server) DeclareQueue(vhost, name string, durable, autoDelete bool, arguments map[string]any) (made bool, err error) {
	table, err := wire.TableOf(arguments)
	if err != nil {
		return false, failedPrecondition("invalid arguments: %v", err)
	}
	d, err := declarationOf(name, &wire.QueueDeclare{Durable: durable, AutoDelete: autoDelete, Arguments: table}, vhost)
	if err != nil {
		return false, err
	}
	if have, err := s.broker.NamespaceQueue(vhost, name); err == nil {
		return false, s.equivalent(nil, name, have, d)
	}
	if strings.HasPrefix(name, reservedPrefix) {
		return false, refuse(wire.AccessRefused, "queue name '%s' contains reserved prefix 'amq.*'", name)
	}
	q, err := s.broker.CreateNamespaceQueue(vhost, name, d.spec())
	switch {
	case errors.Is(err, catalog.ErrQueueExists) && q != nil:
		return false, s.equivalent(nil, name, q, d)
	case err != nil:
		return false, refusal(err, vhost)
	}
	s.watchExpiry(vhost, name, q)
	return true, nil
}

// unowned finds a queue that is no connection's own.
func (s *Server) unowned(vhost, name string) (*broker.Queue, error) {
	q, err := s.broker.NamespaceQueue(vhost, name)
	if err != nil {
		return nil, queueRefusal(err, name, vhost)
	}
	if s.ownerOf(q) != nil || Exclusive(q.Meta()) {
		return nil, lockedQueue(name, vhost)
	}
	return q, nil
}

// DeleteQueue deletes a queue and cancels its consumers.
func (s *Server) DeleteQueue(vhost, name string, ifUnused, ifEmpty bool) error {
	q, err := s.unowned(vhost, name)
	switch {
	case err != nil:
		return err
	case ifUnused && s.consumersOf(q) > 0:
		return failedPrecondition("%s in use", queueNamed(name, vhost))
	case ifEmpty && ready(q) > 0:
		return failedPrecondition("%s not empty", queueNamed(name, vhost))
	}
	if err := s.deleteQueue(vhost, name, q); err != nil {
		return refusal(err, vhost)
	}
	return nil
}

// PurgeQueue drops what a queue has ready.
func (s *Server) PurgeQueue(vhost, name string) error {
	q, err := s.unowned(vhost, name)
	if err == nil {
		err = q.PurgeReady()
	}
	if err != nil {
		return queueRefusal(err, name, vhost)
	}
	return nil
}

// DeclareExchange makes an exchange, or finds one that is the same, and tells which.
func (s *Server) DeclareExchange(vhost, name, kind string, durable, autoDelete, internal bool, arguments map[string]any) (made bool, err error) {
	table, err := wire.TableOf(arguments)
	if err != nil {
		return false, failedPrecondition("invalid arguments: %v", err)
	}
	if name == exchange.Default {
		return false, refuse(wire.AccessRefused, "operation not permitted on the default exchange")
	}
	spec, err := exchangeSpec(name, &wire.ExchangeDeclare{Type: kind, Durable: durable, AutoDelete: autoDelete, Internal: internal, Arguments: table}, vhost)
	if err != nil {
		return false, err
	}
	have, missing := s.broker.Exchange(vhost, name)
	exists := missing == nil
	switch {
	case !exists && strings.HasPrefix(name, reservedPrefix):
		return false, refuse(wire.AccessRefused, "exchange name '%s' contains reserved prefix 'amq.*'", name)
	case exists && exchange.Predeclared(name):
		spec.Arguments = have.Arguments
	}
	if err := s.broker.DeclareExchange(vhost, spec); err != nil {
		return false, refusal(err, vhost)
	}
	return !exists, nil
}

// Bind binds a queue, or an exchange, to an exchange.
func (s *Server) Bind(vhost, source, destination string, toQueue bool, key string, arguments map[string]any) error {
	table, err := wire.TableOf(arguments)
	if err != nil {
		return failedPrecondition("invalid arguments: %v", err)
	}
	x := exchange.Binding{Source: source, Destination: destination, Key: key, Arguments: argumentsOf(table)}
	if !toQueue {
		x.DestinationKind = exchange.ToExchange
	}
	return s.bind(vhost, x, func(name string) error {
		_, err := s.unowned(vhost, name)
		return err
	})
}

// Fetch says what Get does with messages when it has shown them.
type Fetch string

// Fetches, as RabbitMQ names them.
const (
	FetchAck           Fetch = "ack_requeue_false"
	FetchGiveBack      Fetch = "ack_requeue_true"
	FetchRejectRequeue Fetch = "reject_requeue_true"
	FetchReject        Fetch = "reject_requeue_false"
)

// Get takes up to n messages, no more than bytesMax but for the last, and does with them what how says. It does not wait.
func (s *Server) Get(ctx context.Context, vhost, name string, n, bytesMax int, how Fetch) ([]MessageInfo, error) {
	q, err := s.unowned(vhost, name)
	if err != nil {
		return nil, err
	}
	single, exclusive := s.taken(q)
	if single || exclusive {
		return nil, refuse(wire.AccessRefused, "%s in exclusive use", queueNamed(name, vhost))
	}
	s.used(q)
	list, err := q.Receive(ctx, broker.ReceiveRequest{Max: n, BytesMax: bytesMax, Lease: -1})
	if err != nil {
		return nil, queueRefusal(err, name, vhost)
	}
	left := int(ready(q))
	out := make([]MessageInfo, len(list))
	for i := range list {
		out[i] = messageInfo(&list[i], name, countsDeliveries(q.Meta()))
		out[i].Left = left + len(list) - 1 - i
	}
	s.counters.delivered.Add(int64(len(list)))
	return out, s.finish(q, list, how)
}
