package group

import (
	"fmt"
	"slices"
	"time"
)

// membership is one group: its members and where it stands. Its methods keep
// the books; rebalance.go moves it from state to state.
type membership struct {
	id           string
	state        State
	since        time.Time
	generation   int32
	protocolType string
	protocol     string // of the current generation; "" while empty
	leader       string // member id; "" if there are no members

	members   map[string]*member
	order     []*member         // the same, oldest first: every walk is in this order
	instances map[string]string // instance id → member id
	supported map[string]int    // protocol → how many members support it
	waiting   int               // members whose join waits
	bytes     int               // of protocols and assignments
	total     *int              // the same of all groups

	// expected holds the ids handed out with ErrMemberIDRequired, and until
	// when they are waited for.
	expected map[string]time.Time
	// unsynced holds the members of this generation that have not asked for
	// their assignment, and syncBy when those are dropped.
	unsynced map[string]struct{}
	syncBy   time.Time

	joinBy    time.Time     // PreparingRebalance: when it goes on without the rest
	initial   bool          // joinBy is the initial delay of a group that was empty
	newcomer  bool          // somebody joined since joinBy was set
	remaining time.Duration // what initial delays may still be added

	storing   uint64            // ticket of the assignment being stored, 0 = none
	proposed  map[string][]byte // that assignment, by member id
	takeovers []takeover        // restarted instances whose new id is being stored

	subscribed      map[string]struct{} // topics; see subscriptions
	subscribedKnown bool

	wakeAt    time.Time // when Advance must look here; never later than any deadline
	heapIndex int       // in Coordinator.wakes, -1 = not there
}

func newMembership(id string, now time.Time, total *int) *membership {
	return &membership{
		id: id, since: now, total: total, heapIndex: -1,
		members: map[string]*member{}, instances: map[string]string{}, supported: map[string]int{},
		expected: map[string]time.Time{}, unsynced: map[string]struct{}{},
	}
}

func (g *membership) to(s State, now time.Time) {
	g.state, g.since = s, now
}

// check says whether a caller is the member that it claims to be.
func (g *membership) check(id, instance string) (*member, error) {
	if instance != "" {
		owner, ok := g.instances[instance]
		switch {
		case !ok:
			return nil, fmt.Errorf("%w: instance %q of group %q", ErrUnknownMember, instance, g.id)
		case owner != id:
			return nil, fmt.Errorf("%w: instance %q of group %q is not %q", ErrFencedInstance, instance, g.id, id)
		}
	}
	m, ok := g.members[id]
	if !ok {
		return nil, fmt.Errorf("%w: %q in group %q", ErrUnknownMember, id, g.id)
	}
	return m, nil
}

func (g *membership) add(m *member) {
	if len(g.members) == 0 {
		g.leader = m.id
	}
	delete(g.expected, m.id)
	g.members[m.id] = m
	g.order = append(g.order, m)
	if m.static() {
		g.instances[m.instance] = m.id
	}
	g.count(m, +1)
}

// count books a member's protocols and bytes in (+1) or out (-1).
func (g *membership) count(m *member, by int) {
	for _, p := range m.protocols {
		if g.supported[p.Name] += by; g.supported[p.Name] == 0 {
			delete(g.supported, p.Name)
		}
	}
	g.account(by * (m.bytes + len(m.assignment)))
}

// remove takes a member out of the books. Its waiting calls must have been
// answered. The oldest member that is joining, or else the oldest, leads next.
func (g *membership) remove(m *member) {
	delete(g.members, m.id)
	delete(g.unsynced, m.id)
	if m.static() && g.instances[m.instance] == m.id {
		delete(g.instances, m.instance)
	}
	g.order = slices.DeleteFunc(g.order, func(o *member) bool { return o == m })
	g.count(m, -1)
	if g.leader == m.id {
		g.leader = ""
		if len(g.order) > 0 {
			g.leader = g.order[0].id
		}
	}
}

