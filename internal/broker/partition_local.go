package broker

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/narumq/naru/internal/commitlog"
	"github.com/narumq/naru/internal/record"
)

// localPartition is a partition whose slot is open here.
type localPartition struct {
	*commitlog.Partition
	of     *Partition
	in     *slot
	reopen atomic.Pointer[time.Timer] // opens it again, if whoever closed it has died
}

// closedMax is how long a partition stays closed for a change of the catalog that does not
// come: longer than a broker that is stopped keeps its lease.
const closedMax = time.Minute

// Close implements partitionBackend.
func (l *localPartition) Close(ctx context.Context) (record.Offset, error) {
	if l.of.broker.cfg.Cluster != nil {
		l.reopenBy(time.AfterFunc(closedMax, l.Reopen))
	}
	return l.Partition.Close(ctx)
}

// Reopen implements partitionBackend. Another broker may have closed it for good.
func (l *localPartition) Reopen() {
	l.reopenBy(nil)
	b := l.of.broker
	ctx, cancel := b.bounded(lookUpMax)
	defer cancel()
	if err := b.catchUp(ctx); err != nil && b.ctx.Err() == nil {
		l.reopenBy(time.AfterFunc(closedMax, l.Reopen))
		return
	}
	b.topics.changing.Lock()
	defer b.topics.changing.Unlock()
	if !l.of.Closed() {
		l.Partition.Reopen()
	}
}

func (l *localPartition) reopenBy(t *time.Timer) {
	if old := l.reopen.Swap(t); old != nil {
		old.Stop()
	}
}

// Wake implements partitionBackend. Whoever asks has closed it for good.
func (l *localPartition) Wake() {
	b := l.of.broker
	ctx, cancel := b.bounded(lookUpMax)
	defer cancel()
	_ = b.catchUp(ctx) // else the watch tells
	l.Partition.Wake()
}

// Append implements partitionBackend.
func (l *localPartition) Append(ctx context.Context, batch []byte, done func(Appended, error)) {
	batch, h, stamp, err := l.of.broker.admit(l.of.Topic(), batch)
	if err != nil {
		done(Appended{}, err)
		return
	}
	l.Partition.Append(ctx, batch, h, func(a commitlog.Appended, err error) {
		if errors.Is(err, commitlog.ErrClosed) {
			err = l.of.closedError()
		}
		out := Appended{Base: a.Base, LogStart: a.LogStart, LogAppendTime: -1, Duplicate: a.Duplicate, Timestamp: a.Timestamp}
		if stamp {
			out.LogAppendTime = a.Timestamp
		}
		done(out, err)
	})
}

// Bounds implements partitionBackend.
func (l *localPartition) Bounds() (start, high record.Offset, err error) {
	return l.LogStart(), l.HighWatermark(), nil
}

// DeleteRecords implements partitionBackend.
func (l *localPartition) DeleteRecords(before record.Offset) (record.Offset, error) {
	return l.of.broker.deleteRecords(l.Partition, before)
}
