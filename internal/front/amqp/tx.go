package amqp

import (
	"errors"
	"sync"

	"github.com/narumq/naru/internal/broker"
	wire "github.com/narumq/naru/internal/wire/amqp091"
)

// transaction holds what a channel does until it commits. Messages are published then, and when all of them are durable, acks
// follow. It is not atomic, as RabbitMQ's is not: a crash in between may leave acks undone, whose messages come again.
type transaction struct {
	ch       *channel
	messages []*publication
	bytes    int64
	settles  []heldSettle
	n        int // acks

	mu     sync.Mutex    // guards what follows
	left   int           // not durable yet
	failed error         // the first
	done   chan struct{} // closed when nothing is left
}

// heldSettle are deliveries that are settled with the commit.
type heldSettle struct {
	how  settling
	list []delivery
}

func (ch *channel) txSelect() error {
	if ch.confirms != nil {
		return failedPrecondition("cannot switch from confirm to tx mode")
	}
	if ch.tx == nil {
		ch.mu.Lock()
		ch.tx = &transaction{ch: ch}
		ch.mu.Unlock()
	}
	return ch.answer(false, &wire.TxSelectOk{})
}

// publish holds a message.
func (t *transaction) publish(p *publication) error {
	size := int64(len(p.body) + len(p.scratch))
	c := t.ch.c
	if c.content+size > c.s.limits.ContentBytesMax || len(t.messages) >= c.s.limits.TransactionMax {
		p.recycle()
		return refuse(wire.ResourceError, "transaction of more than %d messages or %d bytes", c.s.limits.TransactionMax, c.s.limits.ContentBytesMax)
	}
	c.content += size
	t.bytes += size
	t.messages = append(t.messages, p)
	return nil
}

// settle holds acks.
func (t *transaction) settle(how settling, list []delivery) error {
	if t.n += len(list); t.n > t.ch.c.s.limits.TransactionMax {
		t.n -= len(list)
		t.ch.unsettle(list) // they go back with the channel
		return refuse(wire.ResourceError, "transaction of more than %d acks", t.ch.c.s.limits.TransactionMax)
	}
	t.settles = append(t.settles, heldSettle{how, list})
	return nil
}

// take empties the transaction.
func (t *transaction) take() (messages []*publication, settles []heldSettle) {
	messages, settles = t.messages, t.settles
	t.ch.c.content -= t.bytes
	t.messages, t.settles, t.bytes, t.n = nil, nil, 0, 0
	return messages, settles
}

// rollback forgets the messages, and makes the deliveries unsettled again.
func (t *transaction) rollback() {
	messages, settles := t.take()
	for _, p := range messages {
		p.recycle()
	}
	t.ch.unsettleAll(settles)
}

// unsettleAll makes held deliveries unsettled again.
func (ch *channel) unsettleAll(settles []heldSettle) {
	var list []delivery
	for _, h := range settles {
		list = append(list, h.list...)
	}
	ch.unsettle(list)
}

func (ch *channel) txRollback() error {
	if ch.tx == nil {
		return failedPrecondition("channel is not transactional")
	}
	ch.tx.rollback()
	return ch.answer(false, &wire.TxRollbackOk{})
}

func (ch *channel) txCommit() error {
	if ch.tx == nil {
		return failedPrecondition("channel is not transactional")
	}
	messages, settles := ch.tx.take()
	ch.tx.expect(1) // until all are on their way: what fails at once is not forgotten with the next
	for i, p := range messages {
		p.size = int64(len(p.body) + len(p.scratch))
		ch.c.window.enter(p.size)
		ch.tx.expect(1)
		p.held = ch.tx
		if err := p.publish(); err != nil {
			ch.tx.published(err)
			for _, rest := range messages[i+1:] {
				rest.recycle()
			}
			break
		}
	}
	ch.tx.published(nil)
	err := ch.tx.wait()
	if err != nil {
		ch.unsettleAll(settles)
	} else {
		err = ch.tx.settleAll(settles)
	}
	var known *wire.Error
	switch {
	case err == nil:
		return ch.answer(false, &wire.TxCommitOk{})
	case errors.As(err, &known):
		return known
	case errors.Is(err, broker.ErrQueueFull): // as RabbitMQ says it
		return failedPrecondition("partial tx completion")
	}
	return refuse(wire.InternalError, "partial tx completion: %v", err)
}

// settleAll settles what was held, and returns when that is durable.
func (t *transaction) settleAll(settles []heldSettle) error {
	t.expect(1 + len(settles))
	for _, h := range settles {
		t.ch.settle(h.how, h.list, t.published)
	}
	t.published(nil)
	return t.wait()
}

// expect counts what has to be durable before the commit is.
func (t *transaction) expect(n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.left == 0 {
		t.done, t.failed = make(chan struct{}), nil
	}
	t.left += n
}

// published takes up that one of what was expected is durable, or refused.
func (t *transaction) published(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err != nil && t.failed == nil {
		t.failed = err
	}
	if t.left--; t.left == 0 {
		close(t.done)
	}
}

// wait waits for all that is expected.
func (t *transaction) wait() error {
	t.mu.Lock()
	done, left := t.done, t.left
	t.mu.Unlock()
	if done == nil {
		return nil
	}
	if left > 0 {
		select {
		case <-done:
		case <-t.ch.c.ctx.Done():
			return t.ch.c.ctx.Err()
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.done = nil
	return t.failed
}
