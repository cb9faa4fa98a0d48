package amqp

import (
	"errors"
	"sync"

	"github.com/narumq/naru/internal/broker"
	"github.com/narumq/naru/internal/queue"
)

// settleOutcome gathers what became of deliveries of several queues.
type settleOutcome struct {
	done func(error) // nil: nobody asks

	mu     sync.Mutex // guards what follows
	left   int
	failed error
}

// add takes up the outcome of one queue.
func (o *settleOutcome) add(errs []error) {
	if o.done == nil {
		return
	}
	o.mu.Lock()
	for _, err := range errs {
		if err != nil && o.failed == nil && !overtaken(err) {
			o.failed = err
		}
	}
	o.left--
	last, failed := o.left == 0, o.failed
	o.mu.Unlock()
	if last {
		o.done(failed)
	}
}

// overtaken: the delivery had ended in another way.
func overtaken(err error) bool {
	return errors.Is(err, queue.ErrUnknownRecord) || errors.Is(err, queue.ErrNotLeased) || errors.Is(err, broker.ErrQueueDeleted)
}
