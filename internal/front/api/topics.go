package api

import (
	"cmp"
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	naruv1 "github.com/narumq/naru/api/naru/v1"
	"github.com/narumq/naru/internal/broker"
	"github.com/narumq/naru/internal/catalog"
	"github.com/narumq/naru/internal/record"
)

const (
	pageMax         = 1_000
	idempotencyMax  = 255
	partitionsAsked = 10_000
)

// topic finds a topic that is not the server's own.
func (s *Server) topic(name string) (*catalog.Topic, error) {
	t, err := s.broker.Topic(name)
	if err == nil && t.Internal {
		return nil, fmt.Errorf("%w: %s", catalog.ErrUnknownTopic, name)
	}
	return t, err
}

// ListTopics implements naruv1connect.TopicServiceHandler.
func (s *Server) ListTopics(_ context.Context, in *naruv1.ListTopicsRequest) (*naruv1.ListTopicsResponse, error) {
	readers := s.readers()
	out := &naruv1.ListTopicsResponse{}
	list, next, err := page(s.broker.Topics(), func(t *catalog.Topic) string { return t.Name }, in.GetPrefix(), in.GetPageSize(), in.GetPageToken(),
		func(t *catalog.Topic) bool { return !t.Internal || in.GetInternal() })
	if err != nil {
		return nil, err
	}
	for _, t := range list {
		one := s.showTopic(t, readers)
		one.Partitions = nil
		out.Topics = append(out.Topics, one)
	}
	out.NextPageToken = next
	return out, nil
}

// page cuts a list that is sorted by name.
func page[T any](list []T, name func(T) string, prefix string, size int32, token string, want func(T) bool) (out []T, next string, err error) {
	if size < 0 || size > pageMax {
		return nil, "", invalid("page size is %d, want 0 to %d", size, pageMax)
	}
	size = cmp.Or(size, pageMax)
	for _, v := range list {
		n := name(v)
		if n <= token && token != "" || !strings.HasPrefix(n, prefix) || want != nil && !want(v) {
			continue
		}
		if len(out) == int(size) {
			return out, name(out[len(out)-1]), nil
		}
		out = append(out, v)
	}
	return out, "", nil
}

// readers are the queues of each topic.
func (s *Server) readers() map[string][]string {
	out := make(map[string][]string)
	for _, q := range s.broker.Queues() {
		out[q.Topic] = append(out[q.Topic], q.Name)
	}
	return out
}

func (s *Server) showTopic(t *catalog.Topic, readers map[string][]string) *naruv1.Topic {
	out := &naruv1.Topic{Topic: t.Name, Id: t.ID.String(), PartitionCount: int32(len(t.Partitions)), Internal: t.Internal, Queues: readers[t.Name]}
	for i := range t.Partitions {
		p, err := s.broker.Partition(t.Name, int32(i))
		if err != nil {
			continue // deleted meanwhile
		}
		one := &naruv1.TopicPartition{Partition: int32(i), LogStart: int64(p.LogStart()), End: int64(p.HighWatermark()), SizeBytes: p.SizeBytes()}
		out.Partitions = append(out.Partitions, one)
		out.Records += one.End - one.LogStart
		out.SizeBytes += one.SizeBytes
	}
	return out
}

// GetTopic implements naruv1connect.TopicServiceHandler.
func (s *Server) GetTopic(_ context.Context, in *naruv1.GetTopicRequest) (*naruv1.Topic, error) {
	t, err := s.broker.Topic(in.GetTopic())
	if err != nil {
		return nil, err
	}
	return s.describeTopic(t), nil
}

func (s *Server) describeTopic(t *catalog.Topic) *naruv1.Topic {
	out := s.showTopic(t, s.readers())
	for _, d := range t.Settings.Describe() {
		out.Settings = append(out.Settings, &naruv1.Setting{Name: d.Name, Value: d.Value, Overridden: !d.Default(), Help: d.Doc})
	}
	return out
}

// CreateTopic implements naruv1connect.TopicServiceHandler.
func (s *Server) CreateTopic(_ context.Context, in *naruv1.CreateTopicRequest) (*naruv1.Topic, error) {
	n := in.GetPartitions()
	if n < 0 || n > partitionsAsked {
		return nil, invalid("partitions is %d, want 0 to %d", n, partitionsAsked)
	}
	t, err := s.broker.CreateTopic(catalog.TopicSpec{Name: in.GetTopic(), Partitions: cmp.Or(n, -1), Settings: in.GetSettings()}, false)
	if err != nil {
		return nil, err
	}
	return s.describeTopic(t), nil
}

