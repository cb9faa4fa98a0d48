package group

import "fmt"

// replaceStatic lets a restarted instance take over its predecessor's place.
// In a stable group whose protocol stays the same nothing else changes: the new
// member gets the old assignment, and no rebalance happens (KIP-345).
func (c *Coordinator) replaceStatic(g *membership, m *member, req *JoinRequest, tok Token) {
	oldID, oldLeader := m.id, g.leader
	fenced := fmt.Errorf("%w: instance %q of group %q joined again", ErrFencedInstance, m.instance, g.id)
	c.answerJoin(g, m, JoinResponse{Err: fenced, Generation: NoGeneration, MemberID: oldID})
	c.answerSync(g, m, SyncResponse{Err: fenced})

	g.rename(m, req.NewMemberID)
	g.update(m, cloneProtocols(req.Protocols), req.SessionTimeout, req.RebalanceTimeout)
	m.clientID, m.host = req.ClientID, req.ClientHost
	c.heard(g, m)
	c.awaitJoin(g, m, tok)

	switch {
	case g.state == PreparingRebalance:
		c.maybeCompleteJoin(g)
	case g.state == CompletingRebalance || g.selectProtocol() != g.protocol:
		// The leader may be assigning to the old id just now; or the choice of
		// protocol changes. Both need everybody.
		c.prepareRebalance(g)
	default:
		c.takeOver(g, m, req.CanSkipAssignment, oldLeader)
	}
}

// takeOver answers once the new id is stored: a restart that forgot it would
// bring back the fenced one. A rebalance that begins meanwhile answers instead.
func (c *Coordinator) takeOver(g *membership, m *member, canSkip bool, oldLeader string) {
	resp := g.joined(m)
	resp.SkipAssignment = canSkip && m.id == g.leader
	if !canSkip {
		// A caller that cannot be told to keep the assignment must not believe
		// that it leads.
		resp.Members, resp.Leader = nil, oldLeader
	}
	c.tickets++
	g.takeovers = append(g.takeovers, takeover{ticket: c.tickets, call: m.join, member: m, resp: resp})
	c.out = append(c.out, &Store{
		Group: g.id, Ticket: c.tickets,
		State: g.saved(func(m *member) []byte { return m.assignment }),
	})
}

// takeover is a restarted instance that waits for its new id to be stored.
type takeover struct {
	ticket uint64
	call   Token
	member *member
	resp   JoinResponse
}

// tookOver ends a takeover. If its id could not be stored the member is told to
// try again; it keeps its place, since the predecessor is fenced already.
func (c *Coordinator) tookOver(g *membership, t takeover, err error) {
	if t.member.join != t.call || g.state != Stable {
		return // a rebalance has answered or will
	}
	if err != nil {
		t.resp = JoinResponse{Err: err, Generation: NoGeneration}
	}
	c.answerJoin(g, t.member, t.resp)
	c.heard(g, t.member)
}
