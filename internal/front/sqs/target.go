package sqs

import (
	"context"
	"time"

	"github.com/narumq/naru/internal/broker"
)

// target is the queue that a request names, and what the actions on messages
// need to know of it and of the request.
type target struct {
	q        *broker.Queue
	id       uint64
	rules    queueRules
	receipts receipts
	trace    string // the request's X-Amzn-Trace-Id
	arn      func(queue string) string
	now      func() time.Time
	stopping context.Context // ends long polls; nil = never
}
