package amqp

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/narumq/naru/internal/broker"
	"github.com/narumq/naru/internal/exchange"
	"github.com/narumq/naru/internal/record"
	"github.com/narumq/naru/internal/user"
	wire "github.com/narumq/naru/internal/wire/amqp091"
)

// publication is a message on its way from the client to the broker. It is used again when it is done.
type publication struct {
	ch        *channel
	exchange  string
	key       string
	mandatory bool
	props     wire.Properties
	raw       []byte // the properties as they came
	excess    uint64 // the body's length, if that is too much; it is not kept
	body      []byte
	size      int64     // in the connection's window
	reserved  int64     // of the bodies' memory
	until     time.Time // when the body has to be complete; zero: whenever
	seq       uint64    // to confirm; 0: none
	held      *transaction

	m       exchange.Message
	msg     broker.Message
	headers []record.HeaderField
	scratch []byte

	state   atomic.Int32
	outcome broker.Published
	done    func(broker.Published) // finished, made once
	lookUp  func(string) (exchange.Value, bool)
}

// States of a publication.
const (
	calling  int32 = iota // the reader is in Publish
	answered              // and has its outcome already
	waiting               // the reader has gone on
)

var publications sync.Pool

func newPublication() *publication {
	if p, ok := publications.Get().(*publication); ok {
		return p
	}
	p := new(publication)
	p.done, p.lookUp = p.finished, p.header
	return p
}

// bodyBytesKept is the largest body whose memory is kept for others.
const bodyBytesKept = 64 << 10

// recycle ends p.
func (p *publication) recycle() {
	p.release()
	if cap(p.body) > bodyBytesKept {
		p.body = nil
	}
	if cap(p.scratch) > bodyBytesKept {
		p.scratch = nil
	}
	clear(p.headers)
	p.ch, p.held, p.props, p.outcome, p.seq, p.excess = nil, nil, wire.Properties{}, broker.Published{}, 0, 0
	p.msg, p.m = broker.Message{}, exchange.Message{}
	p.raw, p.body = p.raw[:0], p.body[:0]
	publications.Put(p)
}

// drop forgets a message that did not come in full.
func (ch *channel) drop(p *publication) {
	if p != nil {
		ch.c.content -= int64(len(p.body))
		ch.c.arrived(p)
		p.recycle()
	}
}

func (ch *channel) basicPublish(m *wire.BasicPublish) error {
	if m.Immediate {
		return refuse(wire.NotImplemented, "immediate=true")
	}
	if err := ch.c.mayPublish(); err != nil {
		return err
	}
	p := newPublication()
	p.ch, p.exchange, p.key, p.mandatory = ch, strip(m.Exchange), m.RoutingKey, m.Mandatory
	ch.incoming = p
	return nil
}

func (ch *channel) contentHeader(payload []byte) error {
	p := ch.incoming
	if p == nil || ch.missing > 0 {
		return refuse(wire.UnexpectedFrame, "expected method frame, got content header frame instead")
	}
	h, properties, err := wire.SplitContentHeader(payload)
	switch {
	case err != nil:
		return err
	case h.Class != wire.ClassBasic:
		return refuse(wire.UnexpectedFrame, "expected content header for class 60, got one for class %d instead", h.Class)
	}
	if err := p.props.Parse(properties); err != nil {
		return inMethod(err, wire.IDBasicPublish)
	}
	if h.BodySize > uint64(ch.c.s.limits.MessageBytesMax) {
		p.excess = h.BodySize // refused when all has come, as clients expect it
	}
	p.raw = append(p.raw[:0], properties...)
	if err := ch.reserve(p, h.BodySize); err != nil {
		return inMethod(err, wire.IDBasicPublish)
	}
	ch.missing = h.BodySize
	return ch.contentBody(nil)
}

func (ch *channel) contentBody(payload []byte) error {
	p := ch.incoming
	if p == nil || len(payload) > 0 && ch.missing == 0 {
		return refuse(wire.UnexpectedFrame, "expected method frame, got content body frame instead")
	}
	if uint64(len(payload)) > ch.missing {
		return refuse(wire.FrameError, "content body of %d bytes more than its header says", uint64(len(payload))-ch.missing)
	}
	ch.missing -= uint64(len(payload))
	if p.excess == 0 {
		ch.c.content += int64(len(payload))
		p.grow(payload, ch.missing)
	}
	if ch.c.content > ch.c.s.limits.ContentBytesMax {
		return refuse(wire.ResourceError, "more than %d bytes of messages that are not complete", ch.c.s.limits.ContentBytesMax)
	}
	if ch.missing > 0 {
		return nil
	}
	ch.incoming = nil
	ch.c.content -= int64(len(p.body))
	ch.c.arrived(p)
	if excess := p.excess; excess > 0 {
		p.recycle()
		err := failedPrecondition("message size %d is larger than configured max size %d", excess, ch.c.s.limits.MessageBytesMax)
		return inMethod(err, wire.IDBasicPublish)
	}
	return inMethod(ch.complete(p), wire.IDBasicPublish)
}

