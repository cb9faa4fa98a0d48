package admin

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/narumq/naru/internal/broker"
	"github.com/narumq/naru/internal/queue"
	"github.com/narumq/naru/internal/record"
)

func (s *Server) send(c *call) (any, error) {
	q, err := c.queue()
	if err != nil {
		return nil, err
	}
	var in SendRequest
	if err := c.read(&in); err != nil {
		return nil, err
	}
	if n := len(in.Messages); n == 0 || n > messagesMax {
		return nil, fmt.Errorf("%w: %d messages, want 1 to %d", errMalformed, n, messagesMax)
	}
	msgs := make([]broker.Message, len(in.Messages))
	lanes := q.Meta().Settings.Lanes
	for i := range msgs {
		if lane := in.Messages[i].Lane; lane < 0 || lane >= lanes {
			return nil, fmt.Errorf("%w: lane %d, %s has 0 to %d", errMalformed, lane, q.Meta().Name, lanes-1)
		}
		msgs[i] = in.Messages[i].message()
	}
	sent := make(chan []broker.Sent, 1)
	q.Send(c.ctx, msgs, func(list []broker.Sent) { sent <- list })
	answer := SendAnswer{Results: make([]Sent, 0, len(msgs))}
	for _, one := range <-sent {
		if one.Err != nil {
			answer.Results = append(answer.Results, Sent{Partition: -1, Offset: -1, Error: errorOf(one.Err)})
			continue
		}
		answer.Results = append(answer.Results, Sent{
			ID: one.ID.String(), Partition: one.Partition, Offset: int64(one.Offset), Duplicate: one.Duplicate,
		})
	}
	return answer, nil
}

func (m *Message) message() broker.Message {
	out := broker.Message{Key: m.Group, Value: m.Value, Lane: m.Lane, Delay: -1, Expiry: milliseconds(m.ExpiryMS), DedupID: m.DedupID}
	if m.DelayMS != nil {
		out.Delay = milliseconds(max(0, *m.DelayMS))
	}
	for _, h := range m.Headers {
		out.Headers = append(out.Headers, record.HeaderField{Key: h.Key, Value: h.Value})
	}
	return out
}

func (s *Server) receive(c *call) (any, error) {
	q, err := c.queue()
	if err != nil {
		return nil, err
	}
	var in ReceiveRequest
	if err := c.read(&in); err != nil {
		return nil, err
	}
	c.letGo() // it may wait long
	if in.Max < 1 || in.Max > messagesMax {
		return nil, fmt.Errorf("%w: max is %d, want 1 to %d", errMalformed, in.Max, messagesMax)
	}
	// An answer's values are bounded like a request's.
	req := broker.ReceiveRequest{
		Max: in.Max, BytesMax: requestBytesMax / 2, Wait: min(waitMax, max(0, milliseconds(in.WaitMS))), Lease: q.Meta().Settings.Lease,
	}
	if in.LeaseMS != nil {
		req.Lease = milliseconds(*in.LeaseMS)
	}
	req.Lease = max(time.Millisecond, req.Lease)
	list, err := q.Receive(c.ctx, req)
	if err == nil && len(list) == 0 {
		err = c.ctx.Err() // nothing came, and nobody waited as long as was asked
	}
	if err != nil {
		return nil, err
	}
	return Deliveries{Messages: showAll(list, q), LeaseMS: req.Lease.Milliseconds()}, nil
}

func (s *Server) peek(c *call) (any, error) {
	q, err := c.queue()
	if err != nil {
		return nil, err
	}
	limit := 10
	if text := c.r.FormValue("max"); text != "" {
		if limit, err = strconv.Atoi(text); err != nil || limit < 1 || limit > messagesMax {
			return nil, fmt.Errorf("%w: max is %q, want 1 to %d", errMalformed, text, messagesMax)
		}
	}
	list, err := q.Peek(limit)
	if err != nil {
		return nil, err
	}
	return Deliveries{Messages: showAll(list, nil)}, nil
}

// showAll gives receipts only for deliveries of a queue.
func showAll(list []broker.Delivery, of *broker.Queue) []Delivery {
	out := make([]Delivery, len(list))
	for i := range list {
		d := &list[i]
		out[i] = Delivery{
			ID: d.ID.String(), Partition: int32(d.Tag.Source), Offset: int64(d.Tag.Offset), Attempts: d.Attempts,
			SentMS: d.Record.Timestamp, FirstReceivedMS: d.FirstReceivedAt, Group: d.Record.Key, Value: d.Record.Value,
			Headers: make([]Header, 0, len(d.Record.Headers)),
		}
		for _, h := range d.Record.Headers {
			out[i].Headers = append(out[i].Headers, Header{h.Key, h.Value})
		}
		if of != nil {
			out[i].Receipt = receipt(of.Meta().ID, d.Tag)
		}
	}
	return out
}

func (s *Server) ack(c *call) (any, error) {
	var in AckRequest
	return c.settle(&in, &in.Receipts, func(q *broker.Queue, tags []queue.Tag, done func([]error)) { q.Ack(tags, done) })
}

func (s *Server) nack(c *call) (any, error) {
	var in NackRequest
	return c.settle(&in, &in.Receipts, func(q *broker.Queue, tags []queue.Tag, done func([]error)) {
		q.Nack(tags, milliseconds(max(0, in.DelayMS)), done)
	})
}

// settle reads a request with receipts and ends those deliveries.
func (c *call) settle(in any, receipts *[]string, end func(*broker.Queue, []queue.Tag, func([]error))) (any, error) {
	q, err := c.queue()
	if err != nil {
		return nil, err
	}
	if err := c.read(in); err != nil {
		return nil, err
	}
	if n := len(*receipts); n == 0 || n > messagesMax {
		return nil, fmt.Errorf("%w: %d receipts, want 1 to %d", errMalformed, n, messagesMax)
	}
	tags := make([]queue.Tag, len(*receipts))
	for i, text := range *receipts {
		if tags[i], err = parseReceipt(q.Meta().ID, text); err != nil {
			return nil, err
		}
	}
	ended := make(chan []error, 1)
	end(q, tags, func(errs []error) { ended <- errs })
	answer := Outcomes{Errors: make([]*Error, 0, len(tags))}
	for _, err := range <-ended {
		answer.Errors = append(answer.Errors, errorOf(err))
	}
	return answer, nil
}

// receipt is QUEUE-SOURCE-OFFSET-ATTEMPT, in hexadecimal; opaque to clients.
func receipt(id uint64, t queue.Tag) string {
	return fmt.Sprintf("%x-%x-%x-%x", id, int32(t.Source), int64(t.Offset), t.Attempt)
}

func parseReceipt(id uint64, text string) (t queue.Tag, err error) {
	parts := strings.Split(text, "-")
	if len(parts) != 4 {
		return t, fmt.Errorf("%w: %.100q", errReceipt, text)
	}
	var n [4]uint64
	for i, bits := range []int{64, 31, 63, 31} {
		if n[i], err = strconv.ParseUint(parts[i], 16, bits); err != nil {
			return t, fmt.Errorf("%w: %.100q", errReceipt, text)
		}
	}
	if n[0] != id {
		return t, fmt.Errorf("%w: %.100q is of another queue", errReceipt, text)
	}
	return queue.Tag{Source: queue.Source(n[1]), Offset: record.Offset(n[2]), Attempt: int32(n[3])}, nil
}
