package main

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

func (s *suite) publishChecks() {
	s.run("publish: properties and headers come back", publishProperties)
	s.run("publish: empty, binary and large bodies", publishBodies)
	s.run("publish: mandatory returns", publishMandatory)
	s.run("publish: the wrong user-id", publishUserID)
	s.run("confirm: a thousand, all acknowledged", confirmMany)
	s.run("confirm: nack when the queue is full", confirmNack)
	s.run("confirm: a return comes before its ack", confirmReturn)
	s.run("transaction: commit, rollback, acks", transaction)
}

func publishProperties(t *test) {
	ch := t.channel()
	q := t.queue(ch, nil)
	h := table{"bool": true, "byte": byte(200), "int8": int8(-5), "int16": int16(-300), "int32": int32(-70000), "int64": int64(1) << 60, "float32": float32(1.5),
		"float64": 2.25, "string": "나루 🛶", "bytes": []byte{0, 1, 255}, "time": time.Unix(1700000000, 0), "nil": nil, "decimal": amqp.Decimal{Scale: 2, Value: 314},
		"list": []any{int32(1), "two", nil, []any{true}}, "table": table{"deep": table{"deeper": "x"}}}
	t.send(ch, "", q, pub{Headers: h, ContentType: "text/plain", ContentEncoding: "gzip", DeliveryMode: 2, Priority: 3, CorrelationId: "c", ReplyTo: "r",
		Expiration: "60000", MessageId: "m", Timestamp: time.Unix(1700000001, 0), Type: "t", UserId: "guest", AppId: "a", Body: []byte("b")})
	d := t.get(ch, q, true)
	got := fmt.Sprint(d.ContentType, d.ContentEncoding, d.DeliveryMode, d.Priority, d.CorrelationId, d.ReplyTo, d.Expiration, d.MessageId, d.Timestamp.Unix(), d.Type, d.UserId, d.AppId, string(d.Body))
	t.equal(got, fmt.Sprint("text/plain", "gzip", 2, 3, "c", "r", "60000", "m", 1700000001, "t", "guest", "a", "b"), "properties")
	t.equal(len(d.Headers), len(h), "headers")
	for k, v := range h {
		t.equal(d.Headers[k], v, k)
	}
	t.send(ch, "", q, pub{})
	d = t.get(ch, q, true)
	t.holds(d.Headers == nil && d.DeliveryMode == 0 && d.ContentType == "" && d.Timestamp.IsZero(), "properties where there were none: %+v", d)
}

func publishBodies(t *test) {
	ch := t.channel()
	q := t.queue(ch, nil)
	for _, size := range []int{0, 1, 131064, 131065, 1 << 20} {
		body := make([]byte, size)
		_, _ = rand.Read(body)
		t.send(ch, "", q, pub{Body: body})
		t.holds(bytes.Equal(t.get(ch, q, true).Body, body), "%d bytes came back otherwise", size)
	}
}

func publishMandatory(t *test) {
	ch := t.channel()
	back := ch.NotifyReturn(make(chan amqp.Return, 2))
	no := t.name("no")
	t.send(ch, "", no, pub{Body: []byte("dropped")})
	t.ok(ch.PublishWithContext(t.ctx, "", no, true, false, pub{MessageId: "m", Body: []byte("back")}))
	select {
	case r := <-back:
		t.equal(fmt.Sprint(r.ReplyCode, r.ReplyText, r.Exchange, r.RoutingKey, r.MessageId, string(r.Body)), fmt.Sprint(312, "NO_ROUTE", "", no, "m", "back"), "return")
	case <-time.After(patience):
		t.fail("not returned")
	}
}

func publishUserID(t *test) {
	ch := t.channel()
	closed := ch.NotifyClose(make(chan *amqp.Error, 1))
	t.send(ch, "", "q", pub{UserId: "somebody"})
	t.refused(t.closed(closed), 406, "^PRECONDITION_FAILED - user_id property set to 'somebody' but authenticated user was 'guest'$")
}

func confirmMany(t *test) {
	ch := t.channel()
	q := t.shared(ch, nil)
	t.ok(ch.Confirm(false))
	waiting := make([]*amqp.DeferredConfirmation, 1000)
	for i := range waiting {
		var err error
		waiting[i], err = ch.PublishWithDeferredConfirmWithContext(t.ctx, "", q, false, false, pub{DeliveryMode: 2, Body: []byte("x")})
		t.ok(err)
	}
	for i, w := range waiting {
		acked, err := w.WaitContext(t.ctx)
		t.ok(err)
		t.holds(acked && w.DeliveryTag == uint64(i+1), "publish %d: acked %v, tag %d", i+1, acked, w.DeliveryTag)
	}
	t.ready(ch, q, 1000)
}

func confirmNack(t *test) {
	ch := t.channel()
	q := t.queue(ch, table{"x-max-length": 1, "x-overflow": "reject-publish"})
	t.ok(ch.Confirm(false))
	for i, want := range []bool{true, false, false} {
		d, err := ch.PublishWithDeferredConfirmWithContext(t.ctx, "", q, false, false, pub{Body: []byte{'0' + byte(i)}})
		t.ok(err)
		acked, err := d.WaitContext(t.ctx)
		t.ok(err)
		t.equal(acked, want, fmt.Sprint("publish ", i))
	}
	t.bodies(ch, q, "0")
}

func confirmReturn(t *test) {
	ch := t.channel()
	back, confirms := ch.NotifyReturn(make(chan amqp.Return)), ch.NotifyPublish(make(chan amqp.Confirmation))
	t.ok(ch.Confirm(false))
	t.ok(ch.PublishWithContext(t.ctx, "", t.name("no"), true, false, pub{}))
	// Both channels are unbuffered: what comes first on the wire is sent first.
	select {
	case <-back:
	case <-confirms:
		t.fail("confirmed before it was returned")
	case <-time.After(patience):
		t.fail("neither")
	}
	t.equal((<-confirms).Ack, true, "the ack")
}

func transaction(t *test) {
	ch, other := t.channel(), t.channel()
	q := t.shared(ch, nil)
	t.ok(ch.Tx())
	t.publish(ch, q, "1", "2")
	t.equal(t.inspect(other, q).Messages, 0, "before the commit")
	t.ok(ch.TxCommit())
	t.equal(t.inspect(other, q).Messages, 2, "after the commit")
	t.publish(ch, q, "3")
	t.ok(ch.TxRollback())
	t.ok(t.get(ch, q, false).Ack(false))
	t.ok(ch.TxCommit())
	t.ok(t.get(ch, q, false).Ack(false))
	t.ok(ch.TxRollback())
	t.ok(ch.Close())
	t.bodies(other, q, "2")
}
