package kafka

import (
	"fmt"

	wire "github.com/narumq/naru/internal/wire/kafka"
)

// FindCoordinator (10), versions 0-6.
//
// Behaviour: this node coordinates every group. Many keys at once from version
// 4 on (KIP-699).
//
// Deviations: a transactional id has no coordinator: UNSUPPORTED_VERSION, which
// clients do not retry. Share groups (KIP-932): INVALID_REQUEST, as Kafka does
// when they are off.
var _ = answer(wire.KeyFindCoordinator, findCoordinator)

// Key types of FindCoordinator; on the wire: never renumber.
const (
	coordinateGroup       int8 = 0
	coordinateTransaction int8 = 1
)

func findCoordinator(c *call, q *wire.FindCoordinatorRequest) wire.Response {
	keys := q.CoordinatorKeys
	if c.version < 4 {
		keys = []string{q.Key}
	}
	node := wire.FindCoordinatorResponseCoordinator{NodeId: c.conn.s.broker.NodeID(), Host: c.conn.host, Port: c.conn.port}
	switch q.KeyType {
	case coordinateGroup:
	case coordinateTransaction:
		node = noCoordinator(c.note(codeUnsupportedVersion), errNoTransactions.Error())
	default:
		node = noCoordinator(c.note(codeInvalidRequest), fmt.Sprintf("coordinator type %d is not supported", q.KeyType))
	}
	resp := &wire.FindCoordinatorResponse{
		ErrorCode: node.ErrorCode, ErrorMessage: node.ErrorMessage, NodeId: node.NodeId, Host: node.Host, Port: node.Port,
	}
	resp.Coordinators = make([]wire.FindCoordinatorResponseCoordinator, len(keys))
	for i, key := range keys {
		resp.Coordinators[i] = node
		resp.Coordinators[i].Key = key
	}
	return resp
}

func noCoordinator(code int16, why string) wire.FindCoordinatorResponseCoordinator {
	return wire.FindCoordinatorResponseCoordinator{NodeId: -1, Port: -1, ErrorCode: code, ErrorMessage: &why}
}
