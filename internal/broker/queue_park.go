package broker

import (
	"context"
	"fmt"

	"github.com/narumq/naru/internal/commitlog"
	"github.com/narumq/naru/internal/queue"
	"github.com/narumq/naru/internal/record"
)

// delaysTopic holds runs of delayed records: one record a block, its key the
// queue's id.
const delaysTopic = "__naru_delays"

// delays returns the delay log, which is made when it is first needed.
func (t *queues) delays() (*Partition, error) {
	return t.s.internal(delaysTopic)
}

// park moves records that are due late to the delay log, if too many of them are
// in memory. Caller holds mu.
func (q *openQueue) park(s queue.Source, now int64) {
	blocks := q.core.Park(s, now)
	if len(blocks) == 0 {
		return
	}
	q.t.parking.Add(1)
	go q.writeRun(s, blocks, now)
}

// writeRun appends a run's blocks, in one batch so that they follow one another.
func (q *openQueue) writeRun(s queue.Source, blocks [][]byte, now int64) {
	done := func(first record.Offset, err error) {
		q.mu.Lock()
		defer q.mu.Unlock()
		if err != nil {
			q.b.log.Warn("delayed messages stay in memory", "queue", q.Meta().Name, "err", err)
			q.core.ParkFailed(s)
			q.t.parking.Add(-1)
			return
		}
		q.core.Parked(s, first, len(blocks))
		q.after = append(q.after, func(error) { q.t.parking.Add(-1) })
		q.write()
	}
	p, err := q.t.delays()
	if err != nil {
		done(0, err)
		return
	}
	b := record.NewBuilder(record.None)
	for _, block := range blocks {
		b.Append(now, q.key, block, nil)
	}
	batch, err := b.Build()
	if err != nil {
		done(0, err)
		return
	}
	h, err := record.ParseHeader(batch)
	if err != nil {
		done(0, err)
		return
	}
	q.t.s.log(p).Append(context.Background(), batch, h, func(a commitlog.Appended, err error) { go done(a.Base, err) })
}

// loadBlocks brings the next blocks of runs to memory. Caller holds mu.
func (q *openQueue) loadBlocks(s queue.Source) error {
	for {
		var at record.Offset
		var ok bool
		q.t.log.Read(func() { at, ok = q.core.WantBlock(s) })
		if !ok {
			return nil
		}
		p, err := q.t.delays()
		if err != nil {
			return err
		}
		rec, err := readRecord(p, at, q.b.limits)
		if err != nil {
			return fmt.Errorf("queue %s: delayed messages at offset %d of %s: %w", q.Meta().Name, at, delaysTopic, err)
		}
		q.t.log.Read(func() { err = q.core.LoadBlock(s, at, rec.Value) })
		if err != nil {
			return err
		}
	}
}

// delaysFloor is where the delay log may begin; ok is false while a run is being
// written.
func (t *queues) delaysFloor(p *Partition) (record.Offset, bool) {
	floor := p.HighWatermark()
	if t.parking.Load() > 0 {
		return 0, false
	}
	t.log.Read(func() {
		for _, l := range t.machine.ledgers {
			for _, r := range l.Runs() {
				floor = min(floor, r.First)
			}
		}
	})
	return floor, t.parking.Load() == 0
}
