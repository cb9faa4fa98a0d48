package broker

import (
	"context"
	"errors"
	"fmt"
	"sort"
	"sync"
	"time"

	"github.com/narumq/naru/internal/catalog"
	"github.com/narumq/naru/internal/commitlog"
	"github.com/narumq/naru/internal/journal"
	"github.com/narumq/naru/internal/queue"
	"github.com/narumq/naru/internal/record"
)

// placement is where a topic's records go: one version of it.
type placement struct {
	topic *catalog.Topic
	parts []*Partition
	open  []int32 // partitions that take records, by their hash keys
}

// byHash is the partition that has a hash key.
func (p *placement) byHash(k catalog.HashKey) *Partition {
	i := sort.Search(len(p.open), func(i int) bool { return p.topic.Partitions[p.open[i]].Keys.Last.Compare(k) >= 0 })
	return p.parts[p.open[i]]
}

// byKey is the partition of a record's key: the one that Kafka's clients choose,
// and in a topic that was resharded, where that may be closed, the one that has the
// key's hash key.
func (p *placement) byKey(key []byte) *Partition {
	if p.topic.Resharded {
		return p.byHash(catalog.HashKeyOfKey(key))
	}
	return p.parts[partitionOf(key, len(p.parts))]
}

// inTurn is the partition for a record without a key.
func (p *placement) inTurn(turn uint32) *Partition {
	return p.parts[p.open[turn%uint32(len(p.open))]]
}

// SplitPartition closes a partition. Two others open: one has the hash keys below
// at, one the rest.
//
// Errors: catalog.ErrUnknownTopic, catalog.ErrReshard, catalog.ErrLimit, ctx's, those of
// the catalog and of the journal.
func (b *Broker) SplitPartition(ctx context.Context, topic string, partition int32, at catalog.HashKey) (*catalog.Topic, error) {
	return b.Reshard(ctx, topic, func(t *catalog.Topic) (catalog.Reshard, error) { return t.PlanSplit(partition, at) })
}

// MergePartitions closes two partitions whose hash keys are adjacent, and opens one
// that has them all. Its errors are those of SplitPartition.
func (b *Broker) MergePartitions(ctx context.Context, topic string, one, other int32) (*catalog.Topic, error) {
	return b.Reshard(ctx, topic, func(t *catalog.Topic) (catalog.Reshard, error) { return t.PlanMerge(one, other) })
}

// SetOpenPartitions splits and merges until n partitions with equal shares of the
// hash keys are open, all in one change. Its errors are those of SplitPartition.
func (b *Broker) SetOpenPartitions(ctx context.Context, topic string, n int) (*catalog.Topic, error) {
	return b.Reshard(ctx, topic, func(t *catalog.Topic) (catalog.Reshard, error) { return t.PlanCount(n) })
}

// Reshard carries out what plan plans for the topic as it is. First the partitions
// refuse appends, and those on their way end; then one change of the catalog says
// where they end and what takes their place; then that is there. A crash in between
// finds the partitions open, or closed with others in their place. One at a time.
func (b *Broker) Reshard(ctx context.Context, name string, plan func(*catalog.Topic) (catalog.Reshard, error)) (*catalog.Topic, error) {
	if err := b.resharding.lock(ctx); err != nil {
		return nil, err
	}
	defer b.resharding.unlock()
	topic, err := b.catalog.Topic(name)
	if err != nil {
		return nil, err
	}
	what, err := plan(topic)
	if err != nil || len(what.Open) == 0 {
		return topic, err
	}
	parts, err := b.topics.partitionsOf(name)
	if err != nil {
		return nil, err
	}
	changed, err := b.reshard(ctx, name, what, parts)
	if err != nil {
		// Where the catalog cannot tell, nothing more may be appended: the records
		// could be in a partition that has ended.
		if !errors.Is(err, catalog.ErrStorage) {
			for _, c := range what.Close {
				parts[c.Partition].backend().Reopen()
			}
		}
		return nil, err
	}
	b.topics.register(changed)
	b.topics.put(b, changed)
	b.topicGrew(changed)
	for _, c := range what.Close {
		parts[c.Partition].backend().Wake()
	}
	b.log.Info("topic resharded", "topic", name, "closed", len(what.Close), "open", len(changed.Open()))
	return changed, nil
}

// reshard closes partitions, all at once, and makes it durable.
func (b *Broker) reshard(ctx context.Context, name string, what catalog.Reshard, parts []*Partition) (*catalog.Topic, error) {
	var err error
	if what.Fences, err = b.fencesOf(ctx, what.Close, parts); err != nil {
		return nil, err
	}
	var wait sync.WaitGroup
	errs := make([]error, len(what.Close))
	for i := range what.Close {
		c := &what.Close[i]
		wait.Go(func() { c.End, errs[i] = parts[c.Partition].backend().Close(ctx) })
	}
	wait.Wait()
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	what.At = b.nowMS()
	return b.catalog.Reshard(name, what)
}

