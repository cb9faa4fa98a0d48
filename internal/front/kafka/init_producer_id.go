package kafka

import (
	wire "github.com/narumq/naru/internal/wire/kafka"
)

// InitProducerId (22), versions 0-5.
//
// Behaviour: a producer id that nobody had before, with epoch 0, for an
// idempotent producer (KIP-98), also when the producer asks again because its
// sequence broke (KIP-360).
//
// Deviations: a transactional id is refused with UNSUPPORTED_VERSION. Version 6
// (KIP-939) is not stable in Kafka 4.2 and not served.
var _ = answer(wire.KeyInitProducerId, initProducerID)

func initProducerID(c *call, q *wire.InitProducerIdRequest) wire.Response {
	resp := &wire.InitProducerIdResponse{ProducerId: -1, ProducerEpoch: -1, OngoingTxnProducerId: -1, OngoingTxnProducerEpoch: -1}
	if q.TransactionalId != nil {
		resp.ErrorCode = c.codeOf(errNoTransactions)
		return resp
	}
	id, err := c.conn.s.broker.NewProducerID()
	if err != nil {
		resp.ErrorCode = c.note(producerIDCode(err))
		return resp
	}
	resp.ProducerId, resp.ProducerEpoch = id, 0
	return resp
}

// producerIDCode is codeOf where there is no new id: for what passes, Kafka says that the coordinator is loading, which all
// producers wait for, and not that a partition's storage fails.
func producerIDCode(err error) int16 { return storageAs(codeCoordinatorLoading, codeOf(err)) }
