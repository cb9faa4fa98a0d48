package group

import (
	"fmt"
	"time"
)

// current returns the group and the member if the caller is a member of the
// current generation.
func (c *Coordinator) current(group, id, instance string, generation int32) (*membership, *member, error) {
	if err := c.checkGroupID(group); err != nil {
		return nil, nil, err
	}
	g := c.groups[group]
	if g == nil {
		return nil, nil, fmt.Errorf("%w: no group %q", ErrUnknownMember, group)
	}
	m, err := g.check(id, instance)
	if err != nil {
		return nil, nil, err
	}
	if generation != g.generation {
		return nil, nil, fmt.Errorf("%w: member says %d, group %q is at %d", ErrIllegalGeneration, generation, g.id, g.generation)
	}
	return g, m, nil
}

// Heartbeat notes that a member is alive. ErrRebalanceInProgress asks it to
// join again.
func (c *Coordinator) Heartbeat(now time.Time, req HeartbeatRequest) error {
	c.begin(now)
	g, m, err := c.current(req.Group, req.MemberID, req.InstanceID, req.Generation)
	if err != nil {
		return err
	}
	c.heard(g, m)
	if g.state == PreparingRebalance {
		return fmt.Errorf("%w: group %q", ErrRebalanceInProgress, g.id)
	}
	return nil
}

// Leave removes members from a group.
func (c *Coordinator) Leave(now time.Time, req LeaveRequest) (LeaveResponse, []Effect) {
	c.begin(now)
	if err := c.checkGroupID(req.Group); err != nil {
		return LeaveResponse{Err: err}, nil
	}
	g := c.groups[req.Group]
	if g == nil {
		return LeaveResponse{Err: fmt.Errorf("%w: no group %q", ErrUnknownMember, req.Group)}, nil
	}
	resp := LeaveResponse{Members: make([]LeaveResult, len(req.Members))}
	before := len(g.members)
	for i, l := range req.Members {
		err := c.leave(g, l)
		resp.Members[i] = LeaveResult{MemberID: l.MemberID, InstanceID: l.InstanceID, Err: err}
	}
	if len(g.members) < before {
		c.rebalance(g)
	} else {
		c.maybeCompleteJoin(g) // it may have waited for one that will not come
	}
	c.discardUnused(g)
	return resp, c.take()
}

// leave removes one member from the books.
func (c *Coordinator) leave(g *membership, l LeavingMember) error {
	id := l.MemberID
	if _, ok := g.expected[id]; ok && l.InstanceID == "" {
		delete(g.expected, id)
		return nil
	}
	if owner, ok := g.instances[l.InstanceID]; ok && id == "" && l.InstanceID != "" {
		id = owner
	}
	m, err := g.check(id, l.InstanceID)
	if err != nil {
		return err
	}
	c.dismiss(g, m)
	return nil
}

// CheckCommit says whether the sender may commit offsets now. A commit of a
// member is a sign of life. It returns ErrUnknownMember, ErrFencedInstance,
// ErrIllegalGeneration, ErrRebalanceInProgress or ErrInvalidGroupID.
func (c *Coordinator) CheckCommit(now time.Time, cc CommitCheck) error {
	c.begin(now)
	if err := c.checkKeptID(cc.Group); err != nil {
		return err
	}
	g := c.groups[cc.Group]
	if cc.Generation < 0 && (g == nil || g.state == Empty) {
		return nil // not a member, and there is none whom it could disturb
	}
	if g == nil {
		return fmt.Errorf("%w: no group %q", ErrIllegalGeneration, cc.Group)
	}
	if cc.Generation < 0 && cc.MemberID == "" && cc.InstanceID == "" {
		return fmt.Errorf("%w: group %q has members, and the sender is none of them", ErrUnknownMember, g.id)
	}
	g, m, err := c.current(cc.Group, cc.MemberID, cc.InstanceID, cc.Generation)
	if err != nil {
		return err
	}
	if g.state == CompletingRebalance {
		// It knows the generation, but not yet what is its own in it.
		return fmt.Errorf("%w: group %q", ErrRebalanceInProgress, g.id)
	}
	c.heard(g, m)
	return nil
}
