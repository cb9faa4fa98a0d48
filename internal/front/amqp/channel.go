package amqp

import (
	"sync"

	wire "github.com/narumq/naru/internal/wire/amqp091"
)

// channel is one channel of a connection. Its fields are the reader's where nothing else is said.
type channel struct {
	c       *conn
	id      uint16
	closing bool // the client has been told that it is closed, and has to say close-ok

	lastQueue string       // declared
	incoming  *publication // whose content is coming
	missing   uint64       // bytes of it
	acks      []settlement // to be handed on
	reply     *consumer    // of direct replies

	// The reader writes these under mu, so that others may look.
	confirms *confirms    // nil until confirm.select
	tx       *transaction // nil until tx.select
	prefetch int          // of consumers that are to come

	mu        sync.Mutex           // guards what follows
	gone      bool                 // nothing is delivered any more
	consumers map[string]*consumer // by tag
	tag       uint64               // of the last delivery
	unsettled unsettled
	limit     int // of what its consumers have unsettled; 0: none
	held      int // so many they have
}

func newChannel(c *conn, id uint16) *channel {
	return &channel{c: c, id: id, consumers: map[string]*consumer{}}
}

func (ch *channel) send(m wire.Method) { ch.c.out.send(ch.id, m) }

// answer sends m, unless the client does not want it.
func (ch *channel) answer(noWait bool, m wire.Method) error {
	if !noWait {
		ch.send(m)
	}
	return nil
}

// end gives up what the channel has. It stays in the connection's table if it is closing.
func (ch *channel) end() {
	if ch.closing {
		return
	}
	ch.handOn()
	ch.drop(ch.incoming)
	ch.incoming = nil
	if ch.tx != nil {
		ch.tx.rollback()
		ch.mu.Lock()
		ch.tx = nil
		ch.mu.Unlock()
	}
	if ch.confirms != nil {
		ch.confirms.end()
	}
	ch.c.s.replies.remove(ch.reply)
	ch.reply = nil
	ch.mu.Lock()
	ch.gone = true
	consumers := ch.consumers
	ch.consumers = nil
	list := ch.unsettled.takeAll()
	ch.mu.Unlock()
	// Messages go back before a queue that ends with its last consumer does.
	emptied := ch.leaveAll(consumers)
	ch.giveBack(list)
	for _, m := range emptied {
		ch.c.s.lastConsumerGone(m)
	}
	ch.c.s.counters.channels.Add(-1)
}

// frame takes a frame of the channel.
func (ch *channel) frame(head wire.Head, payload []byte) error {
	if ch.closing {
		return ch.whileClosing(head, payload)
	}
	switch head.Type {
	case wire.FrameHeader:
		return ch.contentHeader(payload)
	case wire.FrameBody:
		return ch.contentBody(payload)
	}
	if ch.incoming != nil {
		return refuse(wire.UnexpectedFrame, "expected content for class 60, got a method frame instead")
	}
	id, arguments, err := wire.SplitMethod(payload)
	if err != nil {
		return err
	}
	switch id {
	case wire.IDBasicPublish:
		if err := ch.c.r.Arguments(&ch.c.publish, arguments); err != nil {
			return err
		}
		return inMethod(ch.basicPublish(&ch.c.publish), id)
	case wire.IDBasicAck:
		if err := ch.c.r.Arguments(&ch.c.ack, arguments); err != nil {
			return err
		}
		return inMethod(ch.basicAck(&ch.c.ack), id)
	}
	m, err := ch.c.r.DecodeMethod(payload)
	if err != nil {
		return err
	}
	ch.c.handOn()
	if looksAtQueues[id] {
		ch.c.window.drain()
	}
	return inMethod(ch.method(m), id)
}

// looksAtQueues are the methods after which what was published before them has to be seen.
var looksAtQueues = map[wire.MethodID]bool{
	wire.IDQueueDeclare: true, wire.IDQueuePurge: true, wire.IDQueueDelete: true, wire.IDBasicGet: true, wire.IDChannelClose: true,
}

