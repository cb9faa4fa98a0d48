package main

import (
	"context"
	"math/rand/v2"
	"strings"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/narumq/naru/conformance/copies"
	"github.com/narumq/naru/conformance/lives"
)

const (
	rejectionsMax = 3                      // of what is poison, before it is parked
	idle          = 200 * time.Millisecond // without a delivery, the channel is closed
)

// consumer works off what one channel gets.
type consumer struct {
	s      *scene
	ch     *channel
	queue  string
	tx     bool
	rng    *rand.Rand
	forgot bool            // a delivery of this channel is left unsettled
	ends   []*copies.Event // that are not certain
	acks   []uint64        // that are held, to be sent together
}

// consume works on a queue until ctx ends, with one channel after another.
func (s *scene) consume(ctx context.Context, queue string, tx bool, rng *rand.Rand) {
	for ctx.Err() == nil {
		ch, err := s.open(ctx)
		if err != nil {
			lives.Sleep(ctx, 10*time.Millisecond)
			continue
		}
		c := &consumer{s: s, ch: ch, queue: queue, tx: tx, rng: rng}
		c.work(ctx)
		ch.close()
	}
}

// work settles up to some hundred deliveries. An error ends it: the server was killed.
func (c *consumer) work(ctx context.Context) {
	if err := c.ch.Qos(1+c.rng.IntN(50), 0, false); err != nil {
		return
	}
	if c.tx {
		if err := c.ch.Tx(); err != nil {
			return
		}
	}
	deliveries, err := c.ch.Consume(c.queue, "", false, false, false, false, nil)
	if err != nil {
		return
	}
	quiet := time.NewTimer(idle)
	defer quiet.Stop()
	for n := 50 + c.rng.IntN(300); n > 0; n-- {
		quiet.Reset(idle)
		select {
		case d, ok := <-deliveries:
			if !ok || c.handle(ctx, d) != nil {
				return
			}
		case <-quiet.C:
			n = 0
		case <-ctx.Done():
			n = 0
		}
		if c.rng.IntN(8) == 0 || n <= 1 {
			if c.settle() != nil {
				return
			}
		}
	}
}

// poison tells whether a value is never worked off where it first comes.
func poison(value string) bool { return strings.HasSuffix(value, "7") }

func (c *consumer) handle(ctx context.Context, d amqp.Delivery) error {
	e := c.ch.event(copies.Deliver, valueOf(d.Body))
	e.Queue, e.Redelivered, e.Deaths = c.queue, d.Redelivered, deathsOf(d.Headers)
	c.s.note(e)
	home := c.queue == homeOf(c.queue)
	bad, n := poison(e.Value) && home, c.rng.IntN(20)
	switch {
	case c.queue == work && bad && c.tx && rejections(e.Deaths) >= rejectionsMax:
		return c.move(ctx, d, e)
	case c.queue == work && (n == 0 || bad && rejections(e.Deaths) < 2*rejectionsMax):
		c.end(copies.Reject, e)
		return d.Reject(false)
	case c.queue == fussy && bad, n == 1:
		c.end(copies.Requeue, e)
		return d.Nack(false, true)
	case n == 2:
		c.forgot = true
		return nil
	}
	c.end(copies.Ack, e)
	c.acks = append(c.acks, d.DeliveryTag)
	return nil
}

// end notes what is done with a delivery.
func (c *consumer) end(k copies.Kind, d *copies.Event) *copies.Event {
	e := c.ch.event(k, d.Value)
	e.Queue, e.Delivery = d.Queue, d.Delivery
	c.s.note(e)
	c.ends = append(c.ends, e)
	return e
}

// move publishes a message elsewhere and acks it, in one transaction.
func (c *consumer) move(ctx context.Context, d amqp.Delivery, e *copies.Event) error {
	if err := c.ch.PublishWithContext(ctx, "", parked, true, false, amqp.Publishing{DeliveryMode: amqp.Persistent, Body: d.Body}); err != nil {
		return err
	}
	end := c.ch.event(copies.Ack, e.Value)
	end.Queue, end.Delivery, end.To = e.Queue, e.Delivery, parked
	c.s.note(end)
	c.ends = append(c.ends, end)
	return d.Ack(false)
}

// settle sends the acks that are held, and makes all ends certain: by a commit, or by a method that is answered.
func (c *consumer) settle() error {
	if err := c.sendAcks(); err != nil {
		return err
	}
	how, err := copies.Committed, error(nil)
	if c.tx {
		err = c.ch.TxCommit()
	} else {
		how, err = copies.Synchronised, c.ch.Qos(1+c.rng.IntN(50), 0, false)
	}
	if err != nil {
		return err
	}
	c.s.certain(how, c.ends)
	c.ends = nil
	return nil
}

// sendAcks sends one ack for all, or each by itself.
func (c *consumer) sendAcks() error {
	acks := c.acks
	c.acks = nil
	if len(acks) > 0 && !c.forgot && c.rng.IntN(2) == 0 {
		return c.ch.Ack(acks[len(acks)-1], true)
	}
	for _, tag := range acks {
		if err := c.ch.Ack(tag, false); err != nil {
			return err
		}
	}
	return nil
}

func rejections(deaths []copies.Death) int64 {
	for _, d := range deaths {
		if d.Queue == work && d.Reason == "rejected" {
			return d.Count
		}
	}
	return 0
}

// deathsOf reads x-death. What is not as RabbitMQ writes it becomes an entry that nobody made.
func deathsOf(headers amqp.Table) (out []copies.Death) {
	list, _ := headers["x-death"].([]any)
	for _, x := range list {
		t, _ := x.(amqp.Table)
		var d copies.Death
		d.Queue, _ = t["queue"].(string)
		d.Reason, _ = t["reason"].(string)
		d.Count, _ = t["count"].(int64)
		out = append(out, d)
	}
	return out
}