// complete takes a message that has come in full.
func (ch *channel) complete(p *publication) error {
	s := ch.c.s
	s.counters.published.Add(1)
	err := ch.c.mayExchange(user.Write, p.exchange)
	if err == nil {
		err = ch.replaceReplyTo(p)
	}
	if err == nil {
		err = p.prepare()
	}
	if err == nil {
		err = p.mayKeys()
	}
	if err == nil && ch.tx != nil { // else the broker tells at once
		err = ch.mayPublishTo(p.exchange)
	}
	if err != nil {
		p.recycle()
		return err
	}
	if ch.tx != nil {
		p.release() // a transaction has a bound of its own, and may take any time
		return ch.tx.publish(p)
	}
	if ch.confirms != nil {
		p.seq = ch.confirms.next()
	}
	p.size = int64(len(p.body) + len(p.scratch))
	ch.c.window.enter(p.size)
	return p.publish()
}

// mayPublishTo tells whether an exchange takes messages from clients.
func (ch *channel) mayPublishTo(name string) error {
	x, err := ch.c.s.broker.Exchange(ch.c.vhost, name)
	switch {
	case err != nil:
		return exchangeRefusal(err, name, ch.c.vhost)
	case x.Internal:
		return refuse(wire.AccessRefused, "cannot publish to internal %s", exchangeNamed(name, ch.c.vhost))
	}
	return nil
}

// mayKeys tells whether the user may publish with the message's keys.
func (p *publication) mayKeys() error {
	c := p.ch.c
	if c.access.Load().rights.All() {
		return nil
	}
	return c.mayKeys(user.Write, p.exchange, slices.Concat([]string{p.m.Key}, p.m.CC, p.m.BCC)...)
}

// publish hands p to the broker. What the client has done wrong is an error.
func (p *publication) publish() error {
	ch := p.ch
	if p.exchange == exchange.Default && strings.HasPrefix(p.key, replyPrefix) {
		p.outcome = broker.Published{Queues: ch.c.s.deliverReply(p)}
		p.leave()
		return nil
	}
	p.state.Store(calling)
	p.m.Header = nil
	if !p.props.Headers.Empty() {
		p.m.Header = p.lookUp
	}
	ch.c.s.broker.Publish(ch.c.ctx, ch.c.vhost, p.exchange, &p.m, p.msg, p.done)
	if p.state.CompareAndSwap(calling, waiting) {
		return nil
	}
	err := p.refusal(p.outcome.Err)
	if err != nil {
		ch.c.window.exit(p.size)
		p.recycle()
		return err
	}
	p.leave()
	return nil
}

// refusal is the client's error, if it is one. Others are nacks.
func (p *publication) refusal(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, exchange.ErrNotFound):
		return noExchange(p.exchange, p.ch.c.vhost)
	case errors.Is(err, exchange.ErrInternalExchange):
		return refuse(wire.AccessRefused, "cannot publish to internal %s", exchangeNamed(p.exchange, p.ch.c.vhost))
	case errors.Is(err, broker.ErrMessageTooLarge):
		return failedPrecondition("message size %d with headers is larger than configured max size %d", len(p.body)+len(p.scratch),
			p.ch.c.s.limits.MessageBytesMax)
	case errors.Is(err, exchange.ErrLimit), errors.Is(err, broker.ErrUnknownNamespace):
		return refusal(err, p.ch.c.vhost)
	}
	return nil
}

// finished is called by the broker, from the committer mostly.
func (p *publication) finished(out broker.Published) {
	p.outcome = out
	if p.state.CompareAndSwap(calling, answered) {
		return // the reader sees to it
	}
	p.leave()
}

// leave takes p out of the window, and settles it.
func (p *publication) leave() {
	ch, size := p.ch, p.size
	p.settle(p.outcome)
	ch.c.window.exit(size)
}

// settle returns p to the client if it was routed nowhere and has to be, and confirms it.
func (p *publication) settle(out broker.Published) {
	ch := p.ch
	if out.Err != nil {
		ch.c.s.counters.refused.Add(1)
		if !errors.Is(out.Err, broker.ErrQueueFull) {
			ch.c.log.Debug("amqp: message refused", "exchange", p.exchange, "routing_key", p.key, "error", out.Err)
		}
	}
	if p.mandatory && out.Queues == 0 && out.Err == nil {
		ch.c.s.counters.returned.Add(1)
		p.giveBack()
	}
	if p.held != nil {
		p.held.published(out.Err)
	}
	if p.seq > 0 {
		ch.confirms.settle(p.seq, out.Err == nil)
	}
	p.recycle()
}

// giveBack sends basic.return.
func (p *publication) giveBack() {
	o := p.ch.c.out
	if !o.lock() {
		return
	}
	o.buf = wire.AppendMethodFrame(o.buf, p.ch.id, &wire.BasicReturn{
		ReplyCode: uint16(wire.NoRoute), ReplyText: wire.NoRoute.String(), Exchange: p.exchange, RoutingKey: p.key,
	})
	h := wire.ContentHeader{Class: wire.ClassBasic, BodySize: uint64(len(p.body))}
	o.buf = wire.AppendContentHeaderFrame(o.buf, p.ch.id, h, p.raw)
	o.buf = wire.AppendBodyFrames(slices.Grow(o.buf, len(p.body)), p.ch.id, p.ch.c.frameMax, p.body)
	o.poke()
	o.unlock()
}
