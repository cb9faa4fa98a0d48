package amqp

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/narumq/naru/internal/broker"
	"github.com/narumq/naru/internal/exchange"
	"github.com/narumq/naru/internal/queue"
	"github.com/narumq/naru/internal/user"
	wire "github.com/narumq/naru/internal/wire/amqp091"
)

// MessageInfo is a message as its consumer sees it.
type MessageInfo struct {
	Exchange, RoutingKey string
	Redelivered          bool
	Left                 int            // messages that stay ready
	Properties           map[string]any // by the specification's names with underscores; headers as Plain has them
	Body                 []byte
}

// finish settles what Get has shown, and returns when that is durable.
func (s *Server) finish(q *broker.Queue, list []broker.Delivery, how Fetch) error {
	if len(list) == 0 {
		return nil
	}
	tags := make([]queue.Tag, len(list))
	for i := range list {
		tags[i] = list[i].Tag
	}
	done := make(chan error, 1)
	finished := func(errs []error) { done <- errors.Join(errs...) }
	switch how {
	case FetchAck:
		q.Ack(tags, finished)
	case FetchReject:
		q.Reject(tags, finished)
	default:
		q.Nack(tags, 0, finished)
	}
	return <-done
}

func messageInfo(d *broker.Delivery, queue string, counted bool) MessageInfo {
	var e envelope
	e.open(d.Record.Headers, queue)
	count := 0
	if counted {
		count = int(d.Attempts - 1)
	}
	frames := e.appendContent(nil, 1, wire.FrameUntuned+maxHeaderBytes, &d.Record, count)
	m := MessageInfo{Exchange: e.exchange, RoutingKey: e.key, Redelivered: d.Attempts > 1, Body: slices.Clone(d.Record.Value)}
	size := binary.BigEndian.Uint32(frames[3:])
	_, encoded, err := wire.SplitContentHeader(frames[wire.FrameHeaderBytes:][:size])
	var p wire.Properties
	if err == nil && p.Parse(encoded) == nil {
		m.Properties = plainProperties(&p)
	}
	return m
}

// maxHeaderBytes is what the headers of a message may have to be shown whole.
const maxHeaderBytes = 1 << 20

// property is one of a message's.
type property struct {
	flag wire.PropertyFlags
	name string
	of   func(*wire.Properties) any // a pointer to the field
}

var properties = []property{
	{wire.HasContentType, "content_type", func(p *wire.Properties) any { return &p.ContentType }},
	{wire.HasContentEncoding, "content_encoding", func(p *wire.Properties) any { return &p.ContentEncoding }},
	{wire.HasHeaders, "headers", func(p *wire.Properties) any { return &p.Headers }},
	{wire.HasDeliveryMode, "delivery_mode", func(p *wire.Properties) any { return &p.DeliveryMode }},
	{wire.HasPriority, "priority", func(p *wire.Properties) any { return &p.Priority }},
	{wire.HasCorrelationID, "correlation_id", func(p *wire.Properties) any { return &p.CorrelationID }},
	{wire.HasReplyTo, "reply_to", func(p *wire.Properties) any { return &p.ReplyTo }},
	{wire.HasExpiration, "expiration", func(p *wire.Properties) any { return &p.Expiration }},
	{wire.HasMessageID, "message_id", func(p *wire.Properties) any { return &p.MessageID }},
	{wire.HasTimestamp, "timestamp", func(p *wire.Properties) any { return &p.Timestamp }},
	{wire.HasType, "type", func(p *wire.Properties) any { return &p.Type }},
	{wire.HasUserID, "user_id", func(p *wire.Properties) any { return &p.UserID }},
	{wire.HasAppID, "app_id", func(p *wire.Properties) any { return &p.AppID }},
	{wire.HasClusterID, "cluster_id", func(p *wire.Properties) any { return &p.ClusterID }},
}

