package broker

import (
	"time"

	"github.com/narumq/naru/internal/fault"
	"github.com/narumq/naru/internal/queue"
	"github.com/narumq/naru/internal/record"
)

// Names of record headers that queues, and calls over them, read and write. On
// disk: never rename.
const (
	HeaderDedup          = "naru.dedup"   // the dedup id that a message was sent with
	HeaderDue            = "naru.due"     // not delivered before; milliseconds since 1970, decimal
	HeaderExpires        = "naru.expires" // not delivered from then on; the same
	HeaderID             = "naru.id"      // the id that a message had before it was moved
	HeaderDeadQueue      = "naru.dead.queue"
	HeaderDeadPartition  = "naru.dead.partition"
	HeaderDeadOffset     = "naru.dead.offset"
	HeaderDeadAttempts   = "naru.dead.attempts"
	HeaderDeadReason     = "naru.dead.reason" // attempts, expired, rejected
	HeaderDeadAt         = "naru.dead.at"     // milliseconds since 1970
	HeaderReplyTo        = "naru.reply-to"    // the queue that an answer goes to
	HeaderCorrelation    = "naru.correlation" // what the answer to it has, too
	HeaderExchange       = "naru.exchange"    // that it was published to
	HeaderRoutingKey     = "naru.routing-key" // with which it was
	HeaderMoreKeys       = "naru.more-keys"   // and with which others, as JSON
	HeaderDeaths         = "naru.deaths"      // its history as a dead letter: exchange.Deaths as JSON
	queueHeaderPrefix    = "naru."
	deadHeaderPrefix     = "naru.dead."
	attemptRememberedFor = 5 * time.Minute
)

// Message is what Send takes.
type Message struct {
	Key, Value []byte // on an ordered queue the key is the group
	Headers    []record.HeaderField
	Lane       int32         // priority: higher goes first
	Delay      time.Duration // below 0: the queue's
	Expiry     time.Duration // from now; 0 = none but the queue's retention
	DedupID    string        // "" = none, or by content if the queue says so
}

// Sent is where a message went. Without Err it is durable.
type Sent struct {
	Partition int32
	Offset    record.Offset
	Timestamp int64 // milliseconds since 1970
	ID        MessageID
	Duplicate bool // it was sent before, and is there once
	Err       error
}

// ReceiveRequest asks for deliveries.
type ReceiveRequest struct {
	Max      int           // at most so many; at least 1
	BytesMax int           // of what is delivered, but for the last; 0 = no limit
	Lease    time.Duration // 0 = the queue's; below 0: until released
	Wait     time.Duration // for the first; below 0: the queue's
	// Together has as many of a group of an ordered queue delivered as there are. Without
	// it, and with BytesMax, they come one at a time.
	Together bool
	// AttemptID makes an ordered queue repeat, within five minutes, what it
	// answered to the same id, unless something of it was settled or ran out.
	AttemptID string
}

// Delivery is a message that was leased, or, from Peek, that might be.
type Delivery struct {
	Tag             queue.Tag
	Record          record.Record // its timestamp is when it was sent; do not change its bytes
	ID              MessageID
	Attempts        int32
	FirstReceivedAt int64 // milliseconds since 1970
}

// QueueStats says how many messages are where.
type QueueStats struct {
	Ready, InFlight, Delayed int64
	OldestAge                time.Duration // of what is not done
	// Since the broker started:
	Sent, Received, Redelivered, Acked, DeadLettered, Expired int64
}

// Errors of queues that callers tell apart.
var (
	// ErrInFlightLimit: as many messages are in flight as may be.
	ErrInFlightLimit = fault.New(fault.ResourceExhausted, "too many messages are in flight")
	// ErrMessageTooLarge: larger than the queue allows.
	ErrMessageTooLarge = fault.New(fault.InvalidArgument, "message is too large for the queue")
	// ErrNoDedupID: the queue is ordered by content or needs an id, and there is none.
	ErrNoDedupID = fault.New(fault.InvalidArgument, "message needs a dedup id")
	// ErrNoGroup: an ordered queue needs a group.
	ErrNoGroup = fault.New(fault.InvalidArgument, "message needs a group")
	// ErrQueueDeleted: it was deleted meanwhile.
	ErrQueueDeleted = fault.New(fault.NotFound, "queue was deleted")
)
