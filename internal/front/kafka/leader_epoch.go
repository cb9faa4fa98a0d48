package kafka

import (
	wire "github.com/narumq/naru/internal/wire/kafka"
)

// OffsetForLeaderEpoch (23), versions 2-4.
//
// Behaviour: where the records of a leader epoch end (KIP-279, KIP-320).
//
// Deviations: all records are of epoch 0, which ends at the high watermark, also
// after another broker took the partition: nothing is ever cut off. So that is
// where every epoch ends up to the leader's. Later ones are unknown: -1.
var _ = answer(wire.KeyOffsetForLeaderEpoch, offsetForLeaderEpoch)

func offsetForLeaderEpoch(c *call, q *wire.OffsetForLeaderEpochRequest) wire.Response {
	resp := new(wire.OffsetForLeaderEpochResponse)
	for i := range q.Topics {
		t := &q.Topics[i]
		out := wire.OffsetForLeaderEpochResponseOffsetForLeaderTopicResult{Topic: t.Topic}
		for j := range t.Partitions {
			p := &t.Partitions[j]
			r := wire.OffsetForLeaderEpochResponseEpochEndOffset{Partition: p.Partition, LeaderEpoch: -1, EndOffset: -1}
			part, err := c.conn.s.partition(t.Topic, wire.UUID{}, p.Partition)
			if err != nil {
				r.ErrorCode = c.codeOf(err)
			} else if r.ErrorCode = c.note(epochCode(part, p.CurrentLeaderEpoch)); r.ErrorCode == codeNone {
				high := part.HighWatermark()
				if epoch, err := part.LeaderEpoch(); err != nil { // lost since
					r.ErrorCode = c.codeOf(err)
				} else if recordEpoch <= p.LeaderEpoch && p.LeaderEpoch <= epoch {
					r.LeaderEpoch, r.EndOffset = recordEpoch, int64(high)
				}
			}
			out.Partitions = append(out.Partitions, r)
		}
		resp.Topics = append(resp.Topics, out)
	}
	return resp
}
