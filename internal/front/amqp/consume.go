package amqp

import (
	"slices"

	"github.com/narumq/naru/internal/broker"
	"github.com/narumq/naru/internal/queue"
	"github.com/narumq/naru/internal/record"
	"github.com/narumq/naru/internal/user"
	wire "github.com/narumq/naru/internal/wire/amqp091"
)

// consumer is one of a channel's.
type consumer struct {
	ch        *channel
	tag       string
	box       *mailbox // nil of one for direct replies
	replyKey  string
	reading   *reading // of a stream; nil: of a queue
	arguments wire.Table
	noAck     bool
	exclusive bool
	priority  int64
	prefetch  int  // 0: as many as may be
	unsettled int  // guarded by ch.mu
	ready     bool // guarded by ch.mu: the client knows it
}

func (ch *channel) basicQos(m *wire.BasicQos) error {
	if m.PrefetchSize != 0 {
		return refuse(wire.NotImplemented, "prefetch_size!=0 (%d)", m.PrefetchSize)
	}
	if !m.Global {
		ch.mu.Lock()
		ch.prefetch = int(m.PrefetchCount)
		ch.mu.Unlock()
		return ch.answer(false, &wire.BasicQosOk{})
	}
	ch.mu.Lock()
	ch.limit = int(m.PrefetchCount)
	list := consumersIn(ch.consumers)
	ch.mu.Unlock()
	for _, x := range list {
		x.wake()
	}
	return ch.answer(false, &wire.BasicQosOk{})
}

func consumersIn(m map[string]*consumer) []*consumer {
	list := make([]*consumer, 0, len(m))
	for _, x := range m {
		list = append(list, x)
	}
	return list
}

// newConsumer checks what every consumer has to fulfil.
func (ch *channel) newConsumer(m *wire.BasicConsume) (*consumer, error) {
	tag := m.ConsumerTag
	if tag == "" {
		tag = randomName("amq.ctag-")
	}
	ch.mu.Lock()
	taken := ch.consumers[tag] != nil
	ch.mu.Unlock()
	switch {
	case taken:
		return nil, refuse(wire.NotAllowed, "attempt to reuse consumer tag '%s'", tag)
	case int(ch.c.consumers.Load()) >= ch.c.s.limits.ConsumersMax:
		return nil, refuse(wire.NotAllowed, "reached maximum (%d) of consumers per connection", ch.c.s.limits.ConsumersMax)
	}
	return &consumer{ch: ch, tag: tag, noAck: m.NoAck, exclusive: m.Exclusive, prefetch: ch.prefetch, arguments: m.Arguments}, nil
}

func (ch *channel) basicConsume(m *wire.BasicConsume) error {
	name, err := ch.named(m.Queue)
	if err != nil {
		return err
	}
	if name == replyQueue {
		return ch.consumeReplies(m)
	}
	x, err := ch.newConsumer(m)
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
	if isStream(q.Meta()) {
		if err := ch.readStream(m, x, q, name); err != nil {
			return err
		}
	} else if v, ok := m.Arguments.Get("x-priority"); ok {
		if x.priority, ok = v.Int(); !ok {
			return failedPrecondition("invalid arg 'x-priority' for %s: expected integer, got %s", queueNamed(name, ch.c.vhost), typeName(v.Kind()))
		}
	}
	ch.mu.Lock()
	limited := ch.limit > 0
	ch.mu.Unlock()
	if limited && queueType(q.Meta()) == typeQuorum {
		return refuse(wire.NotImplemented, "%s does not support global qos", queueNamed(name, ch.c.vhost))
	}
	ch.enlist(x)
	if !ch.c.s.join(q, name, x) {
		ch.delist(x)
		return refuse(wire.AccessRefused, "%s in exclusive use", queueNamed(name, ch.c.vhost))
	}
	return ch.begin(m.NoWait, x)
}

