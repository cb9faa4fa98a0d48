package group

import (
	"fmt"
	"time"
)

// Join makes the caller part of the next generation. It is answered with a
// JoinReply for tok, which must not be 0.
func (c *Coordinator) Join(now time.Time, req JoinRequest, tok Token) []Effect {
	c.begin(now)
	if err := c.join(&req, tok); err != nil {
		c.refuseJoin(tok, req.MemberID, err)
	}
	return c.take()
}

func (c *Coordinator) refuseJoin(tok Token, memberID string, err error) {
	c.out = append(c.out, &JoinReply{Token: tok, Response: JoinResponse{
		Err: err, Generation: NoGeneration, MemberID: memberID,
	}})
}

// join returns an error if the caller is refused. Otherwise the call waits or
// has been answered.
func (c *Coordinator) join(req *JoinRequest, tok Token) error {
	if err := c.checkJoin(req); err != nil {
		return err
	}
	g := c.groups[req.Group]
	if g == nil {
		if req.MemberID != "" {
			return fmt.Errorf("%w: no group %q", ErrUnknownMember, req.Group)
		}
		if len(c.groups) >= c.cfg.Limits.Groups {
			return fmt.Errorf("%w: %d", ErrTooManyGroups, len(c.groups))
		}
		g = newMembership(req.Group, c.now, &c.bytes)
		c.groups[g.id] = g
	}
	defer c.discardUnused(g)
	if !c.roomFor(g, req.MemberID) {
		c.turnAway(g, req.MemberID)
		return fmt.Errorf("%w: %q may have %d", ErrGroupFull, g.id, c.cfg.Limits.MembersPerGroup)
	}
	if !g.supports(req.ProtocolType, req.Protocols) {
		return fmt.Errorf("%w: member offers %s, group %q is %q",
			ErrInconsistentProtocol, protocolNames(req), g.id, g.protocolType)
	}
	more := protocolBytes(req.Protocols)
	if m := g.members[req.MemberID]; m != nil {
		more -= m.bytes
	}
	if err := c.checkBytes(g, more); err != nil {
		return err
	}
	if req.MemberID == "" {
		return c.joinNew(g, req, tok)
	}
	return c.joinKnown(g, req, tok)
}

// checkJoin checks what needs no group, and normalises the request.
func (c *Coordinator) checkJoin(req *JoinRequest) error {
	if err := c.checkGroupID(req.Group); err != nil {
		return err
	}
	lim := &c.cfg.Limits
	if req.SessionTimeout < c.cfg.SessionTimeoutMin || req.SessionTimeout > c.cfg.SessionTimeoutMax {
		return fmt.Errorf("%w: %v, must be from %v to %v", ErrInvalidSessionTimeout,
			req.SessionTimeout, c.cfg.SessionTimeoutMin, c.cfg.SessionTimeoutMax)
	}
	if req.RebalanceTimeout <= 0 {
		req.RebalanceTimeout = req.SessionTimeout
	}
	req.RebalanceTimeout = min(req.RebalanceTimeout, c.cfg.RebalanceTimeoutMax)
	if len(req.Protocols) > lim.ProtocolsPerMember {
		return fmt.Errorf("%w: %d protocols, at most %d", ErrTooLarge, len(req.Protocols), lim.ProtocolsPerMember)
	}
	if n := protocolBytes(req.Protocols); n > lim.MemberBytes {
		return fmt.Errorf("%w: %d bytes of protocols, at most %d", ErrTooLarge, n, lim.MemberBytes)
	}
	if len(req.MemberID) > c.memberIDBytesMax() {
		return fmt.Errorf("%w: no member has an id of %d bytes", ErrUnknownMember, len(req.MemberID))
	}
	for _, s := range []string{req.InstanceID, req.ProtocolType, req.ClientID, req.ClientHost} {
		if len(s) > lim.IDBytes {
			return fmt.Errorf("%w: an id of %d bytes, at most %d", ErrTooLarge, len(s), lim.IDBytes)
		}
	}
	seen := make(map[string]bool, len(req.Protocols))
	for _, p := range req.Protocols {
		if seen[p.Name] {
			return fmt.Errorf("%w: protocol %q twice", ErrInconsistentProtocol, p.Name)
		}
		seen[p.Name] = true
	}
	return nil
}

// checkBytes says whether a group may hold so many more bytes.
func (c *Coordinator) checkBytes(g *membership, more int) error {
	lim := &c.cfg.Limits
	switch {
	case more <= 0:
		return nil
	case g.bytes+more > lim.GroupBytes:
		return fmt.Errorf("%w: group %q holds %d bytes, with %d more above %d", ErrTooLarge, g.id, g.bytes, more, lim.GroupBytes)
	case c.bytes+more > lim.TotalBytes:
		return fmt.Errorf("%w: all groups hold %d bytes, with %d more above %d", ErrTooLarge, c.bytes, more, lim.TotalBytes)
	}
	return nil
}

func protocolNames(req *JoinRequest) string {
	names := make([]string, len(req.Protocols))
	for i := range req.Protocols {
		names[i] = req.Protocols[i].Name
	}
	return fmt.Sprintf("%q of type %q", names, req.ProtocolType)
}

// roomFor says whether one more may join. During a rebalance those count who
// have joined so far, so that the last to come are turned away if a limit was
// lowered; ids that were handed out count as members, or they would not be bounded.
func (c *Coordinator) roomFor(g *membership, id string) bool {
	limit := c.cfg.Limits.MembersPerGroup
	m := g.members[id]
	_, expected := g.expected[id]
	present := len(g.members)
	if g.state == PreparingRebalance {
		present = g.waiting
	}
	switch {
	case m != nil && (m.join != 0 || g.state != PreparingRebalance):
		return true
	case expected:
		return present < limit
	}
	return present+len(g.expected) < limit
}

