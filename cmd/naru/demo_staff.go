package main

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/durationpb"

	naru "github.com/narumq/naru/api/naru/v1"
)

// takeOrders serves the line, one customer at a time.
func (r *role) takeOrders(ctx context.Context) error {
	return r.each(ctx, counterQueue, func(m *naru.Message, o order) error {
		o.Taken = time.Now()
		if err := r.takes(ctx, orderingTime); err != nil {
			return err
		}
		pass := r.produceOrder
		if r.style == styleCalls {
			pass = r.callBarista
		}
		if err := pass(ctx, o); err != nil {
			return err
		}
		return r.reply(ctx, m.ReplyTo, m.CorrelationId, o)
	})
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

// produceOrder comes back when the order is durable.
func (r *role) produceOrder(ctx context.Context, o order) error {
	_, err := r.queues.Send(ctx, &naru.SendRequest{Queue: ordersQueue, Messages: []*naru.NewMessage{o.message()}})
	if err != nil {
		return fmt.Errorf("send to %s: %w", ordersQueue, err)
	}
	return nil
}

// brew makes one coffee after the other. The order is acknowledged when the coffee
// is announced, so that one whose barista is killed is brewed again by another.
func (r *role) brew(ctx context.Context) error {
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
