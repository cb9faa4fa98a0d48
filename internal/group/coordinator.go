package group

import (
	"container/heap"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Coordinator keeps all groups. It is not safe for concurrent use.
type Coordinator struct {
	cfg     Config
	groups  map[string]*membership
	wakes   wakeHeap
	tickets uint64
	bytes   int       // that all groups hold
	now     time.Time // of the call that runs
	out     []Effect  // of the call that runs
}

// New returns a coordinator without groups.
func New(cfg Config) (*Coordinator, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	return &Coordinator{cfg: cfg, groups: map[string]*membership{}}, nil
}

// begin opens every call: nothing else reads the time.
func (c *Coordinator) begin(now time.Time) { c.now = now }

func (c *Coordinator) take() []Effect {
	out := c.out
	c.out = nil
	return out
}

func (c *Coordinator) checkGroupID(id string) error {
	if id == "" || len(id) > c.cfg.Limits.IDBytes {
		return fmt.Errorf("%w: %d bytes long, must be 1 to %d", ErrInvalidGroupID, len(id), c.cfg.Limits.IDBytes)
	}
	return nil
}

// checkKeptID is checkGroupID for calls that need no member. They may name the
// group without a name, which old simple consumers commit to.
func (c *Coordinator) checkKeptID(id string) error {
	if id == "" {
		return nil
	}
	return c.checkGroupID(id)
}

// NextDeadline returns when Advance must be called at the latest. It is a
// lower bound: Advance may then find that there is nothing to do yet.
func (c *Coordinator) NextDeadline() (time.Time, bool) {
	if len(c.wakes) == 0 {
		return time.Time{}, false
	}
	return c.wakes[0].wakeAt, true
}

// Advance does what is due at now.
func (c *Coordinator) Advance(now time.Time) []Effect {
	c.begin(now)
	for len(c.wakes) > 0 && !c.wakes[0].wakeAt.After(now) {
		g := c.wakes[0]
		heap.Pop(&c.wakes)
		c.expire(g)
		if t, ok := g.deadline(); ok {
			c.wake(g, t)
		}
		c.discardUnused(g)
	}
	return c.take()
}

// wake makes Advance look at a group no later than t.
func (c *Coordinator) wake(g *membership, t time.Time) {
	switch {
	case g.heapIndex < 0:
		g.wakeAt = t
		heap.Push(&c.wakes, g)
	case t.Before(g.wakeAt):
		g.wakeAt = t
		heap.Fix(&c.wakes, g.heapIndex)
	}
}

func (c *Coordinator) drop(g *membership) {
	if g.heapIndex >= 0 {
		heap.Remove(&c.wakes, g.heapIndex)
	}
	delete(c.groups, g.id)
	c.bytes -= g.bytes
}

// discardUnused forgets a group that never had a generation, and that nobody
// is about to join: it was never stored either.
func (c *Coordinator) discardUnused(g *membership) {
	if g.state == Empty && g.generation == 0 && len(g.members) == 0 && len(g.expected) == 0 {
		c.drop(g)
	}
}

// Restore takes up a group that was stored before a restart. Its members have a
// full session from now on to be heard of.
func (c *Coordinator) Restore(now time.Time, s *Saved) error {
	c.begin(now)
	if c.groups[s.Group] != nil {
		return fmt.Errorf("%w: group %q restored twice", ErrInvalidCall, s.Group)
	}
	g := newMembership(s.Group, s.Since, &c.bytes)
	g.generation, g.protocolType, g.protocol = s.Generation, s.ProtocolType, s.Protocol
	for i := range s.Members {
		sm := &s.Members[i]
		m := &member{
			id: sm.ID, instance: sm.InstanceID, clientID: sm.ClientID, host: sm.ClientHost,
			sessionTimeout: sm.SessionTimeout, rebalanceTimeout: sm.RebalanceTimeout,
			protocols:  []Protocol{{Name: s.Protocol, Metadata: sm.Metadata}},
			assignment: sm.Assignment, expires: now.Add(sm.SessionTimeout),
		}
		m.bytes = protocolBytes(m.protocols)
		if g.members[m.id] != nil || (m.static() && g.instances[m.instance] != "") {
			return fmt.Errorf("%w: group %q has member %q (instance %q) twice", ErrCorrupt, s.Group, m.id, m.instance)
		}
		g.add(m)
	}
	if len(g.members) > 0 {
		if g.members[s.Leader] == nil {
			return fmt.Errorf("%w: leader %q of group %q is not a member", ErrCorrupt, s.Leader, s.Group)
		}
		g.leader, g.state = s.Leader, Stable
	}
	c.groups[g.id] = g
	c.learnSubscriptions(g)
	if t, ok := g.deadline(); ok {
		c.wake(g, t)
	}
	return nil
}

// Describe describes a group. Unknown groups are Dead and have Err set.
func (c *Coordinator) Describe(id string) Description {
	d := Description{Group: id, State: Dead, Generation: NoGeneration}
	if d.Err = c.checkKeptID(id); d.Err != nil {
		return d
	}
	g := c.groups[id]
	if g == nil {
		d.Err = fmt.Errorf("%w: %q", ErrUnknownGroup, id)
		return d
	}
	d.State, d.ProtocolType, d.Generation, d.Since = g.state, g.protocolType, g.generation, g.since
	stable := g.state == Stable
	if stable {
		d.Protocol, d.Leader = g.protocol, g.leader
	}
	d.Members = make([]MemberDescription, len(g.order))
	for i, m := range g.order {
		d.Members[i] = MemberDescription{ID: m.id, InstanceID: m.instance, ClientID: m.clientID, ClientHost: m.host}
		if stable {
			d.Members[i].Metadata, d.Members[i].Assignment = m.metadata(g.protocol), m.assignment
		}
	}
	return d
}

// List returns all groups, sorted by name.
func (c *Coordinator) List() []Listing {
	out := make([]Listing, 0, len(c.groups))
	for _, g := range c.groups {
		out = append(out, Listing{Group: g.id, State: g.state, ProtocolType: g.protocolType, Members: len(g.members)})
	}
	slices.SortFunc(out, func(a, b Listing) int { return strings.Compare(a.Group, b.Group) })
	return out
}

// Has says whether the group is known here.
func (c *Coordinator) Has(id string) bool { return c.groups[id] != nil }

// Len returns the number of groups.
func (c *Coordinator) Len() int { return len(c.groups) }

// Delete forgets a group that has no members and nobody about to join. It
// returns ErrNonEmptyGroup or ErrUnknownGroup. The shell deletes what it stored.
func (c *Coordinator) Delete(id string) error {
	if err := c.checkKeptID(id); err != nil {
		return err
	}
	g := c.groups[id]
	switch {
	case g == nil:
		return fmt.Errorf("%w: %q", ErrUnknownGroup, id)
	case g.state != Empty:
		return fmt.Errorf("%w: %q is %v with %d members", ErrNonEmptyGroup, id, g.state, len(g.members))
	}
	c.drop(g)
	return nil
}

// wakeHeap orders groups by the time at which they must be looked at.
type wakeHeap []*membership

func (h wakeHeap) Len() int           { return len(h) }
func (h wakeHeap) Less(i, j int) bool { return h[i].wakeAt.Before(h[j].wakeAt) }
func (h wakeHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].heapIndex, h[j].heapIndex = i, j
}
func (h *wakeHeap) Push(x any) {
	g := x.(*membership)
	g.heapIndex = len(*h)
	*h = append(*h, g)
}
func (h *wakeHeap) Pop() any {
	old := *h
	g := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	g.heapIndex = -1
	return g
}
