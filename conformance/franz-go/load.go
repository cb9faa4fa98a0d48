package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/narumq/naru/conformance/events"
)

// member reads the topic in a group, commits after every poll, and leaves the
// group in order on SIGTERM.
func member(o options) error {
	out := events.NewPrinter(os.Stdout)
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	opts := []kgo.Opt{
		kgo.SeedBrokers(o.bootstrap), kgo.ClientID(o.id),
		kgo.ConsumerGroup(o.group), kgo.ConsumeTopics(o.topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.DisableAutoCommit(), kgo.BlockRebalanceOnPoll(),
		kgo.SessionTimeout(6 * time.Second), kgo.HeartbeatInterval(500 * time.Millisecond),
		kgo.OnPartitionsAssigned(func(_ context.Context, _ *kgo.Client, m map[string][]int32) {
			for _, p := range m[o.topic] {
				out.Print("assign", p)
			}
		}),
		kgo.OnPartitionsRevoked(func(_ context.Context, _ *kgo.Client, m map[string][]int32) {
			for _, p := range m[o.topic] {
				out.Print("revoke", p)
			}
		}),
		kgo.OnPartitionsLost(func(_ context.Context, _ *kgo.Client, m map[string][]int32) {
			for _, p := range m[o.topic] {
				out.Print("revoke", p)
			}
		}),
	}
	if o.assignor == "cooperative-sticky" {
		opts = append(opts, kgo.Balancers(kgo.CooperativeStickyBalancer()))
	} else {
		opts = append(opts, kgo.Balancers(kgo.RangeBalancer()))
	}
	if o.instance != "" {
		opts = append(opts, kgo.InstanceID(o.instance))
	}
	client, err := kgo.NewClient(opts...)
	if err != nil {
		return err
	}
	defer client.Close()
	for ctx.Err() == nil {
		fetches := client.PollRecords(ctx, 200)
		for _, e := range fetches.Errors() {
			if !errors.Is(e.Err, context.Canceled) {
				return fmt.Errorf("poll: %w", e.Err)
			}
		}
		next := map[int32]int64{}
		fetches.EachRecord(func(r *kgo.Record) {
			out.Print("poll", r.Partition, r.Offset, string(r.Value))
			next[r.Partition] = r.Offset + 1
		})
		if len(next) > 0 {
			// A commit waits for a rebalance, which waits until the session of who was killed ends.
			commit, cancel := context.WithTimeout(context.Background(), 60*time.Second)
			err := client.CommitRecords(commit, fetches.Records()...)
			cancel()
			for p, offset := range next {
				if err == nil {
					out.Print("commit", p, offset)
				}
			}
		}
		client.AllowRebalance()
	}
	return nil
}

// producer sends values ID:0, ID:1, … round robin to the partitions.
func producer(o options) error {
	out := events.NewPrinter(os.Stdout)
	client, err := kgo.NewClient(kgo.SeedBrokers(o.bootstrap), kgo.ClientID(o.id),
		kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerLinger(5*time.Millisecond))
	if err != nil {
		return err
	}
	defer client.Close()
	var pending sync.WaitGroup
	start := time.Now()
	for i := range o.records {
		time.Sleep(time.Until(start.Add(time.Duration(i) * time.Second / time.Duration(o.rate))))
		p := int32(i % o.partitions)
		value := fmt.Sprintf("%s:%d", o.id, i)
		out.Print("send", p, value)
		pending.Add(1)
		client.Produce(context.Background(), &kgo.Record{Topic: o.topic, Partition: p, Value: []byte(value)},
			func(r *kgo.Record, err error) {
				defer pending.Done()
				if err != nil {
					out.Print("fail", p, value, err)
					return
				}
				out.Print("ack", r.Partition, r.Offset, value)
			})
	}
	pending.Wait()
	return nil
}