// rename gives a static member the id of its successor.
func (g *membership) rename(m *member, id string) {
	delete(g.members, m.id)
	if _, ok := g.unsynced[m.id]; ok {
		delete(g.unsynced, m.id)
		g.unsynced[id] = struct{}{}
	}
	if g.leader == m.id {
		g.leader = id
	}
	m.id = id
	g.members[id] = m
	g.instances[m.instance] = id
}

// update takes what a member that joins again says about itself.
func (g *membership) update(m *member, ps []Protocol, session, rebalance time.Duration) {
	g.count(m, -1)
	m.protocols, m.bytes = ps, protocolBytes(ps)
	m.sessionTimeout, m.rebalanceTimeout = session, rebalance
	g.count(m, +1)
}

func (g *membership) account(by int) {
	g.bytes += by
	*g.total += by
}

func (g *membership) assign(m *member, data []byte) {
	g.account(len(data) - len(m.assignment))
	m.assignment = data
}

// supports says whether a member with these protocols could work with all the
// others.
func (g *membership) supports(protocolType string, ps []Protocol) bool {
	if len(g.members) == 0 {
		return protocolType != "" && len(ps) > 0
	}
	return protocolType == g.protocolType && slices.ContainsFunc(ps, func(p Protocol) bool {
		return g.supported[p.Name] == len(g.members)
	})
}

// selectProtocol returns the protocol that most members like best among those
// that all support. A tie goes to the one that the leader prefers.
func (g *membership) selectProtocol() string {
	votes := map[string]int{}
	for _, m := range g.order {
		for _, p := range m.protocols {
			if g.supported[p.Name] == len(g.members) {
				votes[p.Name]++
				break
			}
		}
	}
	best, most := "", 0
	for _, p := range g.members[g.leader].protocols {
		if votes[p.Name] > most {
			best, most = p.Name, votes[p.Name]
		}
	}
	return best
}

func (g *membership) allJoined() bool {
	return g.waiting == len(g.members) && len(g.expected) == 0
}

// rebalanceTimeout is the longest that any member asks for.
func (g *membership) rebalanceTimeout() time.Duration {
	most := time.Millisecond // never none: time has to pass
	for _, m := range g.order {
		most = max(most, m.rebalanceTimeout)
	}
	return most
}

// electJoined makes sure that the leader is a member whose join waits.
func (g *membership) electJoined() bool {
	if l := g.members[g.leader]; l != nil && l.join != 0 {
		return true
	}
	for _, m := range g.order {
		if m.join != 0 {
			g.leader = m.id
			return true
		}
	}
	return false
}

// roster is the group as its leader sees it.
func (g *membership) roster() []JoinedMember {
	out := make([]JoinedMember, len(g.order))
	for i, m := range g.order {
		out[i] = JoinedMember{ID: m.id, InstanceID: m.instance, Metadata: m.metadata(g.protocol)}
	}
	return out
}

// deadline is the earliest moment at which something must happen here.
func (g *membership) deadline() (time.Time, bool) {
	var first time.Time
	earlier := func(t time.Time) {
		if !t.IsZero() && (first.IsZero() || t.Before(first)) {
			first = t
		}
	}
	if g.state == PreparingRebalance {
		earlier(g.joinBy)
	}
	if len(g.unsynced) > 0 {
		earlier(g.syncBy)
	}
	for _, t := range g.expected {
		earlier(t)
	}
	for _, m := range g.order {
		if m.mayExpire() {
			earlier(m.expires)
		}
	}
	return first, !first.IsZero()
}

// saved is the group as it would be restored, with these assignments.
func (g *membership) saved(assignments func(*member) []byte) *Saved {
	s := &Saved{
		Group: g.id, Generation: g.generation, ProtocolType: g.protocolType,
		Protocol: g.protocol, Leader: g.leader, Since: g.since,
		Members: make([]SavedMember, len(g.order)),
	}
	for i, m := range g.order { // nobody: assignments is not called
		s.Members[i] = SavedMember{
			ID: m.id, InstanceID: m.instance, ClientID: m.clientID, ClientHost: m.host,
			SessionTimeout: m.sessionTimeout, RebalanceTimeout: m.rebalanceTimeout,
			Metadata: m.metadata(g.protocol), Assignment: assignments(m),
		}
	}
	return s
}
