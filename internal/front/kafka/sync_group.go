package kafka

import (
	"github.com/narumq/naru/internal/group"
	wire "github.com/narumq/naru/internal/wire/kafka"
)

// SyncGroup (14), versions 0-5.
//
// Behaviour: the leader brings everybody's assignment, the others wait for it.
// From version 5 on the protocol has to be named (KIP-559).
//
// Deviations: during shutdown it is answered with COORDINATOR_NOT_AVAILABLE.
var _ = serve(wire.KeySyncGroup, syncGroup)

func syncGroup(c *call, q *wire.SyncGroupRequest) {
	if c.version >= 5 && (q.ProtocolType == nil || q.ProtocolName == nil) {
		c.finish(syncAnswer(c, group.SyncResponse{Err: group.ErrInconsistentProtocol}))
		return
	}
	req := group.SyncRequest{
		Group: q.GroupId, MemberID: q.MemberId, InstanceID: value(q.GroupInstanceId), Generation: q.GenerationId,
		ProtocolType: value(q.ProtocolType), Protocol: value(q.ProtocolName),
		Assignments: make([]group.Assignment, len(q.Assignments)),
	}
	for i, a := range q.Assignments {
		req.Assignments[i] = group.Assignment{MemberID: a.MemberId, Data: a.Assignment}
	}
	first := once()
	c.interrupt = func() {
		if first() {
			c.finish(syncAnswer(c, group.SyncResponse{Err: group.ErrUnavailable}))
		}
	}
	c.conn.s.broker.SyncGroup(req, func(r group.SyncResponse) {
		if first() {
			c.finish(syncAnswer(c, r))
		}
	})
}

func syncAnswer(c *call, r group.SyncResponse) *wire.SyncGroupResponse {
	return &wire.SyncGroupResponse{
		ErrorCode: c.groupCode(r.Err), ProtocolType: nullable(r.ProtocolType), ProtocolName: nullable(r.Protocol), Assignment: r.Assignment,
	}
}
