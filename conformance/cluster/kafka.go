package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sort"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/narumq/naru/conformance/history"
)

const (
	topic      = "records"
	partitions = 4
	producers  = 2
	endWithin  = 40 * time.Second
)

// kafkaScene is idempotent producers and a reader, and what they saw.
type kafkaScene struct {
	seeds []string
	seed  uint64

	mu     sync.Mutex
	events []history.Event

	stop    context.CancelFunc
	sends   sync.WaitGroup
	acks    atomic.Int64
	unknown atomic.Int64
}

func newKafkaScene(p *parts, seed uint64) *kafkaScene {
	s := &kafkaScene{seed: seed}
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
	sends, stop := context.WithCancel(ctx)
	s.stop = stop
	for i := range producers {
		p, err := s.client(kgo.DefaultProduceTopic(topic), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.MaxBufferedRecords(500))
		if err != nil {
			return err
		}
		s.sends.Go(func() { s.produce(sends, ctx, p, fmt.Sprintf("p%d", i), s.seed+uint64(i)) })
	}
	r, err := s.fromStart("reader")
	if err != nil {
		return err
	}
	go s.read(ctx, r, "reader")
	return nil
}

// produce sends unique values until sends ends, and then waits for all answers.
func (s *kafkaScene) produce(sends, ctx context.Context, c *kgo.Client, name string, seed uint64) {
	defer c.Close()
	rng := rand.New(rand.NewPCG(seed, 1))
	pad := make([]byte, 2048)
	for i := 0; sends.Err() == nil; i++ {
		p := rng.Int32N(partitions)
		value := fmt.Sprintf("%s-%d", name, i)
		s.note(history.Event{Kind: history.Send, Process: name, Partition: p, Value: value})
		c.Produce(ctx, &kgo.Record{Partition: p, Key: []byte(value), Value: pad[:rng.IntN(len(pad))]}, func(r *kgo.Record, err error) {
			if err != nil {
				s.unknown.Add(1)
				return
			}
			s.acks.Add(1)
			s.note(history.Event{Kind: history.Ack, Process: name, Partition: r.Partition, Offset: r.Offset, Value: value})
		})
		if i%10 == 9 && !pause(sends, 5*time.Millisecond) {
			break
		}
	}
	_ = c.Flush(ctx) // what did not come is of unknown outcome
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
		c.PollFetches(ctx).EachRecord(func(r *kgo.Record) { s.polled(name, r) })
	}
}

func (s *kafkaScene) polled(name string, r *kgo.Record) {
	s.note(history.Event{Kind: history.Poll, Process: name, Partition: r.Partition, Offset: r.Offset, Value: string(r.Key)})
}

// end stops the producers and reads everything once more, from the start.
func (s *kafkaScene) end(ctx context.Context) error {
	s.stop()
	s.sends.Wait()
	c, err := s.fromStart("last")
	if err != nil {
		return err
	}
	limited, cancel := context.WithTimeout(ctx, endWithin)
	defer cancel()
	var ends kadm.ListedOffsets
	for { // a broker that stands by may be asked first
		if ends, err = kadm.NewClient(c).ListEndOffsets(limited, topic); err == nil {
			err = ends.Error()
		}
		if err == nil {
			break
		}
		if !pause(limited, 50*time.Millisecond) {
			return err
		}
	}
	next := map[int32]int64{}
	done := func() bool {
		for p := range int32(partitions) {
			if o, _ := ends.Lookup(topic, p); next[p] < o.Offset {
				return false
			}
		}
		return true
	}
	defer c.Close()
	for !done() {
		if limited.Err() != nil {
			return fmt.Errorf("read only up to %v of %v", next, ends.Offsets())
		}
		c.PollFetches(limited).EachRecord(func(r *kgo.Record) {
			s.polled("last", r)
			next[r.Partition] = r.Offset + 1
		})
	}
	for p := range int32(partitions) {
		o, _ := ends.Lookup(topic, p)
		s.note(history.Event{Kind: history.End, Process: "last", Partition: p, Offset: o.Offset})
	}
	return nil
}

func (s *kafkaScene) summary() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := map[history.Kind]int{}
	for _, e := range s.events {
		n[e.Kind]++
	}
	return fmt.Sprintf("kafka: %d sent, %d acknowledged, %d of unknown outcome, %d read", n[history.Send], n[history.Ack], s.unknown.Load(), n[history.Poll])
}
