package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sort"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/narumq/naru/conformance/history"
)

const (
	topic       = "records"
	partitions  = 6
	producers   = 2
	members     = 2
	group       = "readers"
	bufferedMax = 500 // records of a producer on their way
	endWithin   = 60 * time.Second
)

// kafkaScene is idempotent producers, a reader, members of a group, and what they saw.
type kafkaScene struct {
	seeds []string
	seed  uint64
	rate  int           // records a second, of each producer
	limit time.Duration // for each of the things that have to be waited for in the end

	mu     sync.Mutex
	events []history.Event
	asked  [partitions]time.Time // when the record was sent that was acknowledged last
	failed []string              // records that their producer gave up

	stopSends, stopReads context.CancelFunc
	sends, reads         sync.WaitGroup
}

func newKafkaScene(p *parts, seed uint64, rate int, limit time.Duration) *kafkaScene {
	s := &kafkaScene{seed: seed, rate: rate, limit: limit}
	for _, b := range p.brokers {
		s.seeds = append(s.seeds, b.kafka)
	}
	return s
}

func (s *kafkaScene) note(e history.Event) {
	e.Time = time.Now().UnixNano()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events = append(s.events, e)
}

func (s *kafkaScene) sorted() []history.Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	sort.SliceStable(s.events, func(i, j int) bool { return s.events[i].Time < s.events[j].Time })
	return s.events
}

func (s *kafkaScene) progress() (time.Time, string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	least := 0
	for p, at := range s.asked {
		if at.Before(s.asked[least]) {
			least = p
		}
	}
	return s.asked[least], fmt.Sprintf("partition %d", least)
}

func (s *kafkaScene) client(opts ...kgo.Opt) (*kgo.Client, error) {
	return kgo.NewClient(append([]kgo.Opt{
		kgo.SeedBrokers(s.seeds...), kgo.DialTimeout(time.Second), kgo.RetryBackoffFn(func(int) time.Duration { return 50 * time.Millisecond }),
		kgo.MetadataMinAge(50 * time.Millisecond), kgo.RequestTimeoutOverhead(2 * time.Second), kgo.ProduceRequestTimeout(2 * time.Second),
		kgo.RequestRetries(1000),
	}, opts...)...)
}

func (s *kafkaScene) begin(ctx context.Context) error {
	c, err := s.client()
	if err != nil {
		return err
	}
	defer c.Close()
	if _, err := kadm.NewClient(c).CreateTopic(ctx, partitions, 1, nil, topic); err != nil {
		return fmt.Errorf("create the topic: %w", err)
	}
	sends, stopSends := context.WithCancel(ctx)
	reads, stopReads := context.WithCancel(ctx)
	s.stopSends, s.stopReads = stopSends, stopReads
	for i := range producers {
		p, err := s.client(kgo.DefaultProduceTopic(topic), kgo.RecordPartitioner(kgo.ManualPartitioner()))
		if err != nil {
			return err
		}
		s.sends.Go(func() { s.produce(sends, ctx, p, fmt.Sprintf("p%d", i), s.seed+uint64(i)) })
	}
	r, err := s.fromStart("reader")
	if err != nil {
		return err
	}
	s.reads.Go(func() { s.read(reads, r, "reader") })
	for i := range members {
		m, err := s.member(fmt.Sprintf("member%d", i))
		if err != nil {
			return err
		}
		s.reads.Go(func() { s.consume(reads, m, fmt.Sprintf("member%d", i)) })
	}
	return nil
}

// produce sends unique values until sends ends, and then waits for all answers.
func (s *kafkaScene) produce(sends, ctx context.Context, c *kgo.Client, name string, seed uint64) {
	defer c.Close()
	rng := rand.New(rand.NewPCG(seed, 1))
	pad := make([]byte, 2048)
	tick := time.NewTicker(time.Second / time.Duration(s.rate))
	defer tick.Stop()
	for i := 0; sends.Err() == nil; i++ {
		for c.BufferedProduceRecords() >= bufferedMax && pause(sends, 5*time.Millisecond) {
		}
		p := rng.Int32N(partitions)
		value, began := fmt.Sprintf("%s-%d", name, i), time.Now()
		s.note(history.Event{Kind: history.Send, Process: name, Partition: p, Value: value})
		c.Produce(ctx, &kgo.Record{Partition: p, Key: []byte(value), Value: pad[:rng.IntN(len(pad))]}, func(r *kgo.Record, err error) {
			s.answered(ctx, name, value, began, r, err)
		})
		select {
		case <-tick.C:
		case <-sends.Done():
		}
	}
	limited, cancel := context.WithTimeout(ctx, s.limit)
	defer cancel()
	_ = c.Flush(limited) // what was not answered is given up by Close
}

func (s *kafkaScene) answered(ctx context.Context, name, value string, began time.Time, r *kgo.Record, err error) {
	if err == nil {
		s.note(history.Event{Kind: history.Ack, Process: name, Partition: r.Partition, Offset: r.Offset, Value: value})
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case err == nil && began.After(s.asked[r.Partition]):
		s.asked[r.Partition] = began
	case err != nil && ctx.Err() == nil:
		s.failed = append(s.failed, fmt.Sprintf("%s for partition %d: %v", value, r.Partition, err))
	}
}

// fromStart is a client that consumes all partitions without a group.
func (s *kafkaScene) fromStart(name string) (*kgo.Client, error) {
	from := map[int32]kgo.Offset{}
	for p := range int32(partitions) {
		from[p] = kgo.NewOffset().AtStart()
		s.note(history.Event{Kind: history.Assign, Process: name, Partition: p})
	}
	return s.client(kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: from}))
}

// read notes what it reads until ctx ends.
func (s *kafkaScene) read(ctx context.Context, c *kgo.Client, name string) {
	defer c.Close()
	for ctx.Err() == nil {
		c.PollFetches(ctx).EachRecord(func(r *kgo.Record) { s.polled(name, "", r) })
	}
}

func (s *kafkaScene) polled(name, group string, r *kgo.Record) {
	s.note(history.Event{Kind: history.Poll, Process: name, Group: group, Partition: r.Partition, Offset: r.Offset, Value: string(r.Key)})
}

func (s *kafkaScene) summary() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := map[history.Kind]int{}
	for _, e := range s.events {
		n[e.Kind]++
	}
	return fmt.Sprintf("kafka: %d sent, %d acknowledged, %d read, %d commits", n[history.Send], n[history.Ack], n[history.Poll], n[history.Commit])
}
