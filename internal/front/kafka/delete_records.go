package kafka

import (
	"github.com/narumq/naru/internal/record"
	wire "github.com/narumq/naru/internal/wire/kafka"
)

// DeleteRecords (21), versions 0-2.
//
// Behaviour: moves log starts up, durably, and tells where they are (KIP-107).
// -1 is the high watermark.
//
// Deviations: the timeout is not used: there is nobody to wait for.
var _ = answer(wire.KeyDeleteRecords, deleteRecords)

func deleteRecords(c *call, q *wire.DeleteRecordsRequest) wire.Response {
	resp := new(wire.DeleteRecordsResponse)
	for i := range q.Topics {
		t := &q.Topics[i]
		out := wire.DeleteRecordsResponseDeleteRecordsTopicResult{Name: t.Name}
		for _, p := range t.Partitions {
			r := wire.DeleteRecordsResponseDeleteRecordsPartitionResult{PartitionIndex: p.PartitionIndex, LowWatermark: -1}
			part, err := c.conn.s.partition(t.Name, wire.UUID{}, p.PartitionIndex)
			if err == nil {
				var start record.Offset
				if start, err = part.DeleteRecords(record.Offset(p.Offset)); err == nil {
					r.LowWatermark = int64(start)
				}
			}
			r.ErrorCode = c.codeOf(err)
			out.Partitions = append(out.Partitions, r)
		}
		resp.Topics = append(resp.Topics, out)
	}
	return resp
}
