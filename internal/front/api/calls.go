package api

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"

	naruv1 "github.com/narumq/naru/api/naru/v1"
	"github.com/narumq/naru/internal/broker"
	"github.com/narumq/naru/internal/catalog"
	"github.com/narumq/naru/internal/queue"
	"github.com/narumq/naru/internal/record"
)

const (
	// callsQueue is where answers to Request and Collect go, and nobody else receives
	// from; each broker of a cluster has one, of its number. channelPrefix begins the names of clients' own channels.
	callsQueue    = catalog.InternalPrefix + "replies"
	callsQueueOf  = "-" // before the number of a broker
	channelPrefix = "naru.replies."

	requestTimeout = 30 * time.Second // of a Request that does not say
	collectTimeout = 5 * time.Second
	repliesMax     = 1_000 // of one Collect
	waitingMax     = 100_000
	replyBatch     = 500
	replyLease     = 30 * time.Second
	replyRetry     = time.Second
)

// replies hands answers to the calls that wait for them. A call is known by its
// correlation id, which nobody else can guess.
type replies struct {
	s               *Server
	queue           string // where the answers come
	delivered, late atomic.Int64
	work            sync.WaitGroup

	mu      sync.Mutex // guards what follows
	open    bool       // the queue is there, and is read
	waiting map[string]chan *naruv1.Message
}

func (r *replies) init(s *Server) {
	r.s, r.queue, r.waiting = s, callsQueue, make(map[string]chan *naruv1.Message)
	if b := s.broker; !b.Alone() { // what another one takes from it does not come to who waits here
		r.queue = fmt.Sprint(callsQueue, callsQueueOf, b.NodeID())
	}
}

func (r *replies) wait() { r.work.Wait() }

// expect makes an id of which up to n answers go to the channel, until the id is
// forgotten.
func (r *replies) expect(n int) (id string, ch chan *naruv1.Message, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.open {
		q, err := r.s.broker.InternalQueue(r.queue)
		if err != nil {
			return "", nil, err
		}
		r.open = true
		r.work.Add(1)
		go r.read(q)
	}
	if len(r.waiting) >= waitingMax {
		return "", nil, fmt.Errorf("%w: %d calls wait for answers", broker.ErrInFlightLimit, waitingMax)
	}
	id, ch = uuid.NewString(), make(chan *naruv1.Message, n)
	r.waiting[id] = ch
	return id, ch, nil
}

func (r *replies) forget(id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.waiting, id)
}

// read serves the queue of answers until the server stops.
func (r *replies) read(q *broker.Queue) {
	defer r.work.Done()
	for r.s.ctx.Err() == nil {
		err := r.readSome(q)
		if err == nil || r.s.ctx.Err() != nil {
			continue
		}
		r.s.log.Warn("answers cannot be read", "queue", r.queue, "err", err)
		select {
		case <-time.After(replyRetry):
		case <-r.s.ctx.Done():
		}
	}
}

func (r *replies) readSome(q *broker.Queue) error {
	list, err := q.Receive(r.s.ctx, broker.ReceiveRequest{Max: replyBatch, BytesMax: receiveBytesMax, Lease: replyLease, Wait: waitMax})
	if err != nil || len(list) == 0 {
		return err
	}
	tags := make([]queue.Tag, len(list))
	for i := range list {
		tags[i] = list[i].Tag
		r.hand(showMessage(q, &list[i], false))
	}
	q.Ack(tags, func([]error) {})
	return nil
}

// hand gives an answer to its call, or counts it as late.
func (r *replies) hand(m *naruv1.Message) {
	r.mu.Lock()
	defer r.mu.Unlock()
	ch, ok := r.waiting[m.GetCorrelationId()]
	if ok {
		select {
		case ch <- m:
			r.delivered.Add(1)
			return
		default: // it has as many as it wants
		}
	}
	r.late.Add(1)
}

// OpenReplyChannel implements naruv1connect.CallServiceHandler.
func (s *Server) OpenReplyChannel(_ context.Context, in *naruv1.OpenReplyChannelRequest) (*naruv1.OpenReplyChannelResponse, error) {
	if in.GetClient() == "" {
		return nil, invalid("client is missing")
	}
	name := channelPrefix + in.GetClient()
	_, err := s.broker.CreateQueue(catalog.QueueSpec{Name: name, Settings: catalog.DefaultQueueSettings()})
	if err != nil && !errors.Is(err, catalog.ErrQueueExists) {
		return nil, err
	}
	return &naruv1.OpenReplyChannelResponse{Queue: name}, nil
}

// noKey refuses a key where a repeated call could not have the answers of the first.
func noKey(ctx context.Context) error {
	if key, _ := ctx.Value(idempotencyKey{}).(string); key != "" {
		return invalid("Idempotency-Key is for calls that only send: Produce, Send and Reply")
	}
	return nil
}

