package api

import (
	"context"
	"fmt"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	naruv1 "github.com/narumq/naru/api/naru/v1"
	"github.com/narumq/naru/internal/broker"
	"github.com/narumq/naru/internal/catalog"
)

// ListQueues implements naruv1connect.QueueServiceHandler.
func (s *Server) ListQueues(_ context.Context, in *naruv1.ListQueuesRequest) (*naruv1.ListQueuesResponse, error) {
	list, next, err := page(s.broker.Queues(), func(q *catalog.Queue) string { return q.Name }, in.GetPrefix(), in.GetPageSize(), in.GetPageToken(), nil)
	if err != nil {
		return nil, err
	}
	out := &naruv1.ListQueuesResponse{NextPageToken: next}
	for _, meta := range list {
		if q, err := s.broker.Queue(meta.Name); err == nil { // else deleted meanwhile
			out.Queues = append(out.Queues, s.showQueue(q))
		}
	}
	return out, nil
}

// GetQueue implements naruv1connect.QueueServiceHandler.
func (s *Server) GetQueue(_ context.Context, in *naruv1.GetQueueRequest) (*naruv1.Queue, error) {
	q, err := s.broker.Queue(in.GetQueue())
	if err != nil {
		return nil, err
	}
	return s.showQueue(q), nil
}

func (s *Server) showQueue(q *broker.Queue) *naruv1.Queue {
	meta, st := q.Meta(), q.Stats()
	set := &meta.Settings
	return &naruv1.Queue{
		Queue: meta.Name, Topic: meta.Topic, Owned: meta.Owned, Tags: validTags(meta.Tags), CreatedTime: stamp(meta.CreatedAt),
		DeadLetterSources: s.broker.DeadLetterSources(meta.Name),
		Settings: &naruv1.QueueSettings{
			Ordered: set.Ordered, Lanes: set.Lanes, Lease: durationpb.New(set.Lease), Delay: durationpb.New(set.Delay), Wait: durationpb.New(set.Wait),
			Retention: durationpb.New(set.Retention), MessageBytesMax: set.MessageBytesMax, AttemptsMax: set.AttemptsMax, DeadLetter: set.DeadLetter,
			DeadLetterExpired: set.DeadLetterExpired, Dedup: string(set.Dedup), DedupByContent: set.DedupByContent, Filter: set.Filter,
		},
		Stats: &naruv1.QueueStats{
			Ready: st.Ready, InFlight: st.InFlight, Delayed: st.Delayed, OldestAge: durationpb.New(st.OldestAge), Sent: st.Sent, Received: st.Received,
			Redelivered: st.Redelivered, Acked: st.Acked, DeadLettered: st.DeadLettered, Expired: st.Expired,
		},
	}
}

const (
	tagsMax     = 50
	tagBytesMax = 512 // of name and value
)

// validTags is tags as UTF-8 can say them.
func validTags(tags map[string]string) map[string]string {
	out := make(map[string]string, len(tags))
	for name, value := range tags {
		out[validText(name)] = validText(value)
	}
	return out
}

func checkTags(tags map[string]string) error {
	if len(tags) > tagsMax {
		return invalid("%d tags, at most %d are allowed", len(tags), tagsMax)
	}
	for name, value := range tags {
		if n := len(name) + len(value); n > tagBytesMax {
			return invalid("tag %.100q has %d bytes, at most %d are allowed", name, n, tagBytesMax)
		}
	}
	return nil
}

// CreateQueue implements naruv1connect.QueueServiceHandler.
func (s *Server) CreateQueue(_ context.Context, in *naruv1.CreateQueueRequest) (*naruv1.Queue, error) {
	if err := checkTags(in.GetTags()); err != nil {
		return nil, err
	}
	spec := catalog.QueueSpec{Name: in.GetQueue(), Topic: in.GetTopic(), Settings: catalog.DefaultQueueSettings(), Tags: in.GetTags()}
	if err := changeSettings(s.broker.QueueMeta, &spec.Settings, in.GetSettings()); err != nil {
		return nil, err
	}
	if _, err := s.broker.CreateQueue(spec); err != nil {
		return nil, err
	}
	return s.GetQueue(context.Background(), &naruv1.GetQueueRequest{Queue: in.GetQueue()})
}

// UpdateQueue implements naruv1connect.QueueServiceHandler.
func (s *Server) UpdateQueue(_ context.Context, in *naruv1.UpdateQueueRequest) (*naruv1.Queue, error) {
	_, err := s.broker.AlterQueue(in.GetQueue(), func(spec *catalog.QueueSpec) error {
		return changeSettings(s.broker.FindQueue, &spec.Settings, in.GetSettings())
	})
	if err != nil {
		return nil, err
	}
	return s.GetQueue(context.Background(), &naruv1.GetQueueRequest{Queue: in.GetQueue()})
}