// fencesOf are of the owners of partitions that are to be closed, before they are asked: one who takes a slot in between
// knows nothing of it, and goes on appending. It waits for an owner, as what asks one does.
func (b *Broker) fencesOf(ctx context.Context, list []catalog.Closing, parts []*Partition) (fences []catalog.Fence, err error) {
	if b.cfg.Cluster == nil {
		return nil, nil
	}
	known := make(map[journal.SlotID]bool)
	for _, c := range list {
		slot := parts[c.Partition].Slot()
		if known[slot] {
			continue
		}
		known[slot] = true
		if _, err := b.awaitOwner(ctx, slot); err != nil {
			return nil, err
		}
		f, ok := b.cfg.Cluster.Fence(slot)
		if !ok {
			return nil, fmt.Errorf("slot %d: %w", slot, ErrNotOwner)
		}
		if f != (catalog.Fence{}) {
			fences = append(fences, f)
		}
	}
	return fences, nil
}

// turnstile lets one in at a time.
type turnstile chan struct{}

func (t turnstile) lock(ctx context.Context) error {
	select {
	case t <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (t turnstile) unlock() { <-t }

// Closed tells whether the partition gets no more records, durably. Who has read up
// to the high watermark goes on with its children.
func (p *Partition) Closed() bool { return p.Topic().Partitions[p.index].Closed }

// Drained tells whether the partition has no records from an offset on, and never will.
func (p *Partition) Drained(from record.Offset) bool {
	meta := &p.Topic().Partitions[p.index]
	// That it is closed may be known before what was appended to it last elsewhere.
	return meta.Closed && from >= max(meta.End, p.HighWatermark())
}

// closedError says where records go now.
func (p *Partition) closedError() error {
	return fmt.Errorf("%w: partition %d of %s was split or merged, its records go to %v now", commitlog.ErrClosed, p.index, p.Topic().Name, p.Topic().Children(p.index))
}

// producesMax is how often ProduceWait looks for another partition; where another broker
// may be closing the one that it found, it looks for elsewhereMax.
const (
	producesMax  = 20
	elsewhereMax = 5 * time.Second
)

// ProduceWait is Produce, and waits for the outcome. Records that name no partition
// go to the one that takes the place of theirs if that is closed meanwhile. The
// outcome of an append that ctx does not wait for is not known.
func (b *Broker) ProduceWait(ctx context.Context, topic string, list []NewRecord) ([]Sent, error) {
	out := make([]Sent, len(list))
	todo := make([]int, len(list))
	for i := range todo {
		todo[i] = i
	}
	began := time.Now()
	for tries := 0; ; tries++ {
		may := tries < producesMax || b.cfg.Cluster != nil && time.Since(began) < elsewhereMax
		sent, err := b.produceOnce(ctx, topic, list)
		if err != nil {
			return nil, err
		}
		var again []int
		var more []NewRecord
		for i := range sent {
			if errors.Is(sent[i].Err, commitlog.ErrClosed) && list[i].Partition < 0 && may {
				again, more = append(again, todo[i]), append(more, list[i])
				continue
			}
			out[todo[i]] = sent[i]
		}
		if len(again) == 0 {
			return out, nil
		}
		if err := b.resharding.lock(ctx); err != nil { // then the place is known
			return nil, err
		}
		b.resharding.unlock()
		_ = b.missed() // it may be another broker's doing
		todo, list = again, more
	}
}

func (b *Broker) produceOnce(ctx context.Context, topic string, list []NewRecord) ([]Sent, error) {
	done := make(chan []Sent, 1)
	if err := b.Produce(ctx, topic, nil, list, func(sent []Sent) { done <- sent }); err != nil {
		return nil, err
	}
	select {
	case sent := <-done:
		return sent, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// mayLoad tells whether all in whose place a partition is are drained.
func (q *openQueue) mayLoad(i int, drained []bool) bool {
	for _, parent := range q.parts[i].Topic().Partitions[i].Parents {
		if !drained[parent] {
			return false
		}
	}
	return true
}

// drained tells for each partition whether the queue is done with it and with those
// in whose place it is: an ordered queue goes on with a partition only then, so that
// groups stay in order. Caller holds mu.
func (q *openQueue) drained() []bool {
	topic := q.parts[0].Topic()
	if !topic.Resharded {
		return nil
	}
	done := make([]bool, len(q.parts))
	for i, p := range q.parts {
		var floor record.Offset
		q.t.log.Read(func() { floor = q.ledger.Floor(queue.Source(i)) })
		done[i] = p.Drained(floor)
		for _, parent := range topic.Partitions[i].Parents {
			done[i] = done[i] && done[parent]
		}
	}
	return done
}
