package kafka

import (
	"errors"

	"github.com/narumq/naru/internal/broker"
	"github.com/narumq/naru/internal/record"
	wire "github.com/narumq/naru/internal/wire/kafka"
)

// ListOffsets (2), versions 1-11.
//
// Behaviour: the offset of a timestamp, of the latest or earliest record, of the
// greatest timestamp (KIP-734, from version 7), and the earliest that is on this
// broker (KIP-405, from version 8), which is the earliest.
//
// Deviations: nothing is ever in tiered storage: -1 for the latest offset there
// (KIP-1005) and the earliest that is to go there (KIP-1023). The timeout is not
// used: nothing is remote. Read committed makes no difference.
var _ = answer(wire.KeyListOffsets, listOffsets)

// Timestamps with a meaning; on the wire: never renumber.
const (
	timeLatest                int64 = -1
	timeEarliest              int64 = -2
	timeMax                   int64 = -3
	timeEarliestLocal         int64 = -4
	timeLatestTiered          int64 = -5
	timeEarliestPendingUpload int64 = -6
)

// timeVersions says since which version a negative timestamp has its meaning.
var timeVersions = map[int64]int16{
	timeLatest: 1, timeEarliest: 1, timeMax: 7, timeEarliestLocal: 8, timeLatestTiered: 9, timeEarliestPendingUpload: 11,
}

func listOffsets(c *call, q *wire.ListOffsetsRequest) wire.Response {
	resp := &wire.ListOffsetsResponse{Topics: make([]wire.ListOffsetsResponseListOffsetsTopicResponse, len(q.Topics))}
	repeated := repeatedOffsets(q)
	for i := range q.Topics {
		t, out := &q.Topics[i], &resp.Topics[i]
		out.Name = t.Name
		out.Partitions = make([]wire.ListOffsetsResponseListOffsetsPartitionResponse, len(t.Partitions))
		for j := range t.Partitions {
			p := &t.Partitions[j]
			r := &out.Partitions[j]
			*r = wire.ListOffsetsResponseListOffsetsPartitionResponse{
				PartitionIndex: p.PartitionIndex, Timestamp: -1, Offset: -1, LeaderEpoch: -1,
			}
			if repeated[partitionName{t.Name, p.PartitionIndex}] {
				r.ErrorCode = c.note(codeInvalidRequest)
				continue
			}
			c.listOffset(t.Name, p, r)
		}
	}
	return resp
}

// partitionName is how most requests name a partition.
type partitionName struct {
	topic string
	index int32
}

// repeatedOffsets are the partitions that a request names more than once.
func repeatedOffsets(q *wire.ListOffsetsRequest) map[partitionName]bool {
	seen := map[partitionName]bool{}
	for i := range q.Topics {
		for j := range q.Topics[i].Partitions {
			name := partitionName{q.Topics[i].Name, q.Topics[i].Partitions[j].PartitionIndex}
			_, again := seen[name]
			seen[name] = again
		}
	}
	return seen
}

func (c *call) listOffset(topic string, q *wire.ListOffsetsRequestListOffsetsPartition, r *wire.ListOffsetsResponseListOffsetsPartitionResponse) {
	part, err := c.conn.s.partition(topic, wire.UUID{}, q.PartitionIndex)
	if err == nil {
		r.ErrorCode = c.note(epochCode(part, q.CurrentLeaderEpoch))
	}
	if since, known := timeVersions[q.Timestamp]; q.Timestamp < 0 && (!known || c.version < since) {
		r.ErrorCode = c.note(codeUnsupportedVersion)
	}
	if err != nil || r.ErrorCode != codeNone {
		if err != nil {
			r.ErrorCode = c.codeOf(err)
		}
		return
	}
	offset, stamp, err := offsetAt(part, q.Timestamp)
	if err == nil {
		err = part.Local() // lost since: what it says now is not to be relied on
	}
	if err != nil {
		if errors.Is(err, record.ErrCorrupt) {
			r.ErrorCode = c.note(codeStorageError)
			return
		}
		r.ErrorCode = c.codeOf(err)
		return
	}
	r.Offset, r.Timestamp = int64(offset), stamp
	if offset >= 0 {
		r.LeaderEpoch = recordEpoch
	}
}

func offsetAt(p *broker.Partition, timestamp int64) (offset record.Offset, stamp int64, err error) {
	switch timestamp {
	case timeLatest:
		return p.LastStable(), -1, nil
	case timeEarliest, timeEarliestLocal:
		return p.LogStart(), -1, nil
	case timeMax:
		return p.OffsetOfMaxTime()
	case timeLatestTiered, timeEarliestPendingUpload:
		return -1, -1, nil
	}
	return p.OffsetForTime(timestamp)
}
