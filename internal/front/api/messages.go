package api

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	naruv1 "github.com/narumq/naru/api/naru/v1"
	"github.com/narumq/naru/internal/broker"
	"github.com/narumq/naru/internal/fault"
	"github.com/narumq/naru/internal/queue"
	"github.com/narumq/naru/internal/record"
)

const (
	leaseMax         = 12 * time.Hour
	receiveBytesMax  = 2 << 20 // and what is left of the last message; see readBytesMax
	peekMessages     = 10      // of a Peek that does not say
	consumeCreditMax = 10_000
)

// Send implements naruv1connect.QueueServiceHandler.
func (s *Server) Send(ctx context.Context, in *naruv1.SendRequest) (*naruv1.SendResponse, error) {
	if n := len(in.GetMessages()); n == 0 || n > itemsMax {
		return nil, invalid("%d messages, want 1 to %d", n, itemsMax)
	}
	q, err := s.broker.Queue(in.GetQueue())
	if err != nil {
		return nil, err
	}
	list := make([]broker.Message, len(in.GetMessages()))
	for i, m := range in.GetMessages() {
		if list[i], err = messageFor(q, m); err != nil {
			return nil, fmt.Errorf("message %d: %w", i, err)
		}
	}
	once, err := onceOf(ctx, in)
	if err != nil {
		return nil, err
	}
	done := make(chan []broker.Sent, 1)
	q.SendOnce(ctx, once, list, func(sent []broker.Sent) { done <- sent })
	sent := <-done
	if err := allFailed(sent); err != nil {
		return nil, err
	}
	return &naruv1.SendResponse{Results: showSent(sent, true)}, nil
}

func messageFor(q *broker.Queue, in *naruv1.NewMessage) (broker.Message, error) {
	m, err := newMessage(in)
	if lanes := q.Meta().Settings.Lanes; err == nil && (m.Lane < 0 || m.Lane >= lanes) {
		err = invalid("priority is %d, %s has 0 to %d", m.Lane, q.Meta().Name, lanes-1)
	}
	return m, err
}

// Receive implements naruv1connect.QueueServiceHandler.
func (s *Server) Receive(ctx context.Context, in *naruv1.ReceiveRequest) (*naruv1.ReceiveResponse, error) {
	q, err := s.broker.Queue(in.GetQueue())
	if err != nil {
		return nil, err
	}
	set := &q.Meta().Settings
	n := int(cmp.Or(in.GetMaxMessages(), 1))
	if n < 1 || n > itemsMax {
		return nil, invalid("max messages is %d, want 0 to %d", n, itemsMax)
	}
	req := broker.ReceiveRequest{Max: n, BytesMax: receiveBytesMax}
	if req.Lease, err = span("lease", in.GetLease(), set.Lease, leaseMax); err != nil {
		return nil, err
	}
	if req.Wait, err = span("wait", in.GetWait(), set.Wait, waitMax); err != nil {
		return nil, err
	}
	req.Lease = max(req.Lease, time.Millisecond)
	list, err := q.Receive(ctx, req)
	if err != nil {
		return nil, err
	}
	if len(list) == 0 && ctx.Err() != nil {
		return nil, s.ended(ctx)
	}
	return &naruv1.ReceiveResponse{Messages: showMessages(q, list, true), Lease: durationpb.New(req.Lease)}, nil
}

// Peek implements naruv1connect.QueueServiceHandler.
func (s *Server) Peek(_ context.Context, in *naruv1.PeekRequest) (*naruv1.PeekResponse, error) {
	q, err := s.broker.Queue(in.GetQueue())
	if err != nil {
		return nil, err
	}
	n := int(cmp.Or(in.GetMaxMessages(), peekMessages))
	if n < 1 || n > itemsMax {
		return nil, invalid("max messages is %d, want 0 to %d", n, itemsMax)
	}
	list, err := q.Peek(n, receiveBytesMax)
	if err != nil {
		return nil, err
	}
	return &naruv1.PeekResponse{Messages: showMessages(q, list, false)}, nil
}

// settling is a request that ends deliveries, or changes them.
type settling interface {
	GetQueue() string
	GetDelivery() string
	GetDeliveries() []string
}

// settle does f with the deliveries of a request.
func (s *Server) settle(in settling, f func(*broker.Queue, []queue.Tag, func([]error))) (*naruv1.SettleResponse, error) {
	q, err := s.broker.Queue(in.GetQueue())
	if err != nil {
		return nil, err
	}
	names := in.GetDeliveries()
	alone := in.GetDelivery() != ""
	switch {
	case alone && len(names) > 0:
		return nil, invalid("delivery and deliveries are both given")
	case alone:
		names = []string{in.GetDelivery()}
	case len(names) == 0 || len(names) > itemsMax:
		return nil, invalid("%d deliveries, want 1 to %d", len(names), itemsMax)
	}
	errs := settleAll(q, names, func(tags []queue.Tag, done func([]error)) { f(q, tags, done) })
	if errs[0] != nil && (alone || allUndone(errs)) {
		return nil, errs[0]
	}
	return &naruv1.SettleResponse{Results: showSettled(names, errs)}, nil
}

