package main

import (
	"cmp"
	"fmt"
	"slices"

	amqp "github.com/rabbitmq/amqp091-go"
)

func (s *suite) consumeChecks() {
	s.run("consume: in order, with tags and redelivery", consumeOrder)
	s.run("consume: ack one and multiple", consumeAck)
	s.run("consume: reject and nack, with and without requeue", consumeReject)
	s.run("consume: recover", consumeRecover)
	s.run("consume: prefetch per consumer and per channel", consumePrefetch)
	s.run("consume: cancelled by us and by the broker", consumeCancel)
	s.run("consume: exclusive", consumeExclusive)
	s.run("consume: priorities", consumePriorities)
	s.run("consume: single active consumer", consumeSingleActive)
	s.run("consume: a tag used twice", consumeTagTwice)
	s.run("consume: ten consumers, each message once", consumeShared)
}

func consumeOrder(t *test) {
	ch := t.channel()
	q := t.queue(ch, nil)
	got := t.consume(ch, q, false, nil)
	for i := range 500 {
		t.publish(ch, q, fmt.Sprint(i))
	}
	for i := range 500 {
		d := t.next(got)
		t.equal(fmt.Sprint(string(d.Body), d.DeliveryTag, d.Redelivered, d.RoutingKey), fmt.Sprint(fmt.Sprint(i), i+1, false, q), "delivery")
	}
	t.ok(ch.Close())
	ch = t.channelOf(t.connections[0])
	d := t.get(ch, q, true)
	t.equal(fmt.Sprint(string(d.Body), " ", d.Redelivered), "0 true", "after the channel closed")
}

func consumeAck(t *test) {
	ch, other := t.channel(), t.channel()
	q := t.shared(ch, nil)
	got := t.consume(ch, q, false, nil)
	t.publish(ch, q, "1", "2", "3", "4", "5")
	var d [5]amqp.Delivery
	for i := range d {
		d[i] = t.next(got)
	}
	t.ok(d[3].Ack(false))
	t.ok(d[1].Ack(true))
	t.ok(ch.Close())
	t.bodies(other, q, "3", "5")
}

func consumeReject(t *test) {
	ch := t.channel()
	q := t.queue(ch, nil)
	t.publish(ch, q, "1", "2", "3", "4", "5", "6")
	var d [6]amqp.Delivery
	for i := range d {
		d[i] = t.get(ch, q, false)
	}
	t.ok(d[0].Reject(true))
	t.ok(d[1].Reject(false))
	t.ok(d[3].Nack(true, true)) // 3 and 4
	t.ok(d[5].Nack(true, false))
	for _, want := range []string{"1", "3", "4"} {
		again := t.get(ch, q, true)
		t.equal(fmt.Sprint(string(again.Body), " ", again.Redelivered), want+" true", "requeued")
	}
	t.bodies(ch, q)
}

func consumeRecover(t *test) {
	ch := t.channel()
	q := t.queue(ch, nil)
	got := t.consume(ch, q, false, nil)
	t.publish(ch, q, "1", "2")
	t.next(got)
	t.next(got)
	t.ok(ch.Recover(true)) //lint:ignore SA1019 it is what this is about
	for _, want := range []string{"1 3 true", "2 4 true"} {
		d := t.next(got)
		t.equal(fmt.Sprint(string(d.Body), " ", d.DeliveryTag, " ", d.Redelivered), want, "recovered")
	}
}

