package broker

import (
	"context"
	"fmt"
	"math"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/narumq/naru/internal/catalog"
	"github.com/narumq/naru/internal/commitlog"
	"github.com/narumq/naru/internal/fault"
	"github.com/narumq/naru/internal/record"
)

// ErrForeignBatch refuses a batch that only a broker, or a transaction, may
// write.
var ErrForeignBatch = fault.New(fault.InvalidArgument, "batch is transactional or a control batch")

// Partition is a partition of a topic, with the topic's settings in force, wherever its
// records are: it is a handle, which stays the same while its slot comes and goes.
type Partition struct {
	broker *Broker
	topic  *topicState
	index  int32
	at     atomic.Pointer[partitionAt]
	gather atomic.Pointer[sender] // of Produce; made when it is needed
	away   asker                  // of appends, while the partition is elsewhere

	watching sync.Mutex // guards watches, and that they are those of at
	watches  []watch
}

// partitionAt is where a partition is.
type partitionAt struct{ partitionBackend }

// watch is what Partition.Watch began.
type watch struct {
	waiter *Waiter
	token  int
}

func (p *Partition) backend() partitionBackend { return p.at.Load().partitionBackend }

// local is the log of a partition that is here, for what only its owner does; else
// ErrNotOwner.
func (p *Partition) local() (*commitlog.Partition, error) {
	if here, ok := p.backend().(*localPartition); ok {
		return here.Partition, nil
	}
	return nil, ErrNotOwner
}

// move says where the partition is from now on. All who watch it look again.
func (p *Partition) move(to partitionBackend) {
	p.watching.Lock()
	defer p.watching.Unlock()
	from := p.at.Swap(&partitionAt{to})
	for _, w := range p.watches {
		if from != nil {
			from.Unwatch(w.waiter, w.token)
		}
		to.Watch(w.waiter, w.token)
		w.waiter.Mark(w.token)
	}
}

// Watch tells w of new records, of deletion, or of another owner, under token until Unwatch.
func (p *Partition) Watch(w *Waiter, token int) {
	p.watching.Lock()
	defer p.watching.Unlock()
	p.watches = append(p.watches, watch{w, token})
	p.backend().Watch(w, token)
}

// Unwatch ends what Watch began.
func (p *Partition) Unwatch(w *Waiter, token int) {
	p.watching.Lock()
	defer p.watching.Unlock()
	if i := slices.Index(p.watches, watch{w, token}); i >= 0 {
		p.watches = slices.Delete(p.watches, i, i+1)
		p.backend().Unwatch(w, token)
	}
}

// Topic is the partition's topic as it is now.
func (p *Partition) Topic() *catalog.Topic { return p.topic.meta.Load() }

// Index is the partition's number in its topic.
func (p *Partition) Index() int32 { return p.index }

// Appended is where a batch went.
type Appended struct {
	Base     record.Offset
	LogStart record.Offset
	// LogAppendTime is the timestamp that the broker gave the records, in
	// milliseconds; -1 if they keep their own.
	LogAppendTime int64
	// Duplicate: an idempotent producer sent it before, and it is where it was then;
	// Timestamp is the greatest of what is there.
	Duplicate bool
	Timestamp int64
}

// Append checks one batch, applies the topic's settings, and appends it. done
// is called once: maybe before Append returns, else from the committer, so it
// must be quick and must not block. Append may wait for room until ctx ends.
// batch is patched in place and must stay untouched until done.
//
// Errors: those of record.Check, record.ErrTooLarge, record.ErrInvalidTimestamp,
// ErrForeignBatch, and those of commitlog.Partition.Append.
func (p *Partition) Append(ctx context.Context, batch []byte, done func(Appended, error)) {
	p.appendsTo().Append(ctx, batch, done)
}

// appendsTo is where batches go now: behind those that wait for an owner.
func (p *Partition) appendsTo() partitionBackend {
	now := p.backend()
	if _, here := now.(*localPartition); here && p.away.pending.Load() {
		return newRemotePartition(p)
	}
	return now
}

