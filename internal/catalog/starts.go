package catalog

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/narumq/naru/internal/record"
)

// SetLogStarts stores where logs start, in one change for each slot. Streams that no longer
// exist, and starts that are not after what is stored, are passed over: they
// are the late news of somebody who did not know.
//
// In a store that others change too, only the owner of a slot can do that, which is no change that others hear of.
func (c *Catalog) SetLogStarts(starts map[uint64]record.Offset) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.begin(); err != nil {
		return err
	}
	exists := c.streams(starts)
	if c.shared == nil {
		return c.setStarts(exists, starts, func(ops []Op) error { return c.apply(ops, nil) })
	}
	bySlot := map[int]map[uint64]bool{}
	for stream := range exists {
		slot := c.SlotOf(stream)
		if bySlot[slot] == nil {
			bySlot[slot] = map[uint64]bool{}
		}
		bySlot[slot][stream] = true
	}
	var errs []error
	for _, slot := range slices.Sorted(maps.Keys(bySlot)) {
		errs = append(errs, c.setSlotStarts(slot, bySlot[slot], starts))
	}
	return errors.Join(errs...)
}

// setStarts stores the starts of some streams; c.mu is held.
func (c *Catalog) setStarts(of map[uint64]bool, starts map[uint64]record.Offset, apply func([]Op) error) error {
	var ops []Op
	for _, stream := range slices.Sorted(maps.Keys(of)) {
		if starts[stream] > c.starts[stream] {
			ops = append(ops, encodeStart(stream, starts[stream]))
		}
	}
	if len(ops) == 0 {
		return nil
	}
	if err := apply(ops); err != nil {
		return err
	}
	for stream := range of {
		if starts[stream] > c.starts[stream] {
			c.starts[stream] = starts[stream]
		}
	}
	return nil
}

// setSlotStarts is setStarts for one slot of a store that others change too; c.mu is held. What was left behind of topics
// that are gone goes, too.
func (c *Catalog) setSlotStarts(slot int, of map[uint64]bool, starts map[uint64]record.Offset) error {
	for try := 1; ; try++ {
		if !c.startsRead[slot] {
			if _, err := c.readStarts(slot); err != nil {
				return err
			}
		}
		err := c.setStarts(of, starts, func(ops []Op) error {
			mine := func(stream uint64, _ bool) bool { return c.SlotOf(stream) == slot }
			for stream := range c.orphans {
				if mine(stream, true) {
					ops = append(ops, Op{Key: startKey(stream)})
				}
			}
			err := c.shared.ApplyStarts(slot, ops)
			if err == nil {
				maps.DeleteFunc(c.orphans, mine)
			}
			return err
		})
		if err == nil {
			return nil
		}
		delete(c.startsRead, slot)
		if !errors.Is(err, ErrConflict) || try == changeTriesMax {
			return coded(err)
		}
	}
}

// LogStarts reads where the logs of a slot's streams start now; streams that are not named start at 0. Who has become
// the owner of a slot calls it then: what former owners stored is known here only by chance.
func (c *Catalog) LogStarts(slot int) (map[uint64]record.Offset, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, ErrClosed
	}
	if c.shared != nil {
		return c.readStarts(slot)
	}
	out := map[uint64]record.Offset{}
	for stream, o := range c.starts {
		if c.SlotOf(stream) == slot {
			out[stream] = o
		}
	}
	return out, nil
}

// readStarts reads the log starts of a slot, and takes them in; c.mu is held.
func (c *Catalog) readStarts(slot int) (map[uint64]record.Offset, error) {
	l := newLoading(c.rules)
	if err := c.shared.Starts(slot, l.value); err != nil {
		return nil, coded(err)
	}
	if newest := slices.Max(append(slices.Collect(maps.Keys(l.starts)), 0)); newest >= c.nextStream {
		// Another broker made the topic, a moment ago.
		if err := c.shared.Ask(context.Background()); err != nil {
			return nil, coded(err)
		}
		if err := c.begin(); err != nil {
			return nil, err
		}
	}
	exists := c.streams(l.starts)
	for stream, o := range l.starts {
		if c.SlotOf(stream) != slot {
			return nil, fmt.Errorf("%w: key %q: the stream is not in slot %d", ErrDamaged, startKey(stream), slot)
		}
		if exists[stream] {
			c.starts[stream] = max(c.starts[stream], o)
		}
	}
	c.startsRead[slot] = true
	return l.starts, nil
}

// streams returns which of the streams some topic has.
func (c *Catalog) streams(asked map[uint64]record.Offset) map[uint64]bool {
	if len(asked) == 0 {
		return nil // most often: what is loaded of others' changes, or of a slot that is taken over, has no log starts
	}
	exists := make(map[uint64]bool, len(asked))
	for _, t := range c.Topics() {
		for _, p := range t.Partitions {
			if _, ok := asked[p.Stream]; ok {
				exists[p.Stream] = true
			}
		}
	}
	return exists
}
