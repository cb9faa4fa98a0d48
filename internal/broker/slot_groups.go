package broker

import (
	"fmt"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/narumq/naru/internal/group"
)

// groupsOf are the groups of the slot that a group is in; ErrNotOwner if that is not
// open here.
func (b *Broker) groupsOf(id string) (*Groups, error) {
	if s := b.slot(b.GroupSlot(id)); s != nil {
		return s.groups, nil
	}
	return nil, fmt.Errorf("group %s: %w", id, ErrNotOwner)
}

// JoinGroup is Groups.JoinGroup; of a group that is not here ErrNotOwner.
func (b *Broker) JoinGroup(req group.JoinRequest, reply func(group.JoinResponse)) {
	g, err := b.groupsOf(req.Group)
	if err != nil {
		reply(group.JoinResponse{Err: err, Generation: group.NoGeneration, MemberID: req.MemberID})
		return
	}
	g.JoinGroup(req, reply)
}

// SyncGroup is Groups.SyncGroup; of a group that is not here ErrNotOwner.
func (b *Broker) SyncGroup(req group.SyncRequest, reply func(group.SyncResponse)) {
	g, err := b.groupsOf(req.Group)
	if err != nil {
		reply(group.SyncResponse{Err: err})
		return
	}
	g.SyncGroup(req, reply)
}

// Heartbeat is Groups.Heartbeat; of a group that is not here ErrNotOwner.
func (b *Broker) Heartbeat(req group.HeartbeatRequest) error {
	g, err := b.groupsOf(req.Group)
	if err != nil {
		return err
	}
	return g.Heartbeat(req)
}

// LeaveGroup is Groups.LeaveGroup; of a group that is not here ErrNotOwner.
func (b *Broker) LeaveGroup(req group.LeaveRequest) group.LeaveResponse {
	g, err := b.groupsOf(req.Group)
	if err != nil {
		return group.LeaveResponse{Err: err}
	}
	return g.LeaveGroup(req)
}

// DescribeGroup is Groups.DescribeGroup; of a group that is not here ErrNotOwner.
func (b *Broker) DescribeGroup(id string) group.Description {
	g, err := b.groupsOf(id)
	if err != nil {
		return group.Description{Err: err, Group: id, State: group.Dead, Generation: group.NoGeneration}
	}
	return g.DescribeGroup(id)
}

// ListGroups is Groups.ListGroups of all groups that are here.
func (b *Broker) ListGroups(states, types []string) (list []group.Listing) {
	for _, s := range b.slots.all() {
		list = append(list, s.groups.ListGroups(states, types)...)
	}
	slices.SortFunc(list, func(x, y group.Listing) int { return strings.Compare(x.Group, y.Group) })
	return list
}

// DeleteGroups is Groups.DeleteGroups; of a group that is not here ErrNotOwner.
func (b *Broker) DeleteGroups(ids []string, reply func([]error)) {
	errs := make([]error, len(ids))
	places := make(map[*Groups][]int) // of ids, by who has them
	for i, id := range ids {
		g, err := b.groupsOf(id)
		if errs[i] = err; err == nil {
			places[g] = append(places[g], i)
		}
	}
	var left atomic.Int32
	left.Store(int32(len(places)) + 1)
	finish := func() {
		if left.Add(-1) == 0 {
			reply(errs)
		}
	}
	for g, at := range places {
		some := make([]string, len(at))
		for j, i := range at {
			some[j] = ids[i]
		}
		g.DeleteGroups(some, func(outcome []error) {
			for j, i := range at {
				errs[i] = outcome[j]
			}
			finish()
		})
	}
	finish()
}

// GroupStats is Groups.GroupStats of all groups that are here.
func (b *Broker) GroupStats() GroupStats {
	out := GroupStats{Groups: make(map[group.State]int)}
	for _, s := range b.slots.all() {
		st := s.groups.GroupStats()
		for state, n := range st.Groups {
			out.Groups[state] += n
		}
		out.Members, out.Waiting = out.Members+st.Members, out.Waiting+st.Waiting
	}
	return out
}

// CommitOffsets is Groups.CommitOffsets; of a group that is not here ErrNotOwner.
func (b *Broker) CommitOffsets(req CommitOffsetsRequest, reply func(CommitOffsetsResponse)) {
	g, err := b.groupsOf(req.Group)
	if err != nil {
		reply(CommitOffsetsResponse{Err: err})
		return
	}
	g.CommitOffsets(req, reply)
}

// FetchOffsets is Groups.FetchOffsets; of a group that is not here ErrNotOwner.
func (b *Broker) FetchOffsets(id string, wanted []WantedTopic) ([]FetchedTopic, error) {
	g, err := b.groupsOf(id)
	if err != nil {
		return nil, err
	}
	return g.FetchOffsets(id, wanted)
}

// GroupOffsets is Groups.GroupOffsets of the groups that are here.
func (b *Broker) GroupOffsets(ids ...string) (list []GroupOffset) {
	if len(ids) == 0 {
		for _, s := range b.slots.all() {
			list = append(list, s.groups.GroupOffsets()...)
		}
		slices.SortStableFunc(list, func(x, y GroupOffset) int { return strings.Compare(x.Group, y.Group) })
		return list
	}
	for _, id := range ids {
		if g, err := b.groupsOf(id); err == nil {
			list = append(list, g.GroupOffsets(id)...)
		}
	}
	return list
}

// DeleteOffsets is Groups.DeleteOffsets; of a group that is not here ErrNotOwner.
func (b *Broker) DeleteOffsets(id string, topics []WantedTopic, reply func(CommitOffsetsResponse)) {
	g, err := b.groupsOf(id)
	if err != nil {
		reply(CommitOffsetsResponse{Err: err})
		return
	}
	g.DeleteOffsets(id, topics, reply)
}
