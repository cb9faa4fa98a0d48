package sqs

import (
	"context"
	"time"

	"github.com/narumq/naru/internal/queue"
)

// change is a visibility timeout to be set.
func (in *receiptIn) change(t *target) (queue.Tag, time.Duration, error) {
	tag, r, err := t.receipts.tagOf(t.id, in.ReceiptHandle)
	if err != nil {
		return tag, 0, err
	}
	if in.VisibilityTimeout == nil {
		return tag, 0, missingParameter("VisibilityTimeout")
	}
	timeout, err := checkVisibility(*in.VisibilityTimeout, r, t.now())
	return tag, timeout, err
}

// changeMessageVisibility is ChangeMessageVisibility.
//
// Behaviour: the timeout counts from now, and ends at most 12 hours after the
// message was received; 0 gives the message back.
// Deviations: on a standard queue a message that another consumer has by now is
// MessageNotInflight, where SQS says InvalidParameterValue.
func changeMessageVisibility(ctx context.Context, t *target, in *receiptIn) error {
	tag, timeout, err := in.change(t)
	if err != nil {
		return err
	}
	tags := []queue.Tag{tag}
	err = settleOne(ctx, func(done func([]error)) {
		if timeout == 0 {
			t.q.Nack(tags, 0, done)
		} else {
			t.q.Extend(tags, []time.Duration{timeout}, done)
		}
	})
	return visibilityOutcome(err, t.rules.ordered, in.ReceiptHandle)
}
