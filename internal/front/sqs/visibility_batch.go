package sqs

import (
	"context"
	"time"

	"github.com/narumq/naru/internal/queue"
)

// changeMessageVisibilityBatch is ChangeMessageVisibilityBatch.
//
// Behaviour: ChangeMessageVisibility for each entry.
// Deviations: those of ChangeMessageVisibility.
func changeMessageVisibilityBatch(ctx context.Context, t *target, request *visibilityBatchIn) (*visibilityBatchOut, error) {
	in := (*receiptBatchIn)(request)
	if err := in.check("ChangeMessageVisibilityBatchRequestEntry"); err != nil {
		return nil, err
	}
	failed := make([]error, len(in.Entries))
	var extended, ended []queue.Tag
	var timeouts []time.Duration
	var extendedAt, endedAt []int
	for i := range in.Entries {
		tag, timeout, err := in.Entries[i].change(t)
		switch failed[i] = err; {
		case err != nil:
		case timeout == 0:
			ended, endedAt = append(ended, tag), append(endedAt, i)
		default:
			extended, timeouts, extendedAt = append(extended, tag), append(timeouts, timeout), append(extendedAt, i)
		}
	}
	outcome := func(place []int, call func(done func([]error))) error {
		if len(place) == 0 {
			return nil
		}
		errs, err := settle(ctx, call)
		for j, i := range place[:len(errs)] {
			failed[i] = visibilityOutcome(errs[j], t.rules.ordered, in.Entries[i].ReceiptHandle)
		}
		return err
	}
	err := outcome(endedAt, func(done func([]error)) { t.q.Nack(ended, 0, done) })
	if err == nil {
		err = outcome(extendedAt, func(done func([]error)) { t.q.Extend(extended, timeouts, done) })
	}
	if err != nil {
		return nil, err
	}
	return (*visibilityBatchOut)(in.answer(failed)), nil
}
