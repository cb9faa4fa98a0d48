package main

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/durationpb"

	naru "github.com/narumq/naru/api/naru/v1"
)

// orderTakerHands are how many orders an order taker has in hand at once: one at the
// till, the others on their way to the queue or the customer.
const orderTakerHands = 16

// takeOrders serves the line, one customer at a time. With calls that is until the
// coffee is there. With events the next may come at once; this one has an answer when
// the order is durable.
func (r *role) takeOrders(ctx context.Context) error {
	if err := r.say(demoEvent{Event: eventReady}); err != nil {
		return err
	}
	var till sync.Mutex
	atTill := func(o *order) error {
		till.Lock()
		defer till.Unlock()
		o.Taken = time.Now()
		if err := r.takes(ctx, orderingTime); err != nil || r.style == styleEvents {
			return err
		}
		return r.callBarista(ctx, *o)
	}
	take := func(m *naru.Message, o order) error {
		err := atTill(&o)
		if err == nil && r.style == styleEvents {
			err = r.sendOrder(ctx, o)
		}
		if err != nil {
			return err
		}
		return r.reply(ctx, m.ReplyTo, m.CorrelationId, o)
	}
	failed := make(chan error, orderTakerHands)
	for range orderTakerHands {
		go func() { failed <- r.each(ctx, counterQueue, take) }()
	}
	return <-failed // and the others end with the process
}

// callBarista comes back with the coffee.
func (r *role) callBarista(ctx context.Context, o order) error {
	_, err := r.calls.Request(ctx, &naru.RequestRequest{
		Queue: ordersQueue, Message: o.message(), Timeout: durationpb.New(demoCallTimeout),
	})
	if err != nil {
		return fmt.Errorf("call a barista: %w", err)
	}
	return nil
}

// sendOrder comes back when the order is durable.
func (r *role) sendOrder(ctx context.Context, o order) error {
	_, err := r.queues.Send(ctx, &naru.SendRequest{Queue: ordersQueue, Messages: []*naru.NewMessage{o.message()}})
	if err != nil {
		return fmt.Errorf("send to %s: %w", ordersQueue, err)
	}
	return nil
}

// brew makes one coffee after the other. The order is acknowledged when the coffee
// is announced, so that one whose barista is killed is brewed again by another.
func (r *role) brew(ctx context.Context) error {
	if err := r.say(demoEvent{Event: eventReady}); err != nil {
		return err
	}
	brewed := 0
	return r.each(ctx, ordersQueue, func(m *naru.Message, o order) error {
		if err := r.say(demoEvent{Event: eventBrewing, Order: o.Order, Attempts: m.Attempts}); err != nil {
			return err
		}
		if brewed++; brewed == r.hold {
			<-ctx.Done() // so that the kill hits a barista at work, however fast the demo is
			return ctx.Err()
		}
		if err := r.takes(ctx, brewingTime(o.Order)); err != nil {
			return err
		}
		if err := r.say(demoEvent{Event: eventBrewed, Order: o.Order}); err != nil {
			return err
		}
		if r.style == styleCalls {
			return r.reply(ctx, m.ReplyTo, m.CorrelationId, o)
		}
		_, err := r.topics.Produce(ctx, &naru.ProduceRequest{Topic: readyTopic, Records: []*naru.NewRecord{{
			Value: &naru.NewRecord_Text{Text: o.json()}, ContentType: "application/json",
		}}})
		if err != nil {
			return fmt.Errorf("produce to %s: %w", readyTopic, err)
		}
		return nil
	})
}

// buzz calls each customer once, also if a coffee was brewed twice.
func (r *role) buzz(ctx context.Context) error {
	if err := r.say(demoEvent{Event: eventReady}); err != nil {
		return err
	}
	called := make(map[int]bool)
	return r.each(ctx, buzzerQueue, func(_ *naru.Message, o order) error {
		if called[o.Order] {
			return nil
		}
		called[o.Order] = true
		return r.reply(ctx, o.Buzzer, strconv.Itoa(o.Order), o)
	})
}

// leaseEnded tells whether an ack came too late.
func leaseEnded(err error) bool {
	switch connect.CodeOf(err) {
	case connect.CodeNotFound, connect.CodeFailedPrecondition, connect.CodeAborted, connect.CodeInvalidArgument:
		return err != nil
	}
	return false
}
