package main

import (
	"strings"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

func (s *suite) queueChecks() {
	s.run("queue: named by the server", queueServerNamed)
	s.run("queue: durable, read over another connection", queueDurable)
	s.run("queue: exclusive goes with its connection", queueExclusive)
	s.run("queue: auto-delete goes with its last consumer", queueAutoDelete)
	s.run("queue: counts, purge, delete if unused and if empty", queueCounts)
	s.run("queue: inequivalent arguments", queueInequivalent)
	s.run("queue: expires", queueExpires)
}

func exists(t *test, queue string) bool {
	c := t.connect()
	defer func() { _ = c.Close() }()
	_, err := t.channelOf(c).QueueDeclarePassive(queue, false, false, false, false, nil)
	if err != nil {
		t.refused(err, 404, "^NOT_FOUND - no queue")
	}
	return err == nil
}

func queueServerNamed(t *test) {
	ch := t.channel()
	q, err := ch.QueueDeclare("", false, false, true, false, nil)
	t.ok(err)
	t.holds(strings.HasPrefix(q.Name, "amq.gen-"), "name %q", q.Name)
	t.publish(ch, q.Name, "x")
	t.bodies(ch, q.Name, "x")
}

func queueDurable(t *test) {
	ch := t.channel()
	t.ok(ch.Confirm(false))
	q := t.shared(ch, nil)
	d, err := ch.PublishWithDeferredConfirmWithContext(t.ctx, "", q, false, false, pub{DeliveryMode: amqp.Persistent, Body: []byte("kept")})
	t.ok(err)
	t.holds(d.Wait(), "nacked")
	t.ok(t.connections[0].Close())
	ch = t.channel()
	got, err := ch.QueueDeclare(q, true, false, false, false, nil)
	t.ok(err)
	t.equal(got.Messages, 1, "messages")
	t.bodies(ch, q, "kept")
}

func queueExclusive(t *test) {
	c := t.connect()
	q := t.queue(t.channelOf(c), nil)
	_, _, err := t.channel().Get(q, true)
	t.refused(err, 405, "^RESOURCE_LOCKED")
	t.ok(c.Close())
	t.until("the queue is gone", func() bool { return !exists(t, q) })
}

func queueAutoDelete(t *test) {
	ch := t.channel()
	q, err := ch.QueueDeclare(t.name("auto"), false, true, false, false, nil)
	t.ok(err)
	_, err = ch.Consume(q.Name, "one", true, false, false, false, nil)
	t.ok(err)
	t.holds(exists(t, q.Name), "gone too early")
	t.ok(ch.Cancel("one", false))
	t.until("the queue is gone", func() bool { return !exists(t, q.Name) })
}

func queueCounts(t *test) {
	c := t.connect()
	ch := t.channelOf(c)
	q := t.shared(ch, nil)
	t.publish(ch, q, "1", "2", "3")
	t.ready(ch, q, 3)
	d := t.get(ch, q, false)
	t.equal(int(d.MessageCount), 2, "left after a get")
	n, err := ch.QueuePurge(q, false)
	t.ok(err)
	t.equal(n, 2, "purged")
	t.ok(d.Nack(false, true))
	t.ready(ch, q, 1)
	_, err = t.channelOf(c).QueueDelete(q, false, true, false)
	t.refused(err, 406, "not empty|is not empty")
	_, err = t.channelOf(c).Consume(q, "", false, false, false, false, nil)
	t.ok(err)
	_, err = t.channelOf(c).QueueDelete(q, true, false, false)
	t.refused(err, 406, "^PRECONDITION_FAILED - queue .* in use$")
	_, err = ch.QueueDelete(q, false, false, false)
	t.ok(err)
	n, err = ch.QueueDelete(q, false, false, false)
	t.ok(err)
	t.equal(n, 0, "deleted twice")
}

func queueInequivalent(t *test) {
	c := t.connect()
	q := t.shared(t.channelOf(c), table{"x-max-length": 5})
	declare := func(durable bool, args table) error {
		_, err := t.channelOf(c).QueueDeclare(q, durable, false, false, false, args)
		return err
	}
	t.ok(declare(true, table{"x-max-length": int64(5)}))
	t.refused(declare(false, table{"x-max-length": 5}), 406, "inequivalent arg 'durable' for queue '"+q+"' in vhost '/': received 'false' but current is 'true'$")
	t.refused(declare(true, nil), 406, "inequivalent arg 'x-max-length' .*: received none but current is the value '5' of type '[a-z]+'$")
	t.refused(declare(true, table{"x-max-length": 6}), 406, "inequivalent arg 'x-max-length' ")
	_, err := t.channelOf(c).QueueDeclare(t.name("bad"), false, false, true, false, table{"x-message-ttl": -1})
	t.refused(err, 406, "^PRECONDITION_FAILED - .*x-message-ttl")
}

func queueExpires(t *test) {
	ch := t.channel()
	q := t.shared(ch, table{"x-expires": 300})
	for wait := 800 * time.Millisecond; ; wait *= 2 { // to look is to use it
		time.Sleep(wait)
		if !exists(t, q) {
			return
		}
		t.holds(wait < 10*time.Second, "the queue is still there")
	}
}
