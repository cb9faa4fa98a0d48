package commitlog

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/narumq/naru/internal/fault"
	"github.com/narumq/naru/internal/journal"
	"github.com/narumq/naru/internal/record"
)

// Errors that callers tell apart. Those of the journal come through wrapped.
var (
	ErrOffsetOutOfRange     = fault.New(fault.OutOfRange, "offset out of range")
	ErrOutOfOrderSequence   = fault.New(fault.FailedPrecondition, "producer sequence out of order")
	ErrInvalidProducerEpoch = fault.New(fault.FailedPrecondition, "producer epoch is fenced")
	ErrDeleted              = fault.New(fault.NotFound, "partition deleted")
	// ErrClosed: the partition takes no more records; others have its keys. Who
	// looks again finds them.
	ErrClosed = fault.New(fault.Aborted, "partition is closed")
)

// Journal is what a partition's bytes are in: journal.Journal on a disk, or journal.Slot in a bucket.
type Journal interface {
	Admit(ctx context.Context, payload int) error
	Release(payload int)
	Enqueue(entries ...*journal.Entry) error
	Hurry()
	Err() error

	Bounds(id journal.StreamID) (start, next record.Offset)
	Read(id journal.StreamID, from record.Offset, maxBytes int, atLeastOne bool) (journal.Slice, error)
	Available(id journal.StreamID, from record.Offset, max int) int
	SeekTime(id journal.StreamID, from record.Offset, ms int64) (base record.Offset, ok bool, err error)
	MaxTimestamp(id journal.StreamID) (ms int64, ok bool)
	RetentionStart(id journal.StreamID, olderThan, bytesMax int64) record.Offset
	StreamBytes(id journal.StreamID) int64

	Trim(id journal.StreamID, start record.Offset)
	Drop(id journal.StreamID)
}

// Partition is one ordered log.
type Partition struct {
	journal Journal
	id      journal.StreamID

	start atomic.Int64 // log start offset
	high  atomic.Int64 // high watermark

	mu        sync.Mutex
	next      record.Offset // guarded by mu: the next offset to assign
	producers producers     // guarded by mu
	watches   watches       // guarded by mu
	deleted   bool          // guarded by mu
	closed    bool          // guarded by mu: no more appends
	pending   int           // guarded by mu: appends on their way
	settled   chan struct{} // guarded by mu: closed when none is; nil if nobody waits
}

// Open returns the partition whose bytes are stream id of the journal.
func Open(j Journal, id journal.StreamID) *Partition {
	p := &Partition{journal: j, id: id, producers: newProducers()}
	start, next := j.Bounds(id)
	p.start.Store(int64(start))
	p.high.Store(int64(next))
	p.next = next
	return p
}

// ID is the partition's number in the journal.
func (p *Partition) ID() journal.StreamID { return p.id }

// LogStart is the first offset that can be read.
func (p *Partition) LogStart() record.Offset { return record.Offset(p.start.Load()) }

// HighWatermark is one past the last durable record.
func (p *Partition) HighWatermark() record.Offset { return record.Offset(p.high.Load()) }

// SizeBytes is the disk space of the records from the log start on.
func (p *Partition) SizeBytes() int64 { return p.journal.StreamBytes(p.id) }

// Appended is where a batch went.
type Appended struct {
	Base     record.Offset
	LogStart record.Offset
	// Timestamp is that of the batch that is stored: for a duplicate, the
	// first one's. Milliseconds.
	Timestamp int64
	Duplicate bool
}

// appending is one append on its way.
type appending struct {
	entry     journal.Entry
	partition *Partition
	header    record.Header
	done      func(Appended, error)
	followers []func(Appended, error) // of duplicates that came meanwhile
	settle    func(*journal.Entry, error)
}

var appendings sync.Pool

func newAppending() *appending {
	if a, ok := appendings.Get().(*appending); ok {
		return a
	}
	a := new(appending)
	a.settle = a.committed // once, so that an append makes no closure
	return a
}

// Append enqueues one checked batch, whose header and checksum h is, patching its base offset and leader
// epoch. done is called once, with the outcome, maybe before Append returns:
// it must be quick and must not block. Append blocks only for room, until ctx
// ends. The batch must stay untouched until done.
func (p *Partition) Append(ctx context.Context, batch []byte, h record.Header, done func(Appended, error)) {
	p.append(ctx, batch, h, false, done)
}

// AppendLater is Append of what nobody waits for: it becomes durable with what is appended next to any
// partition, but no later than journal.PatienceMax from now.
func (p *Partition) AppendLater(ctx context.Context, batch []byte, h record.Header, done func(Appended, error)) {
	p.append(ctx, batch, h, true, done)
}

// Hurry makes durable now what AppendLater left for later.
func (p *Partition) Hurry() { p.journal.Hurry() }

