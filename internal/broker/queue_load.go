package broker

import (
	"bytes"
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"strconv"

	"github.com/narumq/naru/internal/commitlog"
	"github.com/narumq/naru/internal/queue"
	"github.com/narumq/naru/internal/record"
)

const loadReadBytes = 256 << 10 // of one read

// load fills the scheduler's windows from the log. Caller holds mu.
func (q *openQueue) load(now int64) (failed error) {
	var drained []bool
	if q.Meta().Settings.Ordered && len(q.parts) > 1 {
		drained = q.drained()
	}
	for i := range q.parts {
		if drained != nil && !q.mayLoad(i, drained) {
			continue
		}
		if err := q.loadSource(queue.Source(i), now); err != nil {
			failed = err
		}
		q.park(queue.Source(i), now)
		if err := q.loadBlocks(queue.Source(i)); err != nil {
			failed = err
		}
	}
	q.t.log.Read(func() { q.core.Tick(now) }) // blocks may hold what is due
	return failed
}

func (q *openQueue) loadSource(s queue.Source, now int64) error {
	p := q.parts[s]
	for {
		var from record.Offset
		var n int
		q.t.log.Read(func() { from, n = q.core.Want(s) })
		if n == 0 || from >= p.HighWatermark() || q.keptEnough(s) {
			return nil
		}
		slice, err := q.read(p, from, loadReadBytes)
		if errors.Is(err, commitlog.ErrOffsetOutOfRange) && from < p.LogStart() {
			q.t.log.Read(func() { q.core.Load(s, nil, p.LogStart(), now) }) // retention took them
			continue
		}
		if err != nil {
			return fmt.Errorf("queue %s: %w", q.Meta().Name, err)
		}
		passed, err := q.loadBatches(s, from, slice.Payloads, slice.Next, now)
		slice.Release()
		if err != nil || passed {
			return err
		}
	}
}

// loadBatches decodes batches from offset `from` on and gives them to the
// scheduler. passed: there was no room to keep one.
func (q *openQueue) loadBatches(s queue.Source, from record.Offset, batches [][]byte, next record.Offset, now int64) (passed bool, err error) {
	metas := q.metas[:0]
	for _, b := range batches {
		kept, err := q.decode(b, func(rec *record.Record) bool { return rec.Offset >= from && q.filter.Match(rec) })
		if err != nil {
			return false, fmt.Errorf("queue %s: %w", q.Meta().Name, err)
		}
		for i := range kept.records {
			metas = append(metas, q.metaOf(&kept.records[i]))
		}
		switch {
		case kept.bytes > keptBytesMax && q.b.queues.buffered.Load()+int64(kept.bytes) > buffersBytesMax:
			passed = true // it is read again when it is delivered
		case kept.left > 0:
			q.keep(s, kept)
		case len(q.spares) < sparesMax:
			q.spares = append(q.spares, kept.records)
		}
	}
	var later []int32
	q.t.log.Read(func() { later = q.core.Load(s, metas, next, now) })
	for _, i := range later { // delayed, leased, or done
		q.take(s, metas[i].Offset)
	}
	q.metas = metas
	return passed, nil
}

// decode copies a batch and reads the records that want wants.
func (q *openQueue) decode(b []byte, want func(*record.Record) bool) (out loadedBatch, err error) {
	r, err := record.NewReader(bytes.Clone(b), q.b.limits)
	if err != nil {
		return out, err
	}
	if n := len(q.spares); n > 0 {
		out.records, q.spares = q.spares[n-1], q.spares[:n-1]
	} else {
		out.records = make([]record.Record, 0, min(r.Header().Count, 1<<16))
	}
	for rec, ok := r.Next(); ok; rec, ok = r.Next() {
		if want(&rec) {
			out.records = append(out.records, rec)
			out.bytes += recordBytes + len(rec.Key) + len(rec.Value)
		}
	}
	out.bytes = max(out.bytes, len(b))
	out.left = len(out.records)
	return out, r.Err()
}