// whileClosing takes what comes until the client has seen that the channel is closed: nothing counts but close and close-ok.
func (ch *channel) whileClosing(head wire.Head, payload []byte) error {
	if head.Type != wire.FrameMethod {
		return nil
	}
	id, _, err := wire.SplitMethod(payload)
	switch {
	case err != nil:
		return err
	case id == wire.IDChannelClose:
		ch.send(&wire.ChannelCloseOk{})
	case id == wire.IDChannelCloseOk:
		ch.c.dropChannel(ch.id)
	}
	return nil
}

func (ch *channel) method(m wire.Method) error {
	switch m := m.(type) {
	case *wire.ChannelOpen:
		return refuse(wire.ChannelError, "second 'channel.open' seen")
	case *wire.ChannelClose:
		ch.c.out.sendConfirms()
		ch.end()
		ch.c.dropChannel(ch.id)
		ch.send(&wire.ChannelCloseOk{})
		return nil
	case *wire.ChannelFlow:
		if !m.Active {
			return refuse(wire.NotImplemented, "active=false")
		}
		return ch.answer(false, &wire.ChannelFlowOk{Active: true})
	case *wire.ChannelFlowOk, *wire.ChannelCloseOk:
		return nil
	case *wire.AccessRequest:
		return ch.answer(false, &wire.AccessRequestOk{Ticket: 1})
	}
	switch m.ID().Class() {
	case wire.ClassExchange:
		return ch.exchangeMethod(m)
	case wire.ClassQueue:
		return ch.queueMethod(m)
	case wire.ClassBasic:
		return ch.basicMethod(m)
	case wire.ClassConfirm, wire.ClassTx:
		return ch.modeMethod(m)
	}
	return refuse(wire.CommandInvalid, "unimplemented method")
}

func (ch *channel) exchangeMethod(m wire.Method) error {
	switch m := m.(type) {
	case *wire.ExchangeDeclare:
		return ch.exchangeDeclare(m)
	case *wire.ExchangeDelete:
		return ch.exchangeDelete(m)
	case *wire.ExchangeBind:
		return ch.exchangeBind(m)
	case *wire.ExchangeUnbind:
		return ch.exchangeUnbind(m)
	}
	return refuse(wire.CommandInvalid, "unimplemented method")
}

func (ch *channel) queueMethod(m wire.Method) error {
	switch m := m.(type) {
	case *wire.QueueDeclare:
		return ch.queueDeclare(m)
	case *wire.QueueBind:
		return ch.queueBind(m)
	case *wire.QueueUnbind:
		return ch.queueUnbind(m)
	case *wire.QueuePurge:
		return ch.queuePurge(m)
	case *wire.QueueDelete:
		return ch.queueDelete(m)
	}
	return refuse(wire.CommandInvalid, "unimplemented method")
}

func (ch *channel) basicMethod(m wire.Method) error {
	switch m := m.(type) {
	case *wire.BasicQos:
		return ch.basicQos(m)
	case *wire.BasicConsume:
		return ch.basicConsume(m)
	case *wire.BasicCancel:
		return ch.basicCancel(m)
	case *wire.BasicCancelOk:
		return nil
	case *wire.BasicGet:
		return ch.basicGet(m)
	case *wire.BasicNack:
		return ch.basicNack(m.DeliveryTag, m.Multiple, m.Requeue)
	case *wire.BasicReject:
		return ch.basicNack(m.DeliveryTag, false, m.Requeue)
	case *wire.BasicRecover:
		return ch.basicRecover(m.Requeue, true)
	case *wire.BasicRecoverAsync:
		return ch.basicRecover(m.Requeue, false)
	}
	return refuse(wire.CommandInvalid, "unimplemented method")
}

func (ch *channel) modeMethod(m wire.Method) error {
	switch m := m.(type) {
	case *wire.ConfirmSelect:
		return ch.confirmSelect(m)
	case *wire.TxSelect:
		return ch.txSelect()
	case *wire.TxCommit:
		return ch.txCommit()
	case *wire.TxRollback:
		return ch.txRollback()
	}
	return refuse(wire.CommandInvalid, "unimplemented method")
}
