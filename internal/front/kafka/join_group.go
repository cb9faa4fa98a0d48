package kafka

import (
	"sync/atomic"
	"time"

	"github.com/narumq/naru/internal/group"
	wire "github.com/narumq/naru/internal/wire/kafka"
)

// JoinGroup (11), versions 0-9.
//
// Behaviour: the classic protocol: the answer comes when the next generation
// begins. A new member is given an id to join again with from version 4 on
// (KIP-394); static members by instance id from version 5 on (KIP-345).
//
// Deviations: during shutdown a join is answered with COORDINATOR_NOT_AVAILABLE.
var _ = serve(wire.KeyJoinGroup, joinGroup)

// once lets the first of several answer a call: the group, or a shutdown.
func once() func() bool {
	var answered atomic.Bool
	return func() bool { return answered.CompareAndSwap(false, true) }
}

func milliseconds(ms int32) time.Duration { return time.Duration(ms) * time.Millisecond }

func joinGroup(c *call, q *wire.JoinGroupRequest) {
	req := group.JoinRequest{
		Group: q.GroupId, MemberID: q.MemberId, InstanceID: value(q.GroupInstanceId),
		ClientID: c.clientID, ClientHost: c.conn.clientHost,
		SessionTimeout: milliseconds(q.SessionTimeoutMs), ProtocolType: q.ProtocolType, Reason: value(q.Reason),
		RequireKnownMember: c.version >= 4, CanSkipAssignment: c.version >= 9,
		Protocols: make([]group.Protocol, len(q.Protocols)),
	}
	if c.version >= 1 {
		req.RebalanceTimeout = milliseconds(q.RebalanceTimeoutMs)
	}
	for i, p := range q.Protocols {
		req.Protocols[i] = group.Protocol{Name: p.Name, Metadata: p.Metadata}
	}
	first := once()
	c.interrupt = func() {
		if first() {
			c.finish(joinAnswer(c, group.JoinResponse{Err: group.ErrUnavailable, Generation: group.NoGeneration, MemberID: req.MemberID}))
		}
	}
	c.conn.s.broker.JoinGroup(req, func(r group.JoinResponse) {
		if first() {
			c.finish(joinAnswer(c, r))
		}
	})
}

func joinAnswer(c *call, r group.JoinResponse) *wire.JoinGroupResponse {
	resp := &wire.JoinGroupResponse{
		ErrorCode: c.groupCode(r.Err), GenerationId: r.Generation, ProtocolType: nullable(r.ProtocolType), ProtocolName: nullable(r.Protocol),
		Leader: r.Leader, SkipAssignment: r.SkipAssignment, MemberId: r.MemberID,
		Members: make([]wire.JoinGroupResponseJoinGroupResponseMember, len(r.Members)),
	}
	if r.Err != nil {
		resp.GenerationId = group.NoGeneration
	}
	for i, m := range r.Members {
		resp.Members[i] = wire.JoinGroupResponseJoinGroupResponseMember{
			MemberId: m.ID, GroupInstanceId: nullable(m.InstanceID), Metadata: m.Metadata,
		}
	}
	return resp
}
