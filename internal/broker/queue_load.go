package broker

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"sort"
	"strconv"

	"github.com/narumq/naru/internal/commitlog"
	"github.com/narumq/naru/internal/queue"
	"github.com/narumq/naru/internal/record"
)

const (
	loadReadBytes = 256 << 10 // of one read
	// loadedBytesMax bounds the records that a source keeps decoded until they are
	// delivered. One read more may be kept.
	loadedBytesMax = 4 << 20
)

// buffer keeps the records of a source that were loaded and not yet delivered.
type buffer struct {
	batches []loadedBatch // by offset
	bytes   int
}

// loadedBatch is the records of one batch.
type loadedBatch struct {
	records []record.Record // by offset; a delivered one is empty
	left    int
	bytes   int
}

func (b *loadedBatch) last() record.Offset { return b.records[len(b.records)-1].Offset }

// take returns a record and forgets it.
func (b *buffer) take(o record.Offset) (record.Record, bool) {
	i := sort.Search(len(b.batches), func(i int) bool { return b.batches[i].last() >= o })
	if i == len(b.batches) {
		return record.Record{}, false
	}
	batch := &b.batches[i]
	j, ok := slices.BinarySearchFunc(batch.records, o, func(r record.Record, o record.Offset) int { return int(r.Offset - o) })
	if !ok || batch.records[j].Timestamp == takenMark {
		return record.Record{}, false
	}
	rec := batch.records[j]
	batch.records[j] = record.Record{Offset: o, Timestamp: takenMark}
	if batch.left--; batch.left == 0 {
		b.bytes -= batch.bytes
		b.batches = slices.Delete(b.batches, i, i+1)
	}
	return rec, true
}

// takenMark stands in place of a record's timestamp once it was taken.
const takenMark = -1 << 62

// forget drops records below `to`.
func (b *buffer) forget(to record.Offset) {
	for len(b.batches) > 0 && b.batches[0].last() < to {
		b.bytes -= b.batches[0].bytes
		b.batches = slices.Delete(b.batches, 0, 1)
	}
}

