package group

import (
	"time"

	"github.com/narumq/naru/internal/record"
)

// Committed is the position that a group has committed in one partition.
type Committed struct {
	Offset      record.Offset // of the next record to read
	LeaderEpoch int32         // of the last record read, -1 = not stated
	Metadata    string        // free text of the committer
	CommittedAt time.Time
	// ExpiresAt is when the committer wants it forgotten; zero = by the
	// broker's retention, counted as offset expiry is (see Offsets.Expired).
	ExpiresAt time.Time
}

// PartitionKey names one partition of one topic.
type PartitionKey struct {
	Topic     string
	Partition int32
}
