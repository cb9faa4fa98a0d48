package broker

import (
	"bytes"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/narumq/naru/internal/commitlog"
	"github.com/narumq/naru/internal/fault"
	"github.com/narumq/naru/internal/record"
)

// ErrStream refuses what cannot be done with a stream: a queue from which nothing is taken, whose topic is read by
// offset instead.
var ErrStream = fault.New(fault.FailedPrecondition, "the queue is a stream")

const (
	// streamReadBytes is how much a reader of a stream reads at a time, but for a batch that is longer.
	streamReadBytes = 256 << 10
	// streamsBytesMax bounds what readers keep decoded while they pause, all of them together; who finds no room
	// reads again.
	streamsBytesMax = 64 << 20
)

// isStream tells whether the queue is one.
func (q *openQueue) isStream() bool { return q.Meta().Settings.Stream }

func (q *openQueue) refuseStream() error {
	if q.isStream() {
		return fmt.Errorf("%w: %s", ErrStream, q.Meta().Name)
	}
	return nil
}

// StreamStart is where a reader begins.
type StreamStart struct {
	At     StreamPlace
	Offset record.Offset // of AtOffset, in each partition
	Time   int64         // of AtTime, milliseconds since 1970
}

// StreamPlace is how a StreamStart is meant.
type StreamPlace uint8

// Places.
const (
	AtNext   StreamPlace = iota // what comes from now on
	AtFirst                     // all that there is
	AtLast                      // the last batch
	AtOffset                    // that offset; one that is not there yet is waited for
	AtTime                      // the first record that is not older
)

// StreamReader reads a stream, each partition in its order. It is for one goroutine. What others append while it reads
// comes too.
type StreamReader struct {
	q       *Queue
	news    *Waiter
	cursors []streamCursor
	turn    int // whose records list holds

	list []record.Record // what was read and not yet taken
	held int64           // bytes of list
	kept *atomic.Int64   // of all readers that pause
	paid bool            // held is in kept
}

type streamCursor struct {
	p    *Partition
	next record.Offset
}

// ReadStream begins to read. Close the reader when done.
//
// Errors: ErrQueueDeleted, ErrQueueClosed, those of the log; ErrStream if the queue is none.
func (q *Queue) ReadStream(from StreamStart) (*StreamReader, error) {
	meta := q.Meta()
	if !meta.Settings.Stream {
		return nil, fmt.Errorf("%w: %s is none", ErrStream, meta.Name)
	}
	parts, err := q.b.topics.partitionsOf(meta.Topic)
	if err != nil {
		return nil, fmt.Errorf("stream %s: %w", meta.Name, ErrQueueDeleted)
	}
	r := &StreamReader{q: q, news: NewWaiter(), kept: &q.b.queues.streamed}
	for _, p := range parts {
		next, err := from.in(p)
		if err != nil {
			return nil, fmt.Errorf("stream %s: %w", meta.Name, err)
		}
		r.cursors = append(r.cursors, streamCursor{p, next})
	}
	for i := range r.cursors {
		r.cursors[i].p.Watch(r.news, i)
	}
	return r, nil
}

// in is the first offset to read of a partition.
func (s StreamStart) in(p *Partition) (record.Offset, error) {
	start, high, err := p.Bounds()
	if err != nil {
		return 0, err
	}
	switch s.At {
	case AtFirst:
		return start, nil
	case AtOffset:
		return max(s.Offset, start), nil
	case AtTime:
		o, _, err := p.OffsetForTime(s.Time)
		if err != nil || o < 0 {
			return high, err
		}
		return o, nil
	case AtLast:
		return lastBatch(p, start, high)
	}
	return high, nil
}

// lastBatch is where the last batch of a partition begins.
func lastBatch(p *Partition, start, high record.Offset) (record.Offset, error) {
	if high == start {
		return high, nil
	}
	slice, err := p.Read(high-1, 1, true)
	if err != nil || len(slice.Payloads) == 0 {
		return high, err
	}
	defer slice.Release()
	h, err := record.ParseHeader(slice.Payloads[0])
	return max(h.BaseOffset, start), err
}

