package group

import "fmt"

// rebalance begins a rebalance, or goes on with the one that runs.
func (c *Coordinator) rebalance(g *membership) {
	if g.state == PreparingRebalance {
		c.maybeCompleteJoin(g)
		return
	}
	c.prepareRebalance(g)
}

// prepareRebalance asks every member to join again.
func (c *Coordinator) prepareRebalance(g *membership) {
	if g.state == CompletingRebalance {
		c.failSyncs(g, ErrRebalanceInProgress)
	}
	g.storing, g.proposed = 0, nil
	g.takeovers = nil
	clear(g.unsynced)
	g.initial = g.state == Empty
	g.to(PreparingRebalance, c.now)
	if g.initial {
		delay := c.cfg.InitialRebalanceDelay
		g.newcomer = false
		g.remaining = max(g.rebalanceTimeout()-delay, 0)
		g.joinBy = c.now.Add(delay)
		c.wake(g, g.joinBy)
		if delay == 0 {
			c.completeJoin(g)
		}
		return
	}
	g.joinBy = c.now.Add(g.rebalanceTimeout())
	c.wake(g, g.joinBy)
	c.maybeCompleteJoin(g)
}

// failSyncs takes the assignments back and tells those who wait for theirs.
func (c *Coordinator) failSyncs(g *membership, err error) {
	for _, m := range g.order {
		g.assign(m, nil)
		c.answerSync(g, m, SyncResponse{Err: err})
	}
}

// maybeCompleteJoin ends the join phase if nobody is missing. The initial delay
// is waited out: who else comes is not known.
func (c *Coordinator) maybeCompleteJoin(g *membership) {
	if g.state == PreparingRebalance && g.allJoined() && (!g.initial || len(g.members) == 0) {
		c.completeJoin(g)
	}
}

// joinPhaseOver is called when joinBy has passed.
func (c *Coordinator) joinPhaseOver(g *membership) {
	if g.initial && g.newcomer && g.remaining > 0 {
		delay := min(c.cfg.InitialRebalanceDelay, g.remaining)
		g.remaining -= delay
		g.newcomer = false
		g.joinBy = c.now.Add(delay)
		return
	}
	c.completeJoin(g)
}

// completeJoin drops who did not come and opens the next generation.
func (c *Coordinator) completeJoin(g *membership) {
	for _, m := range append([]*member(nil), g.order...) {
		if m.join == 0 && !m.static() {
			g.remove(m)
		}
	}
	if len(g.members) > 0 && !g.electJoined() {
		// Only static members are left, and none of them came: wait until one
		// does or their sessions end.
		g.joinBy = c.now.Add(g.rebalanceTimeout())
		c.wake(g, g.joinBy)
		return
	}
	g.generation++
	g.initial = false
	clear(g.unsynced)
	if len(g.members) == 0 {
		c.becomeEmpty(g)
		return
	}
	g.protocol = g.selectProtocol()
	g.to(CompletingRebalance, c.now)
	c.learnSubscriptions(g)
	for _, m := range g.order {
		g.assign(m, nil)
		c.answerJoin(g, m, g.joined(m))
		m.fresh = false
		c.heard(g, m)
		g.unsynced[m.id] = struct{}{}
	}
	g.syncBy = c.now.Add(g.rebalanceTimeout())
	c.wake(g, g.syncBy)
}

// becomeEmpty records that the generation has nobody in it. It is stored so
// that a restart does not bring the last members back, and for the time since
// when nobody needs the offsets.
func (c *Coordinator) becomeEmpty(g *membership) {
	g.protocol, g.leader = "", ""
	g.to(Empty, c.now)
	c.learnSubscriptions(g)
	c.tickets++
	c.out = append(c.out, &Store{Group: g.id, Ticket: c.tickets, State: g.saved(nil)})
}

// expire does what is due in one group.
func (c *Coordinator) expire(g *membership) {
	for id, t := range g.expected {
		if !t.After(c.now) {
			delete(g.expected, id)
		}
	}
	c.maybeCompleteJoin(g)
	for _, m := range append([]*member(nil), g.order...) {
		if g.members[m.id] == m && m.mayExpire() && !m.expires.After(c.now) {
			c.removeMember(g, m)
		}
	}
	if g.state == PreparingRebalance && !g.joinBy.After(c.now) {
		c.joinPhaseOver(g)
	}
	if len(g.unsynced) > 0 && !g.syncBy.After(c.now) {
		c.dropUnsynced(g)
	}
}

// dropUnsynced removes the members that learnt of the generation and never
// asked for their part of it.
func (c *Coordinator) dropUnsynced(g *membership) {
	for _, m := range append([]*member(nil), g.order...) {
		if _, ok := g.unsynced[m.id]; ok {
			c.dismiss(g, m)
		}
	}
	c.prepareRebalance(g)
}

// removeMember removes a member, which may be what the others wait for, or a
// reason to share out its work anew.
func (c *Coordinator) removeMember(g *membership, m *member) {
	c.dismiss(g, m)
	c.rebalance(g)
}

// dismiss answers a member's waiting calls and takes it out of the books.
func (c *Coordinator) dismiss(g *membership, m *member) {
	err := fmt.Errorf("%w: removed from group %q", ErrUnknownMember, g.id)
	c.answerJoin(g, m, JoinResponse{Err: err, Generation: NoGeneration})
	c.answerSync(g, m, SyncResponse{Err: err})
	g.remove(m)
}

// heard notes a sign of life.
func (c *Coordinator) heard(g *membership, m *member) {
	m.expires = c.now.Add(m.sessionTimeout)
	c.wake(g, m.expires)
}
