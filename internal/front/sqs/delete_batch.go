package sqs

import (
	"context"

	"github.com/narumq/naru/internal/queue"
)

// deleteMessageBatch is DeleteMessageBatch.
//
// Behaviour: DeleteMessage for each entry, with one commit for all.
// Deviations: none.
func deleteMessageBatch(ctx context.Context, t *target, request *deleteBatchIn) (*deleteBatchOut, error) {
	in := (*receiptBatchIn)(request)
	if err := in.check("DeleteMessageBatchRequestEntry"); err != nil {
		return nil, err
	}
	failed := make([]error, len(in.Entries))
	var tags []queue.Tag
	var place []int
	for i := range in.Entries {
		tag, _, err := t.receipts.tagOf(t.id, in.Entries[i].ReceiptHandle)
		if failed[i] = err; err == nil {
			tags, place = append(tags, tag), append(place, i)
		}
	}
	if len(tags) > 0 {
		errs, err := settle(ctx, func(done func([]error)) { t.q.Ack(tags, done) })
		if err != nil {
			return nil, err
		}
		for j, i := range place {
			failed[i] = deleteOutcome(errs[j], t.rules.ordered, in.Entries[i].ReceiptHandle)
		}
	}
	return (*deleteBatchOut)(in.answer(failed)), nil
}