// UpdateTopic implements naruv1connect.TopicServiceHandler.
func (s *Server) UpdateTopic(_ context.Context, in *naruv1.UpdateTopicRequest) (*naruv1.Topic, error) {
	t, err := s.topic(in.GetTopic())
	if err != nil {
		return nil, err
	}
	var changes []catalog.Change
	for name, value := range in.GetSettings() {
		if slices.Contains(in.GetReset_(), name) {
			return nil, invalid("%s is to be set and reset", name)
		}
		changes = append(changes, catalog.Change{Name: name, Value: &value})
	}
	for _, name := range in.GetReset_() {
		changes = append(changes, catalog.Change{Name: name})
	}
	total := in.GetPartitions()
	if in.Partitions != nil {
		if total > partitionsAsked {
			return nil, invalid("partitions is %d, want at most %d", total, partitionsAsked)
		}
		if int(total) != len(t.Partitions) {
			if err := s.broker.AddPartitions(t.Name, total, true); err != nil {
				return nil, err
			}
		}
	}
	if len(changes) > 0 {
		if err := s.broker.AlterTopic(t.Name, changes, false); err != nil {
			return nil, err
		}
	}
	if in.Partitions != nil && int(total) != len(t.Partitions) {
		if err := s.broker.AddPartitions(t.Name, total, false); err != nil {
			return nil, err
		}
	}
	if t, err = s.topic(in.GetTopic()); err != nil {
		return nil, err
	}
	return s.describeTopic(t), nil
}

// DeleteTopic implements naruv1connect.TopicServiceHandler.
func (s *Server) DeleteTopic(_ context.Context, in *naruv1.DeleteTopicRequest) (*naruv1.DeleteTopicResponse, error) {
	if _, err := s.topic(in.GetTopic()); err != nil {
		return nil, err
	}
	return &naruv1.DeleteTopicResponse{}, s.broker.DeleteTopic(in.GetTopic())
}

// TrimTopic implements naruv1connect.TopicServiceHandler.
func (s *Server) TrimTopic(_ context.Context, in *naruv1.TrimTopicRequest) (*naruv1.TrimTopicResponse, error) {
	if _, err := s.topic(in.GetTopic()); err != nil {
		return nil, err
	}
	p, err := s.broker.Partition(in.GetTopic(), in.GetPartition())
	if err != nil {
		return nil, err
	}
	start, err := p.DeleteRecords(record.Offset(in.GetBefore()))
	return &naruv1.TrimTopicResponse{LogStart: int64(start)}, err
}

// Produce implements naruv1connect.TopicServiceHandler.
func (s *Server) Produce(ctx context.Context, in *naruv1.ProduceRequest) (*naruv1.ProduceResponse, error) {
	if n := len(in.GetRecords()); n == 0 || n > itemsMax {
		return nil, invalid("%d records, want 1 to %d", n, itemsMax)
	}
	list := make([]broker.NewRecord, len(in.GetRecords()))
	for i, r := range in.GetRecords() {
		var err error
		if list[i], err = newRecord(r); err != nil {
			return nil, fmt.Errorf("record %d: %w", i, err)
		}
	}
	once, err := onceOf(ctx, in)
	if err != nil {
		return nil, err
	}
	sent, err := s.produce(ctx, in.GetTopic(), once, list)
	if err != nil {
		return nil, err
	}
	if err := allFailed(sent); err != nil {
		return nil, err
	}
	return &naruv1.ProduceResponse{Results: showSent(sent, false)}, nil
}

// produce appends records, and waits for the outcome, which does not hang on ctx once
// they are on their way.
func (s *Server) produce(ctx context.Context, topic string, once *broker.Once, list []broker.NewRecord) ([]broker.Sent, error) {
	t, err := s.broker.EnsureTopic(topic)
	if err != nil {
		return nil, err
	}
	if t.Internal {
		return nil, fmt.Errorf("%w: %s", catalog.ErrUnknownTopic, topic)
	}
	done := make(chan []broker.Sent, 1)
	if err := s.broker.Produce(ctx, topic, once, list, func(sent []broker.Sent) { done <- sent }); err != nil {
		return nil, err
	}
	return <-done, nil
}

// onceOf is what makes a call happen once, if its caller asked for that.
func onceOf(ctx context.Context, in proto.Message) (*broker.Once, error) {
	key, _ := ctx.Value(idempotencyKey{}).(string)
	if key == "" {
		return nil, nil
	}
	if len(key) > idempotencyMax {
		return nil, invalid("Idempotency-Key of %d bytes, at most %d are allowed", len(key), idempotencyMax)
	}
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(in)
	if err != nil {
		return nil, err
	}
	return &broker.Once{Key: string(in.ProtoReflect().Descriptor().Name()) + " " + key, Digest: sha256.Sum256(b)}, nil
}
