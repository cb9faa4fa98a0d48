package main

import (
	"fmt"

	amqp "github.com/rabbitmq/amqp091-go"
)

func (s *suite) deadLetterChecks() {
	s.run("dead letters: rejected, expired, maxlen", deadLetterReasons)
	s.run("dead letters: counts in a retry loop", deadLetterCounts)
	s.run("dead letters: a circle without rejection is cut", deadLetterCycle)
	s.run("dead letters: quorum queue at its delivery limit", deadLetterLimit)
}

// deaths are the entries of x-death, the latest first.
func deaths(t *test, d amqp.Delivery) (list []string) {
	entries, _ := d.Headers["x-death"].([]any)
	for _, e := range entries {
		h, ok := e.(table)
		t.holds(ok, "an entry of x-death is a %T", e)
		count, ok := h["count"].(int64)
		t.holds(ok, "count is a %T", h["count"])
		list = append(list, fmt.Sprint(count, " ", h["reason"], " ", h["queue"], " ", h["exchange"], " ", h["routing-keys"]))
	}
	return list
}

func deadLetterReasons(t *test) {
	ch := t.channel()
	x, dead := t.exchange(ch, "topic", nil), t.queue(ch, nil)
	t.bind(ch, dead, x, "#", nil)
	q := t.queue(ch, table{"x-dead-letter-exchange": x})
	t.publish(ch, q, "rejected")
	t.ok(t.get(ch, q, false).Reject(false))
	for _, reason := range []string{"rejected", "expired"} {
		if reason == "expired" {
			t.send(ch, "", q, pub{Body: []byte("expired"), Expiration: "100"})
		}
		d := t.get(ch, dead, true)
		t.equal(string(d.Body), reason, "body")
		t.equal(deaths(t, d), []string{fmt.Sprintf("1 %s %s  [%s]", reason, q, q)}, reason)
		t.equal([]any{d.Headers["x-first-death-reason"], d.Headers["x-first-death-queue"], d.Headers["x-first-death-exchange"], d.Expiration}, []any{reason, q, "", ""}, "first death")
	}
	short := t.queue(ch, table{"x-dead-letter-exchange": x, "x-dead-letter-routing-key": "dropped", "x-max-length": 1})
	t.publish(ch, short, "1", "2")
	d := t.get(ch, dead, true)
	t.equal(fmt.Sprint(string(d.Body), d.RoutingKey, deaths(t, d)), fmt.Sprint("1", "dropped", []string{fmt.Sprintf("1 maxlen %s  [%s]", short, short)}), "dropped")
}

func deadLetterCounts(t *test) {
	ch := t.channel()
	work, wait := t.name("work"), t.name("wait")
	for name, args := range map[string]table{
		work: {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": wait},
		wait: {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": work, "x-message-ttl": 50},
	} {
		_, err := ch.QueueDeclare(name, false, false, true, false, args)
		t.ok(err)
	}
	t.publish(ch, work, "again")
	for turn := range 4 {
		d := t.get(ch, work, false)
		var want []string
		if turn > 0 {
			want = []string{fmt.Sprintf("%d expired %s  [%s]", turn, wait, wait), fmt.Sprintf("%d rejected %s  [%s]", turn, work, work)}
		}
		t.equal(deaths(t, d), want, fmt.Sprint("turn ", turn))
		t.ok(d.Reject(false))
	}
}

func deadLetterCycle(t *test) {
	ch := t.channel()
	name := t.name("own")
	_, err := ch.QueueDeclare(name, false, false, true, false, table{"x-dead-letter-exchange": "", "x-message-ttl": 50})
	t.ok(err)
	t.publish(ch, name, "round")
	t.ready(ch, name, 0)
}

func deadLetterLimit(t *test) {
	ch := t.channel()
	x, dead := t.exchange(ch, "fanout", nil), t.queue(ch, nil)
	t.bind(ch, dead, x, "", nil)
	q := t.shared(ch, table{"x-queue-type": "quorum", "x-delivery-limit": 1, "x-dead-letter-exchange": x})
	t.publish(ch, q, "poison")
	for range 2 {
		t.ok(t.get(ch, q, false).Nack(false, true))
	}
	t.equal(deaths(t, t.get(ch, dead, true)), []string{fmt.Sprintf("1 delivery_limit %s  [%s]", q, q)}, "deaths")
}
