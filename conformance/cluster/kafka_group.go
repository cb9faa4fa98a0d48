package main

import (
	"context"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/narumq/naru/conformance/history"
)

// member is a client in the group.
func (s *kafkaScene) member(name string) (*kgo.Client, error) {
	return s.client(kgo.ConsumerGroup(group), kgo.ConsumeTopics(topic), kgo.DisableAutoCommit(), kgo.BlockRebalanceOnPoll(),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.SessionTimeout(6*time.Second), kgo.HeartbeatInterval(time.Second), kgo.RebalanceTimeout(10*time.Second),
		kgo.OnPartitionsAssigned(func(_ context.Context, _ *kgo.Client, got map[string][]int32) {
			for _, p := range got[topic] {
				s.note(history.Event{Kind: history.Assign, Process: name, Partition: p})
			}
		}))
}

// consume is a member of the group that commits what it has read.
func (s *kafkaScene) consume(ctx context.Context, c *kgo.Client, name string) {
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
			limited, cancel := context.WithTimeout(ctx, 5*time.Second)
			if err := c.CommitRecords(limited, r); err == nil {
				s.note(history.Event{Kind: history.Commit, Process: name, Group: group, Partition: r.Partition, Offset: r.Offset + 1})
			}
			cancel()
		}
		c.AllowRebalance()
	}
}

// askCommitted reads back what the group has committed, if that is answered in time.
func (s *kafkaScene) askCommitted(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
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
