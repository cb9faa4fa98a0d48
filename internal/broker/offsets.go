package broker

import (
	"time"

	"github.com/narumq/naru/internal/group"
	"github.com/narumq/naru/internal/record"
)

// StateLog is the log under Groups: statelog.Log, or a fake.
type StateLog interface{}

// GroupsMachine holds committed offsets and saved groups. It is a
// statelog.Machine.
type GroupsMachine struct{}

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

// CommitOffsetsResponse answers a commit. If Err is set nothing was committed.
// Otherwise Errs[i][j] is the outcome for request.Topics[i].Partitions[j]:
// nil = durable, ErrUnknownPartition, group.ErrMetadataTooLarge,
// group.ErrInvalidCall (a negative partition or offset).
type CommitOffsetsResponse struct {
	Err  error
	Errs [][]error
}

// CommitOffsets commits positions; the reply comes when they are durable. The
// sender is checked at receipt: group.ErrUnknownMember,
// group.ErrIllegalGeneration, group.ErrFencedInstance,
// group.ErrRebalanceInProgress, group.ErrInvalidGroupID.
func (g *Groups) CommitOffsets(req CommitOffsetsRequest, reply func(CommitOffsetsResponse)) {}

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
func (g *Groups) FetchOffsets(id string, wanted []WantedTopic) ([]FetchedTopic, error) {
	return nil, nil
}

// DeleteOffsets forgets committed offsets. If the reply's Err is set, nothing
// was deleted: group.ErrUnknownGroup, group.ErrInvalidGroupID,
// group.ErrNonEmptyGroup (members whose subscription is not known).
// Errs is as of a commit: nil = deleted or there was none,
// group.ErrGroupSubscribed, ErrUnknownPartition.
func (g *Groups) DeleteOffsets(id string, topics []WantedTopic, reply func(CommitOffsetsResponse)) {}

// DropTopicOffsets forgets all groups' offsets of a topic that was deleted.
// done, which may be nil, is called when that is durable.
func (g *Groups) DropTopicOffsets(topic string, done func(error)) {}

// RetainTopicOffsets forgets the offsets of every topic that does not exist, to
// finish deletions that a crash interrupted. Call it once after Start.
func (g *Groups) RetainTopicOffsets(exists func(topic string) bool) {}

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
// and partition: of one group, or of all if id is "".
func (g *Groups) GroupOffsets(id string) []GroupOffset { return nil }
