package api

import (
	"context"
	"errors"
	"slices"
	"time"

	naruv1 "github.com/narumq/naru/api/naru/v1"
	"github.com/narumq/naru/internal/broker"
	"github.com/narumq/naru/internal/group"
)

// ListGroups implements naruv1connect.GroupServiceHandler.
func (s *Server) ListGroups(ctx context.Context, _ *naruv1.ListGroupsRequest) (*naruv1.ListGroupsResponse, error) {
	list, err := s.broker.AllGroups(ctx)
	if err != nil {
		return nil, err
	}
	out := &naruv1.ListGroupsResponse{}
	for _, g := range list {
		out.Groups = append(out.Groups, &naruv1.Group{
			Group: validText(g.Group), State: g.State.String(), Protocol: validText(g.ProtocolType), MemberCount: int32(g.Members), Lag: g.Lag,
		})
	}
	return out, nil
}

// GetGroup implements naruv1connect.GroupServiceHandler.
func (s *Server) GetGroup(ctx context.Context, in *naruv1.GetGroupRequest) (*naruv1.Group, error) {
	d, offsets, err := s.broker.GroupAnywhere(ctx, in.GetGroup())
	if err != nil {
		return nil, err
	}
	out := &naruv1.Group{Group: d.Group, State: d.State.String(), Protocol: validText(d.Protocol), MemberCount: int32(len(d.Members))}
	for _, m := range d.Members {
		out.Members = append(out.Members, &naruv1.GroupMember{
			MemberId: validText(m.ID), ClientId: validText(m.ClientID), ClientHost: validText(m.ClientHost), InstanceId: validText(m.InstanceID),
		})
	}
	for _, o := range offsets {
		out.Offsets = append(out.Offsets, &naruv1.GroupOffset{
			Topic: o.Topic, Partition: o.Partition, Committed: int64(o.Offset), End: int64(o.End), Lag: o.Lag,
		})
		out.Lag += max(0, o.Lag)
	}
	return out, nil
}

// ResetOffsets implements naruv1connect.GroupServiceHandler.
func (s *Server) ResetOffsets(ctx context.Context, in *naruv1.ResetOffsetsRequest) (*naruv1.ResetOffsetsResponse, error) {
	t, err := s.topic(in.GetTopic())
	if err != nil {
		return nil, err
	}
	d, _, err := s.broker.GroupAnywhere(ctx, in.GetGroup())
	switch {
	case err != nil && !errors.Is(err, group.ErrUnknownGroup):
		return nil, err
	case len(d.Members) > 0:
		return nil, group.ErrNonEmptyGroup
	}
	if in.GetTo() == "" {
		return nil, invalid("to is missing")
	}
	if n := len(in.GetPartitions()); n > partitionsAsked {
		return nil, invalid("%d partitions, at most %d are allowed", n, partitionsAsked)
	}
	wanted := slices.Clone(in.GetPartitions())
	if len(wanted) == 0 {
		for i := range t.Partitions {
			wanted = append(wanted, int32(i))
		}
	}
	out := &naruv1.ResetOffsetsResponse{}
	commit := broker.CommitTopic{Topic: t.Name}
	now := time.Now()
	for _, i := range wanted {
		p, err := s.broker.Partition(t.Name, i)
		if err != nil {
			return nil, err
		}
		at, err := positionOf(p, in.GetTo(), now)
		if err != nil {
			return nil, err
		}
		start, high, err := p.Bounds()
		if err != nil {
			return nil, err
		}
		at = min(max(at, start), high)
		commit.Partitions = append(commit.Partitions, broker.CommitPartition{Partition: i, Offset: at, LeaderEpoch: -1})
		end := int64(high)
		out.Offsets = append(out.Offsets, &naruv1.GroupOffset{Topic: t.Name, Partition: i, Committed: int64(at), End: end, Lag: end - int64(at)})
	}
	if in.GetDryRun() {
		return out, nil
	}
	return out, s.broker.CommitAnywhere(ctx, in.GetGroup(), commit)
}

// DeleteGroup implements naruv1connect.GroupServiceHandler.
func (s *Server) DeleteGroup(ctx context.Context, in *naruv1.DeleteGroupRequest) (*naruv1.DeleteGroupResponse, error) {
	return &naruv1.DeleteGroupResponse{}, s.broker.DeleteGroupAnywhere(ctx, in.GetGroup())
}
