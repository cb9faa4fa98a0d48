package kafka

import (
	"errors"

	"github.com/narumq/naru/internal/group"
	wire "github.com/narumq/naru/internal/wire/kafka"
)

// DescribeGroups (15), versions 0-6.
//
// Behaviour: state, protocol and members of each group. A group that does not
// exist is Dead, and from version 6 on also GROUP_ID_NOT_FOUND (KIP-1043).
//
// Deviations: authorized operations are never given (no authorizer).
var _ = answer(wire.KeyDescribeGroups, describeGroups)

func describeGroups(c *call, q *wire.DescribeGroupsRequest) wire.Response {
	resp := new(wire.DescribeGroupsResponse)
	seen := map[string]bool{}
	for _, id := range q.Groups {
		if seen[id] {
			continue // told already
		}
		seen[id] = true
		d := c.conn.s.broker.DescribeGroup(id)
		g := wire.DescribeGroupsResponseDescribedGroup{
			GroupId: id, GroupState: d.State.String(), ProtocolType: d.ProtocolType, ProtocolData: d.Protocol, AuthorizedOperations: notAsked,
		}
		if d.Err != nil && (c.version >= 6 || !errors.Is(d.Err, group.ErrUnknownGroup)) {
			g.ErrorCode, g.ErrorMessage = c.groupCode(d.Err), textOf(d.Err)
		}
		for _, m := range d.Members {
			g.Members = append(g.Members, wire.DescribeGroupsResponseDescribedGroupMember{
				MemberId: m.ID, GroupInstanceId: nullable(m.InstanceID), ClientId: m.ClientID, ClientHost: m.ClientHost,
				MemberMetadata: m.Metadata, MemberAssignment: m.Assignment,
			})
		}
		resp.Groups = append(resp.Groups, g)
	}
	return resp
}
