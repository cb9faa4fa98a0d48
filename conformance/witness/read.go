package witness

import (
	"context"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/narumq/naru/conformance/history"
)

// commitWithin is how long a member waits for the answer to a commit before it reads on.
const commitWithin = 5 * time.Second

func (l *Log) polled(process, group string, r *kgo.Record) {
	l.Note(history.Event{Kind: history.Poll, Process: process, Group: group, Partition: r.Partition, Offset: r.Offset, Value: string(r.Key)})
}

// FromStart has a client consume all partitions of a topic without a group.
func (l *Log) FromStart(process, topic string, partitions int32) kgo.Opt {
	from := map[int32]kgo.Offset{}
	for p := range partitions {
		from[p] = kgo.NewOffset().AtStart()
		l.Note(history.Event{Kind: history.Assign, Process: process, Partition: p})
	}
	return kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: from})
}

// Read follows what the client consumes until ctx ends.
func (l *Log) Read(ctx context.Context, c *kgo.Client, process string) {
	for ctx.Err() == nil {
		c.PollFetches(ctx).EachRecord(func(r *kgo.Record) { l.polled(process, "", r) })
	}
}

// ReadTo reads until the ends of all partitions of a topic, or until ctx ends, and returns where it came to. What has no end here is
// waited for.
func (l *Log) ReadTo(ctx context.Context, c *kgo.Client, process, topic string, partitions int32, ends kadm.ListedOffsets) (next map[int32]int64) {
	next = map[int32]int64{}
	done := func() bool {
		for p := range partitions {
			if o, ok := ends.Lookup(topic, p); !ok || next[p] < o.Offset {
				return false
			}
		}
		return true
	}
	for !done() && ctx.Err() == nil {
		c.PollFetches(ctx).EachRecord(func(r *kgo.Record) {
			l.polled(process, "", r)
			next[r.Partition] = r.Offset + 1
		})
	}
	return next
}

// Member has a client be a member of a group that commits by itself what it has read; see Consume.
func (l *Log) Member(process, group, topic string) []kgo.Opt {
	return []kgo.Opt{
		kgo.ConsumerGroup(group), kgo.ConsumeTopics(topic), kgo.DisableAutoCommit(), kgo.BlockRebalanceOnPoll(),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.OnPartitionsAssigned(func(_ context.Context, _ *kgo.Client, got map[string][]int32) {
			for _, p := range got[topic] {
				l.Note(history.Event{Kind: history.Assign, Process: process, Partition: p})
			}
		}),
	}
}

// Consume reads as a member, and commits, until ctx ends.
func (l *Log) Consume(ctx context.Context, c *kgo.Client, process, group string) {
	for ctx.Err() == nil {
		poll, cancel := context.WithTimeout(ctx, time.Second)
		fetches := c.PollRecords(poll, 2000)
		cancel()
		last := map[int32]*kgo.Record{}
		fetches.EachRecord(func(r *kgo.Record) {
			l.polled(process, group, r)
			last[r.Partition] = r
		})
		for _, r := range last {
			limited, cancel := context.WithTimeout(ctx, commitWithin)
			if err := c.CommitRecords(limited, r); err == nil {
				l.Note(history.Event{Kind: history.Commit, Process: process, Group: group, Partition: r.Partition, Offset: r.Offset + 1})
			}
			cancel()
		}
		c.AllowRebalance()
	}
}

// AskCommitted reads back what a group has committed, if that is answered before ctx ends.
func (l *Log) AskCommitted(ctx context.Context, c *kgo.Client, group string) {
	began := time.Now().UnixNano()
	offsets, err := kadm.NewClient(c).FetchOffsets(ctx, group)
	if err != nil {
		return
	}
	offsets.Each(func(o kadm.OffsetResponse) {
		if o.Err == nil {
			l.Note(history.Event{Kind: history.Committed, Group: group, Partition: o.Partition, Offset: o.At, Start: began})
		}
	})
}
