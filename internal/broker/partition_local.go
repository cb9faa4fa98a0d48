package broker

import (
	"context"
	"errors"

	"github.com/narumq/naru/internal/commitlog"
	"github.com/narumq/naru/internal/record"
)

// localPartition is a partition whose slot is open here.
type localPartition struct {
	*commitlog.Partition
	of *Partition
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

// DeleteRecords implements partitionBackend.
func (l *localPartition) DeleteRecords(before record.Offset) (record.Offset, error) {
	return l.of.broker.deleteRecords(l.Partition, before)
}
