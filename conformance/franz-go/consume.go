package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

func (s *suite) consumeChecks() {
	s.Run("consume, from an offset in the middle of a batch", s.fromMiddle)
	s.Run("consume, from a timestamp", s.fromTimestamp)
	s.Run("consume, from the end: only what comes later", s.fromEnd)
	s.Run("consume, an offset out of range resets to the start", s.outOfRange)
	s.Run("consume, a long poll answers as soon as there is a record", s.longPoll)
	s.Run("consume, an idle poll waits instead of spinning", s.idlePoll)
	s.Run("consume, small byte limits still make progress", s.smallLimits)
	s.Run("consume, 40 partitions in one session, in order", s.manyPartitions)
	s.Run("consume, topics that match a pattern, also later ones", s.pattern)
}

func (s *suite) filled(ctx context.Context, n int, base time.Time) (string, error) {
	topic, err := s.topic(ctx, 1, nil)
	if err != nil {
		return "", err
	}
	return topic, s.fill(ctx, topic, n, base)
}

func at(topic string, offset kgo.Offset) kgo.Opt {
	return kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: {0: offset}})
}

// expectFirst reads one record and compares its offset.
func (s *suite) expectFirst(ctx context.Context, want int64, opts ...kgo.Opt) error {
	c, err := s.client(opts...)
	if err != nil {
		return err
	}
	defer c.Close()
	fetches := c.PollRecords(ctx, 1)
	if err := fetches.Err(); err != nil {
		return err
	}
	if r := fetches.Records()[0]; r.Offset != want || string(r.Value) != fmt.Sprint(want) {
		return fmt.Errorf("got %q at %d, want offset %d", r.Value, r.Offset, want)
	}
	return nil
}

func (s *suite) fromMiddle(ctx context.Context) error {
	topic, err := s.filled(ctx, 100, time.Now())
	if err != nil {
		return err
	}
	return s.expectFirst(ctx, 57, at(topic, kgo.NewOffset().At(57)))
}

func (s *suite) fromTimestamp(ctx context.Context) error {
	base := time.UnixMilli(time.Now().UnixMilli() - 100_000)
	topic, err := s.filled(ctx, 100, base)
	if err != nil {
		return err
	}
	return s.expectFirst(ctx, 33, at(topic, kgo.NewOffset().AfterMilli(base.UnixMilli()+33)))
}

func (s *suite) fromEnd(ctx context.Context) error {
	topic, err := s.filled(ctx, 10, time.Now())
	if err != nil {
		return err
	}
	hook := counter{make(chan struct{}, 10_000)}
	c, err := s.client(kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtEnd()), kgo.WithHooks(hook))
	if err != nil {
		return err
	}
	defer c.Close()
	// Who fetches knows where the end is: what is filled in before is not what comes later.
	if err := until(ctx, "it fetches", func() bool { return len(hook.fetches) > 0 }); err != nil {
		return err
	}
	idle, cancel := context.WithTimeout(ctx, 1500*time.Millisecond)
	early := c.PollFetches(idle).Records()
	cancel()
	if len(early) > 0 {
		return fmt.Errorf("read offset %d, which was there before", early[0].Offset)
	}
	if err := s.fill(ctx, topic, 1, time.Now()); err != nil {
		return err
	}
	got, err := pollN(ctx, c, 1)
	if err == nil && got[0].Offset != 10 {
		err = fmt.Errorf("got offset %d, want 10", got[0].Offset)
	}
	return err
}

func (s *suite) outOfRange(ctx context.Context) error {
	topic, err := s.filled(ctx, 20, time.Now())
	if err != nil {
		return err
	}
	a, err := s.admin()
	if err != nil {
		return err
	}
	defer a.Close()
	var to kadm.Offsets
	to.AddOffset(topic, 0, 5, -1)
	if r, err := a.DeleteRecords(ctx, to); err != nil || r.Error() != nil {
		return errors.Join(err, r.Error())
	}
	if err := s.expectFirst(ctx, 5, at(topic, kgo.NewOffset().At(2)), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart())); err != nil {
		return err
	}
	c, err := s.client(at(topic, kgo.NewOffset().At(1000)), kgo.ConsumeResetOffset(kgo.NoResetOffset()))
	if err != nil {
		return err
	}
	defer c.Close()
	return wantErr(c.PollFetches(ctx).Err(), kerr.OffsetOutOfRange)
}

