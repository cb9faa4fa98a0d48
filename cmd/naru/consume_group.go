package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// consumeGroup reads as a member of a group. What was written out is
// committed, at intervals and at the end; what was only fetched is not.
func (a *app) consumeGroup(ctx context.Context, c *consumption, out *recordWriter) error {
	_, ends, err := a.consumeRange(ctx, c)
	if err != nil {
		return err
	}
	share := &groupShare{ends: ends, at: offsets{}}
	cl, err := a.connect(ctx,
		kgo.ConsumerGroup(c.group), kgo.ConsumeTopics(c.topics...), kgo.ConsumeResetOffset(startOffset(c.from)),
		kgo.AutoCommitMarks(), kgo.KeepControlRecords(), kgo.KeepRetryableFetchErrors(),
		kgo.OnPartitionsAssigned(func(ctx context.Context, cl *kgo.Client, got map[string][]int32) { share.assigned(got) }),
		kgo.OnPartitionsRevoked(func(ctx context.Context, cl *kgo.Client, lost map[string][]int32) {
			if err := cl.CommitMarkedOffsets(ctx); err != nil {
				fmt.Fprintf(a.err, "naru: commit: %v\n", err)
			}
			share.lost(lost)
		}),
		kgo.OnPartitionsLost(func(_ context.Context, _ *kgo.Client, lost map[string][]int32) { share.lost(lost) }),
	)
	if err != nil {
		return err
	}
	defer cl.CloseAllowingRebalance()
	err = a.readShare(ctx, cl, c, share, out)
	commit, cancel := context.WithTimeout(context.WithoutCancel(ctx), a.timeout)
	defer cancel()
	if commitErr := cl.CommitMarkedOffsets(commit); commitErr != nil {
		err = errors.Join(err, fmt.Errorf("commit of group %q: %w", c.group, commitErr))
	}
	return err
}

// groupPatience allows for other members that are slow to join again.
const groupPatience = 90 * time.Second

func (a *app) readShare(ctx context.Context, cl *client, c *consumption, share *groupShare, out *recordWriter) error {
	poll := &poller{cl: cl, patience: max(a.timeout, groupPatience), endless: c.follow}
	for !out.enough() {
		if c.until != nil {
			done, err := share.done(ctx, cl, c)
			if err != nil || done {
				return err
			}
		}
		fetches, err := poll.next(ctx, out.batch())
		if err != nil {
			return err
		}
		records := fetches.Records()
		for _, r := range records {
			if err := out.record(r); err != nil {
				return err
			}
			share.read(r)
		}
		if err := out.out.Flush(); err != nil {
			return fmt.Errorf("standard output: %w", err)
		}
		cl.MarkCommitRecords(records...)
	}
	return nil
}

func startOffset(pos position) kgo.Offset {
	switch pos.kind {
	case atLatest:
		return kgo.NewOffset().AtEnd()
	case atTimestamp:
		return kgo.NewOffset().AfterMilli(pos.n)
	}
	return kgo.NewOffset().AtStart()
}

// groupShare is what this member has been given, and how far it has read.
type groupShare struct {
	ends offsets // nil: no end

	mu    sync.Mutex // guards what follows: the client calls from its own goroutine
	given bool       // at least one assignment has come
	at    offsets    // next offset of each partition held; -1 not known yet
}

func (s *groupShare) assigned(got map[string][]int32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.given = true
	for topic, partitions := range got {
		for _, p := range partitions {
			s.at.set(topic, p, -1)
		}
	}
}

func (s *groupShare) lost(gone map[string][]int32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for topic, partitions := range gone {
		for _, p := range partitions {
			delete(s.at[topic], p)
		}
	}
}

func (s *groupShare) read(r *kgo.Record) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, held := s.at[r.Topic][r.Partition]; held {
		s.at.set(r.Topic, r.Partition, r.Offset+1)
	}
}

// done tells whether every partition held has been read to its end. A
// partition that was given with nothing left to read never yields a record, so
// its committed offset is looked up.
func (s *groupShare) done(ctx context.Context, cl *client, c *consumption) (bool, error) {
	if s.unknown() {
		if err := s.lookUp(ctx, cl, c); err != nil {
			return false, err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for topic, partitions := range s.at {
		for p, at := range partitions {
			if at < s.ends[topic][p] {
				return false, nil
			}
		}
	}
	return s.given, nil
}

func (s *groupShare) unknown() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, partitions := range s.at {
		for _, at := range partitions {
			if at < 0 {
				return true
			}
		}
	}
	return false
}

func (s *groupShare) lookUp(ctx context.Context, cl *client, c *consumption) error {
	committed, err := cl.adm.FetchOffsets(ctx, c.group)
	if err != nil && !errors.Is(err, kerr.GroupIDNotFound) {
		return err
	}
	within, err := cl.topicBounds(ctx, c.topics...)
	if err != nil {
		return err
	}
	reset, err := cl.resolve(ctx, c.from, within)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for topic, partitions := range s.at {
		for p, at := range partitions {
			if at >= 0 {
				continue
			}
			o, ok := committed.Lookup(topic, p)
			if ok && o.Err == nil && o.At >= 0 {
				s.at.set(topic, p, o.At)
			} else {
				s.at.set(topic, p, reset[topic][p])
			}
		}
	}
	return nil
}
