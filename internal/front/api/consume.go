package api

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"connectrpc.com/connect"
	"github.com/coder/websocket"

	naruv1 "github.com/narumq/naru/api/naru/v1"
	"github.com/narumq/naru/internal/broker"
	"github.com/narumq/naru/internal/queue"
)

const (
	consumeBatch    = 100 // deliveries of one response
	consumeBytesMax = 1 << 20
	settlingMax     = 1_000 // steps of one stream whose outcome is not known yet
	reasonBytesMax  = 120   // RFC 6455 section 5.5.1
)

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

	settling chan func() []*naruv1.Settled // outcomes to tell of, in the order in which they were asked for
}

// consume serves a stream, whoever carries it. in ends with io.EOF; it may be called
// once more after consume has returned, out is not.
func (s *Server) consume(ctx context.Context, name string, in func() (*naruv1.ConsumeRequest, error), out func(*naruv1.ConsumeResponse) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	steps := stepsOf(ctx, in)
	first, err := s.nextStep(ctx, steps)
	if err != nil {
		return unlessEOF(err)
	}
	c := &consumer{s: s, out: out, hand: make(map[string]queue.Tag), room: make(chan struct{}, 1), settling: make(chan func() []*naruv1.Settled, settlingMax)}
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
	delivering := make(chan struct{})
	go func() {
		defer close(delivering)
		defer func() {
			if p := recover(); p != nil {
				cancel(s.recovered("Consume", p))
			}
		}()
		cancel(c.deliver(ctx))
	}()
	telling := make(chan struct{})
	go func() {
		defer close(telling)
		defer func() {
			if p := recover(); p != nil {
				cancel(s.recovered("Consume", p))
			}
		}()
		c.tell(cancel)
	}()
	defer func() {
		close(c.settling)
		<-telling
		cancel(nil)
		<-delivering
		c.giveBack()
	}()
	for step := first; err == nil; {
		if err = c.step(ctx, step); err == nil {
			step, err = s.nextStep(ctx, steps)
		}
	}
	return unlessEOF(err)
}

// received is what the consumer said, or how it ended.
type received struct {
	step *naruv1.ConsumeRequest
	err  error
}

// stepsOf reads on its own: nothing but the end of the request ends a read.
func stepsOf(ctx context.Context, in func() (*naruv1.ConsumeRequest, error)) <-chan received {
	out := make(chan received)
	go func() {
		for {
			step, err := in()
			select {
			case out <- received{step, err}:
			case <-ctx.Done():
				return
			}
			if err != nil {
				return
			}
		}
	}()
	return out
}

func (s *Server) nextStep(ctx context.Context, steps <-chan received) (*naruv1.ConsumeRequest, error) {
	select {
	case got := <-steps:
		return got.step, got.err
	case <-ctx.Done():
		if s.ctx.Err() != nil {
			return nil, errStopping
		}
		return nil, context.Cause(ctx)
	}
}

func unlessEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
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
func (c *consumer) step(ctx context.Context, in *naruv1.ConsumeRequest) error {
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
			c.settle(ctx, end.names, end.keep, end.do)
		}
	}
	return nil
}

// settle ends deliveries, or extends them. The consumer's next step does not wait for the outcome: that takes as long as a write, and
// many fit into one.
func (c *consumer) settle(ctx context.Context, names []string, keep bool, do func([]queue.Tag, func([]error))) {
	c.mu.Lock()
	for _, name := range names {
		if !keep {
			delete(c.hand, name)
		}
	}
	c.mu.Unlock()
	outcome := beginSettling(c.q, names, do)
	select {
	case c.settling <- func() []*naruv1.Settled { return showSettled(names, outcome()) }:
	case <-ctx.Done():
	}
	c.wake()
}

// tell tells of outcomes until there are no more. The stream ends where nobody hears of them.
func (c *consumer) tell(end context.CancelCauseFunc) {
	var failed error
	for outcome := range c.settling {
		settled := outcome()
		if failed != nil {
			continue
		}
		if failed = c.send(&naruv1.ConsumeResponse{Settled: settled}); failed != nil {
			end(failed)
		}
	}
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
	conn.SetReadLimit(consumeBytesMax)
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
	conn.Close(status, cutText(err.Error(), reasonBytesMax))
	return nil
}

// cutText is the beginning of a text, up to n bytes.
func cutText(text string, n int) string {
	if len(text) <= n {
		return text
	}
	return strings.ToValidUTF8(text[:n], "")
}
