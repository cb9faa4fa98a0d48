package main

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	naru "github.com/narumq/naru/api/naru/v1"
)

// visit is what a customer has to say at the end.
type visit struct {
	Order       int           `json:"order"`
	InLine      time.Duration `json:"in_line"`      // until the order taker turned to them
	UntilCoffee time.Duration `json:"until_coffee"` // until the first coffee
	Coffees     int           `json:"coffees"`
	Problem     string        `json:"problem,omitempty"`

	arrived time.Time
}

var drinks = []string{"espresso", "cortado", "flat white", "cappuccino", "americano"}

// crowd are all customers of a round.
type crowd struct {
	*role
	buzzer string // their reply channel, in the round with events

	mu     sync.Mutex
	visits []*visit // by order - 1
	served int
	all    chan struct{} // closed when everybody has a coffee
	seen   map[string]bool
}

// visit plays all customers: they come one after the other, ask at the counter, and
// wait for their coffee, there or until the buzzer calls.
func (r *role) visit(ctx context.Context) error {
	c := &crowd{role: r, visits: make([]*visit, r.customers), all: make(chan struct{}), seen: make(map[string]bool)}
	for i := range c.visits {
		c.visits[i] = &visit{Order: i + 1}
	}
	if r.style == styleEvents {
		// One channel for this client, and before its first request.
		channel, err := r.calls.OpenReplyChannel(ctx, &naru.OpenReplyChannelRequest{Client: customersClient})
		if err != nil {
			return fmt.Errorf("open the reply channel: %w", err)
		}
		c.buzzer = channel.Queue
	}
	if err := r.say(demoEvent{Event: eventReady}); err != nil {
		return err
	}
	failed := make(chan error, 1)
	if c.buzzer != "" {
		go func() { failed <- c.listen(ctx) }()
	}
	var inside sync.WaitGroup
	for i, v := range c.visits {
		inside.Go(func() { c.enter(ctx, v, arrivalEvery*time.Duration(i)) })
	}
	select {
	case <-c.all:
	case <-time.After(r.patience):
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	if err := r.say(demoEvent{Event: eventServed}); err != nil {
		return err
	}
	select {
	case <-ctx.Done(): // the shop closes
	case err := <-failed:
		if ctx.Err() == nil {
			return err
		}
	}
	inside.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, v := range c.visits {
		if err := r.say(demoEvent{Event: eventVisit, Visit: v}); err != nil {
			return err
		}
	}
	return nil
}

// enter is one customer up to the counter, or with calls up to the coffee.
func (c *crowd) enter(ctx context.Context, v *visit, after time.Duration) {
	if c.takes(ctx, after) != nil {
		return
	}
	o := order{Order: v.Order, Drink: drinks[v.Order%len(drinks)], Buzzer: c.buzzer}
	c.mu.Lock()
	v.arrived = time.Now()
	c.mu.Unlock()
	answer, err := c.calls.Request(ctx, &naru.RequestRequest{
		Queue: counterQueue, Message: o.message(), Timeout: durationpb.New(demoCallTimeout),
	})
	if err == nil {
		o, err = orderOf(answer.Reply)
	}
	if err == nil && o.Order != v.Order {
		err = fmt.Errorf("the answer to order %d speaks of order %d", v.Order, o.Order)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil {
		v.Problem = err.Error()
		return
	}
	v.InLine = max(0, o.Taken.Sub(v.arrived))
	if c.style == styleCalls {
		c.coffee(v)
	}
}

// coffee notes one, under the lock.
func (c *crowd) coffee(v *visit) {
	if v.Coffees++; v.Coffees > 1 {
		return
	}
	v.UntilCoffee = time.Since(v.arrived)
	c.say(demoEvent{Event: eventCoffee}) // if nobody hears it, the demo is gone
	if c.served++; c.served == len(c.visits) {
		close(c.all)
	}
}

// listen hears the buzzer until the shop closes.
func (c *crowd) listen(ctx context.Context) error {
	for {
		got, err := c.queues.Receive(ctx, &naru.ReceiveRequest{Queue: c.buzzer, MaxMessages: 100, Wait: durationpb.New(demoWait)})
		if err != nil {
			return fmt.Errorf("listen to the buzzer: %w", err)
		}
		for _, m := range got.Messages {
			if err := c.called(m); err != nil {
				return err
			}
			if err := c.ack(ctx, c.buzzer, m); err != nil {
				return err
			}
		}
	}
}

// called gives a coffee to the customer whose order it is. The same message again is
// the same coffee.
func (c *crowd) called(m *naru.Message) error {
	o, err := orderOf(m)
	if err != nil {
		return err
	}
	if o.Order < 1 || o.Order > len(c.visits) || m.CorrelationId != strconv.Itoa(o.Order) {
		return fmt.Errorf("the buzzer calls %q for order %d, which nobody has", m.CorrelationId, o.Order)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.seen[m.Id] {
		c.seen[m.Id] = true
		c.coffee(c.visits[o.Order-1])
	}
	return nil
}
