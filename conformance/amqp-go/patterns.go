package main

import (
	"fmt"
	"strings"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

func (s *suite) patternChecks() {
	s.run("pattern: requests and direct replies", patternDirectReply)
	s.run("pattern: a work queue whose worker dies", patternWorkerDies)
	s.run("pattern: a stream read twice", patternStream)
}

func patternDirectReply(t *test) {
	server, client := t.channel(), t.channel()
	q := t.shared(server, nil)
	requests := t.consume(server, q, true, nil)
	replies, err := client.Consume("amq.rabbitmq.reply-to", "", true, false, false, false, nil)
	t.ok(err)
	for i := range 20 {
		t.send(client, "", q, pub{ReplyTo: "amq.rabbitmq.reply-to", CorrelationId: fmt.Sprint(i), Body: []byte("ask")})
		r := t.next(requests)
		t.holds(strings.HasPrefix(r.ReplyTo, "amq.rabbitmq.reply-to."), "reply-to %q", r.ReplyTo)
		t.send(server, "", r.ReplyTo, pub{CorrelationId: r.CorrelationId, Body: []byte("answer")})
		d := t.next(replies)
		t.equal(d.CorrelationId+string(d.Body), fmt.Sprint(i)+"answer", "reply")
	}
	_, err = t.channel().Consume("amq.rabbitmq.reply-to", "", false, false, false, false, nil)
	t.refused(err, 406, "^PRECONDITION_FAILED - reply consumer cannot acknowledge")
}

func patternWorkerDies(t *test) {
	producer := t.channel()
	q := t.shared(producer, nil)
	c := t.connect()
	first := t.channelOf(c)
	t.ok(first.Qos(3, 0, false))
	held := t.consume(first, q, false, nil)
	t.publish(producer, q, "1", "2", "3", "4", "5")
	t.ready(producer, q, 2) // three are with the first worker
	t.ok(t.next(held).Ack(false))
	t.next(held)
	t.next(held)
	t.next(held) // the fourth, for the ack
	t.ok(c.Close())
	t.ready(producer, q, 4)
	second := t.consume(t.channel(), q, false, nil)
	for _, want := range []string{"2 true", "3 true", "4 true", "5 false"} {
		d := t.next(second)
		t.equal(fmt.Sprint(string(d.Body), " ", d.Redelivered), want, "delivery")
	}
}

func patternStream(t *test) {
	ch := t.channel()
	t.ok(ch.Confirm(false))
	q := t.shared(ch, table{"x-queue-type": "stream"})
	for i := range 5 {
		d, err := ch.PublishWithDeferredConfirmWithContext(t.ctx, "", q, false, false, pub{Body: fmt.Append(nil, i)})
		t.ok(err)
		t.holds(d.Wait(), "nacked")
	}
	for _, from := range []any{"first", int64(2), time.Unix(0, 0)} {
		reader := t.channel()
		t.ok(reader.Qos(10, 0, false))
		got := t.consume(reader, q, false, table{"x-stream-offset": from})
		start := int64(0)
		if n, ok := from.(int64); ok {
			start = n
		}
		for i := start; i < 5; i++ {
			d := t.next(got)
			t.equal(fmt.Sprint(string(d.Body), d.Headers["x-stream-offset"]), fmt.Sprint(fmt.Sprint(i), i), fmt.Sprint("from ", from))
			t.ok(d.Ack(false))
		}
		_ = reader.Close()
	}
	_, err := t.channel().Consume(q, "", false, false, false, false, nil)
	t.refused(err, amqp.PreconditionFailed, "consumer prefetch count is not set")
}