// durationMax is more than any setting of a queue may be; the catalog knows better.
const durationMax = 100 * 366 * 24 * time.Hour

// changeSettings sets what is given. find is for another queue.
func changeSettings(find func(name string) (*catalog.Queue, error), set *catalog.QueueSettings, in *naruv1.NewQueueSettings) (err error) {
	if in == nil {
		return nil
	}
	for _, d := range []struct {
		name string
		to   *time.Duration
		from *durationpb.Duration
	}{
		{"lease", &set.Lease, in.Lease}, {"delay", &set.Delay, in.Delay}, {"wait", &set.Wait, in.Wait}, {"retention", &set.Retention, in.Retention},
	} {
		if *d.to, err = span(d.name, d.from, *d.to, durationMax); err != nil {
			return err
		}
	}
	give(&set.Ordered, in.Ordered)
	give(&set.Lanes, in.Lanes)
	give(&set.MessageBytesMax, in.MessageBytesMax)
	give(&set.AttemptsMax, in.AttemptsMax)
	give(&set.DeadLetterExpired, in.DeadLetterExpired)
	give(&set.DedupByContent, in.DedupByContent)
	give(&set.Filter, in.Filter)
	if in.Dedup != nil {
		set.Dedup = catalog.DedupScope(in.GetDedup())
		if in.GetDedup() == "none" {
			set.Dedup = ""
		}
	}
	if in.DeadLetter != nil {
		if name := in.GetDeadLetter(); name != "" {
			if _, err := find(name); err != nil {
				return fmt.Errorf("dead-letter queue: %w", err)
			}
		}
		set.DeadLetter = in.GetDeadLetter()
	}
	return nil
}

func give[T any](to, from *T) {
	if from != nil {
		*to = *from
	}
}

// DeleteQueue implements naruv1connect.QueueServiceHandler.
func (s *Server) DeleteQueue(_ context.Context, in *naruv1.DeleteQueueRequest) (*naruv1.DeleteQueueResponse, error) {
	return &naruv1.DeleteQueueResponse{}, s.broker.DeleteQueue(in.GetQueue())
}

// PurgeQueue implements naruv1connect.QueueServiceHandler.
func (s *Server) PurgeQueue(_ context.Context, in *naruv1.PurgeQueueRequest) (*naruv1.PurgeQueueResponse, error) {
	q, err := s.broker.Queue(in.GetQueue())
	if err != nil {
		return nil, err
	}
	return &naruv1.PurgeQueueResponse{}, q.Purge()
}

// StartRedrive implements naruv1connect.QueueServiceHandler.
func (s *Server) StartRedrive(_ context.Context, in *naruv1.StartRedriveRequest) (*naruv1.Redrive, error) {
	if in.GetPerSecond() < 0 {
		return nil, invalid("per second is %d", in.GetPerSecond())
	}
	t, err := s.broker.StartRedrive(broker.RedriveSpec{From: in.GetQueue(), To: in.GetTo(), PerSecond: in.GetPerSecond()})
	if err != nil {
		return nil, err
	}
	return showRedrive(&t), nil
}

// ListRedrives implements naruv1connect.QueueServiceHandler.
func (s *Server) ListRedrives(_ context.Context, in *naruv1.ListRedrivesRequest) (*naruv1.ListRedrivesResponse, error) {
	if _, err := s.broker.Queue(in.GetQueue()); err != nil {
		return nil, err
	}
	out := &naruv1.ListRedrivesResponse{}
	for _, t := range s.broker.Redrives(in.GetQueue()) {
		out.Redrives = append(out.Redrives, showRedrive(&t))
	}
	return out, nil
}

// CancelRedrive implements naruv1connect.QueueServiceHandler.
func (s *Server) CancelRedrive(_ context.Context, in *naruv1.CancelRedriveRequest) (*naruv1.Redrive, error) {
	t, err := s.broker.CancelRedrive(in.GetRedrive())
	if err != nil {
		return nil, err
	}
	return showRedrive(&t), nil
}

func showRedrive(t *broker.RedriveTask) *naruv1.Redrive {
	return &naruv1.Redrive{
		Id: t.ID, Queue: t.From, To: t.To, PerSecond: t.PerSecond, State: string(t.State), Moved: t.Moved, ToMove: t.ToMove,
		StartedTime: stamp(t.StartedAt), Failure: t.Failure,
	}
}
