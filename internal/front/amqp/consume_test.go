package amqp

import (
	"fmt"
	"strconv"
	"testing"

	client "github.com/rabbitmq/amqp091-go"

	"github.com/narumq/naru/internal/broker"
	"github.com/narumq/naru/internal/record"
)

// fill publishes n messages, 0 to n-1, and waits for their confirms.
func (w *world) fill(queue string, n int) {
	w.t.Helper()
	ch := w.confirming()
	for i := range n {
		if !confirmed(w.t, ch, "", queue, client.Publishing{Body: fmt.Append(nil, i)}) {
			w.t.Fatal("nacked")
		}
	}
	ok(w.t, ch.Close())
}

func TestConsumeAndAck(t *testing.T) {
	w := newWorld(t)
	ch := w.channel()
	queueOf(t, ch, "q", nil)
	w.fill("q", 10)
	deliveries := consume(t, ch, "q", "tag", nil)
	for i := range 10 {
		d := next(t, deliveries)
		if string(d.Body) != fmt.Sprint(i) || d.DeliveryTag != uint64(i+1) || d.ConsumerTag != "tag" || d.Redelivered {
			t.Fatalf("%d: %+v", i, d)
		}
	}
	ok(t, ch.Ack(3, true))
	ok(t, ch.Ack(5, false))
	ok(t, ch.Nack(7, true, true)) // 4, 6, 7
	for _, want := range []string{"3", "5", "6"} {
		if d := next(t, deliveries); string(d.Body) != want || !d.Redelivered {
			t.Errorf("%+v, want %s", d, want)
		}
	}
	ok(t, ch.Reject(8, false))
	ok(t, ch.Ack(0, true))
	ok(t, ch.Close())
	w.inFlight("q", 0)
}

func TestUnknownTag(t *testing.T) {
	w := newWorld(t)
	queueOf(t, w.channel(), "q", nil)
	for _, f := range []func(ch *client.Channel) error{
		func(ch *client.Channel) error { return ch.Ack(1, false) }, func(ch *client.Channel) error { return ch.Ack(9, true) },
		func(ch *client.Channel) error { return ch.Nack(1, false, true) }, func(ch *client.Channel) error { return ch.Reject(0, true) },
	} {
		ch := w.channel()
		closed := ch.NotifyClose(make(chan *client.Error, 1))
		ok(t, ch.Ack(0, true)) // nothing is no error
		ok(t, f(ch))
		refused(t, next(t, closed), 406, "PRECONDITION_FAILED - unknown delivery tag")
	}
}

// What is unacked goes back when its channel or its connection ends, and is counted.
func TestGoesBack(t *testing.T) {
	w := newWorld(t)
	queueOf(t, w.channel(), "q", client.Table{"x-delivery-limit": int32(2)})
	w.fill("q", 1)
	for i := range 3 {
		c := w.dial()
		ch := w.channel(c)
		d := next(t, consume(t, ch, "q", "", nil))
		count, has := d.Headers["x-delivery-count"]
		if d.Redelivered != (i > 0) || has != (i > 0) || has && count != int64(i) {
			t.Errorf("%d: %+v", i, d)
		}
		if i%2 == 0 {
			ok(t, ch.Close())
		} else {
			ok(t, c.Close())
		}
	}
	if _, there, _ := w.channel().Get("q", true); there {
		t.Error("a message is delivered more often than its queue says")
	}
}

func TestPrefetch(t *testing.T) {
	w := newWorld(t)
	queueOf(t, w.channel(), "q", nil)
	w.fill("q", 20)
	ch := w.channel()
	ok(t, ch.Qos(3, 0, false))
	first := consume(t, ch, "q", "first", nil)
	for range 3 {
		next(t, first)
	}
	second := consume(t, ch, "q", "second", nil)
	for range 3 {
		next(t, second)
	}
	w.inFlight("q", 6)
	ok(t, ch.Qos(7, 0, true)) // one more for all
	third := w.channel()
	ok(t, ch.Ack(1, false))
	next(t, first)
	ok(t, ch.Ack(4, false))
	next(t, second)
	ok(t, third.Qos(1, 0, true))
	next(t, consume(t, third, "q", "", nil))
	w.inFlight("q", 7)
	ok(t, ch.Ack(0, true))
	for i := range 6 {
		select {
		case <-first:
		case <-second:
		}
		_ = i
	}
}