// turnAway removes one for whom there is no room, which may be what the others
// wait for.
func (c *Coordinator) turnAway(g *membership, id string) {
	delete(g.expected, id)
	if m := g.members[id]; m != nil {
		c.removeMember(g, m)
		return
	}
	c.maybeCompleteJoin(g)
}

// memberIDBytesMax leaves room for a client or instance id and what makes the
// member id unique.
func (c *Coordinator) memberIDBytesMax() int { return c.cfg.Limits.IDBytes + 64 }

func (c *Coordinator) joinNew(g *membership, req *JoinRequest, tok Token) error {
	id := req.NewMemberID
	if id == "" || len(id) > c.memberIDBytesMax() || g.members[id] != nil {
		return fmt.Errorf("%w: the new member id %q cannot be used", ErrInvalidCall, id)
	}
	if req.InstanceID != "" {
		if old, ok := g.instances[req.InstanceID]; ok {
			c.replaceStatic(g, g.members[old], req, tok)
			return nil
		}
	} else if req.RequireKnownMember {
		g.expected[id] = c.now.Add(req.SessionTimeout)
		c.wake(g, g.expected[id])
		c.refuseJoin(tok, id, ErrMemberIDRequired)
		return nil
	}
	c.addMember(g, id, req, tok)
	return nil
}

func (c *Coordinator) joinKnown(g *membership, req *JoinRequest, tok Token) error {
	if _, ok := g.expected[req.MemberID]; ok {
		if req.InstanceID != "" {
			return fmt.Errorf("%w: %q was given to a dynamic member, not to instance %q",
				ErrUnknownMember, req.MemberID, req.InstanceID)
		}
		c.addMember(g, req.MemberID, req, tok)
		return nil
	}
	m, err := g.check(req.MemberID, req.InstanceID)
	if err != nil {
		return err
	}
	switch {
	case g.state == Stable && m.id != g.leader && m.sameProtocols(req.Protocols),
		g.state == CompletingRebalance && m.sameProtocols(req.Protocols):
		// It lost the answer, or joins for no reason: nothing changes. A leader
		// of a stable group, however, may have reasons that it cannot show.
		c.answerJoinAgain(g, m, tok)
	default:
		c.updateMember(g, m, req, tok)
	}
	return nil
}

// answerJoinAgain repeats the answer that opened the current generation.
func (c *Coordinator) answerJoinAgain(g *membership, m *member, tok Token) {
	resp := g.joined(m)
	if g.state == Stable {
		resp.Members = nil
	}
	c.heard(g, m)
	c.out = append(c.out, &JoinReply{Token: tok, Response: resp})
}

func (g *membership) joined(m *member) JoinResponse {
	resp := JoinResponse{
		Generation: g.generation, ProtocolType: g.protocolType, Protocol: g.protocol,
		Leader: g.leader, MemberID: m.id,
	}
	if m.id == g.leader {
		resp.Members = g.roster()
	}
	return resp
}

func (c *Coordinator) addMember(g *membership, id string, req *JoinRequest, tok Token) {
	m := &member{
		id: id, instance: req.InstanceID, clientID: req.ClientID, host: req.ClientHost,
		sessionTimeout: req.SessionTimeout, rebalanceTimeout: req.RebalanceTimeout,
		protocols: cloneProtocols(req.Protocols), fresh: true,
	}
	m.bytes = protocolBytes(m.protocols)
	if len(g.members) == 0 {
		g.protocolType = req.ProtocolType
	}
	if g.state == PreparingRebalance && g.initial {
		g.newcomer = true
	}
	g.add(m)
	c.awaitJoin(g, m, tok)
	// It cannot be heard of until it is answered, and its connection may be
	// gone: a client that gave up and came back must not pile up members.
	m.expires = c.now.Add(c.cfg.NewMemberTimeout)
	c.wake(g, m.expires)
	c.rebalance(g)
}

func (c *Coordinator) updateMember(g *membership, m *member, req *JoinRequest, tok Token) {
	g.update(m, cloneProtocols(req.Protocols), req.SessionTimeout, req.RebalanceTimeout)
	m.clientID, m.host = req.ClientID, req.ClientHost
	c.awaitJoin(g, m, tok)
	c.rebalance(g)
}

// awaitJoin makes a member's join wait. An older one of the same member will
// not be read any more by anybody.
func (c *Coordinator) awaitJoin(g *membership, m *member, tok Token) {
	if m.join != 0 {
		c.refuseJoin(m.join, m.id, ErrRebalanceInProgress)
	} else {
		g.waiting++
	}
	m.join = tok
}

// answerJoin ends a member's wait for the next generation, if it waits.
func (c *Coordinator) answerJoin(g *membership, m *member, resp JoinResponse) {
	if m.join == 0 {
		return
	}
	c.out = append(c.out, &JoinReply{Token: m.join, Response: resp})
	m.join = 0
	g.waiting--
}

// answerSync ends a member's wait for its assignment, if it waits.
func (c *Coordinator) answerSync(g *membership, m *member, resp SyncResponse) {
	if m.sync == 0 {
		return
	}
	c.out = append(c.out, &SyncReply{Token: m.sync, Response: resp})
	m.sync = 0
	c.heard(g, m)
}
