package kinesis

import (
	"context"
	"errors"
	"slices"

	"github.com/narumq/naru/internal/catalog"
	"github.com/narumq/naru/internal/front/aws"
)

// SplitShard, MergeShards, UpdateShardCount: done when they are answered. Records that
// come meanwhile wait for their new shard.

func init() {
	register("SplitShard", splitShard)
	register("MergeShards", mergeShards)
	register("UpdateShardCount", updateShardCount)
}

// provisionedStream is a stream whose shards are its owner's to change.
func (s *Server) provisionedStream(r *streamRef, action string) (*catalog.Topic, error) {
	t, err := s.stream(r)
	if err != nil {
		return nil, err
	}
	tr, err := traitsOf(t)
	if err == nil && tr.OnDemand {
		err = invalid("%s is not supported for stream %s under account %s: it is in ON_DEMAND mode.", action, t.Name, Account)
	}
	return t, err
}

type splitShardIn struct {
	NewStartingHashKey *string `is:"HashKey,required"`
	ShardToSplit       *string `is:"ShardId,required"`
	streamRef
}

func splitShard(ctx context.Context, s *Server, _ *aws.Call, in *splitShardIn) (*nothing, error) {
	t, err := s.provisionedStream(&in.streamRef, "SplitShard")
	if err != nil {
		return nil, err
	}
	n, err := shard(t, *in.ShardToSplit)
	if err != nil {
		return nil, err
	}
	if err := s.shardLimit(1); err != nil {
		return nil, err
	}
	p := &t.Partitions[n]
	at, err := catalog.ParseHashKey(*in.NewStartingHashKey)
	if p.Closed {
		return nil, closedShard(n, t.Name)
	}
	if err != nil || at.Compare(p.Keys.First) <= 0 || at.Compare(p.Keys.Last) >= 0 || at == p.Keys.First.Next() {
		return nil, invalidArgument("NewStartingHashKey %s used in SplitShard() on shard %s in stream %s under account %s is not both greater than one plus the shard's StartingHashKey %s and less than the shard's EndingHashKey %s.",
			*in.NewStartingHashKey, shardID(n), t.Name, Account, p.Keys.First, p.Keys.Last)
	}
	_, err = s.b.SplitPartition(ctx, t.Name, n, at)
	return nil, resharded(err, t.Name)
}

func closedShard(n int32, stream string) error {
	return invalidArgument("Shard %s in stream %s under account %s has already been merged or split, and thus is not eligible for merging or splitting.", shardID(n), stream, Account)
}

// resharded is the error of a change that came too late.
func resharded(err error, stream string) error {
	switch {
	case errors.Is(err, catalog.ErrUnknownTopic):
		return noStream(stream)
	case errors.Is(err, catalog.ErrReshard):
		return inUse("Stream %s under account %s: %s", stream, Account, err)
	}
	return err
}

type mergeShardsIn struct {
	ShardToMerge         *string `is:"ShardId,required"`
	AdjacentShardToMerge *string `is:"ShardId,required"`
	streamRef
}

func mergeShards(ctx context.Context, s *Server, _ *aws.Call, in *mergeShardsIn) (*nothing, error) {
	t, err := s.provisionedStream(&in.streamRef, "MergeShards")
	if err != nil {
		return nil, err
	}
	a, err := shard(t, *in.ShardToMerge)
	if err != nil {
		return nil, err
	}
	b, err := shard(t, *in.AdjacentShardToMerge)
	if err != nil {
		return nil, err
	}
	for _, n := range []int32{a, b} {
		if t.Partitions[n].Closed {
			return nil, closedShard(n, t.Name)
		}
	}
	open := t.Open()
	if i := slices.Index(open, a); (i+1 == len(open) || open[i+1] != b) && (i == 0 || open[i-1] != b) {
		return nil, invalidArgument("Shards %s and %s in stream %s under account %s are not an adjacent pair of shards eligible for merging", shardID(a), shardID(b), t.Name, Account)
	}
	_, err = s.b.MergePartitions(ctx, t.Name, a, b)
	return nil, resharded(err, t.Name)
}

type updateShardCountIn struct {
	TargetShardCount *int64  `is:"ShardCount,required"`
	ScalingType      *string `is:"ScalingType,required"`
	streamRef
}

type updateShardCountOut struct {
	StreamName        string
	StreamARN         string
	CurrentShardCount int64
	TargetShardCount  int64
}

func updateShardCount(ctx context.Context, s *Server, c *aws.Call, in *updateShardCountIn) (*updateShardCountOut, error) {
	t, err := s.provisionedStream(&in.streamRef, "UpdateShardCount")
	if err != nil {
		return nil, err
	}
	now, target := int64(len(t.Open())), *in.TargetShardCount
	switch {
	case target > shardsMax:
		return nil, limitExceeded("UpdateShardCount cannot scale a stream to more than %d shards. Target shard count: %d", shardsMax, target)
	case s.limits != nil && target > 2*now:
		return nil, invalidArgument("UpdateShardCount cannot scale up over double your current open shard count. Current open shard count: %d Target shard count: %d", now, target)
	case s.limits != nil && 2*target < now:
		return nil, invalidArgument("UpdateShardCount cannot scale down below half your current open shard count. Current open shard count: %d Target shard count: %d", now, target)
	}
	if err := s.shardLimit(target - now); err != nil {
		return nil, err
	}
	if _, err := s.b.SetOpenPartitions(ctx, t.Name, int(target)); err != nil {
		return nil, resharded(err, t.Name)
	}
	return &updateShardCountOut{t.Name, arnOf(c, t.Name), now, target}, nil
}
