package main

import (
	"errors"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

func (s *suite) connectionChecks() {
	s.run("connection: tuned, with the server's properties", connectionTuned)
	s.run("connection: wrong password, unknown virtual host", connectionRefused)
	s.run("connection: AMQPLAIN", connectionAMQPLAIN)
	s.run("connection: heartbeats keep an idle one", connectionHeartbeat)
	s.run("connection: immediate is not implemented", connectionImmediate)
	s.run("connection: prefetch by bytes is not implemented", connectionPrefetchSize)
	s.run("channel: many at once", channelMany)
	s.run("channel: errors leave the connection", channelErrors)
	s.run("channel: more than were tuned", channelMaximum)
}

func connectionTuned(t *test) {
	c, err := amqp.DialConfig(t.url, amqp.Config{FrameSize: 8192, ChannelMax: 7, Heartbeat: 5 * time.Second})
	t.ok(err)
	t.connections = append(t.connections, c)
	t.equal(c.Config.FrameSize, 8192, "frame size")
	t.equal(int(c.Config.ChannelMax), 7, "channels")
	t.equal(c.Config.Heartbeat, 5*time.Second, "heartbeat")
	capabilities, _ := c.Properties["capabilities"].(table)
	for _, name := range []string{"publisher_confirms", "basic.nack", "consumer_cancel_notify", "connection.blocked"} {
		t.equal(capabilities[name], true, name)
	}
	t.equal(c.Locales, []string{"en_US"}, "locales")
}

func connectionRefused(t *test) {
	uri, err := amqp.ParseURI(t.url)
	t.ok(err)
	uri.Password = "wrong"
	_, err = amqp.Dial(uri.String())
	t.holds(errors.Is(err, amqp.ErrCredentials), "wrong password: %v", err)
	uri, err = amqp.ParseURI(t.url)
	t.ok(err)
	uri.Vhost = "nowhere"
	_, err = amqp.Dial(uri.String())
	t.refused(err, amqp.NotAllowed, "^NOT_ALLOWED - vhost nowhere not found$")
}

func connectionAMQPLAIN(t *test) {
	uri, err := amqp.ParseURI(t.url)
	t.ok(err)
	c, err := amqp.DialConfig(t.url, amqp.Config{SASL: []amqp.Authentication{uri.AMQPlainAuth()}})
	t.ok(err)
	t.connections = append(t.connections, c)
	t.queue(t.channelOf(c), nil)
}

func connectionHeartbeat(t *test) {
	c, err := amqp.DialConfig(t.url, amqp.Config{Heartbeat: 2 * time.Second})
	t.ok(err)
	t.connections = append(t.connections, c)
	closed := c.NotifyClose(make(chan *amqp.Error, 1))
	select {
	case err := <-closed:
		t.fail("closed: %v", err)
	case <-time.After(6 * time.Second):
	}
	t.queue(t.channelOf(c), nil)
}

func connectionImmediate(t *test) {
	c := t.connect()
	closed := c.NotifyClose(make(chan *amqp.Error, 1))
	t.ok(t.channelOf(c).PublishWithContext(t.ctx, "", "q", false, true, pub{}))
	t.refused(t.closed(closed), amqp.NotImplemented, "^NOT_IMPLEMENTED - immediate=true$")
}

func connectionPrefetchSize(t *test) {
	t.refused(t.channel().Qos(0, 100, false), amqp.NotImplemented, `^NOT_IMPLEMENTED - prefetch_size!=0 \(100\)$`)
}

func channelMany(t *test) {
	c := t.connect()
	first := t.channelOf(c)
	q := t.queue(first, nil)
	for range 300 {
		ch := t.channelOf(c)
		t.publish(ch, q, "x")
		if _, err := ch.QueueDeclarePassive(q, false, false, false, false, nil); err != nil {
			t.ok(err)
		}
	}
	t.ready(first, q, 300)
}

func channelErrors(t *test) {
	c := t.connect()
	keep := t.channelOf(c)
	q := t.queue(keep, nil)
	no := t.name("no")
	for _, x := range []struct {
		code    int
		pattern string
		call    func(*amqp.Channel) error
	}{
		{404, "^NOT_FOUND - no queue '" + no + "' in vhost '/'$", func(ch *amqp.Channel) error {
			_, err := ch.QueueDeclarePassive(no, false, false, false, false, nil)
			return err
		}},
		{404, "^NOT_FOUND - no exchange '" + no + "' in vhost '/'$", func(ch *amqp.Channel) error {
			return ch.ExchangeDeclarePassive(no, "direct", false, false, false, false, nil)
		}},
		{404, "^NOT_FOUND - no exchange", func(ch *amqp.Channel) error { return ch.QueueBind(q, "k", no, false, nil) }},
		{404, "^NOT_FOUND - no exchange", func(ch *amqp.Channel) error { return ch.ExchangeBind(no, "k", "amq.direct", false, nil) }},
		{404, "^NOT_FOUND - no queue", func(ch *amqp.Channel) error { _, _, err := ch.Get(no, true); return err }},
		{404, "^NOT_FOUND - no queue", func(ch *amqp.Channel) error {
			_, err := ch.Consume(no, "", true, false, false, false, nil)
			return err
		}},
		{404, "^NOT_FOUND - no exchange", func(ch *amqp.Channel) error {
			closed := ch.NotifyClose(make(chan *amqp.Error, 1))
			t.ok(ch.PublishWithContext(t.ctx, no, "k", false, false, pub{}))
			return t.closed(closed)
		}},
		{406, "^PRECONDITION_FAILED - unknown delivery tag 9$", func(ch *amqp.Channel) error {
			closed := ch.NotifyClose(make(chan *amqp.Error, 1))
			t.ok(ch.Ack(9, false))
			return t.closed(closed)
		}},
		{406, "^PRECONDITION_FAILED - inequivalent arg 'auto_delete' for queue", func(ch *amqp.Channel) error {
			_, err := ch.QueueDeclare(q, false, true, true, false, nil)
			return err
		}},
		{403, "^ACCESS_REFUSED - exchange name 'amq.mine' contains reserved prefix", func(ch *amqp.Channel) error {
			return ch.ExchangeDeclare("amq.mine", "direct", false, false, false, false, nil)
		}},
		{403, "^ACCESS_REFUSED - operation not permitted on the default exchange", func(ch *amqp.Channel) error {
			return ch.QueueBind(q, "k", "", false, nil)
		}},
		{406, "^PRECONDITION_FAILED - cannot switch from tx to confirm mode", func(ch *amqp.Channel) error {
			t.ok(ch.Tx())
			return ch.Confirm(false)
		}},
	} {
		t.refused(x.call(t.channelOf(c)), x.code, x.pattern)
	}
	_, err := t.channel().QueueDeclarePassive(q, false, false, false, false, nil)
	t.refused(err, 405, "^RESOURCE_LOCKED - cannot obtain exclusive access to locked queue '"+q+"' in vhost '/'")
	t.publish(keep, q, "still open")
	t.bodies(keep, q, "still open")
}

func channelMaximum(t *test) {
	c, err := amqp.DialConfig(t.url, amqp.Config{ChannelMax: 3})
	t.ok(err)
	t.connections = append(t.connections, c)
	for range 3 {
		t.channelOf(c)
	}
	_, err = c.Channel()
	t.holds(errors.Is(err, amqp.ErrChannelMax), "a fourth channel: %v", err)
}
