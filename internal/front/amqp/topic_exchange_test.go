package amqp

import (
	"testing"

	client "github.com/rabbitmq/amqp091-go"

	"github.com/narumq/naru/internal/catalog"
)

// TestTopicAsExchange uses a topic that another protocol made, and writes to, as an exchange.
func TestTopicAsExchange(t *testing.T) {
	w := newWorld(t)
	_, err := w.b.CreateTopic(catalog.TopicSpec{Name: "orders", Partitions: 2}, false)
	ok(t, err)
	ch := w.confirming()
	ok(t, ch.ExchangeDeclarePassive("orders", "topic", true, false, false, false, nil))
	queueOf(t, ch, "q", nil)
	queueOf(t, ch, "all", streamArgs())
	for _, q := range []string{"q", "all"} {
		ok(t, ch.QueueBind(q, "any.key", "orders", false, nil))
	}
	produce(t, w.b, "orders", 1, "from kafka")
	want := func(d client.Delivery, body, key string) {
		t.Helper()
		if string(d.Body) != body || d.Exchange != "orders" || d.RoutingKey != key {
			t.Errorf("got %q from %q with %q", d.Body, d.Exchange, d.RoutingKey)
		}
	}
	c := consume(t, w.channel(), "q", "", nil)
	want(next(t, c), "from kafka", "key from kafka")
	m := client.Publishing{Body: []byte("from amqp"), Headers: client.Table{"n": int32(5)}, MessageId: "7"}
	if !confirmed(t, ch, "orders", "k", m) {
		t.Fatal("not confirmed")
	}
	d := next(t, c)
	want(d, "from amqp", "k")
	if d.Headers["n"] != int32(5) || d.MessageId != "7" {
		t.Errorf("%+v", d)
	}
	_, all := w.reader("all", 5, "first")
	want(next(t, all), "from kafka", "key from kafka")
	want(next(t, all), "from amqp", "k")
	refused(t, w.channel().ExchangeBind("amq.topic", "", "orders", false, nil), 540, "the exchange is a topic, which can be bound to queues only")
	refused(t, w.channel().ExchangeBind("orders", "", "amq.topic", false, nil), 540, "the exchange is a topic")
	ok(t, ch.QueueUnbind("q", "", "orders", nil))
}

// TestTopicInATransaction holds a message back as one to any exchange.
func TestTopicInATransaction(t *testing.T) {
	w := newWorld(t)
	_, err := w.b.CreateTopic(catalog.TopicSpec{Name: "orders", Partitions: 1}, false)
	ok(t, err)
	ch := w.channel()
	ok(t, ch.Tx())
	publish(t, ch, "orders", "k", "rolled back")
	ok(t, ch.TxRollback())
	publish(t, ch, "orders", "k", "committed")
	ok(t, ch.TxCommit())
	p, err := w.b.Partition("orders", 0)
	ok(t, err)
	if n := p.HighWatermark(); n != 1 {
		t.Errorf("%d records", n)
	}
}
