package broker

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/narumq/naru/internal/group"
	"github.com/narumq/naru/internal/peer"
	"github.com/narumq/naru/internal/record"
)

// GroupSummary is a group, and how far it is behind.
type GroupSummary struct {
	group.Listing
	Lag int64 // of all partitions that it has committed offsets of
}

// AllGroups lists the groups of the whole cluster, sorted by name.
//
// Errors: those of brokers that do not answer.
func (b *Broker) AllGroups(ctx context.Context) ([]GroupSummary, error) {
	list := b.groupsHere()
	for _, m := range b.Members() {
		if m.Node == b.NodeID() {
			continue
		}
		var more []GroupSummary
		if err := b.askMember(ctx, m.Node, &more); err != nil {
			return nil, err
		}
		list = append(list, more...)
	}
	byName := func(x, y GroupSummary) int { return strings.Compare(x.Group, y.Group) }
	slices.SortStableFunc(list, byName)
	// A slot that moved meanwhile may have been asked for twice.
	return slices.CompactFunc(list, func(x, y GroupSummary) bool { return byName(x, y) == 0 }), nil
}

func (b *Broker) askMember(ctx context.Context, node int32, into any) error {
	client, err := b.cfg.Cluster.Peer(node)
	if err != nil {
		return err
	}
	answer, err := client.Do(ctx, askGroups)
	if err == nil && !(&decoder{b: answer}).json(into) {
		err = peer.ErrMalformed
	}
	return err
}

func (b *Broker) groupsHere() []GroupSummary {
	lag := make(map[string]int64)
	for _, o := range b.GroupOffsets() {
		lag[o.Group] += max(0, o.Lag)
	}
	list := []GroupSummary{}
	for _, g := range b.ListGroups(nil, nil) {
		list = append(list, GroupSummary{g, lag[g.Group]})
	}
	return list
}

// askGroup is a question about a group for whoever has it. If that is this broker, here
// does it instead.
func (b *Broker) askGroup(ctx context.Context, id string, m peer.Method, more func(*encoder), here func() error) (*decoder, error) {
	e := &encoder{}
	e.text(id)
	if more != nil {
		more(e)
	}
	for {
		if b.Owns(b.GroupSlot(id)) {
			return nil, here()
		}
		answer, err := b.askOwner(ctx, b.GroupSlot(id), m, e.payload()...)
		if !errors.Is(err, errHere) {
			return &decoder{b: answer}, err
		}
	}
}

// GroupAnywhere describes a group, wherever it is, with its committed offsets.
//
// Errors: group.ErrUnknownGroup, ErrNotOwner.
func (b *Broker) GroupAnywhere(ctx context.Context, id string) (d group.Description, offsets []GroupOffset, err error) {
	answer, err := b.askGroup(ctx, id, askGroup, nil, func() error {
		d, offsets = b.DescribeGroup(id), b.GroupOffsets(id)
		return d.Err
	})
	if err != nil || answer == nil {
		return d, offsets, err
	}
	if !answer.json(&d) || !answer.json(&offsets) {
		err = peer.ErrMalformed
	}
	return d, offsets, err
}

// CommitAnywhere commits offsets of a group that has no members, wherever it is. The
// first of the errors that there may be for single partitions is err.
func (b *Broker) CommitAnywhere(ctx context.Context, id string, t CommitTopic) error {
	_, err := b.askGroup(ctx, id, askCommit, func(e *encoder) {
		e.text(t.Topic)
		e.unsigned(uint64(len(t.Partitions)))
		for _, p := range t.Partitions {
			e.number(int64(p.Partition))
			e.number(int64(p.Offset))
			e.number(int64(p.LeaderEpoch))
			e.text(p.Metadata)
		}
	}, func() error { return b.commitHere(id, t) })
	return err
}

func (b *Broker) commitHere(id string, t CommitTopic) error {
	done := make(chan CommitOffsetsResponse, 1)
	b.CommitOffsets(CommitOffsetsRequest{
		CommitCheck: group.CommitCheck{Group: id, Generation: -1}, Topics: []CommitTopic{t},
	}, func(r CommitOffsetsResponse) { done <- r })
	r := <-done
	if r.Err != nil {
		return r.Err
	}
	return cmp.Or(slices.Concat(r.Errs...)...)
}

// DeleteGroupAnywhere deletes a group, wherever it is; see Groups.DeleteGroups.
func (b *Broker) DeleteGroupAnywhere(ctx context.Context, id string) error {
	_, err := b.askGroup(ctx, id, askDeleteGroup, nil, func() error { return b.deleteGroupHere(id) })
	return err
}

func (b *Broker) deleteGroupHere(id string) error {
	done := make(chan []error, 1)
	b.DeleteGroups([]string{id}, func(errs []error) { done <- errs })
	return (<-done)[0]
}

// serveGroups answers what is about groups.
func (s *peerSession) serveGroups(c *peer.Call, d *decoder) {
	if c.Method == askGroups {
		go func() {
			e := &encoder{}
			e.json(s.b.groupsHere())
			reply(c, e, nil)
		}()
		return
	}
	id := d.text()
	if err := d.fail(); err != nil {
		c.Fail(err)
		return
	}
	if !s.b.Owns(s.b.GroupSlot(id)) {
		refuse(c)
		return
	}
	go func() {
		e := &encoder{}
		reply(c, e, s.onGroup(c.Method, id, d, e))
	}()
}

func (s *peerSession) onGroup(m peer.Method, id string, d *decoder, e *encoder) error {
	switch m {
	case askGroup:
		about := s.b.DescribeGroup(id)
		err := about.Err
		about.Err = nil
		e.json(about)
		e.json(s.b.GroupOffsets(id))
		return err
	case askDeleteGroup:
		return s.b.deleteGroupHere(id)
	case askCommit:
		t := CommitTopic{Topic: d.text()}
		for n := d.count(1); n > 0; n-- {
			t.Partitions = append(t.Partitions, CommitPartition{
				Partition: int32(d.number()), Offset: record.Offset(d.number()), LeaderEpoch: int32(d.number()), Metadata: d.text(),
			})
		}
		if err := d.fail(); err != nil {
			return err
		}
		if _, err := s.b.Topic(t.Topic); err != nil {
			if err := s.b.catchUp(s.ctx); err != nil {
				return err
			}
		}
		return s.b.commitHere(id, t)
	}
	return errUnknownCall
}
