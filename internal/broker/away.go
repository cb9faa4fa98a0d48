package broker

import (
	"context"
	"slices"
	"time"

	"github.com/narumq/naru/internal/commitlog"
	"github.com/narumq/naru/internal/queue"
	"github.com/narumq/naru/internal/record"
)

// awayPartition stands in for a partition whose slot is not open here: it waits until it
// is, or until another broker has it.
type awayPartition struct {
	of          *Partition
	start, high record.Offset // when it was last here
}

func newAwayPartition(p *Partition) *awayPartition {
	a := &awayPartition{of: p}
	if at := p.at.Load(); at != nil {
		a.start, a.high = at.LogStart(), at.HighWatermark()
	}
	return a
}

// owner is where the partition is, once somebody has it.
func (a *awayPartition) owner(ctx context.Context) (partitionBackend, error) {
	b := a.of.broker
	ctx, cancel := context.WithTimeoutCause(ctx, ownerWaitMax, ErrNotOwner)
	defer cancel()
	for {
		if _, err := b.awaitOwner(ctx, a.of.Slot()); err != nil {
			return nil, err
		}
		if b.Owner(a.of.Slot()) != b.NodeID() {
			return nil, ErrNotOwner
		}
		if here, ok := a.of.backend().(*localPartition); ok {
			return here, nil
		}
	}
}

// Append implements partitionBackend.
func (a *awayPartition) Append(ctx context.Context, batch []byte, done func(Appended, error)) {
	to, err := a.owner(ctx)
	if err != nil {
		done(Appended{}, err)
		return
	}
	to.Append(ctx, batch, done)
}

// Read implements partitionBackend.
func (a *awayPartition) Read(from record.Offset, maxBytes int, atLeastOne bool) (Slice, error) {
	to, err := a.owner(a.of.broker.ctx)
	if err != nil {
		return Slice{}, err
	}
	return to.Read(from, maxBytes, atLeastOne)
}

// Available implements partitionBackend.
func (a *awayPartition) Available(record.Offset, int) int { return 0 }

// LogStart implements partitionBackend.
func (a *awayPartition) LogStart() record.Offset { return a.start }

// HighWatermark implements partitionBackend.
func (a *awayPartition) HighWatermark() record.Offset { return a.high }

// OffsetForTime implements partitionBackend.
func (a *awayPartition) OffsetForTime(ms int64) (record.Offset, int64, error) {
	to, err := a.owner(a.of.broker.ctx)
	if err != nil {
		return 0, 0, err
	}
	return to.OffsetForTime(ms)
}

// OffsetOfMaxTime implements partitionBackend.
func (a *awayPartition) OffsetOfMaxTime() (record.Offset, int64, error) {
	to, err := a.owner(a.of.broker.ctx)
	if err != nil {
		return 0, 0, err
	}
	return to.OffsetOfMaxTime()
}

// SizeBytes implements partitionBackend.
func (a *awayPartition) SizeBytes() int64 { return 0 }

// Producers implements partitionBackend.
func (a *awayPartition) Producers() []commitlog.ProducerInfo { return nil }

// DeleteRecords implements partitionBackend.
func (a *awayPartition) DeleteRecords(before record.Offset) (record.Offset, error) {
	to, err := a.owner(a.of.broker.ctx)
	if err != nil {
		return 0, err
	}
	return to.DeleteRecords(before)
}

// Close implements partitionBackend.
func (a *awayPartition) Close(ctx context.Context) (record.Offset, error) {
	to, err := a.owner(ctx)
	if err != nil {
		return 0, err
	}
	return to.Close(ctx)
}

// Reopen implements partitionBackend.
func (a *awayPartition) Reopen() {}

// Wake implements partitionBackend.
func (a *awayPartition) Wake() {}

// Watch implements partitionBackend: where the partition comes to, it is watched.
func (a *awayPartition) Watch(*Waiter, int) {}

// Unwatch implements partitionBackend.
func (a *awayPartition) Unwatch(*Waiter, int) {}

// awayQueue stands in for a queue whose home is not open here: it waits until it is, or
// until another broker has it.
type awayQueue struct{ of *Queue }