func consumePrefetch(t *test) {
	ch := t.channel()
	q := t.queue(ch, nil)
	t.publish(ch, q, "1", "2", "3", "4", "5", "6", "7", "8")
	t.ok(ch.Qos(2, 0, false))
	one, two := t.consume(ch, q, false, nil), t.consume(ch, q, false, nil)
	first := t.next(one)
	t.next(one)
	t.next(two)
	t.next(two)
	t.quiet(one)
	t.quiet(two)
	t.ok(first.Ack(false))
	t.next(one)

	ch = t.channel()
	q = t.queue(ch, nil)
	t.publish(ch, q, "1", "2", "3", "4", "5", "6", "7", "8")
	t.ok(ch.Qos(3, 0, true))
	all := make(chan amqp.Delivery, 10)
	for _, from := range []<-chan amqp.Delivery{t.consume(ch, q, false, nil), t.consume(ch, q, false, nil)} {
		go func() {
			for d := range from {
				all <- d
			}
		}()
	}
	// Two consumers hand them on, so they need not come in the order of their tags.
	three := []amqp.Delivery{t.next(all), t.next(all), t.next(all)}
	last := slices.MaxFunc(three, func(a, b amqp.Delivery) int { return cmp.Compare(a.DeliveryTag, b.DeliveryTag) })
	t.quiet(all)
	t.ok(last.Ack(true))
	t.next(all)
	t.next(all)
	t.next(all)
	t.quiet(all)
}

func consumeCancel(t *test) {
	ch, other := t.channel(), t.channel()
	q := t.shared(ch, nil)
	got, err := ch.Consume(q, "mine", true, false, false, false, nil)
	t.ok(err)
	t.ok(ch.Cancel("mine", false))
	_, open := <-got
	t.holds(!open, "a delivery after the cancel")
	heard := ch.NotifyCancel(make(chan string, 1))
	_, err = ch.Consume(q, "again", true, false, false, false, nil)
	t.ok(err)
	_, err = other.QueueDelete(q, false, false, false)
	t.ok(err)
	t.until("basic.cancel", func() bool { return len(heard) == 1 })
	t.equal(<-heard, "again", "tag")
}

func consumeExclusive(t *test) {
	ch, other := t.channel(), t.channel()
	q := t.shared(ch, nil)
	_, err := ch.Consume(q, "", false, true, false, false, nil)
	t.ok(err)
	_, err = other.Consume(q, "", false, false, false, false, nil)
	t.refused(err, 403, "^ACCESS_REFUSED - queue '"+q+"' in vhost '/' in exclusive use$")
}

func consumePriorities(t *test) {
	ch := t.channel()
	q := t.queue(ch, nil)
	t.ok(ch.Qos(1, 0, false))
	low, high := t.consume(ch, q, false, table{"x-priority": 1}), t.consume(ch, q, false, table{"x-priority": 10})
	t.publish(ch, q, "1")
	d := t.next(high)
	t.publish(ch, q, "2")
	t.next(low)
	t.publish(ch, q, "3")
	t.quiet(high)
	t.ok(d.Ack(false))
	t.next(high)
}

func consumeSingleActive(t *test) {
	first, second := t.channel(), t.channel()
	q := t.shared(first, table{"x-single-active-consumer": true})
	one, two := t.consume(first, q, false, nil), t.consume(second, q, false, nil)
	t.publish(first, q, "1", "2")
	t.ok(t.next(one).Ack(false))
	t.next(one)
	t.quiet(two)
	t.ok(first.Close())
	d := t.next(two)
	t.equal(fmt.Sprint(string(d.Body), " ", d.Redelivered), "2 true", "after the takeover")
}

func consumeTagTwice(t *test) {
	ch := t.channel()
	q := t.queue(ch, nil)
	_, err := ch.Consume(q, "mine", false, false, false, false, nil)
	t.ok(err)
	_, err = ch.Consume(q, "mine", false, false, false, false, nil)
	t.refused(err, 530, "^NOT_ALLOWED - attempt to reuse consumer tag 'mine'$")
}

func consumeShared(t *test) {
	producer := t.channel()
	q := t.shared(producer, nil)
	all := make(chan amqp.Delivery, 2000)
	for range 10 {
		ch := t.channel()
		t.ok(ch.Qos(10, 0, false))
		from := t.consume(ch, q, false, nil)
		go func() {
			for d := range from {
				if d.Ack(false) == nil {
					all <- d
				}
			}
		}()
	}
	for i := range 1000 {
		t.publish(producer, q, fmt.Sprint(i))
	}
	seen := map[string]bool{}
	for range 1000 {
		seen[string(t.next(all).Body)] = true
	}
	t.equal(len(seen), 1000, "different messages")
	t.ready(producer, q, 0)
}
