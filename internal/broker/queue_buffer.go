package broker

import (
	"slices"
	"sort"

	"github.com/narumq/naru/internal/queue"
	"github.com/narumq/naru/internal/record"
)

const (
	// loadedBytesMax bounds the records of a source that are kept decoded until they
	// are delivered. One read more may be kept.
	loadedBytesMax = 4 << 20
	// buffersBytesMax bounds them for all queues together; past it, each source
	// keeps what one read brought.
	buffersBytesMax = 64 << 20
	// keptBytesMax bounds what one read brings beyond that: a batch that is longer is kept only if there is room for it.
	keptBytesMax = 1 << 20
	// againBytesMax bounds the batch that is kept for records that are read again.
	againBytesMax = 1 << 20
	recordBytes   = 96 // of a record.Record, without what it points to
	sparesMax     = 8
)

// buffer keeps records of a source that can be delivered. It is a cache: what is
// not there is read again.
type buffer struct {
	batches []loadedBatch // by offset
	bytes   int
	// again is the batch that was read last for a record that was not kept: the
	// next one that is wanted is often in it.
	again []record.Record
}

// loadedBatch is the records of one batch.
type loadedBatch struct {
	records []record.Record // by offset; a delivered one is empty
	left    int
	bytes   int
}

func (b *loadedBatch) last() record.Offset { return b.records[len(b.records)-1].Offset }

// takenMark stands in place of a record's timestamp once it was taken.
const takenMark = -1 << 62

// placeOf returns the index of offset o in list, which is sorted and mostly dense.
func placeOf(list []record.Record, o record.Offset) (int, bool) {
	if len(list) == 0 || o < list[0].Offset {
		return 0, false
	}
	if j := o - list[0].Offset; j < record.Offset(len(list)) && list[j].Offset == o {
		return int(j), true
	}
	return slices.BinarySearchFunc(list, o, func(r record.Record, o record.Offset) int { return int(r.Offset - o) })
}

// keep adds a batch to what is kept of s.
func (q *openQueue) keep(s queue.Source, b loadedBatch) {
	buf := &q.loaded[s]
	buf.batches = append(buf.batches, b)
	buf.bytes += b.bytes
	q.b.queues.buffered.Add(int64(b.bytes))
}

// drop forgets the i-th batch that is kept of s.
func (q *openQueue) drop(s queue.Source, i int) {
	buf := &q.loaded[s]
	b := &buf.batches[i]
	buf.bytes -= b.bytes
	q.b.queues.buffered.Add(-int64(b.bytes))
	if len(q.spares) < sparesMax {
		clear(b.records)
		q.spares = append(q.spares, b.records[:0])
	}
	if i == 0 { // nearly always
		buf.batches[0] = loadedBatch{}
		if buf.batches = buf.batches[1:]; len(buf.batches) == 0 {
			buf.batches = nil
		}
		return
	}
	buf.batches = slices.Delete(buf.batches, i, i+1)
}

// take returns a record that is kept, and keeps it no longer.
func (q *openQueue) take(s queue.Source, o record.Offset) (record.Record, bool) {
	buf := &q.loaded[s]
	i := 0
	if len(buf.batches) > 0 && buf.batches[0].last() < o {
		i = sort.Search(len(buf.batches), func(i int) bool { return buf.batches[i].last() >= o })
	}
	if i == len(buf.batches) {
		return record.Record{}, false
	}
	batch := &buf.batches[i]
	j, ok := placeOf(batch.records, o)
	if !ok || batch.records[j].Timestamp == takenMark {
		return record.Record{}, false
	}
	rec := batch.records[j]
	batch.records[j] = record.Record{Offset: o, Timestamp: takenMark}
	if batch.left--; batch.left == 0 {
		q.drop(s, i)
	}
	return rec, true
}

// forget drops records of s below `to`.
func (q *openQueue) forget(s queue.Source, to record.Offset) {
	for buf := &q.loaded[s]; len(buf.batches) > 0 && buf.batches[0].last() < to; {
		q.drop(s, 0)
	}
}

// evict drops all that is kept of s.
func (q *openQueue) evict(s queue.Source) {
	for len(q.loaded[s].batches) > 0 {
		q.drop(s, 0)
	}
	q.loaded[s].again = nil
}

// kept tells that no more of s should be kept.
func (q *openQueue) keptEnough(s queue.Source) bool {
	n := q.loaded[s].bytes
	return n >= loadedBytesMax || n > 0 && q.b.queues.buffered.Load() >= buffersBytesMax
}

// makeRoom is for when nothing of what was loaded can be delivered: it drops what
// is kept where that stands in the way of loading more, and tells whether it did.
func (q *openQueue) makeRoom() (made bool) {
	for i, p := range q.parts {
		s := queue.Source(i)
		if !q.keptEnough(s) {
			continue
		}
		var from record.Offset
		var n int
		q.t.log.Read(func() { from, n = q.core.Want(s) })
		if n > 0 && from < p.HighWatermark() {
			q.evict(s)
			made = true
		}
	}
	return made
}
