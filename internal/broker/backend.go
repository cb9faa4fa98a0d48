package broker

import (
	"context"
	"time"

	"github.com/narumq/naru/internal/commitlog"
	"github.com/narumq/naru/internal/queue"
	"github.com/narumq/naru/internal/record"
)

// A Partition and a Queue are handles: there is one for everything in the catalog, on
// every broker, and fronts keep them. What they are asked goes to a backend: the thing
// itself while its slot is open here, else what stands in for it, and asks its owner.
// A slot that comes or goes changes the backend under the handle.
//
// A backend that stands in answers ErrNotOwner where nobody has the slot, after it has
// waited for an owner as Broker.awaitOwner does.

// partitionBackend does what a Partition is asked; its methods are documented there.
type partitionBackend interface {
	// Append checks the batch against the topic's settings at the owner. done is called
	// once, and must not block.
	Append(ctx context.Context, batch []byte, done func(Appended, error))
	Read(from record.Offset, maxBytes int, atLeastOne bool) (Slice, error)
	Available(from record.Offset, max int) int
	// LogStart and HighWatermark are asked often, and with locks held: what stands in
	// answers what it heard last.
	LogStart() record.Offset
	HighWatermark() record.Offset
	// Bounds are both, as they are now.
	Bounds() (start, high record.Offset, err error)
	OffsetForTime(ms int64) (record.Offset, int64, error)
	OffsetOfMaxTime() (record.Offset, int64, error)
	SizeBytes() int64
	Producers() []commitlog.ProducerInfo
	DeleteRecords(before record.Offset) (record.Offset, error)

	// Close refuses appends, and says where the partition ends: for a split or merge,
	// which Reopen gives up, and of which Wake tells the readers. See commitlog.Partition.
	Close(ctx context.Context) (end record.Offset, err error)
	Reopen()
	Wake()

	// Watch and Unwatch are called with a lock held, and do not block.
	Watch(w *Waiter, token int)
	Unwatch(w *Waiter, token int)
}

// queueBackend does what a Queue is asked; its methods are documented there.
type queueBackend interface {
	SendOnce(ctx context.Context, once *Once, msgs []Message, done func([]Sent))
	Receive(ctx context.Context, req ReceiveRequest) ([]Delivery, error)
	// Ack is in no hurry if done is nil.
	Ack(tags []queue.Tag, done func([]error))
	Nack(tags []queue.Tag, delay time.Duration, done func([]error))
	Reject(tags []queue.Tag, done func([]error))
	Extend(tags []queue.Tag, leases []time.Duration, done func([]error))
	Peek(limit, bytesMax int) ([]Delivery, error)
	Purge() error
	PurgeReady() error
	Stats() QueueStats
	Counts() (delivered, acked int64)
	AfterBurials(done func())

	// Forward appends a record that comes from another queue, as it is.
	Forward(rec *record.Record, lane int32, done func(Sent))

	// Redrives lists them, the oldest first.
	Redrives() []RedriveTask
	StartRedrive(spec RedriveSpec) (RedriveTask, error)
	// CancelRedrive fails with ErrUnknownRedrive if it is none of the queue.
	CancelRedrive(id string) (RedriveTask, error)
}

var (
	_ partitionBackend = (*localPartition)(nil)
	_ partitionBackend = (*remotePartition)(nil)
	_ queueBackend     = (*openQueue)(nil)
	_ queueBackend     = (*remoteQueue)(nil)
)