// allUndone tells that nothing was done for a reason that is not the caller's: the
// call may be made again.
func allUndone(errs []error) bool {
	return !slices.ContainsFunc(errs, func(err error) bool {
		return err == nil || fault.CodeOf(err) != fault.Unavailable && fault.CodeOf(err) != fault.ResourceExhausted
	})
}

// settleAll does f with those deliveries that are well formed, and returns the outcome
// of each.
func settleAll(q *broker.Queue, names []string, f func([]queue.Tag, func([]error))) []error {
	return beginSettling(q, names, f)()
}

// beginSettling is settleAll whose outcome is waited for later.
func beginSettling(q *broker.Queue, names []string, f func([]queue.Tag, func([]error))) func() []error {
	errs := make([]error, len(names))
	tags := make([]queue.Tag, 0, len(names))
	for i, name := range names {
		var t queue.Tag
		if t, errs[i] = parseDelivery(q.Meta().ID, name); errs[i] == nil {
			tags = append(tags, t)
		}
	}
	if len(tags) == 0 {
		return func() []error { return errs }
	}
	done := make(chan []error, 1)
	f(tags, func(list []error) { done <- list })
	return func() []error {
		list := <-done
		for i := range errs {
			if errs[i] == nil {
				errs[i], list = list[0], list[1:]
			}
		}
		return errs
	}
}

func showSettled(names []string, errs []error) []*naruv1.Settled {
	out := make([]*naruv1.Settled, len(names))
	for i, name := range names {
		out[i] = &naruv1.Settled{Delivery: name, Error: itemError(errs[i])}
	}
	return out
}

// Ack implements naruv1connect.QueueServiceHandler.
func (s *Server) Ack(_ context.Context, in *naruv1.AckRequest) (*naruv1.SettleResponse, error) {
	return s.settle(in, func(q *broker.Queue, tags []queue.Tag, done func([]error)) { q.Ack(tags, done) })
}

// Nack implements naruv1connect.QueueServiceHandler.
func (s *Server) Nack(_ context.Context, in *naruv1.NackRequest) (*naruv1.SettleResponse, error) {
	delay, err := span("delay", in.GetDelay(), 0, leaseMax)
	if err != nil {
		return nil, err
	}
	return s.settle(in, func(q *broker.Queue, tags []queue.Tag, done func([]error)) { q.Nack(tags, delay, done) })
}

// Reject implements naruv1connect.QueueServiceHandler.
func (s *Server) Reject(_ context.Context, in *naruv1.RejectRequest) (*naruv1.SettleResponse, error) {
	return s.settle(in, func(q *broker.Queue, tags []queue.Tag, done func([]error)) { q.Reject(tags, done) })
}

// Extend implements naruv1connect.QueueServiceHandler.
func (s *Server) Extend(_ context.Context, in *naruv1.ExtendRequest) (*naruv1.SettleResponse, error) {
	lease, err := span("lease", in.GetLease(), -1, leaseMax)
	if err != nil {
		return nil, err
	}
	return s.settle(in, func(q *broker.Queue, tags []queue.Tag, done func([]error)) { extend(q, tags, lease, done) })
}

// extend makes all leases end so long from now; below 0 is the queue's time.
func extend(q *broker.Queue, tags []queue.Tag, lease time.Duration, done func([]error)) {
	if lease < 0 {
		lease = q.Meta().Settings.Lease
	}
	leases := make([]time.Duration, len(tags))
	for i := range leases {
		leases[i] = lease
	}
	q.Extend(tags, leases, done)
}

// deliveryName is QUEUE-SOURCE-OFFSET-ATTEMPT, in hexadecimal; opaque to clients.
func deliveryName(id uint64, t queue.Tag) string {
	return fmt.Sprintf("%x-%x-%x-%x", id, int32(t.Source), int64(t.Offset), t.Attempt)
}

func parseDelivery(id uint64, text string) (t queue.Tag, err error) {
	parts := strings.Split(text, "-")
	if len(parts) != 4 {
		return t, fmt.Errorf("%w: %.100q", errDelivery, text)
	}
	var n [4]uint64
	for i, bits := range []int{64, 31, 63, 31} {
		if n[i], err = strconv.ParseUint(parts[i], 16, bits); err != nil {
			return t, fmt.Errorf("%w: %.100q", errDelivery, text)
		}
	}
	if n[0] != id {
		return t, fmt.Errorf("%w: %.100q is of another queue", errDelivery, text)
	}
	return queue.Tag{Source: queue.Source(n[1]), Offset: record.Offset(n[2]), Attempt: int32(n[3])}, nil
}
