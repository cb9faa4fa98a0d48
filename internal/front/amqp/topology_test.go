package amqp

import (
	"strings"
	"testing"
	"time"

	client "github.com/rabbitmq/amqp091-go"
)

// Each method is refused as RabbitMQ refuses it. A refusal closes the channel, or the connection.
func TestRefusals(t *testing.T) {
	w := newWorld(t)
	setup := w.confirming()
	queueOf(t, setup, "q", client.Table{"x-message-ttl": int32(60000)})
	ok(t, setup.ExchangeDeclare("x", "direct", true, false, false, false, nil))
	ok(t, setup.ExchangeDeclare("inner", "fanout", true, false, true, false, nil))
	ok(t, setup.QueueBind("q", "", "x", false, nil))
	if !confirmed(t, setup, "", "q", client.Publishing{}) {
		t.Fatal("the message was not confirmed")
	}
	declare := func(args client.Table) func(*client.Channel) error {
		return func(ch *client.Channel) error {
			_, err := ch.QueueDeclare("q", true, false, false, false, args)
			return err
		}
	}
	fresh := func(args client.Table) func(*client.Channel) error {
		return func(ch *client.Channel) error {
			_, err := ch.QueueDeclare("q2", true, false, false, false, args)
			return err
		}
	}
	for _, c := range []struct {
		name string
		code int
		text string
		do   func(ch *client.Channel) error
	}{
		{"passive queue", 404, "NOT_FOUND - no queue 'none' in vhost '/'", func(ch *client.Channel) error {
			_, err := ch.QueueDeclarePassive("none", true, false, false, false, nil)
			return err
		}},
		{"passive exchange", 404, "NOT_FOUND - no exchange 'none' in vhost '/'", func(ch *client.Channel) error {
			return ch.ExchangeDeclarePassive("none", "direct", true, false, false, false, nil)
		}},
		{"durable", 406, "PRECONDITION_FAILED - inequivalent arg 'durable' for queue 'q' in vhost '/': received 'false' but current is 'true'",
			func(ch *client.Channel) error {
				_, err := ch.QueueDeclare("q", false, false, false, false, client.Table{"x-message-ttl": int32(60000)})
				return err
			}},
		{"auto-delete", 406, "inequivalent arg 'auto_delete' for queue 'q' in vhost '/': received 'true' but current is 'false'",
			func(ch *client.Channel) error {
				_, err := ch.QueueDeclare("q", true, true, false, false, client.Table{"x-message-ttl": int32(60000)})
				return err
			}},
		{"other argument", 406, "inequivalent arg 'x-message-ttl' for queue 'q' in vhost '/': received '61000' but current is '60000'",
			declare(client.Table{"x-message-ttl": int64(61000)})},
		{"no argument", 406, "inequivalent arg 'x-message-ttl' for queue 'q' in vhost '/': received none but current is the value '60000' of type 'signedint'",
			declare(nil)},
		{"more arguments", 406, "received the value 'x' of type 'longstr' but current is none",
			declare(client.Table{"x-message-ttl": int64(60000), "x-dead-letter-exchange": "x"})},
		{"negative", 406, "invalid arg 'x-message-ttl' for queue 'q2' in vhost '/': {value_negative,-1}", fresh(client.Table{"x-message-ttl": int32(-1)})},
		{"ten years and more", 406, "{max_value_exceeded,315360000001}", fresh(client.Table{"x-message-ttl": int64(expiresMax + 1)})},
		{"expires 0", 406, "invalid arg 'x-expires' for queue 'q2' in vhost '/': {value_zero,0}", fresh(client.Table{"x-expires": int32(0)})},
		{"no number", 406, "expected integer, got longstr", fresh(client.Table{"x-max-length": "many"})},
		{"priority", 406, "{max_value_exceeded,256}", fresh(client.Table{"x-max-priority": int32(256)})},
		{"overflow", 406, "invalid_overflow", fresh(client.Table{"x-overflow": "spill"})},
		{"key alone", 406, "routing_key_but_no_dlx_defined", fresh(client.Table{"x-dead-letter-routing-key": "k"})},
		{"type", 406, "invalid arg 'x-queue-type'", fresh(client.Table{"x-queue-type": "odd"})},
		{"quorum", 406, "invalid property 'non-durable' for queue 'q2' in vhost '/'", func(ch *client.Channel) error {
			_, err := ch.QueueDeclare("q2", false, false, false, false, client.Table{"x-queue-type": "quorum"})
			return err
		}},
		{"reserved queue", 403, "ACCESS_REFUSED - queue name 'amq.mine' contains reserved prefix 'amq.*'", func(ch *client.Channel) error {
			_, err := ch.QueueDeclare("amq.mine", true, false, false, false, nil)
			return err
		}},
		{"reserved exchange", 403, "exchange name 'amq.mine' contains reserved prefix 'amq.*'", func(ch *client.Channel) error {
			return ch.ExchangeDeclare("amq.mine", "direct", true, false, false, false, nil)
		}},
		{"default exchange", 403, "operation not permitted on the default exchange", func(ch *client.Channel) error {
			return ch.ExchangeDeclare("", "direct", true, false, false, false, nil)
		}},
		{"type of exchange", 406, "unknown exchange type 'odd'", func(ch *client.Channel) error {
			return ch.ExchangeDeclare("x2", "odd", true, false, false, false, nil)
		}},
		{"other type", 406, "inequivalent arg 'type' for exchange 'x' in vhost '/': received 'fanout' but current is 'direct'",
			func(ch *client.Channel) error {
				return ch.ExchangeDeclare("x", "fanout", true, false, false, false, nil)
			}},
		{"alternate", 406, "inequivalent arg 'alternate-exchange' for exchange 'x' in vhost '/': received the value 'a' of type 'longstr' but current is none",
			func(ch *client.Channel) error {
				return ch.ExchangeDeclare("x", "direct", true, false, false, false, client.Table{"alternate-exchange": "a"})
			}},
		{"delete system exchange", 403, "deletion of system exchange 'amq.direct' in vhost '/' not allowed", func(ch *client.Channel) error {
			return ch.ExchangeDelete("amq.direct", false, false)
		}},
		{"exchange in use", 406, "exchange 'x' in vhost '/' in use", func(ch *client.Channel) error { return ch.ExchangeDelete("x", true, false) }},
		{"queue not empty", 406, "queue 'q' in vhost '/' not empty", func(ch *client.Channel) error {
			_, err := ch.QueueDelete("q", false, true, false)
			return err
		}},
		{"bind to nothing", 404, "no exchange 'none' in vhost '/'", func(ch *client.Channel) error { return ch.QueueBind("q", "", "none", false, nil) }},
		{"bind nothing", 404, "no queue 'none' in vhost '/'", func(ch *client.Channel) error { return ch.QueueBind("none", "", "x", false, nil) }},
		{"bind to default", 403, "operation not permitted on the default exchange", func(ch *client.Channel) error {
			return ch.QueueBind("q", "k", "", false, nil)
		}},
		{"bind exchanges", 404, "no exchange 'none' in vhost '/'", func(ch *client.Channel) error { return ch.ExchangeBind("none", "", "x", false, nil) }},
		{"x-match", 406, "PRECONDITION_FAILED - Invalid x-match field value <<\"some\">>; expected all, any", func(ch *client.Channel) error {
			return ch.QueueBind("q", "", "amq.headers", false, client.Table{"x-match": "some"})
		}},
		{"purge", 404, "no queue 'none'", func(ch *client.Channel) error { _, err := ch.QueuePurge("none", false); return err }},
		{"get", 404, "no queue 'none'", func(ch *client.Channel) error { _, _, err := ch.Get("none", true); return err }},
		{"consume", 404, "no queue 'none'", func(ch *client.Channel) error {
			_, err := ch.Consume("none", "", true, false, false, false, nil)
			return err
		}},
		{"prefetch size", 540, "prefetch_size!=0 (7)", func(ch *client.Channel) error { return ch.Qos(1, 7, false) }},
		{"global qos on quorum", 540, "NOT_IMPLEMENTED - queue 'quorum' in vhost '/' does not support global qos", func(ch *client.Channel) error {
			queueOf(t, ch, "quorum", client.Table{"x-queue-type": "quorum"})
			ok(t, ch.Qos(1, 0, true))
			_, err := ch.Consume("quorum", "", true, false, false, false, nil)
			return err
		}},
		{"no last queue", 404, "no previously declared queue", func(ch *client.Channel) error { return ch.QueueBind("", "", "x", false, nil) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			refused(t, c.do(w.channel()), c.code, c.text)
		})
	}
}