// enlist makes x one of the channel's.
func (ch *channel) enlist(x *consumer) {
	ch.c.consumers.Add(1)
	ch.c.s.counters.consumers.Add(1)
	ch.mu.Lock()
	ch.consumers[x.tag] = x
	ch.mu.Unlock()
}

// delist undoes enlist, and tells whether x was still there.
func (ch *channel) delist(x *consumer) bool {
	ch.mu.Lock()
	known := ch.consumers[x.tag] == x
	if known {
		delete(ch.consumers, x.tag)
	}
	ch.mu.Unlock()
	if known {
		ch.c.consumers.Add(-1)
		ch.c.s.counters.consumers.Add(-1)
	}
	return known
}

// begin lets a consumer have messages, after the client knows its tag.
func (ch *channel) begin(noWait bool, x *consumer) error {
	expected := func() {}
	if x.box != nil && x.reading == nil {
		expected = x.box.q.Expect() // by when the client knows it
	}
	err := ch.answer(noWait, &wire.BasicConsumeOk{ConsumerTag: x.tag})
	ch.mu.Lock()
	x.ready = true
	ch.mu.Unlock()
	switch {
	case x.reading != nil:
		x.reading.start()
	case x.box != nil:
		x.box.start(expected)
	}
	return err
}

func (ch *channel) basicCancel(m *wire.BasicCancel) error {
	ch.mu.Lock()
	x := ch.consumers[m.ConsumerTag]
	delete(ch.consumers, m.ConsumerTag)
	ch.mu.Unlock()
	if x != nil {
		for _, box := range ch.leaveAll(map[string]*consumer{x.tag: x}) {
			ch.c.s.lastConsumerGone(box)
		}
		if x == ch.reply {
			ch.c.s.replies.remove(x)
			ch.reply = nil
		}
	}
	return ch.answer(m.NoWait, &wire.BasicCancelOk{ConsumerTag: m.ConsumerTag})
}

// leaveAll takes consumers from their queues, and returns the mailboxes that have none any more.
func (ch *channel) leaveAll(list map[string]*consumer) (emptied []*mailbox) {
	ch.c.consumers.Add(int32(-len(list)))
	ch.c.s.counters.consumers.Add(int64(-len(list)))
	for _, x := range list {
		if x.box != nil && ch.c.s.leave(x) {
			emptied = append(emptied, x.box)
		}
	}
	return emptied
}

// cancelled tells the client that its queue is gone. The mailbox has forgotten the consumer already.
func (x *consumer) cancelled() {
	ch := x.ch
	if ch.delist(x) && ch.c.cancelNotify {
		ch.send(&wire.BasicCancel{ConsumerTag: x.tag, NoWait: true})
	}
}

func (x *consumer) wake() {
	if x.box != nil {
		x.feeder().wake()
	}
}

// feeder is what looks at the consumer's credit.
func (x *consumer) feeder() waker {
	if x.reading != nil {
		return x.reading
	}
	return x.box
}

// credit is how many messages the consumer may be given.
func (x *consumer) credit() int {
	ch := x.ch
	if !ch.c.out.hasRoom(x.feeder()) {
		return 0
	}
	ch.mu.Lock()
	defer ch.mu.Unlock()
	return x.creditLocked()
}

// creditLocked is credit, but for room. Caller holds ch.mu.
func (x *consumer) creditLocked() int {
	ch := x.ch
	if ch.gone || !x.ready {
		return 0
	}
	if x.noAck {
		return creditMax
	}
	n := ch.c.s.limits.UnsettledMax - ch.unsettled.len()
	if x.prefetch > 0 {
		n = min(n, x.prefetch-x.unsettled)
	}
	if ch.limit > 0 {
		n = min(n, ch.limit-ch.held)
	}
	return max(n, 0)
}

