package kinesis

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/narumq/naru/internal/catalog"
	"github.com/narumq/naru/internal/front/aws"
)

const shardPrefix = "shardId-"

func shardID(partition int32) string { return fmt.Sprintf("%s%012d", shardPrefix, partition) }

func parseShardID(id string) (int32, bool) {
	n, err := strconv.ParseUint(strings.TrimPrefix(id, shardPrefix), 10, 31)
	return int32(n), err == nil
}

type hashKeyRange struct{ StartingHashKey, EndingHashKey string }

type sequenceRange struct {
	StartingSequenceNumber string
	EndingSequenceNumber   string `json:",omitempty"`
}

// shardOut is a shard as clients see it.
type shardOut struct {
	ShardId               string
	ParentShardId         string `json:",omitempty"`
	AdjacentParentShardId string `json:",omitempty"`
	HashKeyRange          hashKeyRange
	SequenceNumberRange   sequenceRange
}

type childShard struct {
	ShardId      string
	ParentShards []string
	HashKeyRange hashKeyRange
}

func rangeOf(p *catalog.PartitionMeta) hashKeyRange {
	return hashKeyRange{p.Keys.First.String(), p.Keys.Last.String()}
}

func describeShard(t *catalog.Topic, i int32) shardOut {
	p := &t.Partitions[i]
	out := shardOut{ShardId: shardID(i), HashKeyRange: rangeOf(p)}
	out.SequenceNumberRange.StartingSequenceNumber = firstSequence(p, i).String()
	if p.Closed {
		out.SequenceNumberRange.EndingSequenceNumber = placeSequence(p, i, p.End).String()
	}
	parents := parentIDs(p)
	if len(parents) > 0 {
		out.ParentShardId = parents[0]
	}
	if len(parents) > 1 {
		out.AdjacentParentShardId = parents[1]
	}
	return out
}

func parentIDs(p *catalog.PartitionMeta) []string {
	ids := make([]string, len(p.Parents))
	for i, parent := range p.Parents {
		ids[i] = shardID(parent)
	}
	return ids
}

// children are what a reader goes on with at a shard's end.
func children(t *catalog.Topic, i int32) []childShard {
	var list []childShard
	for _, c := range t.Children(i) {
		p := &t.Partitions[c]
		list = append(list, childShard{shardID(c), parentIDs(p), rangeOf(p)})
	}
	return list
}

// trimHorizon is before what records are gone; 0 is never.
func trimHorizon(t *catalog.Topic, now time.Time) int64 {
	if t.Settings.RetentionMS < 0 {
		return 0
	}
	return max(now.UnixMilli()-t.Settings.RetentionMS, 0)
}

// shards lists the partitions that a stream shows: closed ones as long as they may
// have records.
func shards(t *catalog.Topic, now time.Time) []int32 {
	horizon := trimHorizon(t, now)
	return selectShards(t, func(_ int32, p *catalog.PartitionMeta) bool { return !p.Closed || p.ClosedAt >= horizon })
}

func selectShards(t *catalog.Topic, want func(int32, *catalog.PartitionMeta) bool) []int32 {
	list := make([]int32, 0, len(t.Partitions))
	for i := range t.Partitions {
		if want(int32(i), &t.Partitions[i]) {
			list = append(list, int32(i))
		}
	}
	return list
}

// shardFilter says which shards are listed.
type shardFilter struct {
	Type      *string `is:"ShardFilterType,required"`
	ShardId   *string `is:"ShardId"`
	Timestamp *aws.Time
}

// apply narrows the shards down.
func (f *shardFilter) apply(t *catalog.Topic, list []int32, now time.Time) ([]int32, error) {
	keep := func(want func(p *catalog.PartitionMeta, at int64) bool, at int64) []int32 {
		// Before the first shards were there, they are what was there.
		at = max(at, t.CreatedAt)
		return slices.DeleteFunc(list, func(i int32) bool { return !want(&t.Partitions[i], at) })
	}
	open := func(p *catalog.PartitionMeta, at int64) bool {
		return p.OpenedAt <= at && (!p.Closed || p.ClosedAt >= at)
	}
	later := func(p *catalog.PartitionMeta, at int64) bool { return !p.Closed || p.ClosedAt >= at }
	switch *f.Type {
	case "AFTER_SHARD_ID":
		if f.ShardId == nil {
			return nil, invalidArgument("ShardId must be provided for the shard filter type AFTER_SHARD_ID.")
		}
		return after(list, *f.ShardId), nil
	case "AT_LATEST":
		return slices.DeleteFunc(list, func(i int32) bool { return t.Partitions[i].Closed }), nil
	case "AT_TRIM_HORIZON":
		return keep(open, trimHorizon(t, now)), nil
	case "FROM_TRIM_HORIZON":
		return keep(later, trimHorizon(t, now)), nil
	}
	if f.Timestamp == nil {
		return nil, invalidArgument("Timestamp must be provided for the shard filter type %s.", *f.Type)
	}
	if *f.Type == "AT_TIMESTAMP" {
		return keep(open, f.Timestamp.UnixMilli()), nil
	}
	return keep(later, f.Timestamp.UnixMilli()), nil
}

// after lists the shards that come after one.
func after(list []int32, id string) []int32 {
	return slices.DeleteFunc(list, func(i int32) bool { return shardID(i) <= id })
}