// Request implements naruv1connect.CallServiceHandler.
func (s *Server) Request(ctx context.Context, in *naruv1.RequestRequest) (*naruv1.RequestResponse, error) {
	if err := noKey(ctx); err != nil {
		return nil, err
	}
	timeout, err := span("timeout", in.GetTimeout(), requestTimeout, waitMax)
	if err != nil {
		return nil, err
	}
	q, err := s.broker.Queue(in.GetQueue())
	if err != nil {
		return nil, err
	}
	if in.GetMessage() == nil {
		return nil, invalid("message is missing")
	}
	m, err := messageFor(q, in.GetMessage())
	if err != nil {
		return nil, err
	}
	id, answers, err := s.replies.expect(1)
	if err != nil {
		return nil, err
	}
	defer s.replies.forget(id)
	ctx, cancel := context.WithTimeoutCause(ctx, cmp.Or(timeout, requestTimeout), errTimeout)
	defer cancel()
	m.Headers = withHeaders(m.Headers, s.replies.headers(id)...)
	if m.Expiry == 0 {
		m.Expiry = cmp.Or(timeout, requestTimeout) // nobody waits for it any longer
	}
	done := make(chan []broker.Sent, 1)
	q.Send(ctx, []broker.Message{m}, func(sent []broker.Sent) { done <- sent })
	switch sent := <-done; {
	case sent[0].Err != nil:
		return nil, sent[0].Err
	case sent[0].Duplicate:
		return nil, errAsked
	}
	select {
	case answer := <-answers:
		return &naruv1.RequestResponse{Reply: answer}, nil
	case <-ctx.Done():
		return nil, s.cut(ctx)
	}
}

func (r *replies) headers(id string) []record.HeaderField {
	return []record.HeaderField{{Key: headerReplyTo, Value: []byte(r.queue)}, {Key: headerCorrelation, Value: []byte(id)}}
}

// withHeaders adds headers in place of those that have their names: whoever takes the
// first of a name has to find the same as who takes the last.
func withHeaders(list []record.HeaderField, more ...record.HeaderField) []record.HeaderField {
	list = slices.DeleteFunc(list, func(h record.HeaderField) bool {
		return slices.ContainsFunc(more, func(m record.HeaderField) bool { return m.Key == h.Key })
	})
	return append(list, more...)
}

// cut says why a call has no answer.
func (s *Server) cut(ctx context.Context) error {
	if s.ctx.Err() != nil {
		return errStopping
	}
	return context.Cause(ctx)
}

// Collect implements naruv1connect.CallServiceHandler.
func (s *Server) Collect(ctx context.Context, in *naruv1.CollectRequest) (*naruv1.CollectResponse, error) {
	if err := noKey(ctx); err != nil {
		return nil, err
	}
	timeout, err := span("timeout", in.GetTimeout(), collectTimeout, waitMax)
	if err != nil {
		return nil, err
	}
	want := int(cmp.Or(in.GetMaxReplies(), repliesMax))
	if want < 0 || want > repliesMax {
		return nil, invalid("max replies is %d, want 0 to %d", want, repliesMax)
	}
	if in.GetRecord() == nil {
		return nil, invalid("record is missing")
	}
	rec, err := newRecord(in.GetRecord())
	if err != nil {
		return nil, err
	}
	id, answers, err := s.replies.expect(want)
	if err != nil {
		return nil, err
	}
	defer s.replies.forget(id)
	rec.Headers = withHeaders(rec.Headers, s.replies.headers(id)...)
	end := time.NewTimer(cmp.Or(timeout, collectTimeout))
	defer end.Stop()
	sent, err := s.produce(ctx, in.GetTopic(), nil, []broker.NewRecord{rec})
	if err != nil {
		return nil, err
	}
	if sent[0].Err != nil {
		return nil, sent[0].Err
	}
	out := &naruv1.CollectResponse{}
	for size := 0; len(out.Replies) < want && size < receiveBytesMax; {
		select {
		case answer := <-answers:
			out.Replies = append(out.Replies, answer)
			size += proto.Size(answer)
		case <-end.C:
			return out, nil
		case <-ctx.Done():
			return nil, s.cut(ctx)
		}
	}
	return out, nil
}

// Reply implements naruv1connect.CallServiceHandler.
func (s *Server) Reply(ctx context.Context, in *naruv1.ReplyRequest) (*naruv1.ReplyResponse, error) {
	switch {
	case in.GetReplyTo() == "":
		return nil, invalid("reply_to is missing")
	case in.GetCorrelationId() == "":
		return nil, invalid("correlation_id is missing")
	case in.GetMessage() == nil:
		return nil, invalid("message is missing")
	}
	find := s.broker.Queue
	switch to := in.GetReplyTo(); {
	case to == s.replies.queue:
		find = s.broker.InternalQueue
	case strings.HasPrefix(to, callsQueue+callsQueueOf):
		find = s.broker.FindInternalQueue // of who asked; clients make none
	}
	q, err := find(in.GetReplyTo())
	if err != nil {
		return nil, err
	}
	m, err := messageFor(q, in.GetMessage())
	if err != nil {
		return nil, err
	}
	m.Headers = withHeaders(m.Headers, record.HeaderField{Key: headerCorrelation, Value: []byte(in.GetCorrelationId())})
	once, err := onceOf(ctx, in)
	if err != nil {
		return nil, err
	}
	done := make(chan []broker.Sent, 1)
	q.SendOnce(ctx, once, []broker.Message{m}, func(sent []broker.Sent) { done <- sent })
	sent := <-done
	if sent[0].Err != nil {
		return nil, sent[0].Err
	}
	return &naruv1.ReplyResponse{Id: sent[0].ID.String()}, nil
}

// GetReplyStats implements naruv1connect.CallServiceHandler.
func (s *Server) GetReplyStats(context.Context, *naruv1.GetReplyStatsRequest) (*naruv1.ReplyStats, error) {
	s.replies.mu.Lock()
	waiting := len(s.replies.waiting)
	s.replies.mu.Unlock()
	return &naruv1.ReplyStats{Waiting: int64(waiting), Delivered: s.replies.delivered.Load(), Late: s.replies.late.Load()}, nil
}
