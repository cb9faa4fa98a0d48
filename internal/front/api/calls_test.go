package api

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	naruv1 "github.com/narumq/naru/api/naru/v1"
	"github.com/narumq/naru/internal/broker"
)

// What the caller noted in the fields that calls use does not reach who answers.
func TestRequestsHaveOneCorrelation(t *testing.T) {
	w := newWorld(t)
	w.must("POST", "/v1/queues", `{"queue":"work"}`)
	ctx := context.Background()
	answer := make(chan *naruv1.RequestResponse, 1)
	go func() {
		got, err := w.s.Request(ctx, &naruv1.RequestRequest{Queue: "work", Message: &naruv1.NewMessage{
			ReplyTo: "mine", CorrelationId: "mine", Headers: []*naruv1.Header{{Name: headerCorrelation, Value: &naruv1.Header_Text{Text: "mine"}}, {Name: "kept"}},
		}})
		if err != nil {
			t.Error(err)
		}
		answer <- got
	}()
	q, err := w.s.broker.Queue("work")
	if err != nil {
		t.Fatal(err)
	}
	list, err := q.Receive(ctx, broker.ReceiveRequest{Max: 1, Wait: time.Minute})
	if err != nil || len(list) != 1 {
		t.Fatal(list, err)
	}
	m := showMessage(q, &list[0], true)
	names := func(m *naruv1.Message) (out []string) {
		for _, h := range m.Headers {
			if h.Name != broker.HeaderExpires {
				out = append(out, h.Name)
			}
		}
		return out
	}
	if got := names(m); !slices.Equal(got, []string{"kept"}) || m.ReplyTo != callsQueue || m.CorrelationId == "mine" {
		t.Errorf("%v", m)
	}
	if _, err := w.s.Reply(ctx, &naruv1.ReplyRequest{ReplyTo: m.ReplyTo, CorrelationId: m.CorrelationId, Message: &naruv1.NewMessage{CorrelationId: "other"}}); err != nil {
		t.Fatal(err)
	}
	if got := <-answer; got.GetReply().GetCorrelationId() != m.CorrelationId || len(names(got.GetReply())) > 0 {
		t.Errorf("%v", got)
	}
}

// A request that the queue takes for one that it has is not waited for.
func TestRequestThatIsADuplicate(t *testing.T) {
	w := newWorld(t)
	w.must("POST", "/v1/queues", `{"queue":"work","settings":{"dedup":"queue","dedupByContent":true}}`)
	ctx := context.Background()
	ask := &naruv1.RequestRequest{Queue: "work", Message: &naruv1.NewMessage{Value: &naruv1.NewMessage_Text{Text: "a"}}, Timeout: durationpb.New(time.Millisecond)}
	if _, err := w.s.Request(ctx, ask); codeOf(err) != connect.CodeDeadlineExceeded {
		t.Error(err)
	}
	ask.Timeout = nil
	if _, err := w.s.Request(ctx, ask); codeOf(err) != connect.CodeAlreadyExists {
		t.Error(err)
	}
	if n := len(w.s.replies.waiting); n > 0 {
		t.Errorf("%d calls wait", n)
	}
}

// Answers fit into what clients of gRPC take if they are not told otherwise.
func TestAnswersFitClients(t *testing.T) {
	const clientBytesMax = 4 << 20
	w := newWorld(t)
	w.must("POST", "/v1/topics", `{"topic":"t","settings":{"max.message.bytes":"2000000"}}`)
	w.must("POST", "/v1/queues", `{"queue":"q","settings":{"messageBytesMax":1000000}}`)
	value := strings.Repeat("x", 990_000)
	for range 10 {
		w.must("POST", "/v1/topics/t/records", `{"records":[{"text":"`+value+`"}]}`)
		w.must("POST", "/v1/queues/q/messages", `{"messages":[{"text":"`+value+`"}]}`)
	}
	ctx := context.Background()
	var list []proto.Message
	read, err := w.s.Read(ctx, &naruv1.ReadRequest{Topic: "t"})
	if err != nil {
		t.Fatal(err)
	}
	peeked, err := w.s.Peek(ctx, &naruv1.PeekRequest{Queue: "q", MaxMessages: 10})
	if err != nil {
		t.Fatal(err)
	}
	got, err := w.s.Receive(ctx, &naruv1.ReceiveRequest{Queue: "q", MaxMessages: 10})
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range append(list, read, peeked, got) {
		if n := proto.Size(m); n > clientBytesMax || n < 900_000 {
			t.Errorf("%s of %d bytes", m.ProtoReflect().Descriptor().Name(), n)
		}
	}
}
