package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/narumq/naru/conformance/history"
	"github.com/narumq/naru/conformance/witness"
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
	witness.Log
	seeds []string
	seed  uint64
	rate  int           // records a second, of each producer
	limit time.Duration // for each of the things that have to be waited for in the end

	mu     sync.Mutex
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
	r, err := s.client(s.FromStart("reader", topic, partitions))
	if err != nil {
		return err
	}
	s.reads.Go(func() {
		defer r.Close()
		s.Read(reads, r, "reader")
	})
	for i := range members {
		name := fmt.Sprintf("member%d", i)
		m, err := s.client(append(s.Member(name, group, topic),
			kgo.SessionTimeout(6*time.Second), kgo.HeartbeatInterval(time.Second), kgo.RebalanceTimeout(10*time.Second))...)
		if err != nil {
			return err
		}
		s.reads.Go(func() {
			defer m.Close()
			s.Consume(reads, m, name, group)
		})
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
		s.Note(history.Event{Kind: history.Send, Process: name, Partition: p, Value: value})
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
		s.Note(history.Event{Kind: history.Ack, Process: name, Partition: r.Partition, Offset: r.Offset, Value: value})
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

func (s *kafkaScene) summary() string {
	n := s.Counts()
	return fmt.Sprintf("kafka: %d sent, %d acknowledged, %d read, %d commits", n[history.Send], n[history.Ack], n[history.Poll], n[history.Commit])
}
