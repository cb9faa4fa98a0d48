package broker

import (
	"fmt"
	"time"

	"github.com/narumq/naru/internal/group"
	"github.com/narumq/naru/internal/record"
)

// CommitOffsetsRequest commits positions of a group.
type CommitOffsetsRequest struct {
	group.CommitCheck // Generation -1 and no ids: not a member
	// Retention overrides the broker's for these offsets; <= 0 = the broker's.
	Retention time.Duration
	Topics    []CommitTopic
}

// CommitTopic is a topic of a CommitOffsetsRequest.
type CommitTopic struct {
	Topic      string
	Partitions []CommitPartition
}

// CommitPartition is a partition of a CommitOffsetsRequest.
type CommitPartition struct {
	Partition   int32
	Offset      record.Offset
	LeaderEpoch int32 // -1 = not stated
	Metadata    string
}

// CommitOffsetsResponse answers a commit or a deletion. If Err is set nothing
// was done. Otherwise Errs[i][j] is the outcome for partition j of topic i of the
// request: nil = durable, what CheckPartition says, group.ErrMetadataTooLarge,
// group.ErrInvalidCall (a negative partition or offset), group.ErrGroupSubscribed.
type CommitOffsetsResponse struct {
	Err  error
	Errs [][]error
}

// CommitOffsets commits positions; the reply comes when they are durable. The
// sender is checked at receipt: group.ErrUnknownMember,
// group.ErrIllegalGeneration, group.ErrFencedInstance,
// group.ErrRebalanceInProgress, group.ErrInvalidGroupID.
func (g *Groups) CommitOffsets(req CommitOffsetsRequest, reply func(CommitOffsetsResponse)) {
	drops := g.dropCount()
	for {
		cmds, errs := g.commitCommands(&req)
		g.mu.Lock()
		if drops == g.drops {
			g.commit(&req, cmds, errs, reply)
			g.unlock()
			return
		}
		// A topic was deleted after we saw that it existed: look again, or its
		// offsets would be there when a topic of that name is created anew.
		drops = g.drops
		g.unlock()
	}
}

func (g *Groups) dropCount() uint64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.drops
}

// commitCommands checks each partition and encodes those that pass.
func (g *Groups) commitCommands(req *CommitOffsetsRequest) (cmds []group.Command, errs [][]error) {
	c := group.Committed{CommittedAt: g.cfg.Now()}
	if req.Retention > 0 {
		c.ExpiresAt = c.CommittedAt.Add(req.Retention)
	}
	errs = make([][]error, len(req.Topics))
	for i := range req.Topics {
		t := &req.Topics[i]
		errs[i] = make([]error, len(t.Partitions))
		for j := range t.Partitions {
			p := &t.Partitions[j]
			if errs[i][j] = g.checkCommit(t.Topic, p); errs[i][j] != nil {
				continue
			}
			c.Offset, c.LeaderEpoch, c.Metadata = p.Offset, p.LeaderEpoch, p.Metadata
			cmds = append(cmds, group.CommitOffset(req.Group, group.PartitionKey{Topic: t.Topic, Partition: p.Partition}, c))
		}
	}
	return cmds, errs
}

func (g *Groups) checkCommit(topic string, p *CommitPartition) error {
	if limit := g.cfg.Group.Limits.OffsetMetadataBytes; len(p.Metadata) > limit {
		return fmt.Errorf("%w: %d bytes, at most %d", group.ErrMetadataTooLarge, len(p.Metadata), limit)
	}
	if p.Partition < 0 {
		return fmt.Errorf("%w: partition %d", group.ErrInvalidCall, p.Partition)
	}
	return g.cfg.CheckPartition(topic, p.Partition)
}

// commit checks the sender and stores the commands. g.mu is held.
func (g *Groups) commit(req *CommitOffsetsRequest, cmds []group.Command, errs [][]error, reply func(CommitOffsetsResponse)) {
	err := g.mayCommit(req.CommitCheck)
	if err != nil {
		g.send(func() { reply(CommitOffsetsResponse{Err: err}) })
		return
	}
	g.inFlight[req.Group]++
	g.append(cmds, func(err error) {
		g.mu.Lock()
		if g.inFlight[req.Group]--; g.inFlight[req.Group] == 0 {
			delete(g.inFlight, req.Group)
		}
		g.unlock()
		if err != nil {
			errs = nil
		}
		reply(CommitOffsetsResponse{Err: err, Errs: errs})
	})
}