func (s *suite) longPoll(ctx context.Context) error {
	topic, err := s.filled(ctx, 1, time.Now())
	if err != nil {
		return err
	}
	c, err := s.client(kgo.ConsumeTopics(topic), kgo.FetchMaxWait(30*time.Second), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		return err
	}
	defer c.Close()
	if _, err := pollN(ctx, c, 1); err != nil {
		return err
	}
	time.Sleep(300 * time.Millisecond) // let the next fetch reach the broker and wait there
	start := time.Now()
	if err := s.fill(ctx, topic, 1, time.Now()); err != nil {
		return err
	}
	if _, err := pollN(ctx, c, 1); err != nil {
		return err
	}
	if took := time.Since(start); took > 15*time.Second {
		return fmt.Errorf("the record took %v to reach a waiting consumer", took)
	}
	return nil
}

// counter counts the fetch requests that a client writes.
type counter struct{ fetches chan struct{} }

func (c counter) OnBrokerWrite(_ kgo.BrokerMetadata, key int16, _ int, _, _ time.Duration, _ error) {
	if key == 1 {
		select {
		case c.fetches <- struct{}{}:
		default:
		}
	}
}

func (s *suite) idlePoll(ctx context.Context) error {
	topic, err := s.filled(ctx, 1, time.Now())
	if err != nil {
		return err
	}
	hook := counter{make(chan struct{}, 10_000)}
	c, err := s.client(kgo.ConsumeTopics(topic), kgo.FetchMaxWait(500*time.Millisecond), kgo.WithHooks(hook))
	if err != nil {
		return err
	}
	defer c.Close()
	if _, err := pollN(ctx, c, 1); err != nil {
		return err
	}
	start, before := time.Now(), len(hook.fetches)
	if err := until(ctx, "there were three more fetches", func() bool { return time.Since(start) > 3*time.Second && len(hook.fetches) >= before+3 }); err != nil {
		return err
	}
	took := time.Since(start)
	if n := len(hook.fetches) - before; n > 4*int(took/time.Second) {
		return fmt.Errorf("%d fetch requests in %v of idling with a wait of 500 ms", n, took)
	}
	return nil
}

func (s *suite) smallLimits(ctx context.Context) error {
	topic, err := s.topic(ctx, 1, nil)
	if err != nil {
		return err
	}
	c, err := s.client()
	if err != nil {
		return err
	}
	defer c.Close()
	value := []byte(strings.Repeat("v", 20_000))
	for range 20 {
		if err := c.ProduceSync(ctx, &kgo.Record{Topic: topic, Value: value}).FirstErr(); err != nil {
			return err
		}
	}
	_, err = s.readN(ctx, topic, 20, kgo.FetchMaxBytes(1000), kgo.FetchMaxPartitionBytes(1000))
	return err
}

func (s *suite) manyPartitions(ctx context.Context) error {
	const partitions, each = 40, 50
	topic, err := s.topic(ctx, partitions, nil)
	if err != nil {
		return err
	}
	c, err := s.client(kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ConsumeTopics(topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		return err
	}
	defer c.Close()
	for i := range each {
		var records []*kgo.Record
		for p := range int32(partitions) {
			records = append(records, &kgo.Record{Topic: topic, Partition: p, Value: fmt.Append(nil, i)})
		}
		if err := c.ProduceSync(ctx, records...).FirstErr(); err != nil {
			return err
		}
	}
	got, err := pollN(ctx, c, partitions*each)
	if err != nil {
		return err
	}
	next := map[int32]int64{}
	for _, r := range got {
		if r.Offset != next[r.Partition] || string(r.Value) != fmt.Sprint(r.Offset) {
			return fmt.Errorf("partition %d: %q at %d, want offset %d", r.Partition, r.Value, r.Offset, next[r.Partition])
		}
		next[r.Partition]++
	}
	return nil
}

func (s *suite) pattern(ctx context.Context) error {
	prefix := s.name("re")
	c, err := s.client(kgo.ConsumeRegex(), kgo.ConsumeTopics("^"+prefix+"-.*"), kgo.MetadataMinAge(100*time.Millisecond),
		kgo.MetadataMaxAge(500*time.Millisecond), kgo.AllowAutoTopicCreation(), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		return err
	}
	defer c.Close()
	for i := range 2 {
		producer, err := s.client(kgo.AllowAutoTopicCreation())
		if err != nil {
			return err
		}
		err = producer.ProduceSync(ctx, &kgo.Record{Topic: fmt.Sprintf("%s-%d", prefix, i), Value: []byte("x")}).FirstErr()
		producer.Close()
		if err != nil {
			return err
		}
		if _, err := pollN(ctx, c, 1); err != nil {
			return err
		}
	}
	return nil
}