// C receives when there may be news after Peek found nothing.
func (r *StreamReader) C() <-chan struct{} { return r.news.C() }

// Partitions is how many partitions the stream's topic has.
func (r *StreamReader) Partitions() int { return len(r.cursors) }

// Peek returns the record that is next and its partition; nil if there is none now. It is good until Pause.
func (r *StreamReader) Peek() (*record.Record, int32, error) {
	for tries := 0; len(r.list) == 0 && tries <= len(r.cursors); tries++ {
		if tries > 0 {
			r.turn = (r.turn + 1) % len(r.cursors)
		}
		if err := r.load(&r.cursors[r.turn]); err != nil {
			return nil, 0, err
		}
	}
	if len(r.list) == 0 {
		return nil, 0, r.ended()
	}
	return &r.list[0], r.cursors[r.turn].p.Index(), nil
}

func (r *StreamReader) ended() error { return r.q.ended() }

// Advance takes what Peek returned.
func (r *StreamReader) Advance() {
	c := &r.cursors[r.turn]
	c.next = r.list[0].Offset + 1
	r.list[0] = record.Record{}
	if r.list = r.list[1:]; len(r.list) == 0 {
		r.drop()
		r.turn = (r.turn + 1) % len(r.cursors)
	}
}

// Pause is for a caller that takes nothing for a while: what was read is kept if there is room for it.
func (r *StreamReader) Pause() {
	if r.paid || len(r.list) == 0 {
		return
	}
	if r.kept.Add(r.held) > streamsBytesMax {
		r.kept.Add(-r.held)
		r.drop()
		return
	}
	r.paid = true
}

// drop forgets what was read.
func (r *StreamReader) drop() {
	if r.paid {
		r.kept.Add(-r.held)
	}
	r.list, r.held, r.paid = nil, 0, false
}

// Close ends the reader.
func (r *StreamReader) Close() {
	r.drop()
	for i := range r.cursors {
		r.cursors[i].p.Unwatch(r.news, i)
	}
}

// load reads what comes next of a partition, if there is anything.
func (r *StreamReader) load(c *streamCursor) error {
	for len(r.list) == 0 {
		c.next = max(c.next, c.p.LogStart())
		if c.next >= c.p.HighWatermark() {
			return nil
		}
		slice, err := c.p.Read(c.next, streamReadBytes, true)
		if errors.Is(err, commitlog.ErrOffsetOutOfRange) && c.next < c.p.LogStart() {
			continue // retention took them
		}
		if err != nil {
			return fmt.Errorf("stream %s: %w", r.q.Meta().Name, err)
		}
		err = r.decode(slice.Payloads, c.next)
		next := slice.Next
		slice.Release()
		if err != nil {
			return fmt.Errorf("stream %s: %w", r.q.Meta().Name, err)
		}
		if len(r.list) == 0 { // compaction left nothing
			c.next = next
		}
	}
	return nil
}

// decode copies batches, and reads what is at `from` or later.
func (r *StreamReader) decode(batches [][]byte, from record.Offset) error {
	for _, b := range batches {
		size := 0
		in, err := record.NewReader(bytes.Clone(b), r.q.b.limits)
		if err != nil {
			return err
		}
		for rec, ok := in.Next(); ok; rec, ok = in.Next() {
			if rec.Offset >= from {
				r.list = append(r.list, rec)
				size += recordSize(&rec)
			}
		}
		r.held += int64(max(len(b), size) + recordBytes*len(r.list))
		if err := in.Err(); err != nil {
			return err
		}
	}
	return nil
}

// streamLength is how many records there are.
func (q *openQueue) streamLength() (n int64) {
	for _, p := range q.parts {
		n += int64(p.HighWatermark() - p.LogStart())
	}
	return n
}