func TestDeclareTwice(t *testing.T) {
	w := newWorld(t)
	ch := w.channel()
	queueOf(t, ch, "ten years", client.Table{"x-message-ttl": int64(expiresMax), "x-expires": int64(expiresMax)})
	args := client.Table{"x-max-length": int64(5), "x-queue-type": "classic", "x-overflow": "reject-publish", "x-unknown": client.Table{"a": int32(1)}}
	queueOf(t, ch, "q", args)
	queueOf(t, ch, "q", client.Table{"x-max-length": int16(5), "x-overflow": "reject-publish"})
	publish(t, ch, "", "q", "a")
	publish(t, ch, "", "q", "b")
	consume(t, w.channel(), "q", "", nil)
	if q := queueOf(t, ch, "q", args); q.Consumers != 1 {
		t.Errorf("%+v", q)
	}
	q, err := w.b.NamespaceQueue("/", "q")
	ok(t, err)
	if a, _ := find(ArgumentsOf(q.Meta()), "x-unknown"); a.Text != `{"F":[["a",{"I":"1"}]]}` || a.Kind != 'F' {
		t.Errorf("%+v", ArgumentsOf(q.Meta()))
	}
}

func TestServerNamed(t *testing.T) {
	w := newWorld(t)
	ch := w.channel()
	q := must[client.Queue](t)(ch.QueueDeclare("", false, false, true, false, nil))
	if !strings.HasPrefix(q.Name, "amq.gen-") || len(q.Name) < 20 {
		t.Errorf("named %q", q.Name)
	}
	ok(t, ch.QueueBind("", "", "amq.direct", false, nil)) // the last queue, by its name
	publish(t, ch, "amq.direct", q.Name, "x")
	if n := must[int](t)(ch.QueuePurge("", false)); n != 1 {
		t.Errorf("purged %d", n)
	}
	if n := must[int](t)(ch.QueueDelete("", false, false, false)); n != 0 {
		t.Errorf("deleted %d", n)
	}
	if n := must[int](t)(ch.QueueDelete("never", false, false, false)); n != 0 {
		t.Errorf("deleted %d", n)
	}
	ok(t, ch.ExchangeDelete("never", false, false))
	ok(t, ch.QueueUnbind("never", "", "amq.direct", nil))
}

