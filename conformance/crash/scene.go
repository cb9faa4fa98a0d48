package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/narumq/naru/conformance/history"
	"github.com/narumq/naru/conformance/lives"
	"github.com/narumq/naru/conformance/witness"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	producers = 3
	members   = 2
	group     = "crash-group"
)

// scene is the clients and what they saw.
type scene struct {
	witness.Log
	addr       string
	topic      string
	partitions int32
	seed       uint64

	stopSends context.CancelFunc
	sends     sync.WaitGroup
	stopReads context.CancelFunc
	reads     sync.WaitGroup
	acks      atomic.Int64
	unknown   atomic.Int64
}

func (s *scene) summary() string {
	n := s.Counts()
	return fmt.Sprintf("%d sent, %d acknowledged, %d of unknown outcome, %d read, %d commits",
		n[history.Send], n[history.Ack], s.unknown.Load(), n[history.Poll], n[history.Commit])
}

func (s *scene) client(opts ...kgo.Opt) (*kgo.Client, error) {
	return kgo.NewClient(append([]kgo.Opt{
		kgo.SeedBrokers(s.addr), kgo.DialTimeout(time.Second), kgo.RetryBackoffFn(func(int) time.Duration { return 50 * time.Millisecond }),
		kgo.MetadataMinAge(50 * time.Millisecond), kgo.RequestTimeoutOverhead(3 * time.Second),
	}, opts...)...)
}

func (s *scene) create(ctx context.Context) error {
	c, err := s.client()
	if err != nil {
		return err
	}
	defer c.Close()
	_, err = kadm.NewClient(c).CreateTopic(ctx, s.partitions, 1, nil, s.topic)
	return err
}

// begin starts all clients.
func (s *scene) begin(ctx context.Context) {
	sends, stopSends := context.WithCancel(ctx)
	reads, stopReads := context.WithCancel(ctx)
	s.stopSends, s.stopReads = stopSends, stopReads
	for i := range producers {
		s.sends.Go(func() { s.produce(sends, ctx, fmt.Sprintf("p%d", i), s.seed+uint64(i)) })
	}
	s.reads.Go(func() { s.read(reads, "reader") })
	for i := range members {
		s.reads.Go(func() { s.consume(reads, fmt.Sprintf("m%d", i)) })
	}
}

// produce sends unique values until sends ends, and then waits for all answers.
func (s *scene) produce(sends, ctx context.Context, name string, seed uint64) {
	c, err := s.client(kgo.DefaultProduceTopic(s.topic), kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.MaxBufferedRecords(500), kgo.ProducerLinger(time.Millisecond))
	if err != nil {
		panic(err)
	}
	defer c.Close()
	rng := rand.New(rand.NewPCG(seed, 1))
	pad := make([]byte, 4096)
	for i := 0; sends.Err() == nil; i++ {
		p := rng.Int32N(s.partitions)
		value := fmt.Sprintf("%s-%d", name, i)
		s.Note(history.Event{Kind: history.Send, Process: name, Partition: p, Value: value})
		// The filling makes segments roll; the key is the value that is judged.
		r := &kgo.Record{Partition: p, Key: []byte(value), Value: pad[:rng.IntN(len(pad))]}
		c.Produce(ctx, r, func(r *kgo.Record, err error) {
			if err != nil {
				s.unknown.Add(1)
				return
			}
			s.acks.Add(1)
			s.Note(history.Event{Kind: history.Ack, Process: name, Partition: r.Partition, Offset: r.Offset, Value: value})
		})
		if i%20 == 19 && !lives.Sleep(sends, 5*time.Millisecond) {
			break
		}
	}
	c.Flush(ctx)
}

// read follows every partition from its start, through all kills.
func (s *scene) read(ctx context.Context, name string) {
	c, err := s.client(s.FromStart(name, s.topic, s.partitions))
	if err != nil {
		panic(err)
	}
	defer c.Close()
	s.Read(ctx, c, name)
}

// consume is a member of the group that commits what it has read.
func (s *scene) consume(ctx context.Context, name string) {
	c, err := s.client(append(s.Member(name, group, s.topic), kgo.Balancers(kgo.RangeBalancer()))...)
	if err != nil {
		panic(err)
	}
	defer c.Close()
	s.Consume(ctx, c, name, group)
}

// askCommitted reads back what the group has committed, if the server answers
// in time.
func (s *scene) askCommitted(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	c, err := s.client()
	if err != nil {
		return
	}
	defer c.Close()
	s.AskCommitted(ctx, c, group)
}

// end stops the producers, waits until the readers have caught up, and stops
// them.
func (s *scene) end(ctx context.Context, lossy bool) error {
	s.stopSends()
	s.sends.Wait()
	for deadline := time.Now().Add(90 * time.Second); !lossy && !s.CaughtUp(); {
		if time.Now().After(deadline) {
			break // what is missing, the history will tell
		}
		if !lives.Sleep(ctx, 100*time.Millisecond) {
			return ctx.Err()
		}
	}
	s.askCommitted(ctx)
	s.stopReads()
	s.reads.Wait()
	return nil
}

// readAll reads every partition from its start to its end.
func (s *scene) readAll(ctx context.Context) error {
	c, err := s.client(s.FromStart("last", s.topic, s.partitions))
	if err != nil {
		return err
	}
	defer c.Close()
	ends, err := kadm.NewClient(c).ListEndOffsets(ctx, s.topic)
	if err := errors.Join(err, ends.Error()); err != nil {
		return err
	}
	limit, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	s.ReadTo(limit, c, "last", s.topic, s.partitions, ends)
	for p := range s.partitions {
		o, _ := ends.Lookup(s.topic, p)
		s.Note(history.Event{Kind: history.End, Process: "last", Partition: p, Offset: o.Offset})
	}
	return nil
}