func plainProperties(p *wire.Properties) map[string]any {
	m := map[string]any{}
	for _, x := range properties {
		if p.Has&x.flag == 0 {
			continue
		}
		switch v := x.of(p).(type) {
		case *string:
			m[x.name] = plainText(*v)
		case *uint8:
			m[x.name] = *v
		case *uint64:
			m[x.name] = *v
		case *wire.Table:
			m[x.name] = Plain(*v)
		}
	}
	return m
}

// propertiesOf reads what JSON has, decoded with UseNumber. A property that is not known is left out, as RabbitMQ does.
func propertiesOf(m map[string]any) (p wire.Properties, err error) {
	for _, x := range properties {
		v, there := m[x.name]
		if !there || v == nil {
			continue
		}
		ok := false
		switch to := x.of(&p).(type) {
		case *string:
			*to, ok = v.(string)
			ok = ok && len(*to) <= wire.ShortStringMax
		case *uint8:
			var n int64
			n, ok = whole(v)
			*to, ok = uint8(n), ok && n >= 0 && n <= 255
		case *uint64:
			var n int64
			n, ok = whole(v)
			*to, ok = uint64(n), ok && n >= 0
		case *wire.Table:
			var table map[string]any
			if table, ok = v.(map[string]any); ok {
				*to, err = wire.TableOf(table)
			}
		}
		if err != nil || !ok {
			return p, failedPrecondition("property %s cannot be %.60v", x.name, v)
		}
		p.Has |= x.flag
	}
	return p, nil
}

func whole(v any) (int64, bool) {
	n, ok := v.(json.Number)
	if !ok {
		return 0, false
	}
	i, err := n.Int64()
	return i, err == nil
}

// publishWait is how long PublishAs waits for a message to become durable.
const publishWait = 30 * time.Second

// PublishAs publishes a message in a user's name, and tells whether it was routed, when it is durable. Properties are named
// as in MessageInfo.
func (s *Server) PublishAs(ctx context.Context, by, vhost, to, key string, props map[string]any, body []byte) (routed bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, publishWait)
	defer cancel()
	c := &conn{s: s, user: by, vhost: vhost, ctx: ctx}
	// It is not used again: who does not wait any longer leaves it to the broker.
	p := &publication{ch: &channel{c: c}, exchange: to, key: key, body: body}
	p.lookUp = p.header
	if p.props, err = propertiesOf(props); err != nil {
		return false, err
	}
	if err := c.assume(by); err != nil {
		return false, err
	}
	if err := c.mayExchange(user.Write, to); err != nil {
		return false, err
	}
	if len(to) > wire.ShortStringMax || len(key) > wire.ShortStringMax {
		return false, failedPrecondition("exchange and routing key have at most %d bytes", wire.ShortStringMax)
	}
	if err := p.ch.mayPublishTo(to); err != nil {
		return false, err
	}
	if err := p.prepare(); err != nil {
		return false, err
	}
	if err := p.mayKeys(); err != nil {
		return false, err
	}
	if !p.props.Headers.Empty() {
		p.m.Header = p.lookUp
	}
	s.counters.published.Add(1)
	done := make(chan broker.Published, 1)
	s.broker.Publish(ctx, vhost, to, &p.m, p.msg, func(out broker.Published) { done <- out })
	select {
	case out := <-done:
		return s.published(p, out)
	case <-ctx.Done():
		return false, fmt.Errorf("not durable yet: %w", ctx.Err())
	}
}

func (s *Server) published(p *publication, out broker.Published) (bool, error) {
	if out.Err == nil {
		return out.Queues > 0, nil
	}
	s.counters.refused.Add(1)
	if err := p.refusal(out.Err); err != nil {
		return false, err
	}
	if errors.Is(out.Err, broker.ErrQueueFull) || errors.Is(out.Err, exchange.ErrLimit) {
		return false, failedPrecondition("%v", out.Err)
	}
	return false, refusal(out.Err, p.ch.c.vhost)
}