func TestExclusive(t *testing.T) {
	w := newWorld(t)
	c := w.dial()
	ch := w.channel(c)
	must[client.Queue](t)(ch.QueueDeclare("mine", true, false, true, false, nil))
	must[client.Queue](t)(w.channel(c).QueueDeclare("mine", true, false, true, false, nil))
	const locked = "RESOURCE_LOCKED - cannot obtain exclusive access to locked queue 'mine' in vhost '/'. It could be originally"
	for _, f := range []func(ch *client.Channel) error{
		func(ch *client.Channel) error {
			_, err := ch.QueueDeclare("mine", true, false, true, false, nil)
			return err
		},
		func(ch *client.Channel) error {
			_, err := ch.QueueDeclarePassive("mine", true, false, true, false, nil)
			return err
		},
		func(ch *client.Channel) error { _, _, err := ch.Get("mine", true); return err },
		func(ch *client.Channel) error { _, err := ch.QueueDelete("mine", false, false, false); return err },
		func(ch *client.Channel) error { return ch.QueueBind("mine", "", "amq.direct", false, nil) },
		func(ch *client.Channel) error {
			_, err := ch.Consume("mine", "", true, false, false, false, nil)
			return err
		},
	} {
		refused(t, f(w.channel()), 405, locked)
	}
	_, err := w.channel(c).QueueDeclare("mine", true, false, false, false, nil)
	refused(t, err, 405, locked)
	ok(t, c.Close())
	_, err = w.channel().QueueDeclarePassive("mine", true, false, true, false, nil)
	refused(t, err, 404, "no queue 'mine'")
}

// What does not outlive the process is gone after a restart, also after one without a shutdown.
func TestRestart(t *testing.T) {
	w := newWorld(t)
	c := w.dial()
	ch := w.channel(c)
	queueOf(t, ch, "durable", nil)
	must[client.Queue](t)(ch.QueueDeclare("passing", false, false, false, false, nil))
	must[client.Queue](t)(ch.QueueDeclare("exclusive", true, false, true, false, nil))
	ok(t, ch.ExchangeDeclare("x", "topic", true, false, false, false, nil))
	ok(t, ch.QueueBind("durable", "a.*", "x", false, nil))
	ok(t, ch.QueueBind("passing", "a.*", "x", false, nil))
	w.stop()
	w.start()
	ch = w.confirming()
	if !confirmed(t, ch, "x", "a.b", client.Publishing{Body: []byte("1")}) {
		t.Error("nacked")
	}
	if d := got(t, ch, "durable"); string(d.Body) != "1" || d.Exchange != "x" || d.RoutingKey != "a.b" {
		t.Errorf("%+v", d)
	}
	for _, name := range []string{"passing", "exclusive"} {
		_, err := w.channel().QueueDeclarePassive(name, true, false, false, false, nil)
		refused(t, err, 404, "no queue")
	}
}

