package kafka

import (
	"github.com/narumq/naru/internal/commitlog"
	wire "github.com/narumq/naru/internal/wire/kafka"
)

// DescribeProducers (61), version 0.
//
// Behaviour: the idempotent producers that a partition remembers (KIP-664).
//
// Deviations: none has a transaction: coordinator epoch and start offset are -1.
var _ = answer(wire.KeyDescribeProducers, describeProducers)

func describeProducers(c *call, q *wire.DescribeProducersRequest) wire.Response {
	resp := new(wire.DescribeProducersResponse)
	seen := map[partitionName]bool{}
	for i := range q.Topics {
		t := &q.Topics[i]
		out := wire.DescribeProducersResponseTopicResponse{Name: t.Name}
		for _, index := range t.PartitionIndexes {
			if name := (partitionName{t.Name, index}); seen[name] {
				continue // told already
			} else {
				seen[name] = true
			}
			r := wire.DescribeProducersResponsePartitionResponse{PartitionIndex: index}
			part, err := c.conn.s.partition(t.Name, wire.UUID{}, index)
			var list []commitlog.ProducerInfo
			if err == nil {
				list = part.Producers()
				err = part.Local() // it may be lost since
			}
			if err != nil {
				r.ErrorCode, r.ErrorMessage = c.codeOf(err), textOf(err)
			} else {
				for _, p := range list {
					r.ActiveProducers = append(r.ActiveProducers, wire.DescribeProducersResponseProducerState{
						ProducerId: p.ID, ProducerEpoch: int32(p.Epoch), LastSequence: p.LastSequence, LastTimestamp: p.LastTimestamp,
						CoordinatorEpoch: -1, CurrentTxnStartOffset: -1,
					})
				}
			}
			out.Partitions = append(out.Partitions, r)
		}
		resp.Topics = append(resp.Topics, out)
	}
	return resp
}
