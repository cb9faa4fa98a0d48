package kinesis

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/narumq/naru/internal/broker"
	"github.com/narumq/naru/internal/catalog"
	"github.com/narumq/naru/internal/front/aws"
)

// SubscribeToShard: records as they come, for five minutes.

const (
	// subscriptionLife is how long one lasts; clients renew it.
	subscriptionLife = 5 * time.Minute
	// subscriptionKept is how long another call of the same consumer for the same
	// shard is refused. A later one takes over.
	subscriptionKept = 5 * time.Second
	// heartbeat is when there is an event at the latest, without records perhaps.
	heartbeat = 5 * time.Second
	// An event has so many records and bytes at most.
	eventRecordsMax = 1_000
	eventBytesMax   = 1 << 20
)

type subscribeIn struct {
	ConsumerARN      *string        `is:"ConsumerARN,required"`
	ShardId          *string        `is:"ShardId,required"`
	StartingPosition *startPosition `is:"Any,required"`
	StreamId         *string        `is:"StreamId"`
	DryRun           *bool
}

type startPosition struct {
	Type           *string `is:"ShardIteratorType,required"`
	SequenceNumber *string `is:"Sequence"`
	Timestamp      *aws.Time
}

// subscribeEvent is an event with records. At the end of the shard there is no
// continuation: the children follow.
type subscribeEvent struct {
	Records                    []recordOut
	ContinuationSequenceNumber string `json:",omitempty"`
	MillisBehindLatest         int64
	ChildShards                []childShard `json:",omitempty"`
}

// subscription is one that runs.
type subscription struct {
	began time.Time
	end   context.CancelCauseFunc
}

// subscribe serves one subscription.
func (s *Server) subscribe(ctx context.Context, c *aws.Call, in *subscribeIn, w *aws.EventWriter) error {
	t, name, x, err := s.consumer(&consumerRef{ConsumerARN: in.ConsumerARN})
	if err != nil {
		return err
	}
	n, err := shard(t, *in.ShardId)
	if err != nil {
		return err
	}
	p := in.StartingPosition
	from, err := s.place(t, n, start{*p.Type, p.SequenceNumber, p.Timestamp, subscribeToShard})
	if err != nil {
		return err
	}
	r, err := s.newReading(t, n, from)
	if err != nil {
		return err
	}
	if in.DryRun != nil && *in.DryRun {
		return dryRun()
	}
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	key := subscriptionKey(t, x.tail(name), n)
	sub, err := s.enter(key, end)
	if err != nil {
		return err
	}
	defer s.leave(key, sub)
	if err := w.Begin(); err != nil {
		return nil // the client is gone
	}
	ctx, stop := context.WithTimeout(ctx, subscriptionLife)
	defer stop()
	return s.push(ctx, r, w)
}

func subscriptionKey(t *catalog.Topic, consumer string, shard int32) string {
	return fmt.Sprintf("%s/%s/%d", t.ID, consumer, shard)
}

// enter takes the place of the consumer at the shard.
func (s *Server) enter(key string, end context.CancelCauseFunc) (*subscription, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	another := inUse("Another active subscription exists for this consumer: %s", key)
	if old := s.subs[key]; old != nil {
		if now.Sub(old.began) < subscriptionKept {
			return nil, another
		}
		old.end(another)
	}
	sub := &subscription{now, end}
	s.subs[key] = sub
	return sub, nil
}

func (s *Server) leave(key string, sub *subscription) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.subs[key] == sub {
		delete(s.subs, key)
	}
}

// endSubscriptions ends those of a consumer that is gone.
func (s *Server) endSubscriptions(t *catalog.Topic, consumer string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for key, sub := range s.subs {
		if strings.HasPrefix(key, t.ID.String()+"/"+consumer+"/") {
			sub.end(noConsumer(consumer))
		}
	}
}

// push sends what there is and what comes. It returns nil when the time is over, when
// the shard has ended, when the server stops and when the client is gone.
func (s *Server) push(ctx context.Context, r *reading, w *aws.EventWriter) error {
	news := broker.NewWaiter()
	r.part.Watch(news, 0)
	defer r.part.Unwatch(news, 0)
	for {
		err := r.fill(eventRecordsMax, eventBytesMax)
		if _, gone := s.b.TopicByID(r.topic.ID); gone != nil {
			return noStream(r.topic.Name)
		}
		if err != nil {
			return err
		}
		event := &subscribeEvent{Records: r.records, MillisBehindLatest: r.behind(s.now())}
		ended := r.ended()
		if ended {
			event.ChildShards = children(r.part.Topic(), r.shard)
		} else {
			event.ContinuationSequenceNumber = placeSequence(&r.topic.Partitions[r.shard], r.shard, r.next).String()
		}
		if err := w.Event("SubscribeToShardEvent", event); err != nil || ended {
			return nil
		}
		if !s.wait(ctx, r, news) {
			return over(ctx)
		}
	}
}

// wait waits until it is time for another event, and tells whether there should be
// one.
func (s *Server) wait(ctx context.Context, r *reading, news *broker.Waiter) bool {
	pause, wake := heartbeat, news.C()
	if r.next < r.part.HighWatermark() { // there is more
		pause, wake = s.limits.pause(r.bytes), nil
	}
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-s.stopping.Done():
		return false
	case <-timer.C:
	case <-wake:
		news.Dirty(nil)
	}
	return true
}

// over is why a subscription ended: nil, or what its client has to know.
func over(ctx context.Context) error {
	if cause := context.Cause(ctx); cause != context.Canceled && cause != context.DeadlineExceeded {
		return cause
	}
	return nil
}
