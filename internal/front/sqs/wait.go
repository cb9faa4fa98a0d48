package sqs

import (
	"context"

	"github.com/narumq/naru/internal/broker"
)

// send sends messages and waits until it is known what became of each, or until
// ctx ends. Then they may be in the log or not.
func send(ctx context.Context, q *broker.Queue, messages []broker.Message) ([]broker.Sent, error) {
	c := make(chan []broker.Sent, 1)
	q.Send(ctx, messages, func(sent []broker.Sent) { c <- sent })
	select {
	case sent := <-c:
		return sent, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// settle calls one of the broker's ways to end or change deliveries and waits
// for it, as send does.
func settle(ctx context.Context, call func(done func([]error))) ([]error, error) {
	c := make(chan []error, 1)
	call(func(errs []error) { c <- errs })
	select {
	case errs := <-c:
		return errs, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func settleOne(ctx context.Context, call func(done func([]error))) error {
	errs, err := settle(ctx, call)
	if err == nil {
		err = errs[0]
	}
	return err
}
