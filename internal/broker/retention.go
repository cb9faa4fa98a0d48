package broker

import (
	"context"
	"fmt"
	"time"

	"github.com/narumq/naru/internal/commitlog"
	"github.com/narumq/naru/internal/record"
)

// retentionLoop keeps every topic within its retention.
func (b *Broker) retentionLoop(ctx context.Context) {
	tick := time.NewTicker(b.cfg.RetentionEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := b.Retain(b.cfg.Now()); err != nil {
			b.log.Warn("retention put off", "err", err)
		}
	}
}

// Retain moves log starts up as retention.ms and retention.bytes say, and
// forgets producers that have been silent too long. Space is given back later,
// by the relocator.
func (b *Broker) Retain(now time.Time) error {
	floors := b.floors()
	// A queue that another broker made before these were taken needs what is below them.
	ctx, cancel := b.bounded(lookUpMax)
	defer cancel()
	if err := b.catchUp(ctx); err != nil {
		return err
	}
	readers := b.queues.readers()
	starts := make(map[uint64]record.Offset)
	var moved []*commitlog.Partition
	for _, p := range b.topics.all() {
		log, err := p.local()
		if err != nil {
			continue // its owner does that
		}
		topic := p.Topic()
		log.ExpireProducers(now.Add(-b.cfg.ProducerRetention).UnixMilli())
		if topic.Internal {
			continue
		}
		olderThan := int64(-1)
		if ms := topic.Settings.RetentionMS; ms >= 0 {
			olderThan = now.UnixMilli() - ms
		}
		start := log.RetentionStart(olderThan, topic.Settings.RetentionBytes)
		if start > p.LogStart() {
			starts[uint64(log.ID())] = start
			moved = append(moved, log)
		}
	}
	for p, floor := range floors {
		log, err := p.local()
		if err == nil && readers[p.Topic().Name] <= 1 && floor > max(p.LogStart(), starts[uint64(log.ID())]) {
			starts[uint64(log.ID())] = floor
			moved = append(moved, log)
		}
	}
	if len(starts) == 0 {
		return nil
	}
	if err := b.catalog.SetLogStarts(starts); err != nil {
		return err
	}
	for _, p := range moved {
		p.Trim(starts[uint64(p.ID())])
	}
	return nil
}

// trim makes a log start durable and applies it.
func (b *Broker) trim(p *commitlog.Partition, to record.Offset) error {
	if err := b.catalog.SetLogStarts(map[uint64]record.Offset{uint64(p.ID()): to}); err != nil {
		return err
	}
	p.Trim(to)
	return nil
}

// DeleteRecords moves the log start to before, or to the high watermark if
// that is -1, and returns the new log start.
//
// Errors: commitlog.ErrOffsetOutOfRange, those of the catalog, ErrNotOwner.
func (p *Partition) DeleteRecords(before record.Offset) (record.Offset, error) {
	return p.backend().DeleteRecords(before)
}

func (b *Broker) deleteRecords(p *commitlog.Partition, before record.Offset) (record.Offset, error) {
	high := p.HighWatermark()
	if before == -1 {
		before = high
	}
	if before < 0 || before > high {
		return 0, fmt.Errorf("%w: cannot delete up to %d, the high watermark is %d", commitlog.ErrOffsetOutOfRange, before, high)
	}
	if before <= p.LogStart() {
		return p.LogStart(), nil
	}
	if err := b.trim(p, before); err != nil {
		return 0, err
	}
	return p.LogStart(), nil
}

// Reclaim runs the relocators of the open slots until they find nothing more to do.
func (b *Broker) Reclaim(ctx context.Context) error {
	for _, s := range b.slots.all() {
		for more := true; more; {
			var err error
			if more, err = s.journal.Relocate(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}
