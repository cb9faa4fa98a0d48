package amqp

import (
	"testing"
	"time"

	client "github.com/rabbitmq/amqp091-go"

	"github.com/narumq/naru/internal/catalog"
)

// TestTTLOfNothing: a message goes to a consumer that waits for it, or is a dead letter at once.
func TestTTLOfNothing(t *testing.T) {
	w := newWorld(t)
	ch := w.confirming()
	queueOf(t, ch, "dead", nil)
	queueOf(t, ch, "q", client.Table{"x-message-ttl": 0, argDeadExchange: "", argDeadKey: "dead"})
	q, err := w.b.NamespaceQueue("/", "q")
	ok(t, err)
	if s := q.Meta().Settings; !s.ExpireUnwaited || s.Retention != ttlLeast {
		t.Errorf("%+v", s)
	}
	_, err = w.b.AlterQueue("q", func(s *catalog.QueueSpec) error { s.Settings.Retention = time.Hour; return nil })
	ok(t, err) // so that nothing expires by the clock
	dead := consume(t, w.channel(), "dead", "", nil)
	confirmed(t, ch, "", "q", client.Publishing{Body: []byte("for nobody")})
	d := next(t, dead)
	if string(d.Body) != "for nobody" || d.Headers["x-first-death-reason"] != "expired" {
		t.Errorf("%q, %v", d.Body, d.Headers)
	}
	one := w.channel()
	ok(t, one.Qos(1, 0, false))
	c := consume(t, one, "q", "", nil)
	confirmed(t, ch, "", "q", client.Publishing{Body: []byte("waited for")})
	if d := next(t, c); string(d.Body) != "waited for" {
		t.Errorf("%q", d.Body)
	}
	confirmed(t, ch, "", "q", client.Publishing{Body: []byte("too much for one")})
	if d := next(t, dead); string(d.Body) != "too much for one" {
		t.Errorf("%q", d.Body)
	}
}

// TestTTLOfNothingWhileOthersLeave: a consumer that is there has what comes, whoever leaves at that moment.
func TestTTLOfNothingWhileOthersLeave(t *testing.T) {
	w := newWorld(t)
	ch := w.confirming()
	queueOf(t, ch, "dead", nil)
	queueOf(t, ch, "q", client.Table{"x-message-ttl": 0, argDeadExchange: "", argDeadKey: "dead"})
	_, err := w.b.AlterQueue("q", func(s *catalog.QueueSpec) error { s.Settings.Retention = time.Hour; return nil })
	ok(t, err) // so that nothing expires by the clock
	take := func(ch *client.Channel, tag string) {
		go func(c <-chan client.Delivery) {
			for range c {
			}
		}(must[<-chan client.Delivery](t)(ch.Consume("q", tag, true, false, false, false, nil)))
	}
	take(w.channel(), "stays")
	other, left := w.channel(), make(chan struct{})
	go func() {
		defer close(left)
		for range 200 {
			take(other, "leaves")
			ok(t, other.Cancel("leaves", false))
		}
	}()
	sent := 0
	for open := true; open; sent++ {
		select {
		case <-left:
			open = false
		default:
		}
		confirmed(t, ch, "", "q", client.Publishing{Body: []byte("waited for")})
	}
	if d, there, err := ch.Get("dead", true); there || err != nil {
		t.Errorf("of %d messages %d expired: %q, %v", sent, d.MessageCount+1, d.Body, err)
	}
}