func TestAutoDelete(t *testing.T) {
	w := newWorld(t)
	ch := w.channel()
	must[client.Queue](t)(ch.QueueDeclare("q", true, true, false, false, nil))
	consume(t, ch, "q", "one", nil)
	other := w.channel()
	consume(t, other, "q", "two", nil)
	ok(t, ch.Cancel("one", false))
	must[client.Queue](t)(ch.QueueDeclare("q", true, true, false, false, nil))
	ok(t, other.Close())
	_, err := ch.QueueDeclarePassive("q", true, true, false, false, nil)
	refused(t, err, 404, "no queue 'q'")
	// An exchange goes with its last binding.
	ch = w.channel()
	queueOf(t, ch, "d", nil)
	ok(t, ch.ExchangeDeclare("x", "direct", true, true, false, false, nil))
	ok(t, ch.QueueBind("d", "k", "x", false, nil))
	ok(t, ch.QueueUnbind("d", "k", "x", nil))
	refused(t, ch.ExchangeDeclarePassive("x", "direct", true, true, false, false, nil), 404, "no exchange 'x'")
}

func TestExpires(t *testing.T) {
	w := newWorld(t)
	ch := w.channel()
	queueOf(t, ch, "q", client.Table{"x-expires": int64(time.Hour.Milliseconds())})
	deliveries := consume(t, ch, "q", "c", nil)
	q, err := w.b.NamespaceQueue("/", "q")
	ok(t, err)
	gone := func() bool { _, err := w.b.NamespaceQueue("/", "q"); return err != nil }
	m := w.s.find(q)
	m.mu.Lock()
	m.used = time.Now().Add(-2 * time.Hour)
	m.mu.Unlock()
	m.expire() // it has a consumer
	if gone() {
		t.Fatal("a queue with a consumer has expired")
	}
	ok(t, ch.Cancel("c", false))
	for range deliveries {
	}
	m.mu.Lock()
	m.used = time.Now().Add(-2 * time.Hour)
	m.timer.Reset(0)
	m.mu.Unlock()
	eventually(t, gone)
}

func TestAlternateAndBindings(t *testing.T) {
	w := newWorld(t)
	ch := w.confirming()
	ok(t, ch.ExchangeDeclare("rest", "fanout", true, false, false, false, nil))
	ok(t, ch.ExchangeDeclare("main", "headers", true, false, false, false, client.Table{"alternate-exchange": "rest"}))
	ok(t, ch.ExchangeDeclare("behind", "topic", true, false, true, false, nil))
	queueOf(t, ch, "matched", nil)
	queueOf(t, ch, "unmatched", nil)
	ok(t, ch.QueueBind("unmatched", "", "rest", false, nil))
	ok(t, ch.ExchangeBind("behind", "", "main", false, client.Table{"x-match": "all", "kind": "order", "n": int64(7)}))
	ok(t, ch.QueueBind("matched", "a.#", "behind", false, nil))
	headers := client.Table{"kind": "order", "n": int16(7)}
	confirmed(t, ch, "main", "a.b.c", client.Publishing{Body: []byte("yes"), Headers: headers})
	confirmed(t, ch, "main", "a.b.c", client.Publishing{Body: []byte("no"), Headers: client.Table{"kind": "order", "n": "7"}})
	if d := got(t, ch, "matched"); string(d.Body) != "yes" || d.Exchange != "main" {
		t.Errorf("%+v", d)
	}
	if d := got(t, ch, "unmatched"); string(d.Body) != "no" {
		t.Errorf("%+v", d)
	}
	ok(t, ch.ExchangeUnbind("behind", "", "main", false, client.Table{"x-match": "all", "kind": "order", "n": int64(7)}))
	closed := ch.NotifyClose(make(chan *client.Error, 1))
	publish(t, ch, "behind", "a.b", "x")
	refused(t, next(t, closed), 403, "ACCESS_REFUSED - cannot publish to internal exchange 'behind' in vhost '/'")
}
