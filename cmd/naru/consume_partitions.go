package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// consumePartitions reads without a group: from where to where is known
// before the first record.
func (a *app) consumePartitions(ctx context.Context, c *consumption, out *recordWriter) error {
	from, until, err := a.consumeRange(ctx, c)
	if err != nil {
		return err
	}
	left := offsets{} // where each unfinished partition ends
	begin := make(map[string]map[int32]kgo.Offset)
	for topic, partitions := range from {
		begin[topic] = make(map[int32]kgo.Offset)
		for p, at := range partitions {
			if until != nil && at >= until[topic][p] {
				continue
			}
			begin[topic][p] = kgo.NewOffset().At(at)
			if until != nil {
				left.set(topic, p, until[topic][p])
			}
		}
	}
	if until != nil && len(left) == 0 {
		return nil
	}
	cl, err := a.connect(ctx, kgo.ConsumePartitions(begin), kgo.KeepControlRecords(), kgo.KeepRetryableFetchErrors(),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		return err
	}
	defer cl.Close()
	poll := &poller{cl: cl, patience: a.timeout, endless: c.follow}
	for !out.enough() && (until == nil || len(left) > 0) {
		fetches, err := poll.next(ctx, out.batch())
		if err != nil {
			return err
		}
		err = nil
		fetches.EachPartition(func(p kgo.FetchTopicPartition) {
			if err == nil {
				err = takePartition(cl, p, until != nil, left, out)
			}
		})
		if err != nil {
			return err
		}
		if err := out.out.Flush(); err != nil {
			return fmt.Errorf("standard output: %w", err)
		}
	}
	return nil
}

// consumeRange asks where to begin and where to end.
func (a *app) consumeRange(ctx context.Context, c *consumption) (from, until offsets, err error) {
	cl, err := a.connect(ctx)
	if err != nil {
		return nil, nil, err
	}
	defer cl.Close()
	within, err := cl.topicBounds(ctx, c.topics...)
	if err != nil {
		return nil, nil, err
	}
	if err := only(within, c.topics[0], c.partitions); err != nil {
		return nil, nil, err
	}
	if from, err = cl.resolve(ctx, c.from, within); err != nil {
		return nil, nil, err
	}
	if c.until != nil {
		until, err = cl.resolve(ctx, *c.until, within)
	}
	return from, until, err
}

// takePartition writes the records before the partition's end, and stops
// fetching a partition that has reached it.
func takePartition(cl *client, p kgo.FetchTopicPartition, bounded bool, left offsets, out *recordWriter) error {
	end, unfinished := left[p.Topic][p.Partition]
	if bounded && !unfinished {
		return nil
	}
	for _, r := range p.Records {
		if !bounded || r.Offset < end {
			if err := out.record(r); err != nil {
				return err
			}
		}
		if bounded && r.Offset >= end-1 {
			if delete(left[p.Topic], p.Partition); len(left[p.Topic]) == 0 {
				delete(left, p.Topic)
			}
			cl.PauseFetchPartitions(map[string][]int32{p.Topic: {p.Partition}})
			return nil
		}
	}
	return nil
}

// poller polls, and gives up on a broker that has stopped giving.
type poller struct {
	cl       *client
	patience time.Duration
	endless  bool // waiting for records is what we are here for
	failing  time.Time
	idle     time.Time
}

// next returns what one poll gave, perhaps nothing.
func (p *poller) next(ctx context.Context, most int) (kgo.Fetches, error) {
	short, cancel := context.WithTimeout(ctx, 250*time.Millisecond)
	defer cancel()
	fetches := p.cl.PollRecords(short, most)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	now := time.Now()
	err := p.judge(fetches, now)
	if fetches.NumRecords() > 0 {
		p.idle, p.failing = time.Time{}, time.Time{}
	} else if p.idle.IsZero() {
		p.idle = now
	} else if err == nil && !p.endless && now.Sub(p.idle) > p.patience {
		err = fmt.Errorf("no record for %v (--timeout) although the end is not reached", p.patience)
	}
	return fetches, err
}

// judge returns the error that will not go away: one that is final, or one
// that could be retried and lasts.
func (p *poller) judge(fetches kgo.Fetches, now time.Time) error {
	var final, passing error
	fetches.EachError(func(topic string, partition int32, err error) {
		var loss *kgo.ErrDataLoss
		switch {
		case errors.Is(err, context.DeadlineExceeded), errors.As(err, &loss):
		case kerr.IsRetriable(err):
			passing = refused(err, "", "topic %q partition %d", topic, partition)
		default:
			final = refused(err, "", "topic %q partition %d", topic, partition)
		}
	})
	if final != nil || passing == nil {
		return final
	}
	if p.failing.IsZero() {
		p.failing = now
	}
	if now.Sub(p.failing) > min(p.patience, 5*time.Second) {
		return passing
	}
	return nil
}
