package queue

import (
	"github.com/narumq/naru/internal/fault"
	"github.com/narumq/naru/internal/record"
)

// Source is one partition of the queue's topic. On disk: never renumber.
type Source int32

// Meta is what has to be known of a record to decide about it. Times are
// milliseconds since 1970.
type Meta struct {
	Offset    record.Offset
	SentAt    int64
	DueAt     int64  // not delivered before; 0 = at once
	ExpiresAt int64  // not delivered from then on; 0 = never
	Group     uint64 // hash of the group; 0 = none
	Bytes     int32  // how much it counts; see Size
}

// Tag names one delivery of a record.
type Tag struct {
	Source  Source
	Offset  record.Offset
	Attempt int32 // 1 for the first
}

// Delivery is a record that was leased.
type Delivery struct {
	Tag     Tag
	FirstAt int64 // when it was delivered first, milliseconds
	SentAt  int64
}

// Reason tells why a record will not be delivered.
type Reason uint8

// Reasons.
const (
	ReasonAttempts Reason = iota + 1 // delivered as often as allowed
	ReasonExpired                    // its time is over
	ReasonRejected                   // a consumer refused it for good
	ReasonLength                     // the queue is longer than it may be
)

func (r Reason) String() string {
	switch r {
	case ReasonAttempts:
		return "attempts"
	case ReasonExpired:
		return "expired"
	case ReasonRejected:
		return "rejected"
	case ReasonLength:
		return "length"
	}
	return "unknown"
}

// DeadLetter is a record that will not be delivered. It is settling until Finish
// or Return is called with its tag.
type DeadLetter struct {
	Tag     Tag // Attempt = how often it was delivered; 0 = never
	FirstAt int64
	Reason  Reason
}

// Config of a queue. A zero field takes the default.
type Config struct {
	Sources     int     // how many; at least 1
	Priority    []int32 // by source, higher first; nil = all alike, in turns
	Ordered     bool    // groups block while a record of theirs is in flight
	AttemptsMax int32   // deliveries of one record; 0 = no limit
	InFlightMax int     // leased or settling; default 120,000
	WindowMax   int     // ready in memory, by source; default 4,096, ordered 20,000
	DelayedMax  int     // held back in memory, by source; default 50,000
	// ExpireReady gives up records whose time is over when it is, and not when they
	// would be delivered next.
	ExpireReady bool
}

const (
	inFlightMaxDefault      = 120_000
	windowMaxDefault        = 4_096
	windowMaxDefaultOrdered = 20_000 // a search for a free group looks this far
	delayedMaxDefault       = 50_000
)

func (c Config) withDefaults() Config {
	c.Sources = max(c.Sources, 1)
	if c.InFlightMax == 0 {
		c.InFlightMax = inFlightMaxDefault
	}
	if c.WindowMax == 0 {
		c.WindowMax = windowMaxDefault
		if c.Ordered {
			c.WindowMax = windowMaxDefaultOrdered
		}
	}
	if c.DelayedMax == 0 {
		c.DelayedMax = delayedMaxDefault
	}
	return c
}

// Errors that callers tell apart.
var (
	// ErrNotLeased: the delivery's lease has ended, and the record is not done.
	ErrNotLeased = fault.New(fault.FailedPrecondition, "the lease of this delivery has ended")
	// ErrUnknownRecord: the record is done, or was never delivered.
	ErrUnknownRecord = fault.New(fault.NotFound, "the record is not in the queue")
	// ErrMalformed: bytes that are no command.
	ErrMalformed = fault.New(fault.DataLoss, "malformed queue command")
)