// Consumers of a queue take turns; those of a higher priority go first.
func TestTurnsAndPriorities(t *testing.T) {
	w := newWorld(t)
	ch := w.channel()
	queueOf(t, ch, "q", nil)
	one, two := consume(t, ch, "q", "1", nil), consume(t, w.channel(), "q", "2", nil)
	w.fill("q", 10)
	for range 5 {
		next(t, one)
		next(t, two)
	}
	high := w.channel()
	ok(t, high.Qos(2, 0, false))
	above := consume(t, high, "q", "3", client.Table{"x-priority": int32(10)})
	w.fill("q", 4)
	next(t, above)
	next(t, above)
	next(t, one)
	next(t, two)
}

func TestExclusiveConsumer(t *testing.T) {
	w := newWorld(t)
	ch := w.channel()
	queueOf(t, ch, "q", nil)
	must[<-chan client.Delivery](t)(ch.Consume("q", "me", false, true, false, false, nil))
	for _, exclusive := range []bool{false, true} {
		_, err := w.channel().Consume("q", "", false, exclusive, false, false, nil)
		refused(t, err, 403, "ACCESS_REFUSED - queue 'q' in vhost '/' in exclusive use")
	}
	ok(t, ch.Cancel("me", false))
	other := w.channel()
	consume(t, other, "q", "", nil)
	_, err := w.channel().Consume("q", "", false, true, false, false, nil)
	refused(t, err, 403, "in exclusive use")
	_, err = w.channel().QueueDelete("q", true, false, false)
	refused(t, err, 406, "queue 'q' in vhost '/' in use")
}

func TestSingleActiveConsumer(t *testing.T) {
	w := newWorld(t)
	a, b := w.channel(), w.channel()
	queueOf(t, a, "q", client.Table{"x-single-active-consumer": true})
	one, two := consume(t, a, "q", "1", nil), consume(t, b, "q", "2", nil)
	w.fill("q", 3)
	for range 3 {
		next(t, one)
	}
	_, _, err := w.channel().Get("q", true)
	refused(t, err, 405, "RESOURCE_LOCKED - cannot obtain access to locked queue 'q' in vhost '/'. basic.get operations are not supported by classic queues")
	ok(t, a.Close())
	for i := range 3 {
		if d := next(t, two); string(d.Body) != fmt.Sprint(i) || !d.Redelivered {
			t.Errorf("%+v", d)
		}
	}
}

func TestConsumerIsCancelled(t *testing.T) {
	w := newWorld(t)
	ch := w.channel()
	queueOf(t, ch, "q", nil)
	queueOf(t, ch, "by others", nil)
	cancels := ch.NotifyCancel(make(chan string, 2))
	consume(t, ch, "q", "one", nil)
	must[int](t)(w.channel().QueueDelete("q", false, false, false))
	if tag := next(t, cancels); tag != "one" {
		t.Errorf("cancelled %q", tag)
	}
	consume(t, ch, "by others", "two", nil)
	ok(t, w.b.DeleteNamespaceQueue("/", "by others"))
	if tag := next(t, cancels); tag != "two" {
		t.Errorf("cancelled %q", tag)
	}
	queueOf(t, ch, "q", nil)
	consume(t, ch, "q", "one", nil) // the tag is free
	_, err := ch.Consume("q", "one", false, false, false, false, nil)
	refused(t, err, 530, "NOT_ALLOWED - attempt to reuse consumer tag 'one'")
}

