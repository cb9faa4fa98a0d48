package broker

import (
	"errors"
	"slices"
	"strings"

	"github.com/narumq/naru/internal/group"
)

// DescribeGroup describes one group. For a group that does not exist Err is
// group.ErrUnknownGroup and State is Dead.
func (g *Groups) DescribeGroup(id string) group.Description {
	g.mu.Lock()
	defer g.unlock()
	if g.log == nil {
		return group.Description{Err: g.away(), Group: id, State: group.Dead, Generation: group.NoGeneration}
	}
	d := g.core.Describe(id)
	if errors.Is(d.Err, group.ErrUnknownGroup) && g.machine.has(id) {
		d.Err, d.State = nil, group.Empty // it only commits offsets
	}
	return d
}

// ListGroups lists groups, sorted by name. states and types narrow the list and
// are compared without regard to case; empty = all. See group.State.String and
// group.Type for the names. Before Start the list is empty.
func (g *Groups) ListGroups(states, types []string) []group.Listing {
	wanted := func(names []string, name string) bool {
		return len(names) == 0 || slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, name) })
	}
	if !wanted(types, group.Type) {
		return nil
	}
	g.mu.Lock()
	defer g.unlock()
	if g.log == nil {
		return nil
	}
	all := g.core.List()
	for _, id := range g.machine.groups() {
		if !g.core.Has(id) {
			all = append(all, group.Listing{Group: id, State: group.Empty})
		}
	}
	slices.SortFunc(all, func(a, b group.Listing) int { return strings.Compare(a.Group, b.Group) })
	return slices.DeleteFunc(all, func(l group.Listing) bool { return !wanted(states, l.State.String()) })
}

// DeleteGroups deletes empty groups and their offsets. The reply has one error
// (nil = deleted) for each id, in order: group.ErrInvalidGroupID,
// group.ErrUnknownGroup, group.ErrNonEmptyGroup, or a storage error.
func (g *Groups) DeleteGroups(ids []string, reply func([]error)) {
	errs := make([]error, len(ids))
	g.mu.Lock()
	defer g.unlock()
	var cmds []group.Command
	for i, id := range ids {
		if errs[i] = g.deleteGroup(id); errs[i] == nil {
			cmds = append(cmds, group.ForgetGroup(id))
		}
	}
	g.append(cmds, func(err error) {
		for i := range errs {
			if errs[i] == nil {
				errs[i] = err
			}
		}
		reply(errs)
	})
}

// deleteGroup takes a group out of the core. One that only has offsets, or
// commits under way, is not there.
func (g *Groups) deleteGroup(id string) error {
	if g.log == nil {
		return g.away()
	}
	err := g.core.Delete(id)
	if errors.Is(err, group.ErrUnknownGroup) && (g.machine.has(id) || g.inFlight[id] > 0) {
		return nil
	}
	return err
}

// append stores commands in the order of the calls and then calls done with no
// lock held. g.mu is held. Without commands or without a log done is called at once.
func (g *Groups) append(cmds []group.Command, done func(error)) {
	log := g.log
	switch {
	case len(cmds) == 0:
		g.send(func() { done(nil) })
	case log == nil:
		why := g.away()
		g.send(func() { done(why) })
	default:
		g.send(func() { log.Append(cmds, done) })
	}
}

// GroupStats counts groups for metrics.
type GroupStats struct {
	Groups  map[group.State]int // by state; groups that only have offsets are Empty
	Members int
	Waiting int // calls that wait for a rebalance to go on
}

// GroupStats counts groups, members and waiting calls.
func (g *Groups) GroupStats() GroupStats {
	g.mu.Lock()
	defer g.unlock()
	s := GroupStats{Groups: map[group.State]int{}, Waiting: len(g.joins) + len(g.syncs)}
	for _, l := range g.core.List() {
		s.Groups[l.State]++
		s.Members += l.Members
	}
	for _, id := range g.machine.groups() {
		if !g.core.Has(id) {
			s.Groups[group.Empty]++
		}
	}
	return s
}
