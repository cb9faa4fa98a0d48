package kafka

import (
	wire "github.com/narumq/naru/internal/wire/kafka"
)

// DeleteGroups (42), versions 0-2.
//
// Behaviour: deletes groups without members, and their offsets (KIP-229).
//
// Deviations: none.
var _ = serve(wire.KeyDeleteGroups, deleteGroups)

func deleteGroups(c *call, q *wire.DeleteGroupsRequest) {
	c.conn.s.broker.DeleteGroups(q.GroupsNames, func(errs []error) {
		resp := new(wire.DeleteGroupsResponse)
		for i, err := range errs {
			resp.Results = append(resp.Results, wire.DeleteGroupsResponseDeletableGroupResult{
				GroupId: q.GroupsNames[i], ErrorCode: c.groupCode(err),
			})
		}
		c.finish(resp)
	})
}
