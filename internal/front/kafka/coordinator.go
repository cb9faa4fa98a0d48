package kafka

import (
	"fmt"

	wire "github.com/narumq/naru/internal/wire/kafka"
)

// FindCoordinator (10), versions 0-6.
//
// Behaviour: the broker that has the group, COORDINATOR_NOT_AVAILABLE while nobody has it. Many keys at once from version
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
	resp := &wire.FindCoordinatorResponse{Coordinators: make([]wire.FindCoordinatorResponseCoordinator, len(keys))}
	v := c.conn.view()
	for i, key := range keys {
		resp.Coordinators[i] = coordinator(c, v, q.KeyType, key)
		resp.Coordinators[i].Key = key
	}
	if c.version < 4 {
		n := &resp.Coordinators[0]
		resp.ErrorCode, resp.ErrorMessage, resp.NodeId, resp.Host, resp.Port = n.ErrorCode, n.ErrorMessage, n.NodeId, n.Host, n.Port
	}
	return resp
}

func coordinator(c *call, v *view, kind int8, key string) wire.FindCoordinatorResponseCoordinator {
	switch kind {
	case coordinateGroup:
	case coordinateTransaction:
		return noCoordinator(c.note(codeUnsupportedVersion), errNoTransactions.Error())
	default:
		return noCoordinator(c.note(codeInvalidRequest), fmt.Sprintf("coordinator type %d is not supported", kind))
	}
	n, ok := v.node(v.broker.Owner(v.broker.GroupSlot(key)))
	if !ok {
		return noCoordinator(c.note(codeCoordinatorNotAvailable), "nobody has the group at the moment")
	}
	return wire.FindCoordinatorResponseCoordinator{NodeId: n.id, Host: n.host, Port: n.port}
}

func noCoordinator(code int16, why string) wire.FindCoordinatorResponseCoordinator {
	return wire.FindCoordinatorResponseCoordinator{NodeId: -1, Port: -1, ErrorCode: code, ErrorMessage: &why}
}
