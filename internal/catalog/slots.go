package catalog

import "hash/fnv"

// A slot is a set of streams that have one owner at a time. Which one a stream is in follows from its number, for ever; the catalog
// gives numbers so that streams are where they ought to be.

// SlotOfName is the home of what has that name: a queue, a group.
func SlotOfName(name string, slots int) int {
	h := fnv.New32a()
	h.Write([]byte(name)) // never fails
	return int(h.Sum32() % uint32(slots))
}

// Slots is how many there are; 1 where all streams are in one.
func (c *Catalog) Slots() int { return max(c.opt.Slots, 1) }

// SlotOf is the slot of a stream.
func (c *Catalog) SlotOf(stream uint64) int { return int(stream % uint64(c.Slots())) }

// slotFor is where partition i of a topic ought to be. All lanes of a queue are where the queue is at home: its topic has
// its name. An internal topic has a partition for each slot.
func (c *Catalog) slotFor(t *Topic, i int, owned bool) uint64 {
	switch home := SlotOfName(t.Name, c.Slots()); {
	case owned:
		return uint64(home)
	case t.Internal:
		return uint64(i % c.Slots())
	default:
		return uint64((home + i) % c.Slots())
	}
}

// ownedByQueue tells whether a topic was made for the queue of its name.
func (c *Catalog) ownedByQueue(t *Topic) bool {
	q, err := c.Queue(t.Name)
	return err == nil && q.Owned
}

// giveStreams fills in the streams of a topic's partitions from the one on, and returns the next stream: each gets the
// first one of its slot that nobody has, and those that were passed over are never given out. c.mu is held.
func (c *Catalog) giveStreams(t *Topic, from int, owned bool) (next uint64) {
	slots := uint64(c.Slots())
	free := map[uint64]uint64{} // by slot
	next = c.nextStream
	for i := from; i < len(t.Partitions); i++ {
		slot := c.slotFor(t, i, owned)
		stream, again := free[slot]
		if !again {
			stream = c.nextStream + (slot+slots-c.nextStream%slots)%slots
		}
		free[slot] = stream + slots
		t.Partitions[i] = PartitionMeta{Stream: stream}
		next = max(next, stream+1)
	}
	return next
}
