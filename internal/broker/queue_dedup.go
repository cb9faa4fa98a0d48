package broker

import (
	"crypto/sha256"

	"github.com/narumq/naru/internal/queue"
	"github.com/narumq/naru/internal/record"
)

// sendingID is an id whose first message is not noted in the ledger yet.
type sendingID struct {
	finished bool
	sent     Sent
	waiting  []waitingDuplicate
}

type waitingDuplicate struct {
	call  *sending
	index int
}

// duplicate tells whether a message with this id was sent already, and if so
// answers the call as the first one was, now or later. Else the id is taken.
func (q *openQueue) duplicate(c *sending, i int, hash [16]byte, now int64) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if first := q.ids[hash]; first != nil {
		if !first.finished {
			first.waiting = append(first.waiting, waitingDuplicate{c, i})
			return true
		}
		if now-first.sent.Timestamp < queue.SentIDMS {
			c.results[i] = first.sent
			c.results[i].Duplicate = true
			c.finish(1)
			return true
		}
	}
	var src queue.Source
	var at record.Offset
	var known bool
	q.t.log.Read(func() { src, at, known = q.ledger.Sent(hash, now) })
	if !known {
		q.ids[hash] = &sendingID{}
		return false
	}
	c.results[i] = Sent{Partition: int32(src), Offset: at, Timestamp: now, ID: newMessageID(q.parts[src].Topic().ID, int32(src), at), Duplicate: true}
	c.finish(1)
	return true
}

// noteSent settles the ids of a batch: those who wait for them are answered, and
// the ledger is told.
func (q *openQueue) noteSent(s queue.Source, list []gathered, sent []Sent) {
	var notes []queue.SentID
	var hashes [][16]byte
	q.mu.Lock()
	var waiting []waitingDuplicate
	for i := range list {
		if !list[i].hashed {
			continue
		}
		id := q.ids[list[i].hash]
		for _, w := range id.waiting {
			w.call.results[w.index] = sent[i]
			w.call.results[w.index].Duplicate = sent[i].Err == nil
		}
		waiting = append(waiting, id.waiting...)
		id.waiting = nil
		if sent[i].Err != nil {
			delete(q.ids, list[i].hash)
			continue
		}
		id.finished, id.sent = true, sent[i]
		hashes = append(hashes, list[i].hash)
		notes = append(notes, queue.SentID{Hash: list[i].hash, Offset: sent[i].Offset, At: sent[i].Timestamp})
	}
	if len(notes) > 0 {
		q.command(queue.Remember(s, notes), func(err error) { q.noted(hashes, err) })
	}
	q.mu.Unlock()
	for _, w := range waiting {
		w.call.finish(1)
	}
}

// noted takes up that ids are in the ledger. If they could not be noted, they are
// remembered here.
func (q *openQueue) noted(hashes [][16]byte, err error) {
	if err != nil {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, h := range hashes {
		if id := q.ids[h]; id != nil && id.finished {
			delete(q.ids, h)
		}
	}
}

// dedupHash names what may be sent once.
func (q *openQueue) dedupHash(group []byte, id string) (hash [16]byte) {
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
// records were durable and the notes were not. Caller holds mu.
func (q *openQueue) recoverSentIDs() {
	if q.Meta().Settings.Dedup == "" {
		return
	}
	since := q.b.nowMS() - queue.SentIDMS
	for i, p := range q.parts {
		if p.Slot() != q.t.s.id {
			continue // of a view: whose owner may have to be waited for
		}
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
		hashes := make([][16]byte, len(list))
		for j, id := range list {
			hashes[j] = id.Hash
			q.ids[id.Hash] = &sendingID{finished: true, sent: Sent{
				Partition: int32(i), Offset: id.Offset, Timestamp: id.At, ID: newMessageID(p.Topic().ID, int32(i), id.Offset),
			}}
		}
		q.command(queue.Remember(s, list), func(err error) { q.noted(hashes, err) })
	}
}

func (q *openQueue) readSentIDs(p *Partition, from record.Offset) (list []queue.SentID, err error) {
	for from < p.HighWatermark() {
		slice, err := q.read(p, from, loadReadBytes)
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
				if _, moved := headerValue(rec.Headers, HeaderID); moved {
					continue // it was not sent here
				}
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
