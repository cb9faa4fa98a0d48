package main

import (
	"fmt"

	amqp "github.com/rabbitmq/amqp091-go"
)

func (s *suite) boundChecks() {
	s.run("bounds: time to live of queue and message", boundTTL)
	s.run("bounds: an expiration that is no number", boundExpiration)
	s.run("bounds: max-length and max-length-bytes drop the oldest", boundLength)
	s.run("bounds: priorities", boundPriorities)
}

func boundTTL(t *test) {
	ch := t.channel()
	q, r := t.queue(ch, table{"x-message-ttl": 200}), t.queue(ch, nil)
	t.publish(ch, q, "1")
	t.send(ch, "", r, pub{Body: []byte("short"), Expiration: "200"})
	t.publish(ch, r, "stays")
	t.ready(ch, q, 0)
	t.ready(ch, r, 1)
	t.bodies(ch, q)
	t.bodies(ch, r, "stays")
}

func boundExpiration(t *test) {
	ch := t.channel()
	closed := ch.NotifyClose(make(chan *amqp.Error, 1))
	t.send(ch, "", t.queue(ch, nil), pub{Expiration: "soon"})
	t.refused(t.closed(closed), 406, "^PRECONDITION_FAILED - invalid expiration 'soon'")
}

func boundLength(t *test) {
	ch := t.channel()
	q, r := t.queue(ch, table{"x-max-length": 2}), t.queue(ch, table{"x-max-length-bytes": 4})
	for _, name := range []string{q, r} {
		t.publish(ch, name, "11", "22", "33", "44")
		t.ready(ch, name, 2)
		t.bodies(ch, name, "33", "44")
	}
}

func boundPriorities(t *test) {
	ch := t.channel()
	q := t.queue(ch, table{"x-max-priority": 9})
	for i, p := range []uint8{0, 9, 4, 9, 200, 1} {
		t.send(ch, "", q, pub{Priority: p, Body: fmt.Appendf(nil, "%d.%d", p, i)})
	}
	t.ready(ch, q, 6)
	t.bodies(ch, q, "9.1", "9.3", "200.4", "4.2", "1.5", "0.0")
}
