package kafka

import (
	"github.com/narumq/naru/internal/group"
	wire "github.com/narumq/naru/internal/wire/kafka"
)

// LeaveGroup (13), versions 0-5.
//
// Behaviour: removes one member, or several from version 3 on (KIP-345), each
// with its own outcome.
//
// Deviations: none.
var _ = answer(wire.KeyLeaveGroup, leaveGroup)

func leaveGroup(c *call, q *wire.LeaveGroupRequest) wire.Response {
	req := group.LeaveRequest{Group: q.GroupId}
	if c.version < 3 {
		req.Members = []group.LeavingMember{{MemberID: q.MemberId}}
	}
	for _, m := range q.Members {
		req.Members = append(req.Members, group.LeavingMember{
			MemberID: m.MemberId, InstanceID: value(m.GroupInstanceId), Reason: value(m.Reason),
		})
	}
	r := c.conn.s.broker.LeaveGroup(req)
	resp := &wire.LeaveGroupResponse{ErrorCode: c.groupCode(r.Err)}
	if c.version < 3 {
		if r.Err == nil && len(r.Members) == 1 {
			resp.ErrorCode = c.groupCode(r.Members[0].Err)
		}
		return resp
	}
	for _, m := range r.Members {
		resp.Members = append(resp.Members, wire.LeaveGroupResponseMemberResponse{
			MemberId: m.MemberID, GroupInstanceId: nullable(m.InstanceID), ErrorCode: c.groupCode(m.Err),
		})
	}
	return resp
}