// owner is where the queue is, once somebody has it.
func (a *awayQueue) owner(ctx context.Context) (queueBackend, error) {
	b := a.of.b
	ctx, cancel := context.WithTimeoutCause(ctx, ownerWaitMax, ErrNotOwner)
	defer cancel()
	for {
		if err := a.of.ended(); err != nil {
			return nil, err
		}
		if _, err := b.awaitOwner(ctx, a.of.home()); err != nil {
			return nil, err
		}
		if b.Owner(a.of.home()) != b.NodeID() {
			return nil, ErrNotOwner
		}
		if here := a.of.local(); here != nil {
			return here, nil
		}
	}
}

// settle hands on what is said of deliveries, and does not make the caller wait.
func (a *awayQueue) settle(n int, done func([]error), f func(queueBackend)) {
	go func() {
		to, err := a.owner(a.of.b.ctx)
		switch {
		case err == nil:
			f(to)
		case done != nil:
			done(slices.Repeat([]error{err}, n))
		}
	}()
}

// SendOnce implements queueBackend.
func (a *awayQueue) SendOnce(ctx context.Context, once *Once, msgs []Message, done func([]Sent)) {
	to, err := a.owner(ctx)
	if err != nil {
		done(slices.Repeat([]Sent{{Err: err}}, len(msgs)))
		return
	}
	to.SendOnce(ctx, once, msgs, done)
}

// Receive implements queueBackend.
func (a *awayQueue) Receive(ctx context.Context, req ReceiveRequest) ([]Delivery, error) {
	to, err := a.owner(ctx)
	if err != nil {
		return nil, err
	}
	return to.Receive(ctx, req)
}

// Ack implements queueBackend.
func (a *awayQueue) Ack(tags []queue.Tag, done func([]error)) {
	a.settle(len(tags), done, func(to queueBackend) { to.Ack(tags, done) })
}

// Nack implements queueBackend.
func (a *awayQueue) Nack(tags []queue.Tag, delay time.Duration, done func([]error)) {
	a.settle(len(tags), done, func(to queueBackend) { to.Nack(tags, delay, done) })
}

// Reject implements queueBackend.
func (a *awayQueue) Reject(tags []queue.Tag, done func([]error)) {
	a.settle(len(tags), done, func(to queueBackend) { to.Reject(tags, done) })
}

// Extend implements queueBackend.
func (a *awayQueue) Extend(tags []queue.Tag, leases []time.Duration, done func([]error)) {
	a.settle(len(tags), done, func(to queueBackend) { to.Extend(tags, leases, done) })
}

// Peek implements queueBackend.
func (a *awayQueue) Peek(limit, bytesMax int) ([]Delivery, error) {
	to, err := a.owner(a.of.b.ctx)
	if err != nil {
		return nil, err
	}
	return to.Peek(limit, bytesMax)
}

// Purge implements queueBackend.
func (a *awayQueue) Purge() error {
	to, err := a.owner(a.of.b.ctx)
	if err != nil {
		return err
	}
	return to.Purge()
}

// PurgeReady implements queueBackend.
func (a *awayQueue) PurgeReady() error {
	to, err := a.owner(a.of.b.ctx)
	if err != nil {
		return err
	}
	return to.PurgeReady()
}

// Stats implements queueBackend.
func (a *awayQueue) Stats() QueueStats { return QueueStats{} }

// Counts implements queueBackend.
func (a *awayQueue) Counts() (delivered, acked int64) { return 0, 0 }

// AfterBurials implements queueBackend.
func (a *awayQueue) AfterBurials(done func()) { done() }

// Forward implements queueBackend.
func (a *awayQueue) Forward(rec *record.Record, lane int32, done func(Sent)) {
	to, err := a.owner(a.of.b.ctx)
	if err != nil {
		done(Sent{Err: err})
		return
	}
	to.Forward(rec, lane, done)
}

// Redrives implements queueBackend.
func (a *awayQueue) Redrives() []RedriveTask { return nil }

// StartRedrive implements queueBackend.
func (a *awayQueue) StartRedrive(spec RedriveSpec) (RedriveTask, error) {
	to, err := a.owner(a.of.b.ctx)
	if err != nil {
		return RedriveTask{}, err
	}
	return to.StartRedrive(spec)
}

// CancelRedrive implements queueBackend.
func (a *awayQueue) CancelRedrive(string) (RedriveTask, error) {
	return RedriveTask{}, ErrUnknownRedrive
}
