package main

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"sync"
	"sync/atomic"

	amqp "github.com/rabbitmq/amqp091-go"
)

// tally is what went in or came out: a count, and a sum over the bodies that does not depend on their order.
type tally struct {
	messages atomic.Int64
	sum      atomic.Uint64
}

func (t *tally) add(body []byte) {
	h := fnv.New64a()
	h.Write(body[:min(len(body), stampBytes)]) // the rest is the same in all
	t.messages.Add(1)
	t.sum.Add(h.Sum64())
}

func (t *tally) same(other *tally) error {
	if t.messages.Load() != other.messages.Load() || t.sum.Load() != other.sum.Load() {
		return fmt.Errorf("%d messages came out and %d went in, or others", t.messages.Load(), other.messages.Load())
	}
	return nil
}

// stampBytes is the part of a body that is its own.
const stampBytes = 24

func dial(addr string) (*amqp.Connection, error) {
	return amqp.DialConfig("amqp://guest:guest@"+addr+"/", amqp.Config{})
}

// publisher publishes in confirm mode, with so many messages unconfirmed at most.
type publisher struct {
	conn   *amqp.Connection
	ch     *amqp.Channel
	window chan struct{}
	failed atomic.Pointer[error]
	ended  chan struct{}
	done   func() // called for each confirm, in order of arrival; may be nil
}

func newPublisher(addr string, window int, done func()) (*publisher, error) {
	conn, err := dial(addr)
	if err != nil {
		return nil, err
	}
	ch, err := conn.Channel()
	if err == nil {
		err = ch.Confirm(false)
	}
	if err != nil {
		conn.Close()
		return nil, err
	}
	p := &publisher{conn: conn, ch: ch, window: make(chan struct{}, window), ended: make(chan struct{}), done: done}
	confirms := ch.NotifyPublish(make(chan amqp.Confirmation, window))
	go p.watch(confirms)
	return p, nil
}

var errNotConfirmed = errors.New("a message was refused")

func (p *publisher) watch(confirms <-chan amqp.Confirmation) {
	defer close(p.ended)
	for c := range confirms {
		if !c.Ack {
			p.failed.CompareAndSwap(nil, &errNotConfirmed)
		}
		if p.done != nil {
			p.done()
		}
		<-p.window
	}
}

// publish waits for room in the window.
func (p *publisher) publish(ctx context.Context, queue string, body []byte) error {
	select {
	case p.window <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	case <-p.ended:
		return errors.New("the channel was closed")
	}
	return p.ch.PublishWithContext(ctx, "", queue, false, false, amqp.Publishing{DeliveryMode: amqp.Persistent, Body: body})
}

// drain waits until all is confirmed.
func (p *publisher) drain(ctx context.Context) error {
	for range cap(p.window) {
		select {
		case p.window <- struct{}{}:
		case <-ctx.Done():
			return ctx.Err()
		case <-p.ended:
			return errors.New("the channel was closed")
		}
	}
	if e := p.failed.Load(); e != nil {
		return *e
	}
	return nil
}

func (p *publisher) close() { p.conn.Close() }

// consumer hands out what comes and acks each message by itself.
type consumer struct {
	conn     *amqp.Connection
	channels []*amqp.Channel
	wg       sync.WaitGroup
}

// consume reads queues on one connection, a channel each, and calls f for each message before its ack.
func consume(addr string, queues []string, prefetch int, f func(body []byte)) (*consumer, error) {
	conn, err := dial(addr)
	if err != nil {
		return nil, err
	}
	c := &consumer{conn: conn}
	for _, q := range queues {
		if err := c.add(q, prefetch, f); err != nil {
			conn.Close()
			return nil, err
		}
	}
	return c, nil
}

func (c *consumer) add(queue string, prefetch int, f func([]byte)) error {
	ch, err := c.conn.Channel()
	if err != nil {
		return err
	}
	if err := ch.Qos(prefetch, 0, false); err != nil {
		return err
	}
	c.channels = append(c.channels, ch)
	deliveries, err := ch.Consume(queue, consumerTag, false, false, false, false, nil)
	if err != nil {
		return err
	}
	c.wg.Go(func() {
		for d := range deliveries {
			f(d.Body)
			if d.Ack(false) != nil {
				return
			}
		}
	})
	return nil
}

// consumerTag is that of the one consumer of a channel.
const consumerTag = "bench"

// close waits until what came is acked.
func (c *consumer) close() {
	for _, ch := range c.channels {
		if ch.Cancel(consumerTag, false) != nil {
			break // the connection is gone, and with it the deliveries
		}
	}
	c.wg.Wait()
	c.conn.Close()
}