func (p *Partition) append(ctx context.Context, batch []byte, h record.Header, patient bool, done func(Appended, error)) {
	if err := p.journal.Admit(ctx, len(batch)); err != nil {
		done(Appended{}, err)
		return
	}
	a := newAppending()
	a.partition, a.header, a.done = p, h, done
	a.entry = journal.Entry{
		Stream: p.id, Count: uint32(h.Count), MaxTimestamp: h.MaxTimestamp, Payload: batch, Done: a.settle, Patient: patient,
		Summed: len(batch) - record.SummedFrom, SummedCRC: h.CRC,
	}
	again, finished, err := p.enqueue(a)
	if err == nil && !finished {
		return
	}
	p.journal.Release(len(batch))
	if err != nil || again != nil {
		a.recycle()
		if err != nil {
			done(Appended{}, err)
		} else {
			done(*again, nil)
		}
	}
}

// enqueue gives the batch its offset and hands it to the journal. finished
// says that it needs no append: it is a duplicate, either of a durable batch
// (again) or of one on its way, whose outcome it will share.
func (p *Partition) enqueue(a *appending) (again *Appended, finished bool, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.deleted {
		return nil, false, ErrDeleted
	}
	h := &a.header
	if h.ProducerID >= 0 {
		prior, err := p.producers.check(h)
		if err != nil {
			return nil, false, fmt.Errorf("partition %d: %w", p.id, err)
		}
		if prior != nil && prior.pending != nil {
			prior.pending.followers = append(prior.pending.followers, a.done)
			a.recycle()
			return nil, true, nil
		}
		if prior != nil {
			return &Appended{Base: prior.base, LogStart: p.LogStart(), Timestamp: prior.timestamp, Duplicate: true}, true, nil
		}
	}
	if p.closed { // what a producer sends again is still known
		return nil, false, ErrClosed
	}
	a.entry.Base = p.next
	record.SetBaseOffset(a.entry.Payload, p.next)
	record.SetLeaderEpoch(a.entry.Payload, 0)
	if err := p.journal.Enqueue(&a.entry); err != nil {
		return nil, false, err
	}
	if h.ProducerID >= 0 {
		p.producers.add(h, p.next, a)
	}
	p.next += record.Offset(h.Count)
	p.pending++
	return nil, false, nil
}

// committed is called by the journal with the outcome.
func (a *appending) committed(e *journal.Entry, err error) {
	p := a.partition
	p.journal.Release(len(e.Payload))
	out := Appended{Base: e.Base, Timestamp: a.header.MaxTimestamp}
	p.mu.Lock()
	if err == nil {
		p.raise(e.Base + record.Offset(e.Count))
		if a.header.ProducerID >= 0 {
			p.producers.settle(&a.header, a)
		}
		p.watches.notify()
	} else if a.header.ProducerID >= 0 {
		p.producers.forget(&a.header, a)
	}
	if p.pending--; p.pending == 0 && p.settled != nil {
		close(p.settled)
		p.settled = nil
	}
	out.LogStart = p.LogStart()
	followers := a.followers
	p.mu.Unlock()
	done := a.done
	a.recycle()
	if err != nil {
		out = Appended{}
	}
	done(out, err)
	for _, f := range followers {
		out.Duplicate = true
		f(out, err)
	}
}

func (a *appending) recycle() {
	*a = appending{settle: a.settle}
	appendings.Put(a)
}

// raise moves the high watermark up.
func (p *Partition) raise(to record.Offset) {
	for {
		old := p.high.Load()
		if old >= int64(to) || p.high.CompareAndSwap(old, int64(to)) {
			return
		}
	}
}

// Slice is a piece of the log; see journal.Slice.
type Slice = journal.Slice

// Read returns whole batches from offset `from` on, up to maxBytes; with
// atLeastOne the first comes even if it is longer. The first may begin below
// `from`. At the high watermark the slice is empty. The caller releases it.
func (p *Partition) Read(from record.Offset, maxBytes int, atLeastOne bool) (Slice, error) {
	if start, high := p.LogStart(), p.HighWatermark(); from < start || from > high {
		return Slice{}, fmt.Errorf("%w: %d, have %d to %d", ErrOffsetOutOfRange, from, start, high)
	}
	s, err := p.journal.Read(p.id, from, maxBytes, atLeastOne)
	if err == nil {
		p.raise(s.Next) // what was read is durable, if its commit is not yet told
	} else if start, _ := p.journal.Bounds(p.id); from < start {
		err = fmt.Errorf("%w: %d, trimmed to %d meanwhile", ErrOffsetOutOfRange, from, start)
	}
	return s, err
}

// Trim moves the log start up to `to`, at most to the high watermark. The
// caller has made it durable.
func (p *Partition) Trim(to record.Offset) {
	p.journal.Trim(p.id, to)
	for {
		old := p.start.Load()
		if old >= int64(to) || p.start.CompareAndSwap(old, int64(to)) {
			return
		}
	}
}

// Delete ends the partition: appends fail, watchers are woken, the journal
// forgets its bytes. The caller has made the deletion durable.
func (p *Partition) Delete() {
	p.mu.Lock()
	p.deleted = true
	p.watches.notify()
	p.mu.Unlock()
	p.journal.Drop(p.id)
}

// RetentionStart is where the log should start under these limits; see
// journal.RetentionStart.
func (p *Partition) RetentionStart(olderThan, bytesMax int64) record.Offset {
	return min(p.journal.RetentionStart(p.id, olderThan, bytesMax), p.HighWatermark())
}
