package sqs

import (
	"context"
	"errors"
	"time"

	"github.com/narumq/naru/internal/broker"
)

// receiveRequest is a ReceiveMessage in the broker's terms, and what to show of
// each message.
type receiveRequest struct {
	broker     broker.ReceiveRequest
	system     systemSet
	attributes attributeFilter
}

const (
	receiveMax = 10
	waitMax    = 20 * time.Second
	// receiveBytesMax bounds one answer. SQS has no such limit, but its messages are of
	// 1 MiB at most; records of a topic may be longer. One comes always.
	receiveBytesMax = 16 << 20
)

// newReceiveRequest takes the numbers of a request, each of which may be nil.
func newReceiveRequest(count, waitSeconds, visibilitySeconds *int64) (broker.ReceiveRequest, error) {
	r := broker.ReceiveRequest{Max: 1, Wait: -1}
	if count != nil {
		if *count < 1 || *count > receiveMax {
			return r, invalidParameter("MaxNumberOfMessages", *count, "Must be between 1 and 10, if provided.")
		}
		r.Max = int(*count)
	}
	if waitSeconds != nil {
		if *waitSeconds < 0 || *waitSeconds > int64(waitMax/time.Second) {
			return r, invalidParameter("WaitTimeSeconds", *waitSeconds, "Must be >= 0 and <= 20, if provided.")
		}
		r.Wait = time.Duration(*waitSeconds) * time.Second
	}
	if visibilitySeconds != nil {
		if *visibilitySeconds < 0 || *visibilitySeconds > int64(visibilityMax/time.Second) {
			return r, invalidParameter("VisibilityTimeout", *visibilitySeconds, "Must be >= 0 and <= 43200, if provided.")
		}
		// None at all is the shortest there is: 0 stands for the queue's own.
		r.Lease = max(time.Duration(*visibilitySeconds)*time.Second, time.Millisecond)
	}
	return r, nil
}

// setAttemptID checks and takes a ReceiveRequestAttemptId.
func setAttemptID(r *broker.ReceiveRequest, id *string, ordered bool) error {
	switch {
	case id == nil:
		return nil
	case !ordered:
		return invalidParameter("ReceiveRequestAttemptId", clip(*id), reasonQueueType)
	case !validID(*id):
		return invalidParameter("ReceiveRequestAttemptId", clip(*id),
			"ReceiveRequestAttemptId can only include alphanumeric and punctuation characters. 1 to 128 in length.")
	}
	r.AttemptID = *id
	return nil
}

// poll takes messages, and waits for them until stopping ends. If the client
// is gone by the time they are there, they go back: nobody would wait for their
// leases to end.
func (t *target) poll(ctx context.Context, r broker.ReceiveRequest) ([]broker.Delivery, error) {
	polling := ctx
	if r.Wait != 0 && t.stopping != nil {
		var cancel context.CancelFunc
		polling, cancel = context.WithCancel(ctx)
		defer cancel()
		defer context.AfterFunc(t.stopping, cancel)()
	}
	deliveries, err := t.q.Receive(polling, r)
	switch {
	case ctx.Err() != nil:
		if len(deliveries) > 0 {
			t.q.GiveBack(deliveries)
		}
		return nil, ctx.Err()
	case polling.Err() != nil && errors.Is(err, polling.Err()):
		return nil, nil // the server stops
	}
	return deliveries, err
}

// receiveOut answers a ReceiveMessage.
type receiveOut struct{ messages []received }

// received is one message of an answer.
type received struct {
	id         broker.MessageID
	handle     []byte
	body       []byte
	bodyMD5    string
	system     []systemValue
	attributes []attribute
	md5        string // of attributes; "" = none
}

// show selects what the request asked for.
func (r *receiveRequest) show(d *broker.Delivery, handle []byte, ordered bool, arn func(string) string) received {
	m := messageOf(&d.Record)
	out := received{id: d.ID, handle: handle, body: m.body, bodyMD5: hexMD5(m.body)}
	out.system = systemValues(nil, r.system, d, &m, ordered, arn)
	if len(m.attributes) == 0 || r.attributes.none() {
		return out
	}
	kept := m.attributes[:0]
	for _, a := range m.attributes {
		if r.attributes.wants(a.name) {
			kept = append(kept, a)
		}
	}
	out.attributes, out.md5 = kept, attributesMD5(kept)
	return out
}

// receiveMessage is ReceiveMessage.
//
// Behaviour: takes as many as there are, up to the number asked for; if there are
// none it waits, until the server shuts down or the client goes away.
// Deviations: all of the queue is looked at, not a sample. A visibility timeout of
// 0 is one millisecond. One answer has 16 MiB of bodies or one
// message. SenderId is the account.
func receiveMessage(ctx context.Context, t *target, in *receiveIn) (*receiveOut, error) {
	var r receiveRequest
	var err error
	if r.broker, err = newReceiveRequest(in.MaxNumberOfMessages, in.WaitTimeSeconds, in.VisibilityTimeout); err != nil {
		return nil, err
	}
	if err := setAttemptID(&r.broker, in.ReceiveRequestAttemptId, t.rules.ordered); err != nil {
		return nil, err
	}
	r.broker.BytesMax, r.broker.Together = receiveBytesMax, t.rules.ordered
	if r.system, err = r.system.add(in.AttributeNames); err != nil {
		return nil, err
	}
	if r.system, err = r.system.add(in.MessageSystemAttributeNames); err != nil {
		return nil, err
	}
	r.attributes = newAttributeFilter(in.MessageAttributeNames)
	deliveries, err := t.poll(ctx, r.broker)
	if errors.Is(err, broker.ErrInFlightLimit) {
		if t.rules.ordered {
			return &receiveOut{}, nil // as SQS does it
		}
		return nil, &problem{"OverLimit", "The maximum number of in flight messages is reached."}
	}
	if err != nil {
		return nil, err
	}
	out := make([]received, len(deliveries))
	now := t.now().UnixMilli()
	for i := range deliveries {
		d := &deliveries[i]
		receivedAt := now
		if d.Attempts == 1 {
			receivedAt = d.FirstReceivedAt // an answer that is repeated has the same handles
		}
		handle := t.receipts.appendHandle(nil, receipt{
			queue: t.id, source: int32(d.Tag.Source), offset: d.Tag.Offset, attempt: d.Tag.Attempt, receivedAt: receivedAt,
		})
		out[i] = r.show(d, handle, t.rules.ordered, t.arn)
	}
	return &receiveOut{out}, nil
}
