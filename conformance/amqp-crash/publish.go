package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/narumq/naru/conformance/copies"
	"github.com/narumq/naru/conformance/lives"
)

// inFlight is how many messages a publisher has unconfirmed, or in a transaction, at most.
const inFlight = 20

// publish publishes unique values until ctx ends, each once, in confirm mode or in transactions.
func (s *scene) publish(ctx context.Context, number int, tx bool) {
	p := &publisher{s: s, number: number, rng: rand.New(rand.NewPCG(s.seed, uint64(number)))}
	for ctx.Err() == nil {
		ch, err := s.open(ctx)
		if err != nil {
			lives.Sleep(ctx, 10*time.Millisecond)
			continue
		}
		returns := ch.NotifyReturn(make(chan amqp.Return, inFlight))
		if tx {
			err = ch.Tx()
		} else {
			err = ch.Confirm(false)
		}
		for err == nil && ctx.Err() == nil {
			if tx {
				err = p.commit(ctx, ch)
			} else {
				err = p.confirm(ctx, ch)
			}
			p.returned(ch, returns)
			lives.Sleep(ctx, time.Duration(p.rng.IntN(20))*time.Millisecond)
		}
		ch.close()
	}
}

type publisher struct {
	s      *scene
	number int
	count  int
	rng    *rand.Rand
}

var pad = strings.Repeat("나루", 300)

// next is a message, and the note of it.
func (p *publisher) next(ch *channel) (*copies.Event, route, amqp.Publishing) {
	r := routes[p.rng.IntN(len(routes))]
	e := ch.event(copies.Publish, fmt.Sprintf("%d-%d", p.number, p.count))
	e.Queues = r.queues
	p.count++
	p.s.note(e)
	return e, r, amqp.Publishing{
		DeliveryMode: amqp.Persistent, Priority: uint8(p.rng.IntN(4)), Body: []byte(e.Value + " " + pad[:3*p.rng.IntN(len(pad)/3)]),
	}
}

// confirm publishes some and waits for their confirms.
func (p *publisher) confirm(ctx context.Context, ch *channel) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var events []*copies.Event
	var waits []*amqp.DeferredConfirmation
	var err error
	for range 1 + p.rng.IntN(inFlight) {
		e, r, m := p.next(ch)
		w, failed := ch.PublishWithDeferredConfirm(r.exchange, r.key, true, false, m)
		if err = failed; err != nil {
			break
		}
		events, waits = append(events, e), append(waits, w)
	}
	for i, w := range waits {
		ok, failed := w.WaitContext(ctx)
		if failed != nil {
			return failed
		}
		if ok {
			p.s.confirmed(events[i])
		}
	}
	return err
}

// commit publishes some in a transaction.
func (p *publisher) commit(ctx context.Context, ch *channel) error {
	var events []*copies.Event
	for range 1 + p.rng.IntN(inFlight) {
		e, r, m := p.next(ch)
		if err := ch.PublishWithContext(ctx, r.exchange, r.key, true, false, m); err != nil {
			return err
		}
		events = append(events, e)
	}
	if err := ch.TxCommit(); err != nil {
		return err
	}
	p.s.confirmed(events...)
	return nil
}

func (p *publisher) returned(ch *channel, returns <-chan amqp.Return) {
	for {
		select {
		case r, ok := <-returns:
			if !ok {
				return
			}
			p.s.note(ch.event(copies.Return, valueOf(r.Body)))
		default:
			return
		}
	}
}

func valueOf(body []byte) string {
	value, _, _ := strings.Cut(string(body), " ")
	return value
}
