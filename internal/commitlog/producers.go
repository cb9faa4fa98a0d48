package commitlog

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/narumq/naru/internal/record"
)

const (
	// sentBatchesMax is how many batches of a producer are remembered, as
	// many as a client may have in flight with idempotence (KIP-98, KAFKA-5494).
	sentBatchesMax = 5
	// producersMax bounds a partition's producers; past it, those that have
	// been silent longest are forgotten.
	producersMax = 4096
)

// sent is one batch that a producer sent.
type sent struct {
	first, last int32 // sequence numbers; last may have wrapped
	base        record.Offset
	timestamp   int64      // greatest in the batch
	pending     *appending // until it is durable
}

// producer is what the partition remembers of one producer id.
type producer struct {
	epoch   int16
	batches []sent // oldest first, at most sentBatchesMax
}

func (p *producer) newest() *sent { return &p.batches[len(p.batches)-1] }

type producers struct{ byID map[int64]*producer }

func newProducers() producers { return producers{byID: make(map[int64]*producer)} }

// check compares a batch with what its producer sent before. It returns the
// earlier batch if this one is a duplicate of it.
func (ps *producers) check(h *record.Header) (*sent, error) {
	p := ps.byID[h.ProducerID]
	if p == nil {
		// Unknown, or forgotten with its records: any sequence is the first.
		return nil, nil
	}
	switch {
	case h.ProducerEpoch < p.epoch:
		return nil, fmt.Errorf("%w: producer %d has epoch %d, got %d", ErrInvalidProducerEpoch, h.ProducerID, p.epoch, h.ProducerEpoch)
	case h.ProducerEpoch > p.epoch:
		if h.BaseSequence != 0 {
			return nil, fmt.Errorf("%w: producer %d epoch %d begins with %d, not 0", ErrOutOfOrderSequence, h.ProducerID, h.ProducerEpoch, h.BaseSequence)
		}
		return nil, nil
	}
	last := lastSequence(h)
	for i := range p.batches {
		if s := &p.batches[i]; s.first == h.BaseSequence && s.last == last {
			return s, nil
		}
	}
	if want := nextSequence(p.newest().last); h.BaseSequence != want {
		return nil, fmt.Errorf("%w: producer %d epoch %d sent %d, expected %d", ErrOutOfOrderSequence, h.ProducerID, h.ProducerEpoch, h.BaseSequence, want)
	}
	return nil, nil
}

// add remembers a batch that was enqueued, or that replay found (a is nil).
func (ps *producers) add(h *record.Header, base record.Offset, a *appending) {
	p := ps.byID[h.ProducerID]
	if p == nil {
		ps.makeRoom()
		p = &producer{}
		ps.byID[h.ProducerID] = p
	}
	if p.epoch != h.ProducerEpoch {
		p.epoch, p.batches = h.ProducerEpoch, p.batches[:0]
	}
	if len(p.batches) == sentBatchesMax {
		copy(p.batches, p.batches[1:])
		p.batches = p.batches[:sentBatchesMax-1]
	}
	p.batches = append(p.batches, sent{
		first: h.BaseSequence, last: lastSequence(h), base: base, timestamp: h.MaxTimestamp, pending: a,
	})
}

// settle marks a batch as durable.
func (ps *producers) settle(h *record.Header, a *appending) {
	p := ps.byID[h.ProducerID]
	if p == nil {
		return
	}
	for i := range p.batches {
		if p.batches[i].pending == a {
			p.batches[i].pending = nil
			return
		}
	}
}

// forget takes back a batch whose append failed: nobody may wait for its
// outcome any more.
func (ps *producers) forget(h *record.Header, a *appending) {
	p := ps.byID[h.ProducerID]
	if p == nil {
		return
	}
	p.batches = slices.DeleteFunc(p.batches, func(s sent) bool { return s.pending == a })
	if len(p.batches) == 0 {
		delete(ps.byID, h.ProducerID)
	}
}

