package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sort"
	"sync"
	"sync/atomic"
	"time"

	"github.com/narumq/naru/conformance/history"
	"github.com/narumq/naru/conformance/lives"
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
	addr       string
	topic      string
	partitions int32
	seed       uint64

	mu     sync.Mutex
	events []history.Event

	stopSends context.CancelFunc
	sends     sync.WaitGroup
	stopReads context.CancelFunc
	reads     sync.WaitGroup
	acks      atomic.Int64
	unknown   atomic.Int64
}

func (s *scene) note(e history.Event) {
	e.Time = time.Now().UnixNano()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events = append(s.events, e)
}

// sorted returns the events by time; each process's own order stays.
func (s *scene) sorted() []history.Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	sort.SliceStable(s.events, func(i, j int) bool { return s.events[i].Time < s.events[j].Time })
	return s.events
}

func (s *scene) summary() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := map[history.Kind]int{}
	for _, e := range s.events {
		n[e.Kind]++
	}
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
		s.note(history.Event{Kind: history.Send, Process: name, Partition: p, Value: value})
		// The filling makes segments roll; the key is the value that is judged.
		r := &kgo.Record{Partition: p, Key: []byte(value), Value: pad[:rng.IntN(len(pad))]}
		c.Produce(ctx, r, func(r *kgo.Record, err error) {
			if err != nil {
				s.unknown.Add(1)
				return
			}
			s.acks.Add(1)
			s.note(history.Event{Kind: history.Ack, Process: name, Partition: r.Partition, Offset: r.Offset, Value: value})
		})
		if i%20 == 19 && !lives.Sleep(sends, 5*time.Millisecond) {
			break
		}
	}
	c.Flush(ctx)
}

// fromStart consumes all partitions without a group.
func (s *scene) fromStart(name string) (*kgo.Client, error) {
	from := map[int32]kgo.Offset{}
	for p := range s.partitions {
		from[p] = kgo.NewOffset().AtStart()
		s.note(history.Event{Kind: history.Assign, Process: name, Partition: p})
	}
	return s.client(kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{s.topic: from}))
}

// read follows every partition from its start, through all kills.
func (s *scene) read(ctx context.Context, name string) {
	c, err := s.fromStart(name)
	if err != nil {
		panic(err)
	}
	defer c.Close()
	for ctx.Err() == nil {
		c.PollFetches(ctx).EachRecord(func(r *kgo.Record) { s.polled(name, "", r) })
	}
}

func (s *scene) polled(name, group string, r *kgo.Record) {
	s.note(history.Event{Kind: history.Poll, Process: name, Group: group, Partition: r.Partition, Offset: r.Offset, Value: string(r.Key)})
}

// consume is a member of the group that commits what it has read.
func (s *scene) consume(ctx context.Context, name string) {
	c, err := s.client(kgo.ConsumerGroup(group), kgo.ConsumeTopics(s.topic), kgo.DisableAutoCommit(), kgo.BlockRebalanceOnPoll(),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.Balancers(kgo.RangeBalancer()),
		kgo.OnPartitionsAssigned(func(_ context.Context, _ *kgo.Client, got map[string][]int32) {
			for _, p := range got[s.topic] {
				s.note(history.Event{Kind: history.Assign, Process: name, Partition: p})
			}
		}))
	if err != nil {
		panic(err)
	}
	defer c.Close()
	for ctx.Err() == nil {
		poll, cancel := context.WithTimeout(ctx, time.Second)
		fetches := c.PollRecords(poll, 2000)
		cancel()
		last := map[int32]*kgo.Record{}
		fetches.EachRecord(func(r *kgo.Record) {
			s.polled(name, group, r)
			last[r.Partition] = r
		})
		for _, r := range last {
			if err := c.CommitRecords(ctx, r); err == nil {
				s.note(history.Event{Kind: history.Commit, Process: name, Group: group, Partition: r.Partition, Offset: r.Offset + 1})
			}
		}
		c.AllowRebalance()
	}
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
	began := time.Now().UnixNano()
	offsets, err := kadm.NewClient(c).FetchOffsets(ctx, group)
	if err != nil {
		return
	}
	offsets.Each(func(o kadm.OffsetResponse) {
		if o.Err == nil {
			s.note(history.Event{Kind: history.Committed, Group: group, Partition: o.Partition, Offset: o.At, Start: began})
		}
	})
}

// end stops the producers, waits until the readers have caught up, and stops
// them.
func (s *scene) end(ctx context.Context, lossy bool) error {
	s.stopSends()
	s.sends.Wait()
	for deadline := time.Now().Add(40 * time.Second); !lossy && !s.caughtUp(); {
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

// caughtUp tells whether the group was handed every acknowledged value.
func (s *scene) caughtUp() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	seen := map[string]bool{}
	for i := range s.events {
		if e := &s.events[i]; e.Kind == history.Poll && e.Group != "" {
			seen[e.Value] = true
		}
	}
	for i := range s.events {
		if e := &s.events[i]; e.Kind == history.Ack && !seen[e.Value] {
			return false
		}
	}
	return true
}

// readAll reads every partition from its start to its end.
func (s *scene) readAll(ctx context.Context) error {
	c, err := s.fromStart("last")
	if err != nil {
		return err
	}
	defer c.Close()
	ends, err := kadm.NewClient(c).ListEndOffsets(ctx, s.topic)
	if err := errors.Join(err, ends.Error()); err != nil {
		return err
	}
	next := map[int32]int64{}
	done := func() bool {
		for p := range s.partitions {
			if o, _ := ends.Lookup(s.topic, p); next[p] < o.Offset {
				return false
			}
		}
		return true
	}
	limit, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for !done() && limit.Err() == nil {
		c.PollFetches(limit).EachRecord(func(r *kgo.Record) {
			s.polled("last", "", r)
			next[r.Partition] = r.Offset + 1
		})
	}
	for p := range s.partitions {
		o, _ := ends.Lookup(s.topic, p)
		s.note(history.Event{Kind: history.End, Process: "last", Partition: p, Offset: o.Offset})
	}
	return nil
}
