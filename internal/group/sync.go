package group

import (
	"bytes"
	"fmt"
	"time"
)

// Sync asks for the member's assignment; the leader's call brings everybody's.
// It is answered with a SyncReply for tok, which must not be 0.
func (c *Coordinator) Sync(now time.Time, req SyncRequest, tok Token) []Effect {
	c.begin(now)
	if err := c.sync(&req, tok); err != nil {
		c.out = append(c.out, &SyncReply{Token: tok, Response: SyncResponse{Err: err}})
	}
	return c.take()
}

func (c *Coordinator) sync(req *SyncRequest, tok Token) error {
	g, m, err := c.current(req.Group, req.MemberID, req.InstanceID, req.Generation)
	if err != nil {
		return err
	}
	if (req.ProtocolType != "" && req.ProtocolType != g.protocolType) || (req.Protocol != "" && req.Protocol != g.protocol) {
		return fmt.Errorf("%w: sync says %q of type %q, group %q has %q of type %q", ErrInconsistentProtocol,
			req.Protocol, req.ProtocolType, g.id, g.protocol, g.protocolType)
	}
	switch g.state {
	case PreparingRebalance:
		return fmt.Errorf("%w: group %q", ErrRebalanceInProgress, g.id)
	case CompletingRebalance:
		return c.awaitSync(g, m, req, tok)
	case Stable:
		delete(g.unsynced, m.id)
		c.heard(g, m)
		c.out = append(c.out, &SyncReply{Token: tok, Response: g.assigned(m)})
		return nil
	}
	return fmt.Errorf("%w: group %q has no members", ErrUnknownMember, g.id)
}

func (g *membership) assigned(m *member) SyncResponse {
	return SyncResponse{ProtocolType: g.protocolType, Protocol: g.protocol, Assignment: m.assignment}
}

// awaitSync makes a sync wait; the leader's first one starts the storing.
func (c *Coordinator) awaitSync(g *membership, m *member, req *SyncRequest, tok Token) error {
	if m.id == g.leader && g.storing == 0 {
		n := 0
		for _, a := range req.Assignments {
			n += len(a.Data)
		}
		if err := c.checkBytes(g, n); err != nil {
			return err
		}
	}
	if m.sync != 0 { // nobody reads its older call any more
		c.answerSync(g, m, SyncResponse{Err: ErrRebalanceInProgress})
	}
	m.sync = tok
	delete(g.unsynced, m.id)
	if m.id == g.leader && g.storing == 0 {
		c.storeAssignments(g, req.Assignments)
	}
	return nil
}

func (c *Coordinator) storeAssignments(g *membership, as []Assignment) {
	g.proposed = make(map[string][]byte, len(g.members))
	for _, a := range as {
		if g.members[a.MemberID] != nil { // others cannot ask for it
			g.proposed[a.MemberID] = bytes.Clone(a.Data)
		}
	}
	c.tickets++
	g.storing = c.tickets
	c.out = append(c.out, &Store{
		Group: g.id, Ticket: g.storing,
		State: g.saved(func(m *member) []byte { return g.proposed[m.id] }),
	})
}

// Stored tells the coordinator how a Store ended.
func (c *Coordinator) Stored(now time.Time, group string, ticket uint64, err error) []Effect {
	c.begin(now)
	g := c.groups[group]
	if g == nil {
		return nil
	}
	if err != nil {
		err = fmt.Errorf("%w: group %q could not be stored: %w", ErrUnavailable, group, err)
	}
	for i, t := range g.takeovers {
		if t.ticket == ticket {
			g.takeovers = append(g.takeovers[:i], g.takeovers[i+1:]...)
			c.tookOver(g, t, err)
			return c.take()
		}
	}
	if g.state == CompletingRebalance && g.storing == ticket {
		c.storedAssignments(g, err)
	}
	return c.take()
}

func (c *Coordinator) storedAssignments(g *membership, err error) {
	proposed := g.proposed
	g.storing, g.proposed = 0, nil
	if err != nil {
		c.failSyncs(g, err)
		c.prepareRebalance(g)
		return
	}
	g.to(Stable, c.now)
	for _, m := range g.order {
		g.assign(m, proposed[m.id])
		c.answerSync(g, m, g.assigned(m))
	}
}
