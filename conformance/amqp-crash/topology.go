package main

import (
	"context"
	"fmt"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/narumq/naru/conformance/copies"
)

// The queues whose messages have a way to go.
const (
	work   = "work"       // what is rejected waits in another queue and comes back
	wait   = "work.retry" // nobody reads it
	parked = "parked"     // where transactions move what was rejected too often
	fussy  = "fan-2"      // what is delivered too often leaves it
	buried = "buried"
)

// waitTime is how long what was rejected stays away.
const waitTime = 50 * time.Millisecond

// known is what the judge has to know of the topology.
func known(ordered map[int]bool) copies.Scene {
	return copies.Scene{
		Homes:   map[string]string{parked: work, buried: fussy},
		Retry:   map[string]string{work: wait},
		Limits:  map[string]string{fussy: buried},
		Ordered: ordered,
	}
}

type queue struct {
	name string
	args amqp.Table
}

var queues = []queue{
	{work, amqp.Table{"x-dead-letter-exchange": "retry", "x-dead-letter-routing-key": work}},
	{wait, amqp.Table{"x-message-ttl": waitTime.Milliseconds(), "x-dead-letter-exchange": "", "x-dead-letter-routing-key": work}},
	{"fan-1", nil},
	{fussy, amqp.Table{"x-queue-type": "quorum", "x-delivery-limit": 3, "x-dead-letter-exchange": "graves"}},
	{"orders", nil},
	{"eu", amqp.Table{"x-max-priority": 3}},
	{"audit", nil},
	{parked, nil},
	{buried, nil},
}

var exchanges = []struct{ name, kind string }{
	{"news", "fanout"}, {"events", "topic"}, {"all", "fanout"}, {"retry", "direct"}, {"graves", "fanout"},
}

var bindings = []struct{ queue, key, exchange string }{
	{"fan-1", "", "news"}, {fussy, "", "news"},
	{work, "job.*", "events"}, {"orders", "order.#", "events"}, {"eu", "*.*.eu", "events"},
	{"audit", "", "all"}, {wait, work, "retry"}, {buried, "", "graves"},
}

// route is an exchange and a key, and the queues to which they lead.
type route struct {
	exchange, key string
	queues        []string
}

var routes = []route{
	{"", work, []string{work}},
	{"news", "any", []string{"fan-1", fussy}},
	{"events", "job.new", []string{work, "audit"}},
	{"events", "order.created.eu", []string{"orders", "eu", "audit"}},
	{"events", "user.gone.eu", []string{"eu", "audit"}},
	{"events", "nobody", []string{"audit"}},
}

// create declares everything, once.
func create(ctx context.Context, addr string) error {
	return withChannel(ctx, addr, func(ch *amqp.Channel) error {
		if err := declare(ch); err != nil {
			return err
		}
		for _, b := range bindings {
			if err := ch.QueueBind(b.queue, b.key, b.exchange, false, nil); err != nil {
				return err
			}
		}
		return ch.ExchangeBind("all", "#", "events", false, nil)
	})
}

func declare(ch *amqp.Channel) error {
	for _, x := range exchanges {
		if err := ch.ExchangeDeclare(x.name, x.kind, true, false, false, false, nil); err != nil {
			return fmt.Errorf("exchange %s: %w", x.name, err)
		}
	}
	for _, q := range queues {
		if _, err := ch.QueueDeclare(q.name, true, false, false, false, q.args); err != nil {
			return fmt.Errorf("queue %s: %w", q.name, err)
		}
	}
	return nil
}

// look finds out whether everything is there, and as it was declared; that bindings are is seen from where messages come.
func (s *scene) look(ctx context.Context) {
	err := withChannel(ctx, s.srv.Addr, func(ch *amqp.Channel) error {
		for _, x := range exchanges {
			if err := ch.ExchangeDeclarePassive(x.name, x.kind, true, false, false, false, nil); err != nil {
				return fmt.Errorf("exchange %s: %w", x.name, err)
			}
		}
		for _, q := range queues {
			if _, err := ch.QueueDeclarePassive(q.name, true, false, false, false, nil); err != nil {
				return fmt.Errorf("queue %s: %w", q.name, err)
			}
		}
		return declare(ch) // refused if anything differs
	})
	if err != nil && ctx.Err() == nil {
		s.note(&copies.Event{Kind: copies.Broken, Value: err.Error(), Life: s.srv.Life(), Start: now(), Time: now()})
	}
}

func withChannel(ctx context.Context, addr string, do func(*amqp.Channel) error) error {
	conn, err := dial(ctx, addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	ch, err := conn.Channel()
	if err != nil {
		return err
	}
	return do(ch)
}