func TestNoAckAndGet(t *testing.T) {
	w := newWorld(t)
	ch := w.channel()
	queueOf(t, ch, "q", nil)
	if _, there, err := ch.Get("q", true); there || err != nil {
		t.Error(there, err)
	}
	w.fill("q", 5)
	d, _, err := ch.Get("q", true)
	if err != nil || string(d.Body) != "0" || d.MessageCount != 4 {
		t.Errorf("%+v, %v", d, err)
	}
	d = got(t, ch, "q")
	ok(t, d.Nack(false, true))
	auto := must[<-chan client.Delivery](t)(ch.Consume("q", "", true, false, false, false, nil))
	for i := range 4 {
		if d := next(t, auto); string(d.Body) != fmt.Sprint(i+1) {
			t.Errorf("%+v", d)
		}
	}
	ok(t, ch.Close())
	if _, there, _ := w.channel().Get("q", true); there {
		t.Error("what was not to be acked came back")
	}
}

func TestRecover(t *testing.T) {
	w := newWorld(t)
	ch := w.channel()
	queueOf(t, ch, "q", nil)
	w.fill("q", 2)
	deliveries := consume(t, ch, "q", "", nil)
	next(t, deliveries)
	next(t, deliveries)
	//lint:ignore SA1019 other clients still send it
	ok(t, ch.Recover(true))
	for i := range 2 {
		if d := next(t, deliveries); string(d.Body) != fmt.Sprint(i) || !d.Redelivered || d.DeliveryTag != uint64(i+3) {
			t.Errorf("%+v", d)
		}
	}
	//lint:ignore SA1019 other clients still send it
	refused(t, ch.Recover(false), 540, "NOT_IMPLEMENTED - requeue=false")
}

func TestDeadLetters(t *testing.T) {
	w := newWorld(t)
	ch := w.confirming()
	ok(t, ch.ExchangeDeclare("dead", "direct", true, false, false, false, nil))
	queueOf(t, ch, "grave", nil)
	ok(t, ch.QueueBind("grave", "buried", "dead", false, nil))
	queueOf(t, ch, "q", client.Table{"x-dead-letter-exchange": "dead", "x-dead-letter-routing-key": "buried"})
	confirmed(t, ch, "amq.direct", "nobody", client.Publishing{})
	ok(t, ch.QueueBind("q", "k", "amq.direct", false, nil))
	confirmed(t, ch, "amq.direct", "k", client.Publishing{Body: []byte("x"), Headers: client.Table{"mine": int32(1)}})
	d := got(t, ch, "q")
	ok(t, d.Reject(false))
	d = next(t, consume(t, ch, "grave", "", nil))
	if d.Exchange != "dead" || d.RoutingKey != "buried" || d.Redelivered || string(d.Body) != "x" || d.Headers["mine"] != int32(1) {
		t.Errorf("%+v", d)
	}
	deaths, _ := d.Headers["x-death"].([]any)
	if len(deaths) != 1 {
		t.Fatalf("%+v", d.Headers)
	}
	death := deaths[0].(client.Table)
	if death["count"] != int64(1) || death["reason"] != "rejected" || death["queue"] != "q" || death["exchange"] != "amq.direct" ||
		death["routing-keys"].([]any)[0] != "k" || d.Headers["x-first-death-queue"] != "q" || d.Headers["x-last-death-reason"] != "rejected" {
		t.Errorf("%+v", d.Headers)
	}
}

// What another protocol wrote is delivered as if it had been published to the default exchange.
func TestForeignRecords(t *testing.T) {
	w := newWorld(t)
	ch := w.channel()
	queueOf(t, ch, "q", nil)
	q, err := w.b.NamespaceQueue("/", "q")
	ok(t, err)
	sent := make(chan []broker.Sent, 1)
	q.Send(t.Context(), []broker.Message{{Value: []byte("from elsewhere"), Key: []byte("k"), Delay: -1, Headers: foreignHeaders()}}, func(s []broker.Sent) { sent <- s })
	ok(t, (<-sent)[0].Err)
	d := got(t, ch, "q")
	if string(d.Body) != "from elsewhere" || d.Exchange != "" || d.RoutingKey != "q" || d.ReplyTo != "there" {
		t.Errorf("%+v", d)
	}
	want := client.Table{"n": int64(12), "f": 1.5, "b": []byte{0xff}, "raw": []byte{0xfe}, "s": "text"}
	if fmt.Sprint(d.Headers) != fmt.Sprint(want) {
		t.Errorf("%#v, want %#v", d.Headers, want)
	}
}

