package main

import amqp "github.com/rabbitmq/amqp091-go"

func (s *suite) exchangeChecks() {
	s.run("exchange: direct, fanout, topic", exchangeKinds)
	s.run("exchange: headers all and any", exchangeHeaders)
	s.run("exchange: to exchange, bound and unbound", exchangeToExchange)
	s.run("exchange: alternate", exchangeAlternate)
	s.run("exchange: internal, auto-delete, in use", exchangeLifetimes)
	s.run("exchange: inequivalent", exchangeInequivalent)
	s.run("exchange: CC and BCC", exchangeCarbonCopies)
}

func exchangeKinds(t *test) {
	ch := t.channel()
	for kind, want := range map[string][]string{
		"direct": {"a.b"}, "fanout": {"a.b", "a", "a.b.c", "x"}, "topic": {"a.b", "a.b.c"},
	} {
		x, q := t.exchange(ch, kind, nil), t.queue(ch, nil)
		t.bind(ch, q, x, map[string]string{"direct": "a.b", "fanout": "", "topic": "a.b.#"}[kind], nil)
		for _, key := range []string{"a.b", "a", "a.b.c", "x"} {
			t.send(ch, x, key, pub{Body: []byte(key)})
		}
		t.bodies(ch, q, want...)
	}
}

func exchangeHeaders(t *test) {
	ch := t.channel()
	x, all, anyOf := t.exchange(ch, "headers", nil), t.queue(ch, nil), t.queue(ch, nil)
	t.bind(ch, all, x, "", table{"x-match": "all", "a": int32(1), "b": "two"})
	t.bind(ch, anyOf, x, "", table{"x-match": "any", "a": int32(1), "b": "two"})
	for body, h := range []table{{"a": int32(1), "b": "two"}, {"a": int64(1)}, {"b": "three"}, nil} {
		t.send(ch, x, "", pub{Headers: h, Body: []byte{'0' + byte(body)}})
	}
	t.bodies(ch, all, "0")
	t.bodies(ch, anyOf, "0", "1")
}

func exchangeToExchange(t *test) {
	ch := t.channel()
	a, b, q := t.exchange(ch, "topic", nil), t.exchange(ch, "fanout", nil), t.queue(ch, nil)
	t.ok(ch.ExchangeBind(b, "k.*", a, false, nil))
	t.bind(ch, q, b, "", nil)
	t.send(ch, a, "k.1", pub{Body: []byte("1")})
	t.ok(ch.ExchangeUnbind(b, "k.*", a, false, nil))
	t.send(ch, a, "k.2", pub{Body: []byte("2")})
	t.bodies(ch, q, "1")
}

func exchangeAlternate(t *test) {
	ch := t.channel()
	other, q := t.exchange(ch, "fanout", nil), t.queue(ch, nil)
	x := t.exchange(ch, "direct", table{"alternate-exchange": other})
	t.bind(ch, q, other, "", nil)
	t.send(ch, x, "unbound", pub{Body: []byte("found")})
	d := t.get(ch, q, true)
	t.equal([]string{string(d.Body), d.Exchange, d.RoutingKey}, []string{"found", x, "unbound"}, "delivery")
}

func exchangeLifetimes(t *test) {
	c := t.connect()
	ch := t.channelOf(c)
	internal := t.name("internal")
	t.ok(ch.ExchangeDeclare(internal, "fanout", false, false, true, false, nil))
	t.exchanges = append(t.exchanges, internal)
	bad := t.channelOf(c)
	closed := bad.NotifyClose(make(chan *amqp.Error, 1))
	t.send(bad, internal, "", pub{})
	t.refused(t.closed(closed), 403, "^ACCESS_REFUSED - cannot publish to internal exchange")

	auto, q := t.name("auto"), t.queue(ch, nil)
	t.ok(ch.ExchangeDeclare(auto, "fanout", false, true, false, false, nil))
	t.bind(ch, q, auto, "", nil)
	t.refused(t.channelOf(c).ExchangeDelete(auto, true, false), 406, "^PRECONDITION_FAILED - exchange .* in use$")
	t.ok(ch.QueueUnbind(q, "", auto, nil))
	t.refused(t.channelOf(c).ExchangeDeclarePassive(auto, "fanout", false, true, false, false, nil), 404, "^NOT_FOUND")
	t.ok(ch.ExchangeDelete(auto, false, false))
}

func exchangeInequivalent(t *test) {
	c := t.connect()
	x := t.exchange(t.channelOf(c), "direct", nil)
	declare := func(kind string, durable, autoDelete bool, args table) error {
		return t.channelOf(c).ExchangeDeclare(x, kind, durable, autoDelete, false, false, args)
	}
	t.ok(declare("direct", false, false, nil))
	t.refused(declare("topic", false, false, nil), 406, "inequivalent arg 'type' for exchange '"+x+"' in vhost '/': received 'topic' but current is 'direct'$")
	t.refused(declare("direct", true, false, nil), 406, "inequivalent arg 'durable' .*: received 'true' but current is 'false'$")
	t.refused(declare("direct", false, true, nil), 406, "inequivalent arg 'auto_delete' .*: received 'true' but current is 'false'$")
}

func exchangeCarbonCopies(t *test) {
	ch := t.channel()
	x, to, cc, bcc := t.exchange(ch, "direct", nil), t.queue(ch, nil), t.queue(ch, nil), t.queue(ch, nil)
	t.bind(ch, to, x, "to", nil)
	t.bind(ch, cc, x, "cc", nil)
	t.bind(ch, bcc, x, "bcc", nil)
	t.send(ch, x, "to", pub{Headers: table{"CC": []any{"cc"}, "BCC": []any{"bcc"}}, Body: []byte("x")})
	for _, q := range []string{to, cc, bcc} {
		t.equal(t.get(ch, q, true).Headers, table{"CC": []any{"cc"}}, q)
	}
}
