package vfs

import "slices"

const (
	sectorBytes = 4096 // what Mem tracks as synced or not
	unitBytes   = 512  // what a crash never tears

	// How many unsynced versions of one sector, and sizes of one file, Mem
	// remembers. A crash chooses among them; older ones are forgotten first.
	versionsMax = 4
	statesMax   = 8
)

// sector holds bytes. It is never changed once it is part of a node, so that
// clones share sectors.
type sector [sectorBytes]byte

var zeroSector sector

// node is a file's content: the durable sectors, and over them what was written
// since the last sync. Guarded by the mutex of its Mem.
type node struct {
	base  []*sector // durable; nil is zeros
	dirty map[int64]*unsynced
	// sizes[0] is durable, the last is current. cuts are the shrinking
	// truncations since the last sync, in order.
	sizes []sizeState
	cuts  []int64

	reserved int64 // bytes that it takes from the capacity
	handles  int
	links    int
}

// unsynced are the versions of one sector since the last sync, oldest first.
type unsynced struct {
	versions []version
	// failed: a sync of these bytes failed. Later syncs pass over them unless
	// they are written again.
	failed bool
}

// version is a sector's content and how many cuts came before it.
type version struct {
	data *sector
	cuts int
}

type sizeState struct {
	size int64
	cuts int
}

func newNode() *node {
	return &node{dirty: map[int64]*unsynced{}, sizes: []sizeState{{}}}
}

func (n *node) size() int64 { return n.sizes[len(n.sizes)-1].size }

func (n *node) durable(i int64) *sector {
	if i < int64(len(n.base)) && n.base[i] != nil {
		return n.base[i]
	}
	return &zeroSector
}

func (n *node) current(i int64) *sector {
	if u := n.dirty[i]; u != nil {
		return u.versions[len(u.versions)-1].data
	}
	return n.durable(i)
}

func (n *node) push(i int64, s *sector) {
	u := n.dirty[i]
	if u == nil {
		u = &unsynced{}
		n.dirty[i] = u
	}
	u.failed = false
	u.versions = append(u.versions, version{s, len(n.cuts)})
	if len(u.versions) > versionsMax {
		u.versions = slices.Delete(u.versions, 0, 1)
	}
}

func (n *node) setSize(size int64) {
	if size == n.size() {
		return
	}
	if len(n.sizes) == statesMax {
		n.sizes = slices.Delete(n.sizes, 1, 2)
	}
	n.sizes = append(n.sizes, sizeState{size, len(n.cuts)})
}

// writeAt writes p, growing the file if need be.
func (n *node) writeAt(p []byte, off int64) {
	end := off + int64(len(p))
	for len(p) > 0 {
		i, at := off/sectorBytes, off%sectorBytes
		next := *n.current(i)
		done := copy(next[at:], p)
		n.push(i, &next)
		p, off = p[done:], off+int64(done)
	}
	if end > n.size() {
		n.setSize(end)
	}
	n.reserved = max(n.reserved, end)
}

// readAt fills p, which must lie within the size.
func (n *node) readAt(p []byte, off int64) {
	for len(p) > 0 {
		done := copy(p, n.current(off / sectorBytes)[off%sectorBytes:])
		p, off = p[done:], off+int64(done)
	}
}

func (n *node) truncate(size int64) {
	if size < n.size() {
		n.cuts = append(n.cuts, size)
		for _, i := range n.sectorsFrom(size) {
			n.push(i, cutSector(n.current(i), i, size))
		}
		n.reserved = min(n.reserved, size)
	}
	n.setSize(size)
}

// sectorsFrom lists the sectors that hold anything at or after off, in order.
func (n *node) sectorsFrom(off int64) []int64 {
	var list []int64
	for i := off / sectorBytes; i < int64(len(n.base)); i++ {
		if n.base[i] != nil || n.dirty[i] != nil {
			list = append(list, i)
		}
	}
	for i := range n.dirty {
		if i >= off/sectorBytes && i >= int64(len(n.base)) {
			list = append(list, i)
		}
	}
	slices.Sort(list)
	return list
}

// cutSector is sector i of a file that was cut to size.
func cutSector(s *sector, i, size int64) *sector {
	keep := size - i*sectorBytes
	if keep >= sectorBytes {
		return s
	}
	var cut sector
	copy(cut[:max(keep, 0)], s[:])
	return &cut
}

// sync makes the current content durable.
func (n *node) sync() {
	for _, size := range n.cuts {
		for i := size / sectorBytes; i < int64(len(n.base)); i++ {
			if n.base[i] != nil {
				n.base[i] = cutSector(n.base[i], i, size)
			}
		}
	}
	for i, u := range n.dirty {
		last := u.versions[len(u.versions)-1]
		if u.failed {
			u.versions = []version{{data: last.data}}
			continue
		}
		n.setBase(i, last.data)
		delete(n.dirty, i)
	}
	n.sizes = []sizeState{{size: n.size()}}
	n.cuts = nil
}

// failSync leaves everything as unsynced as it is, and lets no later sync of
// the same bytes mend that.
func (n *node) failSync() {
	for _, u := range n.dirty {
		u.failed = true
	}
}

func (n *node) setBase(i int64, s *sector) {
	for int64(len(n.base)) <= i {
		n.base = append(n.base, nil)
	}
	n.base[i] = s
}

// corrupt flips bits of one byte wherever that byte is held.
func (n *node) corrupt(off int64, xor byte) {
	i, at := off/sectorBytes, off%sectorBytes
	flip := func(s *sector) *sector {
		c := *s
		c[at] ^= xor
		return &c
	}
	if i < int64(len(n.base)) || n.dirty[i] == nil {
		n.setBase(i, flip(n.durable(i)))
	}
	if u := n.dirty[i]; u != nil {
		for v := range u.versions {
			u.versions[v].data = flip(u.versions[v].data)
		}
	}
}

// clone is the node in a Mem of its own, synced or not as before.
func (n *node) clone() *node {
	c := &node{
		base:     slices.Clone(n.base),
		dirty:    make(map[int64]*unsynced, len(n.dirty)),
		sizes:    slices.Clone(n.sizes),
		cuts:     slices.Clone(n.cuts),
		reserved: n.reserved,
	}
	for i, u := range n.dirty {
		c.dirty[i] = &unsynced{slices.Clone(u.versions), u.failed}
	}
	return c
}