func foreignHeaders() []record.HeaderField {
	return []record.HeaderField{
		{Key: "n", Value: []byte("12")}, {Key: "naru.type:n", Value: []byte("Number")}, {Key: "f", Value: []byte("1.5")},
		{Key: "naru.type:f", Value: []byte("Number.float")}, {Key: "b", Value: []byte{0xff}}, {Key: "naru.type:b", Value: []byte("Binary")},
		{Key: "raw", Value: []byte{0xfe}}, {Key: "s", Value: []byte("text")}, {Key: broker.HeaderReplyTo, Value: []byte("there")},
		{Key: "naru.other", Value: []byte("x")},
	}
}

// Who rejects a message, and then looks where it goes, finds it.
func TestRejectThenGet(t *testing.T) {
	w := newWorld(t)
	ch := w.channel()
	ok(t, ch.ExchangeDeclare("dlx", "fanout", true, false, false, false, nil))
	queueOf(t, ch, "dead", nil)
	ok(t, ch.QueueBind("dead", "", "dlx", false, nil))
	queueOf(t, ch, "q", client.Table{"x-dead-letter-exchange": "dlx"})
	queueOf(t, ch, "nowhere", client.Table{"x-dead-letter-exchange": "none"})
	for i := range 50 {
		publish(t, ch, "", "q", strconv.Itoa(i))
		d := got(t, ch, "q")
		if i%2 == 0 {
			ok(t, d.Reject(false))
		} else {
			ok(t, d.Nack(true, false))
		}
		if dead := got(t, ch, "dead"); string(dead.Body) != strconv.Itoa(i) {
			t.Errorf("%d: %q is dead", i, dead.Body)
		}
	}
	queueOf(t, ch, "old", client.Table{"x-dead-letter-exchange": "dlx", "x-message-ttl": int32(1)})
	for range 20 {
		publish(t, ch, "", "old", "expired")
		if _, there, err := ch.Get("old", true); err != nil || there {
			continue // not yet
		}
		if dead := got(t, ch, "dead"); string(dead.Body) != "expired" {
			t.Errorf("%q is dead", dead.Body)
		}
	}
	queueOf(t, ch, "short", client.Table{"x-dead-letter-exchange": "dlx", "x-max-length": int32(1)})
	for range 20 {
		publish(t, ch, "", "short", "first")
		publish(t, ch, "", "short", "second")
		d := got(t, ch, "short")
		ok(t, d.Ack(false))
		if dead := got(t, ch, "dead"); string(dead.Body) != "first" {
			t.Errorf("%q is dead", dead.Body)
		}
	}
	publish(t, ch, "", "nowhere", "lost")
	d := got(t, ch, "nowhere")
	ok(t, d.Reject(false))
	if q := must[client.Queue](t)(ch.QueueDeclarePassive("nowhere", true, false, false, false, nil)); q.Messages != 0 {
		t.Errorf("%+v", q)
	}
}

// A consumer that takes what comes has it, not a get.
func TestGetBesideConsumer(t *testing.T) {
	w := newWorld(t)
	ch := w.channel()
	for i := range 20 {
		name := fmt.Sprint("q", i)
		queueOf(t, ch, name, nil)
		c := consume(t, ch, name, name, nil)
		publish(t, ch, "", name, "1")
		if _, there, err := ch.Get(name, true); err != nil || there {
			t.Fatalf("got what a consumer waits for, %v", err)
		}
		d := next(t, c)
		ok(t, d.Ack(false))
	}
}