// metaOf is what the scheduler has to know of a record.
func (q *openQueue) metaOf(rec *record.Record) queue.Meta {
	m := queue.Meta{Offset: rec.Offset, SentAt: rec.Timestamp}
	for i := range rec.Headers {
		switch h := &rec.Headers[i]; h.Key {
		case HeaderDue:
			m.DueAt = headerNumber(h.Value)
		case HeaderExpires:
			m.ExpiresAt = headerNumber(h.Value)
			q.expiring.Store(true)
		}
	}
	meta := q.Meta()
	keep := meta.Settings.Retention.Milliseconds()
	if meta.Settings.ExpireUnwaited && !q.b.Alone() {
		keep = 0 // that is over before what somebody waits for is durable
	}
	if keep > 0 && meta.Owned {
		if end := rec.Timestamp + keep; m.ExpiresAt == 0 || end < m.ExpiresAt {
			m.ExpiresAt = end
		}
	}
	m.Bytes = int32(len(rec.Key) + len(rec.Value))
	if meta.Settings.Ordered {
		m.Group = groupHash(rec.Key)
	}
	return m
}

// headerNumber reads a time; what is none counts as not there.
func headerNumber(b []byte) int64 {
	n, err := strconv.ParseInt(string(b), 10, 64)
	if err != nil {
		return 0
	}
	return max(n, 0)
}

// groupHash names a group; 0 = none. On disk in runs of delayed records.
func groupHash(key []byte) uint64 {
	if key == nil {
		return 0
	}
	h := fnv.New64a()
	h.Write(key)
	return max(h.Sum64(), 1)
}

// read reads a partition of the queue. What is in a slot that ends is not asked for: another broker would be, which cannot have
// the slot before this one waited in vain and let go of mu.
func (q *openQueue) read(p *Partition, from record.Offset, maxBytes int) (Slice, error) {
	if p.Slot() == q.t.s.id && q.t.s.ctx.Err() != nil {
		return Slice{}, ErrNotOwner
	}
	return p.Read(from, maxBytes, true)
}

// payload returns a record that is leased: from memory, or else from the log.
// Caller holds mu.
func (q *openQueue) payload(s queue.Source, o record.Offset) (record.Record, error) {
	if rec, ok := q.take(s, o); ok {
		return rec, nil
	}
	buf := &q.loaded[s]
	if i, ok := placeOf(buf.again, o); ok {
		return buf.again[i], nil
	}
	slice, err := q.read(q.parts[s], o, 1)
	if err != nil {
		return record.Record{}, err
	}
	defer slice.Release()
	for _, b := range slice.Payloads {
		batch, err := q.decode(b, func(*record.Record) bool { return true })
		if err != nil {
			return record.Record{}, err
		}
		i, ok := placeOf(batch.records, o)
		if !ok {
			continue
		}
		if rec := batch.records[i]; batch.bytes > againBytesMax {
			return cloneRecord(rec), nil
		}
		buf.again = batch.records
		return batch.records[i], nil
	}
	return record.Record{}, fmt.Errorf("%w: offset %d is gone", commitlog.ErrOffsetOutOfRange, o)
}

// readOne reads one record from the log.
func (q *openQueue) readOne(s queue.Source, o record.Offset) (record.Record, error) {
	return readRecord(q.parts[s], o, q.b.limits)
}

func readRecord(p *Partition, o record.Offset, lim record.Limits) (record.Record, error) {
	slice, err := p.Read(o, 1, true)
	if err != nil {
		return record.Record{}, err
	}
	defer slice.Release()
	for _, b := range slice.Payloads {
		r, err := record.NewReader(b, lim)
		if err != nil {
			return record.Record{}, err
		}
		for rec, ok := r.Next(); ok; rec, ok = r.Next() {
			if rec.Offset == o {
				return cloneRecord(rec), nil
			}
		}
		if err := r.Err(); err != nil {
			return record.Record{}, err
		}
	}
	return record.Record{}, fmt.Errorf("%w: offset %d is gone", commitlog.ErrOffsetOutOfRange, o)
}

func cloneRecord(rec record.Record) record.Record {
	rec.Key, rec.Value = bytes.Clone(rec.Key), bytes.Clone(rec.Value)
	rec.Headers = slices.Clone(rec.Headers)
	for i := range rec.Headers {
		rec.Headers[i].Value = bytes.Clone(rec.Headers[i].Value)
	}
	return rec
}

func headerValue(list []record.HeaderField, key string) ([]byte, bool) {
	for i := range list {
		if list[i].Key == key {
			return list[i].Value, true
		}
	}
	return nil, false
}
