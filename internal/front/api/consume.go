package api

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
	"time"

	"connectrpc.com/connect"
	"github.com/coder/websocket"

	naruv1 "github.com/narumq/naru/api/naru/v1"
	"github.com/narumq/naru/internal/broker"
	"github.com/narumq/naru/internal/queue"
)

const consumeBatch = 100 // deliveries of one response

// Consume implements naruv1connect.QueueServiceHandler.
func (s *Server) Consume(ctx context.Context, stream *connect.BidiStream[naruv1.ConsumeRequest, naruv1.ConsumeResponse]) error {
	return s.consume(ctx, "", stream.Receive, stream.Send)
}

// consumer is one stream of Consume.
type consumer struct {
	s     *Server
	q     *broker.Queue
	lease time.Duration
	out   func(*naruv1.ConsumeResponse) error

	sending sync.Mutex // guards out
	mu      sync.Mutex // guards what follows
	credit  int        // deliveries that may be in hand
	hand    map[string]queue.Tag
	room    chan struct{} // holds one when there may be room in hand
}

// consume serves a stream, whoever carries it. in ends with io.EOF.
func (s *Server) consume(ctx context.Context, name string, in func() (*naruv1.ConsumeRequest, error), out func(*naruv1.ConsumeResponse) error) error {
	first, err := in()
	if errors.Is(err, io.EOF) {
		return nil
	} else if err != nil {
		return err
	}
	c := &consumer{s: s, out: out, hand: make(map[string]queue.Tag), room: make(chan struct{}, 1)}
	if name == "" {
		name = first.GetQueue()
	}
	if name == "" {
		return invalid("the first request names the queue")
	}
	if c.q, err = s.broker.Queue(name); err != nil {
		return err
	}
	if c.lease, err = span("lease", first.GetLease(), c.q.Meta().Settings.Lease, leaseMax); err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer c.giveBack()
	delivering := make(chan struct{})
	go func() {
		defer close(delivering)
		cancel(c.deliver(ctx))
	}()
	defer func() {
		cancel(nil)
		<-delivering
	}()
	steps := make(chan error, 1)
	go func() {
		for step := first; ; {
			err := c.step(step)
			if err == nil {
				step, err = in()
			}
			if err != nil {
				steps <- err
				return
			}
		}
	}()
	select {
	case err := <-steps:
		if errors.Is(err, io.EOF) {
			return nil
		}
		return err
	case <-ctx.Done():
		if s.ctx.Err() != nil {
			return errStopping
		}
		return context.Cause(ctx)
	}
}

// deliver sends what the queue has, as far as there is credit.
func (c *consumer) deliver(ctx context.Context) error {
	for {
		free := c.free()
		if free <= 0 {
			select {
			case <-c.room:
				continue
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		list, err := c.q.Receive(ctx, broker.ReceiveRequest{Max: min(free, consumeBatch), BytesMax: receiveBytesMax, Lease: max(c.lease, time.Millisecond), Wait: waitMax})
		if err != nil {
			return err
		}
		if ctx.Err() != nil {
			c.q.GiveBack(list)
			return ctx.Err()
		}
		if len(list) == 0 {
			continue
		}
		messages := showMessages(c.q, list, true)
		c.mu.Lock()
		for i, m := range messages {
			c.hand[m.Delivery] = list[i].Tag
		}
		c.mu.Unlock()
		if err := c.send(&naruv1.ConsumeResponse{Messages: messages}); err != nil {
			return err
		}
	}
}

func (c *consumer) free() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.credit - len(c.hand)
}

func (c *consumer) send(r *naruv1.ConsumeResponse) error {
	c.sending.Lock()
	defer c.sending.Unlock()
	return c.out(r)
}

// step does what the consumer asks.
func (c *consumer) step(in *naruv1.ConsumeRequest) error {
	if n := len(in.GetAck()) + len(in.GetNack()) + len(in.GetReject()) + len(in.GetExtend()); n > itemsMax {
		return invalid("%d deliveries, at most %d are allowed", n, itemsMax)
	}
	c.mu.Lock()
	c.credit += int(in.GetCredit())
	bad := in.GetCredit() < 0 || c.credit > consumeCreditMax
	c.mu.Unlock()
	if bad {
		return invalid("credit must be positive, and %d in all", consumeCreditMax)
	}
	c.wake()
	for _, end := range []struct {
		names []string
		keep  bool
		do    func([]queue.Tag, func([]error))
	}{
		{in.GetAck(), false, c.q.Ack},
		{in.GetNack(), false, func(tags []queue.Tag, done func([]error)) { c.q.Nack(tags, 0, done) }},
		{in.GetReject(), false, c.q.Reject},
		{in.GetExtend(), true, func(tags []queue.Tag, done func([]error)) { extend(c.q, tags, c.lease, done) }},
	} {
		if len(end.names) > 0 {
			if err := c.settle(end.names, end.keep, end.do); err != nil {
				return err
			}
		}
	}
	return nil
}

// settle ends deliveries, or extends them, and tells of the outcome when there is one.
func (c *consumer) settle(names []string, keep bool, do func([]queue.Tag, func([]error))) error {
	c.mu.Lock()
	for _, name := range names {
		if !keep {
			delete(c.hand, name)
		}
	}
	c.mu.Unlock()
	errs := settleAll(c.q, names, do)
	c.wake()
	return c.send(&naruv1.ConsumeResponse{Settled: showSettled(names, errs)})
}

func (c *consumer) wake() {
	select {
	case c.room <- struct{}{}:
	default:
	}
}

// giveBack releases what is in hand.
func (c *consumer) giveBack() {
	c.mu.Lock()
	tags := make([]queue.Tag, 0, len(c.hand))
	for _, t := range c.hand {
		tags = append(tags, t)
	}
	c.mu.Unlock()
	if len(tags) > 0 {
		c.q.Nack(tags, 0, func([]error) {})
	}
}

// serveWebSocket is Consume over WebSocket (RFC 6455): each message is a request or
// a response as JSON. An error ends it with status 1011 or 1008 and its text.
func (s *Server) serveWebSocket(w http.ResponseWriter, r *http.Request, name string) error {
	if _, err := s.broker.Queue(name); err != nil {
		return err
	}
	conn, err := websocket.Accept(w, r, nil)
	if err != nil {
		return nil // it has answered
	}
	defer conn.CloseNow()
	conn.SetReadLimit(1 << 20)
	ctx := r.Context()
	err = s.consume(ctx, name, func() (*naruv1.ConsumeRequest, error) {
		_, b, err := conn.Read(ctx)
		if status := websocket.CloseStatus(err); status == websocket.StatusNormalClosure || status == websocket.StatusGoingAway {
			return nil, io.EOF
		} else if err != nil {
			return nil, err
		}
		step := &naruv1.ConsumeRequest{}
		return step, decodeJSON(b, step)
	}, func(m *naruv1.ConsumeResponse) error {
		b, err := asJSON.Marshal(m)
		if err != nil {
			return err
		}
		return conn.Write(ctx, websocket.MessageText, b)
	})
	if err == nil {
		conn.Close(websocket.StatusNormalClosure, "")
		return nil
	}
	status := websocket.StatusInternalError
	if codeOf(err) == connect.CodeInvalidArgument {
		status = websocket.StatusPolicyViolation
	}
	text := err.Error()
	conn.Close(status, text[:min(len(text), 120)])
	return nil
}
