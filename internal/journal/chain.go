package journal

import (
	"fmt"
	"slices"
)

// The last frame of an object tells of each slot that has frames in it which objects came before, so that a slot's newest
// objects are found without a list of them: from the last one, which the head names, back to what the manifest covers. Each
// names several, so that they can be read at the same time; slots mostly share them, so each is written down once. Integers
// are little endian:
//
//	0  1  version    per object: 8 size, 2 length of the key, n key
//	1  2  objects    per slot:   4 slot, 8 sequence of this object in the slot, 1 n, n × 2 objects: that before, that before it, …
const (
	chainStream      = StreamID(0) // partitions count from 1
	chainVersion     = 2
	chainHeaderBytes = 3
	chainObjectBytes = 10
	chainSlotBytes   = 13

	// chainListed is how many objects before it an object names of each slot.
	chainListed = 32
)

// objectRef names an object.
type objectRef struct {
	key  string
	size int64
}

// link is one slot's entry in an object's chain.
type link struct {
	slot     SlotID
	sequence uint64
	prev     []objectRef // newest first
}

// chain holds the newest objects of a slot, oldest first.
type chain []objectRef

// list returns those that the slot's next object names, newest first: of what its manifest does not cover.
func (c chain) list(head *Head) []objectRef {
	n := int(min(uint64(len(c)), head.Sequence-head.Manifested, chainListed))
	list := slices.Clone(c[len(c)-n:])
	slices.Reverse(list)
	return list
}

func (c *chain) add(o objectRef) {
	if len(*c) >= chainListed {
		*c = slices.Delete(*c, 0, len(*c)-chainListed+1)
	}
	*c = append(*c, o)
}

func encodeChain(links []link) []byte {
	var objects, slots []byte
	numbers := make(map[objectRef]uint16)
	for _, l := range links {
		slots = le.AppendUint32(slots, uint32(l.slot))
		slots = le.AppendUint64(slots, l.sequence)
		slots = append(slots, byte(len(l.prev)))
		for _, o := range l.prev {
			n, known := numbers[o]
			if !known {
				n = uint16(len(numbers))
				numbers[o] = n
				objects = le.AppendUint64(objects, uint64(o.size))
				objects = le.AppendUint16(objects, uint16(len(o.key)))
				objects = append(objects, o.key...)
			}
			slots = le.AppendUint16(slots, n)
		}
	}
	b := le.AppendUint16([]byte{chainVersion}, uint16(len(numbers)))
	return append(append(b, objects...), slots...)
}

var errChain = fmt.Errorf("%w: chain cut short", ErrDamaged)

func decodeChain(b []byte) (links []link, err error) {
	if len(b) < chainHeaderBytes {
		return nil, errChain
	}
	if b[0] != chainVersion {
		return nil, fmt.Errorf("%w: chain version %d, this program reads %d", ErrVersion, b[0], chainVersion)
	}
	objects := make([]objectRef, 0, min(int(le.Uint16(b[1:])), len(b)/chainObjectBytes))
	rest := b[chainHeaderBytes:]
	for range le.Uint16(b[1:]) {
		if len(rest) < chainObjectBytes || len(rest) < chainObjectBytes+int(le.Uint16(rest[8:])) {
			return nil, errChain
		}
		end := chainObjectBytes + int(le.Uint16(rest[8:]))
		objects = append(objects, objectRef{string(rest[chainObjectBytes:end]), int64(le.Uint64(rest))})
		rest = rest[end:]
	}
	for len(rest) > 0 {
		if len(rest) < chainSlotBytes || len(rest) < chainSlotBytes+2*int(rest[12]) {
			return nil, errChain
		}
		l := link{slot: SlotID(le.Uint32(rest)), sequence: le.Uint64(rest[4:])}
		for i := range int(rest[12]) {
			n := int(le.Uint16(rest[chainSlotBytes+2*i:]))
			if n >= len(objects) {
				return nil, fmt.Errorf("%w: chain names object %d of %d", ErrDamaged, n, len(objects))
			}
			l.prev = append(l.prev, objects[n])
		}
		links = append(links, l)
		rest = rest[chainSlotBytes+2*int(rest[12]):]
	}
	return links, nil
}

// walkChain reads a slot's objects from the head back to what the manifest covers; newest first. It ends where until, which may
// be nil, says so of an object that comes next.
func walkChain(blocks *blockCache, slot SlotID, head Head, until func(objectRef) bool) (list []*loaded, err error) {
	next := []objectRef{{head.Last, head.LastBytes}}
	for want := head.Sequence - head.Manifested; uint64(len(list)) < want; {
		next = next[:min(uint64(len(next)), want-uint64(len(list)))]
		if until != nil && slices.ContainsFunc(next, until) {
			break
		}
		got := loadObjects(blocks, next)
		for _, g := range got {
			sequence := head.Sequence - uint64(len(list))
			if g.err != nil {
				return nil, fmt.Errorf("sequence %d: %w", sequence, g.err)
			}
			l, ok := g.linkOf(slot)
			if !ok || l.sequence != sequence {
				return nil, fmt.Errorf("%w: object %s is not sequence %d of the slot", ErrDamaged, g.key, sequence)
			}
			next = l.prev
			list = append(list, g.loaded)
		}
		if len(got) == 0 {
			return nil, fmt.Errorf("%w: the chain ends at sequence %d", ErrDamaged, head.Sequence-uint64(len(list)))
		}
	}
	return list, nil
}

// footer is what an object's end tells, or will.
type footer struct {
	done chan struct{}
	*loaded
	err error
}

// footersMax bounds how many footers are remembered: those that slots which are opened together share, of a whole chain and what
// comes while a manifest is on its way.
const footersMax = 2 * manifestChainMax

// loadObjects reads the ends of several objects at the same time, chainListed at most. Slots of one flush have the same objects:
// each is read once.
func loadObjects(blocks *blockCache, refs []objectRef) []*footer {
	list := make([]*footer, len(refs))
	for i, ref := range refs {
		f, known := blocks.footer(ref.key)
		if list[i] = f; !known {
			blocks.spawn(func() {
				defer close(f.done)
				if f.loaded, f.err = loadObject(blocks, ref); f.err != nil {
					blocks.forgetFooter(ref.key, f)
				}
			})
		}
	}
	for _, f := range list {
		<-f.done
	}
	return list
}

// shareFooters has footers remembered until the last who asked for it calls what is returned.
func (c *blockCache) shareFooters() (done func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sharing++
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.sharing--; c.sharing == 0 {
			clear(c.footers)
		}
	}
}

// footer returns the footer of an object; the caller has to load it if it was not known. One that is forgotten stays valid for
// those who have it.
func (c *blockCache) footer(object string) (f *footer, known bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if f = c.footers[object]; f != nil {
		return f, true
	}
	f = &footer{done: make(chan struct{})}
	if len(c.footers) >= footersMax {
		clear(c.footers)
	}
	c.footers[object] = f
	return f, false
}

func (c *blockCache) forgetFooter(object string, f *footer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.footers[object] == f {
		delete(c.footers, object)
	}
}