// makeRoom forgets a quarter of the producers, those silent longest, when
// there are too many.
func (ps *producers) makeRoom() {
	if len(ps.byID) < producersMax {
		return
	}
	ids := make([]int64, 0, len(ps.byID))
	for id := range ps.byID {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, func(a, b int64) int {
		return cmp.Compare(ps.byID[a].newest().base, ps.byID[b].newest().base)
	})
	for _, id := range ids[:len(ids)/4] {
		delete(ps.byID, id)
	}
}

func lastSequence(h *record.Header) int32 {
	return int32((int64(h.BaseSequence) + int64(h.Count) - 1) & math.MaxInt32)
}

func nextSequence(s int32) int32 { return int32((int64(s) + 1) & math.MaxInt32) }

// ProducerInfo describes a producer of a partition.
type ProducerInfo struct {
	ID            int64
	Epoch         int16
	LastSequence  int32
	LastTimestamp int64 // milliseconds
}

// Producers lists the producers that the partition remembers, by id.
func (p *Partition) Producers() []ProducerInfo {
	p.mu.Lock()
	defer p.mu.Unlock()
	list := make([]ProducerInfo, 0, len(p.producers.byID))
	for id, q := range p.producers.byID {
		s := q.newest()
		list = append(list, ProducerInfo{ID: id, Epoch: q.epoch, LastSequence: s.last, LastTimestamp: s.timestamp})
	}
	slices.SortFunc(list, func(a, b ProducerInfo) int { return cmp.Compare(a.ID, b.ID) })
	return list
}

// ExpireProducers forgets producers whose newest batch is older than before
// (milliseconds) and durable.
func (p *Partition) ExpireProducers(before int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for id, q := range p.producers.byID {
		if s := q.newest(); s.pending == nil && s.timestamp < before {
			delete(p.producers.byID, id)
		}
	}
}

// SentBatch is one durable batch of a producer, as it is saved.
type SentBatch struct {
	ProducerID    int64
	ProducerEpoch int16
	FirstSequence int32
	LastSequence  int32
	Base          record.Offset
	Timestamp     int64
}

// SentBatches returns what must be saved so that duplicates are still known
// after a restart: the durable batches of each producer, oldest first.
func (p *Partition) SentBatches() []SentBatch {
	p.mu.Lock()
	defer p.mu.Unlock()
	var all []SentBatch
	for id, q := range p.producers.byID {
		for _, s := range q.batches {
			if s.pending == nil {
				all = append(all, SentBatch{id, q.epoch, s.first, s.last, s.base, s.timestamp})
			}
		}
	}
	return all
}

// Remember takes back what SentBatches returned, or what replay found in the
// log, in any order; what is known already is passed over. Call it before the
// first append.
func (p *Partition) Remember(b SentBatch) {
	p.mu.Lock()
	defer p.mu.Unlock()
	q := p.producers.byID[b.ProducerID]
	if q == nil {
		p.producers.makeRoom()
		q = &producer{epoch: b.ProducerEpoch}
		p.producers.byID[b.ProducerID] = q
	}
	if b.ProducerEpoch != q.epoch {
		if len(q.batches) > 0 && b.Base < q.newest().base {
			return // of a past epoch
		}
		q.epoch, q.batches = b.ProducerEpoch, q.batches[:0]
	}
	i, known := slices.BinarySearchFunc(q.batches, b.Base, func(s sent, base record.Offset) int { return cmp.Compare(s.base, base) })
	if known {
		return
	}
	q.batches = slices.Insert(q.batches, i, sent{first: b.FirstSequence, last: b.LastSequence, base: b.Base, timestamp: b.Timestamp})
	if n := len(q.batches); n > sentBatchesMax {
		q.batches = slices.Delete(q.batches, 0, n-sentBatchesMax)
	}
}

// RememberBatch is Remember for a batch that replay found.
func (p *Partition) RememberBatch(h record.Header) {
	if h.ProducerID < 0 || h.Control() {
		return
	}
	p.Remember(SentBatch{h.ProducerID, h.ProducerEpoch, h.BaseSequence, lastSequence(&h), h.BaseOffset, h.MaxTimestamp})
}
