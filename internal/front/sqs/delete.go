package sqs

import (
	"context"

	"github.com/narumq/naru/internal/queue"
)

// deleteMessage is DeleteMessage.
//
// Behaviour: answered when the deletion is durable. See deleteOutcome for handles
// that are not of the latest delivery.
// Deviations: none.
func deleteMessage(ctx context.Context, t *target, in *receiptIn) error {
	tag, _, err := t.receipts.tagOf(t.id, in.ReceiptHandle)
	if err != nil {
		return err
	}
	err = settleOne(ctx, func(done func([]error)) { t.q.Ack([]queue.Tag{tag}, done) })
	return deleteOutcome(err, t.rules.ordered, in.ReceiptHandle)
}