// load fills the scheduler's windows from the log. Caller holds mu.
func (q *Queue) load(now int64) (failed error) {
	for i := range q.parts {
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

func (q *Queue) loadSource(s queue.Source, now int64) error {
	p, buf := q.parts[s], &q.loaded[s]
	for {
		var from record.Offset
		var n int
		q.t.log.Read(func() { from, n = q.core.Want(s) })
		if n == 0 || from >= p.HighWatermark() || buf.bytes >= loadedBytesMax {
			return nil
		}
		slice, err := p.Read(from, loadReadBytes, true)
		if errors.Is(err, commitlog.ErrOffsetOutOfRange) && from < p.LogStart() {
			q.t.log.Read(func() { q.core.Load(s, nil, p.LogStart(), now) }) // retention took them
			continue
		}
		if err != nil {
			return fmt.Errorf("queue %s: %w", q.Meta().Name, err)
		}
		err = q.loadBatches(s, from, slice.Payloads, slice.Next, now)
		slice.Release()
		if err != nil {
			return fmt.Errorf("queue %s: %w", q.Meta().Name, err)
		}
	}
}

// loadBatches decodes batches from offset `from` on and gives them to the
// scheduler.
func (q *Queue) loadBatches(s queue.Source, from record.Offset, batches [][]byte, next record.Offset, now int64) error {
	var metas []queue.Meta
	buf := &q.loaded[s]
	for _, b := range batches {
		r, err := record.NewReader(bytes.Clone(b), q.b.limits)
		if err != nil {
			return err
		}
		kept := loadedBatch{bytes: len(b)}
		if n := int(r.Header().Count); n > 0 {
			kept.records = make([]record.Record, 0, n)
		}
		for rec, ok := r.Next(); ok; rec, ok = r.Next() {
			if rec.Offset < from || !q.filter.matches(&rec) {
				continue
			}
			metas = append(metas, q.metaOf(&rec))
			kept.records = append(kept.records, rec)
		}
		if err := r.Err(); err != nil {
			return err
		}
		if kept.left = len(kept.records); kept.left > 0 {
			buf.batches = append(buf.batches, kept)
			buf.bytes += kept.bytes
		}
	}
	q.t.log.Read(func() { q.core.Load(s, metas, next, now) })
	return nil
}

// metaOf is what the scheduler has to know of a record.
func (q *Queue) metaOf(rec *record.Record) queue.Meta {
	m := queue.Meta{Offset: rec.Offset, SentAt: rec.Timestamp}
	for i := range rec.Headers {
		switch h := &rec.Headers[i]; h.Key {
		case HeaderDue:
			m.DueAt = headerNumber(h.Value)
		case HeaderExpires:
			m.ExpiresAt = headerNumber(h.Value)
		}
	}
	meta := q.Meta()
	if keep := meta.Settings.Retention.Milliseconds(); keep > 0 && meta.Owned {
		if end := rec.Timestamp + keep; m.ExpiresAt == 0 || end < m.ExpiresAt {
			m.ExpiresAt = end
		}
	}
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

// payload returns a record that is leased: from memory, or else from the log.
// Caller holds mu.
func (q *Queue) payload(s queue.Source, o record.Offset) (record.Record, error) {
	if rec, ok := q.loaded[s].take(o); ok {
		return rec, nil
	}
	return q.readOne(s, o)
}

// readOne reads one record from the log.
func (q *Queue) readOne(s queue.Source, o record.Offset) (record.Record, error) {
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

// dedupHash names what may be sent once.
func (q *Queue) dedupHash(group []byte, id string) (hash [16]byte) {
	h := sha256.New()
	if q.Meta().Settings.Dedup == "group" {
		h.Write(group)
		h.Write([]byte{0})
	}
	h.Write([]byte(id))
	copy(hash[:], h.Sum(nil))
	return hash
}

// recoverSentIDs notes the ids of what was sent just before a crash, when the
// records were durable and the notes were not. Nobody uses the queue yet.
func (q *Queue) recoverSentIDs() {
	if q.Meta().Settings.Dedup == "" {
		return
	}
	since := q.b.nowMS() - queue.SentIDMS
	for i, p := range q.parts {
		s := queue.Source(i)
		var from record.Offset
		q.t.log.Read(func() { from = q.ledger.SentBelow(s) })
		if recent, _, err := p.OffsetForTime(since); err != nil || recent < 0 {
			continue
		} else if from = max(from, recent, p.LogStart()); from >= p.HighWatermark() {
			continue
		}
		list, err := q.readSentIDs(p, from)
		if err != nil {
			q.b.log.Error("ids of sent messages cannot be read", "queue", q.Meta().Name, "err", err)
		}
		if len(list) == 0 {
			continue
		}
		for _, id := range list {
			q.ids[id.Hash] = &sendingID{finished: true, sent: Sent{
				Partition: int32(i), Offset: id.Offset, Timestamp: id.At, ID: newMessageID(p.Topic().ID, int32(i), id.Offset),
			}}
		}
		q.command(queue.Remember(s, list), func(error) {
			q.mu.Lock()
			defer q.mu.Unlock()
			for _, id := range list {
				delete(q.ids, id.Hash)
			}
		})
	}
}

func (q *Queue) readSentIDs(p *Partition, from record.Offset) (list []queue.SentID, err error) {
	for from < p.HighWatermark() {
		slice, err := p.Read(from, loadReadBytes, true)
		if err != nil {
			return list, err
		}
		for _, b := range slice.Payloads {
			r, err := record.NewReader(b, q.b.limits)
			if err != nil {
				slice.Release()
				return list, err
			}
			for rec, ok := r.Next(); ok; rec, ok = r.Next() {
				if id, ok := headerValue(rec.Headers, HeaderDedup); ok && rec.Offset >= from {
					list = append(list, queue.SentID{Hash: q.dedupHash(rec.Key, string(id)), Offset: rec.Offset, At: rec.Timestamp})
				}
			}
		}
		from = slice.Next
		slice.Release()
	}
	return list, nil
}