func (g *Groups) mayCommit(check group.CommitCheck) error {
	if g.log == nil {
		return g.away()
	}
	if err := g.core.CheckCommit(g.cfg.Now(), check); err != nil {
		return err
	}
	if g.core.Has(check.Group) || g.machine.has(check.Group) {
		return nil
	}
	var n int
	g.machine.read(func(t *group.Table) { n = t.Len() })
	if limit := g.cfg.Group.Limits.Groups; n+len(g.inFlight) >= limit {
		return fmt.Errorf("%w: %d have offsets, at most %d", group.ErrTooManyGroups, n, limit)
	}
	return nil
}

// FetchedTopic is a topic with committed offsets.
type FetchedTopic struct {
	Topic      string
	Partitions []FetchedPartition
}

// FetchedPartition is a committed offset. Offset is -1 (and LeaderEpoch -1)
// where the group has none.
type FetchedPartition struct {
	Partition   int32
	Offset      record.Offset
	LeaderEpoch int32
	Metadata    string
	CommittedAt time.Time
}

// WantedTopic names partitions of a topic.
type WantedTopic struct {
	Topic      string
	Partitions []int32
}

// FetchOffsets returns a group's committed offsets, for each wanted partition
// in order, or all of them, sorted, if wanted is nil. An unknown group has none.
// Only durable commits are seen. Errors: group.ErrUnavailable.
func (g *Groups) FetchOffsets(id string, wanted []WantedTopic) ([]FetchedTopic, error) {
	if err := g.serving(); err != nil {
		return nil, err
	}
	var out []FetchedTopic
	g.machine.read(func(t *group.Table) {
		if wanted == nil {
			out = fetchAll(t, id)
			return
		}
		out = make([]FetchedTopic, len(wanted))
		for i, w := range wanted {
			out[i] = FetchedTopic{Topic: w.Topic, Partitions: make([]FetchedPartition, len(w.Partitions))}
			for j, n := range w.Partitions {
				out[i].Partitions[j] = FetchedPartition{Partition: n, Offset: -1, LeaderEpoch: -1}
				if c, ok := t.Get(id, group.PartitionKey{Topic: w.Topic, Partition: n}); ok {
					out[i].Partitions[j] = fetched(n, c)
				}
			}
		}
	})
	return out, nil
}

func fetched(n int32, c group.Committed) FetchedPartition {
	return FetchedPartition{
		Partition: n, Offset: c.Offset, LeaderEpoch: c.LeaderEpoch,
		Metadata: c.Metadata, CommittedAt: c.CommittedAt,
	}
}

func fetchAll(t *group.Table, id string) []FetchedTopic {
	var out []FetchedTopic
	t.Each(id, func(p group.PartitionKey, c group.Committed) {
		if len(out) == 0 || out[len(out)-1].Topic != p.Topic {
			out = append(out, FetchedTopic{Topic: p.Topic})
		}
		last := &out[len(out)-1]
		last.Partitions = append(last.Partitions, fetched(p.Partition, c))
	})
	return out
}

func (g *Groups) serving() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.log == nil {
		return g.away()
	}
	return nil
}

// GroupOffset is one committed offset and how far behind the end it is.
type GroupOffset struct {
	Group     string
	Topic     string
	Partition int32
	group.Committed
	End record.Offset // -1 = unknown
	Lag int64         // End - Offset, never below 0; -1 = unknown
}

// GroupOffsets lists committed offsets with their lag, sorted by group, topic
// and partition, of the groups named or of all if none is.
func (g *Groups) GroupOffsets(ids ...string) []GroupOffset {
	var out []GroupOffset
	g.machine.read(func(t *group.Table) {
		if len(ids) == 0 {
			ids = t.Groups()
		}
		for _, id := range ids {
			t.Each(id, func(p group.PartitionKey, c group.Committed) {
				out = append(out, GroupOffset{Group: id, Topic: p.Topic, Partition: p.Partition, Committed: c, End: -1, Lag: -1})
			})
		}
	})
	for i := range out {
		o := &out[i]
		if end, ok := g.cfg.EndOffset(o.Topic, o.Partition); ok {
			o.End = end
			if o.Offset >= 0 { // else it stands for a place that the client looks up
				o.Lag = max(int64(end-o.Offset), 0)
			}
		}
	}
	return out
}