// deliver puts a message into the output, to be flushed by the caller. Without a tag there is nothing to settle: it is of a
// stream, or a reply. False: there is no credit any more.
func (x *consumer) deliver(rec *record.Record, attempts int32, tag *queue.Tag) bool {
	ch := x.ch
	ch.mu.Lock()
	defer ch.mu.Unlock()
	o := ch.c.out
	if x.creditLocked() == 0 || !o.lock() {
		return false
	}
	if o.waiting() >= 4*o.bytesMax { // others were quicker; who looks at its credit again waits for room
		o.unlock()
		return false
	}
	ch.tag++
	name, counted := replyQueue, false
	if x.box != nil {
		name, counted = x.box.name, x.box.counted
	}
	var e envelope
	e.open(rec.Headers, name)
	m := wire.BasicDeliver{ConsumerTag: x.tag, DeliveryTag: ch.tag, Redelivered: attempts > 1, Exchange: e.exchange, RoutingKey: e.key}
	o.buf = slices.Grow(o.buf, len(rec.Value)+deliveryBytes)
	o.buf = wire.AppendMethodFrame(o.buf, ch.id, &m)
	count := 0
	if counted {
		count = int(attempts - 1)
	}
	o.buf = e.appendContent(o.buf, ch.id, ch.c.frameMax, rec, count)
	o.unlock()
	if !x.noAck {
		d := delivery{tag: ch.tag, consumer: x}
		if tag != nil {
			d.queue, d.of = x.box.q, *tag
		}
		ch.unsettled.add(d)
		x.unsettled++
		ch.held++
	}
	return true
}

// deliveryBytes is about what a delivery takes besides its body.
const deliveryBytes = 256

func (ch *channel) basicGet(m *wire.BasicGet) error {
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
	if err := ch.notForStreams(q, name, "basic.get"); err != nil {
		return err
	}
	single, exclusive := ch.c.s.taken(q)
	switch {
	case single:
		return refuse(wire.ResourceLocked, "cannot obtain access to locked %s. basic.get operations are not supported by %s queues "+
			"with single active consumer", queueNamed(name, ch.c.vhost), queueType(q.Meta()))
	case exclusive:
		return refuse(wire.AccessRefused, "%s in exclusive use", queueNamed(name, ch.c.vhost))
	}
	ch.c.s.used(q)
	if ch.c.s.awaited(q) { // a consumer is about to have all that there is
		return ch.answer(false, &wire.BasicGetEmpty{})
	}
	var list []broker.Delivery
	ch.mu.Lock()
	full := ch.unsettled.len() >= ch.c.s.limits.UnsettledMax
	ch.mu.Unlock()
	if !full || m.NoAck {
		if list, err = q.Receive(ch.c.ctx, broker.ReceiveRequest{Max: 1, Lease: -1}); err != nil {
			return queueRefusal(err, name, ch.c.vhost)
		}
	}
	ch.c.afterBurials(q) // of what has expired, or was too much
	if len(list) == 0 {
		return ch.answer(false, &wire.BasicGetEmpty{})
	}
	ch.got(q, name, &list[0], m.NoAck)
	return nil
}

// got sends what basic.get got.
func (ch *channel) got(q *broker.Queue, name string, d *broker.Delivery, noAck bool) {
	left := ready(q)
	var e envelope
	e.open(d.Record.Headers, name)
	ch.mu.Lock()
	ch.tag++
	tag := ch.tag
	if !noAck {
		ch.unsettled.add(delivery{tag: tag, queue: q, of: d.Tag})
	}
	ch.mu.Unlock()
	ch.c.s.counters.delivered.Add(1)
	if o := ch.c.out; o.lock() {
		o.buf = wire.AppendMethodFrame(o.buf, ch.id, &wire.BasicGetOk{
			DeliveryTag: tag, Redelivered: d.Attempts > 1, Exchange: e.exchange, RoutingKey: e.key, MessageCount: left,
		})
		count := 0
		if countsDeliveries(q.Meta()) {
			count = int(d.Attempts - 1)
		}
		o.buf = e.appendContent(o.buf, ch.id, ch.c.frameMax, &d.Record, count)
		o.poke()
		o.unlock()
	}
	if noAck {
		q.Ack([]queue.Tag{d.Tag}, nil)
	}
}
