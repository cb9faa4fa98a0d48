package api

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"connectrpc.com/connect"
	"github.com/coder/websocket"

	naruv1 "github.com/narumq/naru/api/naru/v1"
	"github.com/narumq/naru/api/naru/v1/naruv1connect"
	"github.com/narumq/naru/internal/queue"
)

// Nothing is sent to a stream whose handler has returned: net/http panics.
func TestConsumeSendsNothingAfterItsEnd(t *testing.T) {
	w := newWorld(t)
	w.must("POST", "/v1/queues", `{"queue":"q"}`)
	w.sendTexts("q", 1)
	ctx, cancel := context.WithCancel(context.Background())
	got := make(chan string, 1)
	ended, over := make(chan struct{}), make(chan struct{})
	n := 0
	in := func() (*naruv1.ConsumeRequest, error) {
		n++
		switch n {
		case 1:
			return &naruv1.ConsumeRequest{Credit: 1}, nil
		case 2:
			d := <-got
			cancel()
			<-ended
			return &naruv1.ConsumeRequest{Ack: []string{d}}, nil
		}
		close(over)
		return nil, io.EOF
	}
	err := w.s.consume(ctx, "q", in, func(m *naruv1.ConsumeResponse) error {
		select {
		case <-ended:
			t.Errorf("sent after the end: %v", m)
		default:
			got <- m.Messages[0].Delivery
		}
		return nil
	})
	if !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	close(ended)
	cancel()
	back, err := w.s.Receive(context.Background(), &naruv1.ReceiveRequest{Queue: "q"})
	if err != nil || len(back.Messages) != 1 || back.Messages[0].Attempts != 2 {
		t.Errorf("what was in hand: %v, %v", back, err)
	}
}

// What a consumer asks for does not wait until what it asked for before is written; it hears of all in order.
func TestConsumeSettlesManyAtOnce(t *testing.T) {
	w := newWorld(t)
	w.must("POST", "/v1/queues", `{"queue":"q"}`)
	w.sendTexts("q", 2)
	in, err := w.s.Receive(t.Context(), &naruv1.ReceiveRequest{Queue: "q", MaxMessages: 2})
	if err != nil || len(in.Messages) != 2 {
		t.Fatalf("%v, %v", in, err)
	}
	q, err := w.s.broker.Queue("q")
	if err != nil {
		t.Fatal(err)
	}
	var told []string
	c := &consumer{s: w.s, q: q, room: make(chan struct{}, 1), settling: make(chan func() []*naruv1.Settled, settlingMax), out: func(r *naruv1.ConsumeResponse) error {
		told = append(told, r.Settled[0].Delivery)
		return nil
	}}
	var written []func([]error)
	late := func(_ []queue.Tag, done func([]error)) { written = append(written, done) }
	both := make(chan struct{})
	go func() {
		defer close(both)
		c.settle(t.Context(), []string{in.Messages[0].Delivery}, false, late)
		c.settle(t.Context(), []string{in.Messages[1].Delivery}, false, late)
	}()
	select {
	case <-both:
	case <-time.After(10 * time.Second):
		t.Fatal("the second waits for the first")
	}
	written[1]([]error{nil})
	written[0]([]error{nil})
	close(c.settling)
	c.tell(func(err error) { t.Error(err) })
	if !slices.Equal(told, []string{in.Messages[0].Delivery, in.Messages[1].Delivery}) {
		t.Errorf("told %q", told)
	}
}

// A stream whose consumer cannot hear of outcomes ends, though it may have more to ask for.
func TestConsumeEndsWhereNobodyHears(t *testing.T) {
	w := newWorld(t)
	w.must("POST", "/v1/queues", `{"queue":"q"}`)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	steps := []*naruv1.ConsumeRequest{{Ack: []string{"nothing"}}}
	in := func() (*naruv1.ConsumeRequest, error) {
		if len(steps) == 0 {
			<-ctx.Done()
			return nil, ctx.Err()
		}
		step := steps[0]
		steps = steps[1:]
		return step, nil
	}
	deaf, ended := errors.New("deaf"), make(chan error, 1)
	go func() { ended <- w.s.consume(ctx, "q", in, func(*naruv1.ConsumeResponse) error { return deaf }) }()
	select {
	case err := <-ended:
		if !errors.Is(err, deaf) {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Error("it goes on")
		cancel()
		<-ended
	}
}

// Stop does not wait for streams whose client says nothing, or reads nothing.
func TestStopEndsSilentStreams(t *testing.T) {
	w := newWorld(t)
	w.must("POST", "/v1/queues", `{"queue":"q","settings":{"messageBytesMax":1000000}}`)
	w.must("POST", "/v1/topics", `{"topic":"t"}`)
	large := `"` + strings.Repeat("x", 900_000) + `"`
	for range 8 { // more than a client's window
		w.must("POST", "/v1/queues/q/messages", `{"messages":[{"text":`+large+`}]}`)
		w.must("POST", "/v1/topics/t/records", `{"records":[{"text":`+large+`}]}`)
	}
	ctx, end := context.WithTimeout(context.Background(), 20*time.Second)
	defer end()
	queues := naruv1connect.NewQueueServiceClient(w.client, w.web.URL, connect.WithGRPC())
	silent, err := queues.Consume(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := silent.Send(nil); err != nil {
		t.Fatal(err)
	}
	full, err := queues.Consume(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := full.Send(&naruv1.ConsumeRequest{Queue: "q", Credit: 100}); err != nil {
		t.Fatal(err)
	}
	if _, err := full.Receive(); err != nil {
		t.Fatal(err)
	}
	sub, err := naruv1connect.NewTopicServiceClient(w.client, w.web.URL, connect.WithGRPC()).Subscribe(ctx, &naruv1.SubscribeRequest{Topic: "t", From: "earliest"})
	if err != nil || !sub.Receive() || !sub.Receive() {
		t.Fatal(err, sub.Err())
	}
	stopping, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := w.s.Stop(stopping); err != nil {
		t.Error(err)
	}
}

// The reason of a WebSocket's end is UTF-8, cut where it may be.
func TestConsumeByWebSocketSaysWhy(t *testing.T) {
	w := newWorld(t)
	w.must("POST", "/v1/queues", `{"queue":"q"}`)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	conn, _, err := websocket.Dial(ctx, strings.Replace(w.web.URL, "http", "ws", 1)+"/v1/queues/q/messages:consume", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.CloseNow()
	if err := conn.Write(ctx, websocket.MessageText, []byte(`{"`+strings.Repeat("호", 100)+`":1}`)); err != nil {
		t.Fatal(err)
	}
	_, _, err = conn.Read(ctx)
	var end websocket.CloseError
	if !errors.As(err, &end) || end.Code != websocket.StatusPolicyViolation || end.Reason == "" || !utf8.ValidString(end.Reason) {
		t.Errorf("%v", err)
	}
}
