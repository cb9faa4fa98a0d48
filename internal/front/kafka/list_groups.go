package kafka

import (
	"github.com/narumq/naru/internal/group"
	wire "github.com/narumq/naru/internal/wire/kafka"
)

// ListGroups (16), versions 0-5.
//
// Behaviour: the groups that this broker has, or those of them in some states (KIP-518) or of some types
// (KIP-848): there is one type, classic.
//
// Deviations: none.
var _ = answer(wire.KeyListGroups, listGroups)

func listGroups(c *call, q *wire.ListGroupsRequest) wire.Response {
	resp := new(wire.ListGroupsResponse)
	for _, g := range c.conn.s.broker.ListGroups(q.StatesFilter, q.TypesFilter) {
		resp.Groups = append(resp.Groups, wire.ListGroupsResponseListedGroup{
			GroupId: g.Group, ProtocolType: g.ProtocolType, GroupState: g.State.String(), GroupType: group.Type,
		})
	}
	return resp
}
