package kafka

import (
	"time"

	"github.com/narumq/naru/internal/broker"
	"github.com/narumq/naru/internal/catalog"
	"github.com/narumq/naru/internal/group"
	"github.com/narumq/naru/internal/record"
	wire "github.com/narumq/naru/internal/wire/kafka"
)

// OffsetCommit (8), versions 2-10.
//
// Behaviour: stores positions of a group, from its members or from an
// administrator (generation -1); answered when they are durable. From version
// 10 on topics are named by id.
//
// Deviations: none.
var _ = serve(wire.KeyOffsetCommit, offsetCommit)

func offsetCommit(c *call, q *wire.OffsetCommitRequest) {
	req := broker.CommitOffsetsRequest{
		CommitCheck: group.CommitCheck{
			Group: q.GroupId, MemberID: q.MemberId, InstanceID: value(q.GroupInstanceId), Generation: q.GenerationIdOrMemberEpoch,
		},
		Topics: make([]broker.CommitTopic, 0, len(q.Topics)),
	}
	if c.version <= 4 && q.RetentionTimeMs > 0 {
		req.Retention = time.Duration(min(q.RetentionTimeMs, retentionMSMax)) * time.Millisecond
	}
	unknown := make([]bool, len(q.Topics))
	for i := range q.Topics {
		t := &q.Topics[i]
		name := t.Name
		if c.version >= 10 {
			found, err := c.conn.s.topicByID(t.TopicId)
			if unknown[i] = err != nil; unknown[i] {
				continue
			}
			name = found.Name
		}
		req.Topics = append(req.Topics, commitTopic(name, t.Partitions))
	}
	c.conn.s.broker.CommitOffsets(req, func(r broker.CommitOffsetsResponse) {
		c.finish(commitAnswer(c, q, unknown, r))
	})
}

// retentionMSMax keeps a client's number within time.Duration.
const retentionMSMax = int64(1<<63-1) / int64(time.Millisecond)

func commitTopic(name string, parts []wire.OffsetCommitRequestOffsetCommitRequestPartition) broker.CommitTopic {
	out := broker.CommitTopic{Topic: name, Partitions: make([]broker.CommitPartition, len(parts))}
	for i, p := range parts {
		out.Partitions[i] = broker.CommitPartition{
			Partition: p.PartitionIndex, Offset: record.Offset(p.CommittedOffset),
			LeaderEpoch: p.CommittedLeaderEpoch, Metadata: value(p.CommittedMetadata),
		}
	}
	return out
}

func commitAnswer(c *call, q *wire.OffsetCommitRequest, unknown []bool, r broker.CommitOffsetsResponse) *wire.OffsetCommitResponse {
	resp := &wire.OffsetCommitResponse{Topics: make([]wire.OffsetCommitResponseOffsetCommitResponseTopic, len(q.Topics))}
	sent := 0 // topics that the broker was asked about
	for i := range q.Topics {
		t, out := &q.Topics[i], &resp.Topics[i]
		out.Name, out.TopicId = t.Name, t.TopicId
		out.Partitions = make([]wire.OffsetCommitResponseOffsetCommitResponsePartition, len(t.Partitions))
		for j := range t.Partitions {
			err := r.Err
			switch {
			case unknown[i]:
				err = catalog.ErrUnknownTopic
			case err == nil:
				err = r.Errs[sent][j]
			}
			out.Partitions[j].PartitionIndex = t.Partitions[j].PartitionIndex
			out.Partitions[j].ErrorCode = c.note(partitionCode(ofGroup(err), c.version >= 10))
		}
		if !unknown[i] {
			sent++
		}
	}
	return resp
}
