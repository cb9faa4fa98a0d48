package sqs

import (
	"errors"
	"time"

	"github.com/narumq/naru/internal/queue"
)

// visibilityMax is how long a message can be kept from others: per request, and
// in all from when it was received.
const visibilityMax = 12 * time.Hour

// tagOf reads a receipt handle of the queue with this id.
func (rs receipts) tagOf(queueID uint64, handle string) (queue.Tag, receipt, error) {
	r, ok := rs.parse([]byte(handle))
	if !ok || r.queue != queueID {
		return queue.Tag{}, receipt{}, invalidReceipt(handle)
	}
	return queue.Tag{Source: queue.Source(r.source), Offset: r.offset, Attempt: r.attempt}, r, nil
}

const (
	reasonExpired   = "The receipt handle has expired."
	reasonNotThere  = "Message does not exist or is not available for visibility timeout change."
	reasonTotalTime = "Total VisibilityTimeout for the message is beyond the limit [43200 seconds]"
)

// deleteOutcome turns what became of an ack into what DeleteMessage says. A
// message that is gone was deleted. On a standard queue an old handle is no
// error either: the broker takes it after its lease ended, and if another consumer
// has the message by now, that one will delete it.
func deleteOutcome(err error, ordered bool, handle string) error {
	switch {
	case errors.Is(err, queue.ErrUnknownRecord):
		return nil
	case errors.Is(err, queue.ErrNotLeased) && ordered:
		return invalidParameter("ReceiptHandle", clip(handle), reasonExpired)
	case errors.Is(err, queue.ErrNotLeased):
		return nil
	}
	return err
}

// visibilityOutcome turns what became of a change of a lease into what
// ChangeMessageVisibility says.
func visibilityOutcome(err error, ordered bool, handle string) error {
	switch {
	case errors.Is(err, queue.ErrNotLeased) && ordered:
		return invalidParameter("ReceiptHandle", clip(handle), reasonExpired)
	case errors.Is(err, queue.ErrNotLeased):
		return &problem{"AWS.SimpleQueueService.MessageNotInflight", "The message referred to is not in flight."}
	case errors.Is(err, queue.ErrUnknownRecord):
		return invalidParameter("ReceiptHandle", clip(handle), reasonNotThere)
	}
	return err
}

// checkVisibility holds a new visibility timeout against its limits.
func checkVisibility(seconds int64, r receipt, now time.Time) (time.Duration, error) {
	if seconds < 0 || seconds > int64(visibilityMax/time.Second) {
		return 0, invalidParameter("VisibilityTimeout", seconds, "Must be >= 0 and <= 43200, if provided.")
	}
	timeout := time.Duration(seconds) * time.Second
	if now.Sub(time.UnixMilli(r.receivedAt))+timeout > visibilityMax && seconds > 0 {
		return 0, invalidParameter("VisibilityTimeout", seconds, reasonTotalTime)
	}
	return timeout, nil
}
