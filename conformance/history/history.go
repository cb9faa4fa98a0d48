package history

import (
	"fmt"
	"sort"
)

// Kind says what an Event tells.
type Kind int

const (
	// Send: the process handed Value to its producer for Partition. It counts
	// as sent whatever becomes of it.
	Send Kind = iota
	// Ack: the send of Value was confirmed at Partition and Offset.
	Ack
	// Poll: a consumer was handed Value from Partition and Offset.
	Poll
	// Assign: from now on the process reads Partition from a position that it
	// did not choose by reading (an assignment, a seek, a restart).
	Assign
	// Commit: the group's committed offset of Partition was confirmed as Offset
	// (the next offset to read).
	Commit
	// Committed: the group's committed offset of Partition was read back as
	// Offset, or -1 for none. Start is when the question was asked.
	Committed
	// End: a reader that had read Partition from its start reached Offset, the
	// high watermark, after all sends were over.
	End
)

func (k Kind) String() string {
	return [...]string{"send", "ack", "poll", "assign", "commit", "committed", "end"}[k]
}

// Event is one thing that one process saw. Fields that its Kind does not name
// are zero.
type Event struct {
	Kind      Kind
	Process   string // the client: a producer, a member, a reader
	Group     string // the consumer group, or "" for a plain consumer
	Partition int32
	Offset    int64
	Value     string
	Start     int64 // when the request went out, ns; 0 if not known
	Time      int64 // when the answer was seen, ns
}

// Anomaly is one broken promise.
type Anomaly struct {
	Name   string
	Detail string
}

func (a Anomaly) String() string { return a.Name + ": " + a.Detail }

// The names of the anomalies that Check reports.
const (
	LostWrite          = "lost write"
	Phantom            = "phantom"
	Duplicate          = "duplicate"
	InconsistentOffset = "inconsistent offset"
	PollSkip           = "poll skip"
	NonMonotonicPoll   = "non-monotonic poll"
	NonMonotonicSend   = "non-monotonic send"
	CommitRegression   = "commit regression"
	ReRead             = "re-read"
	Undelivered        = "undelivered"
)

// Names lists every anomaly, in the order in which they are documented.
func Names() []string {
	return []string{LostWrite, Phantom, Duplicate, InconsistentOffset, PollSkip,
		NonMonotonicPoll, NonMonotonicSend, CommitRegression, ReRead, Undelivered}
}

// place is one position in one partition.
type place struct {
	partition int32
	offset    int64
}

func (p place) String() string { return fmt.Sprintf("%d@%d", p.partition, p.offset) }

// Check returns every anomaly in the events, grouped by name and in a fixed
// order. No anomaly means only that none could be proved.
func Check(events []Event) []Anomaly {
	c := newChecker(events)
	c.checkValues()
	c.checkLost()
	c.checkPolls()
	c.checkSends()
	c.checkCommits()
	c.checkDelivery()
	rank := map[string]int{}
	for i, n := range Names() {
		rank[n] = i
	}
	sort.SliceStable(c.found, func(i, j int) bool {
		a, b := c.found[i], c.found[j]
		if a.Name != b.Name {
			return rank[a.Name] < rank[b.Name]
		}
		return a.Detail < b.Detail
	})
	return c.found
}

// Summary counts the anomalies of each kind that has any.
func Summary(found []Anomaly) map[string]int {
	n := map[string]int{}
	for _, a := range found {
		n[a.Name]++
	}
	return n
}
