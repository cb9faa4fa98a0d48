package main

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/narumq/naru/bench/internal/load"
)

const (
	failWidth    = 64
	failPatience = 40 * time.Second
)

// failOver kills the broker that leads most partitions while one record is in flight in each, and notes how long it was until partitions
// acknowledged again.
func (s *session) failOver(ctx context.Context, w *world) error {
	topic, err := load.CreateTopic(ctx, w.options(), "failover", failWidth)
	if err != nil {
		return err
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(w.seeds()...), kgo.DefaultProduceTopic(topic.Name), kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerLinger(0), kgo.MetadataMinAge(50*time.Millisecond), kgo.RetryBackoffFn(func(int) time.Duration { return 50 * time.Millisecond }))
	if err != nil {
		return err
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(ctx, failPatience)
	defer cancel()
	a := &acks{last: make([]time.Time, failWidth)}
	var wg sync.WaitGroup
	defer wg.Wait()
	run, end := context.WithCancel(ctx)
	defer end()
	for p := range int32(failWidth) {
		wg.Go(func() { a.produce(run, client, p) })
	}
	if err := until(ctx, failPatience, func() error { return a.since(time.Time{}) }); err != nil {
		return err
	}
	victim, led, err := w.leader(ctx, client, topic.Name)
	if err != nil {
		return err
	}
	killed := time.Now()
	if err := syscall.Kill(w.brokers[victim].PID(), syscall.SIGKILL); err != nil {
		return err
	}
	if err := until(ctx, failPatience, func() error { return a.since(killed.Add(100 * time.Millisecond)) }); err != nil {
		return err
	}
	gaps := a.gaps(led)
	s.values["failover.median"], s.values["failover.worst"] = gaps[len(gaps)/2].Seconds(), gaps[len(gaps)-1].Seconds()
	s.values["failover.led"] = float64(len(led))
	s.values["failover.over"] = s.values["failover.worst"] - s.lease.Seconds()
	s.say("fail-over: it led %d of %d; acknowledged again after %.2f s, the last after %.2f s", len(led), failWidth, s.values["failover.median"], s.values["failover.worst"])
	return nil
}

// leader is the broker that leads most partitions, and which.
func (w *world) leader(ctx context.Context, client *kgo.Client, topic string) (index int, led []int32, err error) {
	meta, err := kadm.NewClient(client).Metadata(ctx, topic)
	if err != nil {
		return 0, nil, err
	}
	by := map[int32][]int32{}
	var most int32
	for _, p := range meta.Topics[topic].Partitions {
		by[p.Leader] = append(by[p.Leader], p.Partition)
		if len(by[p.Leader]) > len(by[most]) {
			most = p.Leader
		}
	}
	for _, b := range meta.Brokers {
		if b.NodeID != most {
			continue
		}
		for i, h := range w.homes {
			if int(b.Port) == h.Port {
				return i, by[most], nil
			}
		}
	}
	return 0, nil, fmt.Errorf("no broker of ours leads %s", topic)
}

// acks is when each partition acknowledged last, and the longest time without.
type acks struct {
	mu   sync.Mutex
	last []time.Time
	gap  [failWidth]time.Duration
}

// produce has one record in flight after another.
func (a *acks) produce(ctx context.Context, client *kgo.Client, partition int32) {
	for ctx.Err() == nil {
		if client.ProduceSync(ctx, &kgo.Record{Partition: partition, Value: []byte("x")}).FirstErr() == nil {
			a.took(partition, time.Now())
		}
	}
}

func (a *acks) took(partition int32, at time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if last := a.last[partition]; !last.IsZero() {
		a.gap[partition] = max(a.gap[partition], at.Sub(last))
	}
	a.last[partition] = at
}

// since is an error while a partition has not acknowledged since then.
func (a *acks) since(then time.Time) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	for p, at := range a.last {
		if !at.After(then) {
			return fmt.Errorf("partition %d has not acknowledged", p)
		}
	}
	return nil
}

func (a *acks) gaps(of []int32) (out []time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, p := range of {
		out = append(out, a.gap[p])
	}
	slices.Sort(out)
	return out
}
