package amqp

import (
	"net"
	"slices"
	"testing"

	client "github.com/rabbitmq/amqp091-go"

	"github.com/narumq/naru/internal/broker"
	"github.com/narumq/naru/internal/catalog"
)

// What a refused nack or recover names beside a stream's deliveries goes back with the connection.
func TestRefusedNackLosesNothing(t *testing.T) {
	w := newWorld(t)
	for name, refuse := range map[string]func(ch *client.Channel, tag uint64) error{
		"nack": func(ch *client.Channel, tag uint64) error { return ch.Nack(tag, true, true) },
		//lint:ignore SA1019 old programs still call it
		"recover": func(ch *client.Channel, _ uint64) error { return ch.Recover(true) },
	} {
		ch := w.channel()
		queueOf(t, ch, "q"+name, nil)
		queueOf(t, ch, "s"+name, client.Table{"x-queue-type": "stream"})
		publish(t, ch, "", "q"+name, "m")
		publish(t, ch, "", "s"+name, "m")
		got(t, ch, "q"+name)
		ok(t, ch.Qos(10, 0, false))
		d := next(t, consume(t, ch, "s"+name, "", client.Table{"x-stream-offset": "first"}))
		_ = refuse(ch, d.DeliveryTag) // the connection's end is the answer
		w.inFlight("q"+name, 0)
	}
}

// An ack that is more than a transaction may hold closes the channel, and all of its messages go back.
func TestTransactionOfTooMuch(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Limits.TransactionMax = 2 })
	ch := w.channel()
	closed := ch.NotifyClose(make(chan *client.Error, 1))
	queueOf(t, ch, "q", nil)
	for range 3 {
		publish(t, ch, "", "q", "m")
	}
	ok(t, ch.Tx())
	deliveries := consume(t, ch, "q", "", nil)
	for range 3 {
		d := next(t, deliveries)
		ok(t, d.Ack(false))
	}
	refused(t, next(t, closed), 506, "transaction of more than 2 acks")
	w.inFlight("q", 0)
}

// A message that is refused fails the commit, wherever it stands in it, and what was acked with it goes back.
func TestTransactionRefused(t *testing.T) {
	w := newWorld(t)
	for _, keys := range [][]string{{"full"}, {"full", "q"}, {"q", "full"}, {"q", "full", "q"}} {
		ch := w.channel()
		queueOf(t, ch, "full", client.Table{"x-max-length": 1, "x-overflow": "reject-publish"})
		queueOf(t, ch, "q", nil)
		queueOf(t, ch, "in", nil)
		publish(t, ch, "", "full", "m")
		publish(t, ch, "", "in", "m")
		d := got(t, ch, "in")
		ok(t, ch.Tx())
		for _, key := range keys {
			publish(t, ch, "", key, "m")
		}
		ok(t, d.Ack(false))
		refused(t, ch.TxCommit(), 406, "partial tx completion")
		w.inFlight("in", 0)
		ch = w.channel()
		d = got(t, ch, "in")
		ok(t, d.Ack(false))
	}
}

func TestPutUnsettled(t *testing.T) {
	var u unsettled
	for tag := range uint64(300) {
		u.add(delivery{tag: tag + 1})
	}
	var held []delivery
	for tag := range uint64(300) {
		if tag%3 > 0 {
			list, _ := u.take(tag+1, false)
			held = append(held, list...)
		}
	}
	slices.Reverse(held)
	u.put(held)
	if u.len() != 300 || u.dead != 0 {
		t.Errorf("%d, %d of them settled", u.len(), u.dead)
	}
	for i, d := range u.takeAll() {
		if d.tag != uint64(i+1) {
			t.Fatalf("tag %d at %d", d.tag, i)
		}
	}
}

// A connection forgets its queues that are gone, though it goes on.
func TestExclusiveQueuesAreForgotten(t *testing.T) {
	w := newWorld(t)
	near, far := net.Pipe()
	defer near.Close()
	defer far.Close()
	c := newConn(w.s, near)
	c.vhost = "/"
	add := func(name string) *broker.Queue {
		q := must[*broker.Queue](t)(w.b.CreateNamespaceQueue("/", name, catalog.QueueSpec{Settings: catalog.DefaultQueueSettings()}))
		c.addExclusive(q, name)
		return q
	}
	kept := add("kept")
	for range 2 * exclusivesLeast {
		add("gone")
		ok(t, w.b.DeleteNamespaceQueue("/", "gone"))
	}
	if n := len(c.exclusives); n > exclusivesLeast || c.exclusives[kept] != "kept" {
		t.Errorf("%d queues are noted, %q among them", n, c.exclusives[kept])
	}
}

// A reader of a stream that finds the output full, after it was told that there is room, does not wait for news.
func TestStreamReaderFindsNoRoom(t *testing.T) {
	w := newWorld(t)
	ch := w.confirming()
	queueOf(t, ch, "s", client.Table{"x-queue-type": "stream"})
	confirmed(t, ch, "", "s", client.Publishing{Body: []byte("m")})
	q := must[*broker.Queue](t)(w.b.NamespaceQueue("/", "s"))
	near, far := net.Pipe()
	defer near.Close()
	defer far.Close()
	c := newConn(w.s, near)
	x := &consumer{ch: newChannel(c, 1), box: &mailbox{q: q, name: "s"}, prefetch: 10, ready: true}
	r := newReading(x, must[*broker.StreamReader](t)(q.ReadStream(broker.StreamStart{At: broker.AtFirst})))
	defer r.from.Close()
	c.out.lock()
	c.out.buf = make([]byte, 4*c.out.bytesMax)
	c.out.unlock()
	if sent, more, err := r.deliver(1); sent != 0 || !more || err != nil {
		t.Errorf("%d, %v, %v", sent, more, err)
	}
	c.out.lock()
	c.out.buf = c.out.buf[:0]
	c.out.unlock()
	if sent, _, err := r.deliver(1); sent != 1 || err != nil {
		t.Errorf("%d, %v", sent, err)
	}
	if sent, more, err := r.deliver(1); sent != 0 || more || err != nil {
		t.Errorf("%d, %v, %v", sent, more, err)
	}
}
