package api

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"connectrpc.com/connect"

	naruv1 "github.com/narumq/naru/api/naru/v1"
	"github.com/narumq/naru/api/naru/v1/naruv1connect"
)

// storm is a queue whose consumers come and go.
type storm struct {
	t      *testing.T
	client naruv1connect.QueueServiceClient
	mu     sync.Mutex
	left   map[string]bool // not confirmed
	seen   map[string]int32
}

// confirmed notes acks that the server confirmed: those messages must not come again.
func (s *storm) confirmed(texts map[string]string, list []*naruv1.Settled) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, x := range list {
		if x.Error == nil {
			delete(s.left, texts[x.Delivery])
		}
	}
}

// delivered notes a delivery, unless the stream has ended: then it was given back, and
// may be somebody else's by now.
func (s *storm) delivered(ctx context.Context, m *naruv1.Message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if ctx.Err() != nil {
		return
	}
	if !s.left[m.GetText()] {
		s.t.Errorf("%s came again after its ack was confirmed", m.GetText())
	}
	if m.Attempts <= s.seen[m.GetText()] {
		s.t.Errorf("%s: attempt %d after %d", m.GetText(), m.Attempts, s.seen[m.GetText()])
	}
	s.seen[m.GetText()] = m.Attempts
}

// consume is one stream, which ends in the middle of what it does.
func (s *storm) consume(ctx context.Context, random *rand.Rand) {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(20+random.IntN(100))*time.Millisecond)
	defer cancel()
	stream, err := s.client.Consume(ctx)
	if err != nil {
		return
	}
	defer stream.CloseResponse()
	if stream.Send(&naruv1.ConsumeRequest{Queue: "q", Credit: int32(1 + random.IntN(20))}) != nil {
		return
	}
	texts := map[string]string{}
	for left := random.IntN(40); left > 0; left-- {
		in, err := stream.Receive()
		if err != nil {
			return
		}
		step := &naruv1.ConsumeRequest{}
		for _, m := range in.Messages {
			texts[m.Delivery] = m.GetText()
			s.delivered(ctx, m)
			switch random.IntN(8) {
			case 0:
				step.Nack = append(step.Nack, m.Delivery)
			case 1: // kept until the end
			default:
				step.Ack = append(step.Ack, m.Delivery)
			}
		}
		for i := range in.Settled { // nacks are no confirmation
			if texts[in.Settled[i].Delivery] == "" {
				in.Settled[i].Error = &naruv1.Error{}
			}
		}
		s.confirmed(texts, in.Settled)
		for _, d := range step.Nack {
			texts[d] = ""
		}
		if len(step.Ack)+len(step.Nack) > 0 && stream.Send(step) != nil {
			return
		}
	}
	if random.IntN(2) == 0 {
		stream.CloseRequest()
	}
}

// Consumers come and go; every message is acknowledged in the end, none comes again
// after that was confirmed, and each delivery is a new attempt.
func TestConsumersComeAndGo(t *testing.T) {
	w := newWorld(t)
	w.must("POST", "/v1/queues", `{"queue":"q","settings":{"lease":"60s"}}`)
	ctx, cancel := context.WithTimeout(context.Background(), 40*time.Second)
	defer cancel()
	s := &storm{t: t, client: naruv1connect.NewQueueServiceClient(w.client, w.web.URL, connect.WithGRPC()), left: map[string]bool{}, seen: map[string]int32{}}
	var list []*naruv1.NewMessage
	for i := range 1000 {
		text := fmt.Sprint(i)
		s.left[text] = true
		list = append(list, &naruv1.NewMessage{Value: &naruv1.NewMessage_Text{Text: text}})
	}
	if _, err := w.s.Send(ctx, &naruv1.SendRequest{Queue: "q", Messages: list}); err != nil {
		t.Fatal(err)
	}
	var work sync.WaitGroup
	for i := range 6 {
		work.Go(func() {
			random := rand.New(rand.NewPCG(1, uint64(i)))
			for q, err := w.s.GetQueue(ctx, &naruv1.GetQueueRequest{Queue: "q"}); err == nil && ctx.Err() == nil; q, err = w.s.GetQueue(ctx, &naruv1.GetQueueRequest{Queue: "q"}) {
				if st := q.Stats; st.Ready+st.InFlight+st.Delayed == 0 {
					return
				}
				s.consume(ctx, random)
			}
		})
	}
	work.Wait()
	if ctx.Err() != nil || len(s.seen) != len(list) {
		t.Errorf("%d of %d messages were delivered, %d are not known to be done: %v", len(s.seen), len(list), len(s.left), ctx.Err())
	}
}
