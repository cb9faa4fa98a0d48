package broker

import (
	"context"
	"slices"
	"time"

	"github.com/narumq/naru/internal/commitlog"
	"github.com/narumq/naru/internal/queue"
	"github.com/narumq/naru/internal/record"
)

// awayPartition stands in for a partition whose slot is not open here.
type awayPartition struct{ of *Partition }

// Append implements partitionBackend.
func (a *awayPartition) Append(_ context.Context, _ []byte, done func(Appended, error)) {
	done(Appended{}, ErrNotOwner)
}

// Read implements partitionBackend.
func (a *awayPartition) Read(record.Offset, int, bool) (Slice, error) { return Slice{}, ErrNotOwner }

// Available implements partitionBackend.
func (a *awayPartition) Available(record.Offset, int) int { return 0 }

// LogStart implements partitionBackend.
func (a *awayPartition) LogStart() record.Offset { return 0 }

// HighWatermark implements partitionBackend.
func (a *awayPartition) HighWatermark() record.Offset { return 0 }

// OffsetForTime implements partitionBackend.
func (a *awayPartition) OffsetForTime(int64) (record.Offset, int64, error) {
	return 0, 0, ErrNotOwner
}

// OffsetOfMaxTime implements partitionBackend.
func (a *awayPartition) OffsetOfMaxTime() (record.Offset, int64, error) { return 0, 0, ErrNotOwner }

// SizeBytes implements partitionBackend.
func (a *awayPartition) SizeBytes() int64 { return 0 }

// Producers implements partitionBackend.
func (a *awayPartition) Producers() []commitlog.ProducerInfo { return nil }

// DeleteRecords implements partitionBackend.
func (a *awayPartition) DeleteRecords(record.Offset) (record.Offset, error) { return 0, ErrNotOwner }

// Close implements partitionBackend.
func (a *awayPartition) Close(context.Context) (record.Offset, error) { return 0, ErrNotOwner }

// Reopen implements partitionBackend.
func (a *awayPartition) Reopen() {}

// Wake implements partitionBackend.
func (a *awayPartition) Wake() {}

// Watch implements partitionBackend.
func (a *awayPartition) Watch(*Waiter, int) {}

// Unwatch implements partitionBackend.
func (a *awayPartition) Unwatch(*Waiter, int) {}

// awayQueue stands in for a queue whose home is not open here.
type awayQueue struct{ of *Queue }

// SendOnce implements queueBackend.
func (a *awayQueue) SendOnce(_ context.Context, _ *Once, msgs []Message, done func([]Sent)) {
	sent := make([]Sent, len(msgs))
	for i := range sent {
		sent[i].Err = ErrNotOwner
	}
	done(sent)
}

// Receive implements queueBackend.
func (a *awayQueue) Receive(context.Context, ReceiveRequest) ([]Delivery, error) {
	return nil, ErrNotOwner
}

// Ack implements queueBackend.
func (a *awayQueue) Ack(tags []queue.Tag, done func([]error)) {
	if done != nil {
		done(slices.Repeat([]error{ErrNotOwner}, len(tags)))
	}
}

// Nack implements queueBackend.
func (a *awayQueue) Nack(tags []queue.Tag, _ time.Duration, done func([]error)) { a.Ack(tags, done) }

// Reject implements queueBackend.
func (a *awayQueue) Reject(tags []queue.Tag, done func([]error)) { a.Ack(tags, done) }

// Extend implements queueBackend.
func (a *awayQueue) Extend(tags []queue.Tag, _ []time.Duration, done func([]error)) {
	a.Ack(tags, done)
}

// Peek implements queueBackend.
func (a *awayQueue) Peek(int, int) ([]Delivery, error) { return nil, ErrNotOwner }

// Purge implements queueBackend.
func (a *awayQueue) Purge() error { return ErrNotOwner }

// PurgeReady implements queueBackend.
func (a *awayQueue) PurgeReady() error { return ErrNotOwner }

// Stats implements queueBackend.
func (a *awayQueue) Stats() QueueStats { return QueueStats{} }

// Counts implements queueBackend.
func (a *awayQueue) Counts() (delivered, acked int64) { return 0, 0 }

// AfterBurials implements queueBackend.
func (a *awayQueue) AfterBurials(done func()) { done() }

// Forward implements queueBackend.
func (a *awayQueue) Forward(_ *record.Record, _ int32, done func(Sent)) {
	done(Sent{Err: ErrNotOwner})
}

// Redrives implements queueBackend.
func (a *awayQueue) Redrives() []RedriveTask { return nil }

// StartRedrive implements queueBackend.
func (a *awayQueue) StartRedrive(RedriveSpec) (RedriveTask, error) {
	return RedriveTask{}, ErrNotOwner
}

// CancelRedrive implements queueBackend.
func (a *awayQueue) CancelRedrive(string) (RedriveTask, error) {
	return RedriveTask{}, ErrUnknownRedrive
}