// admit checks a batch against the topic's settings, and rewrites it where they
// say so. stamp tells that the broker's clock is in it.
func (b *Broker) admit(topic *catalog.Topic, batch []byte) (_ []byte, h record.Header, stamp bool, err error) {
	h, times, err := record.Inspect(batch, b.limits)
	if err != nil {
		return nil, h, false, err
	}
	if h.Transactional() || h.Control() {
		return nil, h, false, ErrForeignBatch
	}
	set := &topic.Settings
	if c := set.Compression.Of(h.Codec()); c != h.Codec() {
		if batch, err = record.Recompress(batch, c, b.limits); err != nil {
			return nil, h, false, err
		}
	}
	if len(batch) > int(set.MaxMessageBytes) {
		return nil, h, false, fmt.Errorf("%w: %d bytes, %s takes %d (max.message.bytes)", record.ErrTooLarge, len(batch), topic.Name, set.MaxMessageBytes)
	}
	now := b.nowMS()
	stamp = set.TimestampType == catalog.LogAppendTime
	switch {
	case stamp:
		record.StampLogAppendTime(batch, now)
	case h.LogAppendTime():
		return nil, h, false, fmt.Errorf("%w: producers may not stamp log append time", record.ErrInvalidTimestamp)
	default:
		if err := checkTimes(set, times, now); err != nil {
			return nil, h, false, err
		}
		if times.Max != h.MaxTimestamp {
			record.SetMaxTimestamp(batch, times.Max)
		}
	}
	h, err = record.ParseHeader(batch)
	return batch, h, stamp, err
}

// checkTimes holds timestamps to message.timestamp.before.max.ms and
// message.timestamp.after.max.ms (KIP-937).
func checkTimes(set *catalog.Settings, t record.Times, now int64) error {
	if t.Max == record.NoTimestamp && t.Min == record.NoTimestamp {
		return nil
	}
	if set.TimestampBeforeMaxMS != math.MaxInt64 && now-t.Min > set.TimestampBeforeMaxMS {
		return fmt.Errorf("%w: %d is %d ms behind the broker's clock, at most %d are allowed", record.ErrInvalidTimestamp, t.Min, now-t.Min, set.TimestampBeforeMaxMS)
	}
	if set.TimestampAfterMaxMS != math.MaxInt64 && t.Max-now > set.TimestampAfterMaxMS {
		return fmt.Errorf("%w: %d is %d ms ahead of the broker's clock, at most %d are allowed", record.ErrInvalidTimestamp, t.Max, t.Max-now, set.TimestampAfterMaxMS)
	}
	return nil
}

// Slice is a piece of a partition; see journal.Slice.
type Slice = commitlog.Slice

// Read returns whole batches from offset `from` on; see
// commitlog.Partition.Read. The caller releases the slice.
func (p *Partition) Read(from record.Offset, maxBytes int, atLeastOne bool) (Slice, error) {
	return p.backend().Read(from, maxBytes, atLeastOne)
}

// Available counts the bytes from offset `from` on, up to about max.
func (p *Partition) Available(from record.Offset, max int) int {
	return p.backend().Available(from, max)
}

// Bounds are LogStart and HighWatermark as they are now, for what is decided by them: those
// answer what was heard last where nobody has the partition at the moment. Errors:
// ErrNotOwner.
func (p *Partition) Bounds() (start, high record.Offset, err error) { return p.backend().Bounds() }

// LogStart is the first offset that can be read.
func (p *Partition) LogStart() record.Offset { return p.backend().LogStart() }

// HighWatermark is one past the last durable record.
func (p *Partition) HighWatermark() record.Offset { return p.backend().HighWatermark() }

// end is HighWatermark; false: nothing was ever heard of that.
func (p *Partition) end() (record.Offset, bool) {
	now := p.backend()
	high := now.HighWatermark()
	away, ok := now.(*remotePartition)
	return high, !ok || away.known.Load()
}

// LastStable is one past the last record of no open transaction.
func (p *Partition) LastStable() record.Offset { return p.backend().HighWatermark() }

// OffsetForTime returns the first record with a timestamp of at least ms.
func (p *Partition) OffsetForTime(ms int64) (record.Offset, int64, error) {
	return p.backend().OffsetForTime(ms)
}

// OffsetOfMaxTime returns the first record with the greatest timestamp.
func (p *Partition) OffsetOfMaxTime() (record.Offset, int64, error) {
	return p.backend().OffsetOfMaxTime()
}

// SizeBytes is the disk space of the partition's records.
func (p *Partition) SizeBytes() int64 { return p.backend().SizeBytes() }

// Producers lists the idempotent producers that the partition remembers.
func (p *Partition) Producers() []commitlog.ProducerInfo { return p.backend().Producers() }
