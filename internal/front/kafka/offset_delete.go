package kafka

import (
	"github.com/narumq/naru/internal/broker"
	wire "github.com/narumq/naru/internal/wire/kafka"
)

// OffsetDelete (47), version 0.
//
// Behaviour: forgets positions of a group (KIP-496), but not of a topic that a
// member subscribes to.
//
// Deviations: none.
var _ = serve(wire.KeyOffsetDelete, offsetDelete)

func offsetDelete(c *call, q *wire.OffsetDeleteRequest) {
	wanted := make([]broker.WantedTopic, len(q.Topics))
	for i, t := range q.Topics {
		wanted[i].Topic = t.Name
		for _, p := range t.Partitions {
			wanted[i].Partitions = append(wanted[i].Partitions, p.PartitionIndex)
		}
	}
	c.conn.s.broker.DeleteOffsets(q.GroupId, wanted, func(r broker.CommitOffsetsResponse) {
		resp := &wire.OffsetDeleteResponse{ErrorCode: c.groupCode(r.Err)}
		for i := range r.Errs {
			t := wire.OffsetDeleteResponseOffsetDeleteResponseTopic{Name: wanted[i].Topic}
			for j, err := range r.Errs[i] {
				t.Partitions = append(t.Partitions, wire.OffsetDeleteResponseOffsetDeleteResponsePartition{
					PartitionIndex: wanted[i].Partitions[j], ErrorCode: c.groupCode(err),
				})
			}
			resp.Topics = append(resp.Topics, t)
		}
		if r.Err != nil {
			resp.Topics = nil
		}
		c.finish(resp)
	})
}
