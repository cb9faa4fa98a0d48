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
