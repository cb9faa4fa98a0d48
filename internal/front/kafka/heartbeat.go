package kafka

import (
	"github.com/narumq/naru/internal/group"
	wire "github.com/narumq/naru/internal/wire/kafka"
)

// Heartbeat (12), versions 0-4.
//
// Behaviour: keeps a member alive; REBALANCE_IN_PROGRESS asks it to join again.
//
// Deviations: none.
var _ = answer(wire.KeyHeartbeat, heartbeat)

func heartbeat(c *call, q *wire.HeartbeatRequest) wire.Response {
	err := c.conn.s.broker.Heartbeat(group.HeartbeatRequest{
		Group: q.GroupId, MemberID: q.MemberId, InstanceID: value(q.GroupInstanceId), Generation: q.GenerationId,
	})
	return &wire.HeartbeatResponse{ErrorCode: c.groupCode(err)}
}
