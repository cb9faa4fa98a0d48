package vfs

import (
	"maps"
	"math/rand/v2"
	"path"
	"slices"
)

// fate is how a crash treats the unsynced parts of one thing. Choosing each
// part by itself only would make the two extremes vanishingly rare.
type fate int

const (
	loseAll fate = iota
	keepAll
	mixed
	fateCount
)

func drawFate(rng *rand.Rand) fate { return fate(rng.IntN(int(fateCount))) }

func (f fate) keeps(rng *rand.Rand) bool {
	switch f {
	case loseAll:
		return false
	case keepAll:
		return true
	}
	return rng.IntN(2) == 0
}

// CrashClone returns the file system as it may look after a power loss now. What
// was synced is there. Of the rest, rng decides: each change of a name and each
// file's size is kept or lost, each sector is kept, lost, left at a version in
// between, or torn at 512 bytes. Locks are free, everything is durable, and
// only the capacity is inherited: no faults, no hooks. The original goes on.
func (m *Mem) CrashClone(rng *rand.Rand) *Mem {
	m.mu.Lock()
	defer m.mu.Unlock()
	names := maps.Clone(m.durable)
	fate := drawFate(rng)
	for _, c := range m.changes {
		if fate.keeps(rng) {
			c.apply(names)
		}
	}
	out := m.emptyClone()
	clones := map[*node]*node{}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		n := names[name]
		if clones[n] == nil {
			clones[n] = n.crash(rng)
		}
		out.names[name] = clones[n]
	}
	out.durable = maps.Clone(out.names)
	out.countLinks()
	return out
}

// ProcessCrashClone returns the file system as the next process finds it after
// this one was killed: all that was written is there, and what was not synced
// can still be lost by a CrashClone. Locks are free; faults and hooks are not
// inherited.
func (m *Mem) ProcessCrashClone() *Mem {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := m.emptyClone()
	clones := map[*node]*node{}
	clone := func(n *node) *node {
		if n != nil && clones[n] == nil {
			clones[n] = n.clone()
		}
		return clones[n]
	}
	for name, n := range m.names {
		out.names[name] = clone(n)
	}
	for name, n := range m.durable {
		out.durable[name] = clone(n)
	}
	for _, c := range m.changes {
		c.node = clone(c.node)
		out.changes = append(out.changes, c)
	}
	out.countLinks()
	return out
}

func (m *Mem) emptyClone() *Mem {
	out := NewMem()
	out.dirs = maps.Clone(m.dirs)
	out.capacity = m.capacity
	return out
}

func (m *Mem) countLinks() {
	for _, n := range m.names {
		n.links++
		if n.links == 1 {
			m.used += n.reserved
		}
	}
}

// change is one change of names that no SyncDir has made durable: a creation
// (from is empty), a removal (to is empty) or a rename.
type change struct {
	from, to string
	node     *node
}

// apply makes the change, or as much of it as makes sense after others were
// lost.
func (c change) apply(names map[string]*node) {
	if c.from != "" && names[c.from] == c.node {
		delete(names, c.from)
	}
	if c.to != "" {
		names[c.to] = c.node
	}
}

func (c change) touches(dirs map[string]bool) bool {
	return c.from != "" && dirs[path.Dir(c.from)] || c.to != "" && dirs[path.Dir(c.to)]
}

// syncNames makes the changes in dir durable, and with a rename across
// directories, which is one change, also those in the other one.
func (m *Mem) syncNames(dir string) {
	dirs := map[string]bool{dir: true}
	for before := 0; before != len(dirs); {
		before = len(dirs)
		for _, c := range m.changes {
			if c.from != "" && c.to != "" && c.touches(dirs) {
				dirs[path.Dir(c.from)], dirs[path.Dir(c.to)] = true, true
			}
		}
	}
	var rest []change
	for _, c := range m.changes {
		if c.touches(dirs) {
			c.apply(m.durable)
		} else {
			rest = append(rest, c)
		}
	}
	m.changes = rest
}

// crash is the node as it may be found after a power loss.
func (n *node) crash(rng *rand.Rand) *node {
	fate := drawFate(rng)
	state := n.sizes[0]
	switch fate {
	case keepAll:
		state = n.sizes[len(n.sizes)-1]
	case mixed:
		state = n.sizes[rng.IntN(len(n.sizes))]
	}
	out := newNode()
	out.sizes[0].size = state.size
	out.reserved = min(n.reserved, state.size)
	out.base = make([]*sector, min(int64(len(n.base)), (state.size+sectorBytes-1)/sectorBytes))
	copy(out.base, n.base)
	for _, i := range slices.Sorted(maps.Keys(n.dirty)) {
		if s := n.crashSector(i, state.cuts, fate, rng); i*sectorBytes < state.size {
			out.setBase(i, s)
		}
	}
	if i := state.size / sectorBytes; i < int64(len(out.base)) && out.base[i] != nil {
		out.base[i] = cutSector(out.base[i], i, state.size)
	}
	return out
}

// crashSector chooses what is left of an unsynced sector, given how many of the
// file's cuts happened. Versions from after a cut that did not are impossible:
// they were written to space that the file never got.
func (n *node) crashSector(i int64, cuts int, fate fate, rng *rand.Rand) *sector {
	choices := []*sector{n.cutSince(n.durable(i), i, 0, cuts)}
	for _, v := range n.dirty[i].versions {
		if v.cuts <= cuts {
			choices = append(choices, n.cutSince(v.data, i, v.cuts, cuts))
		}
	}
	switch {
	case fate == loseAll:
		return choices[0]
	case fate == keepAll:
		return choices[len(choices)-1]
	case rng.IntN(2) == 0:
		return choices[rng.IntN(len(choices))]
	}
	var torn sector
	for at := 0; at < sectorBytes; at += unitBytes {
		copy(torn[at:at+unitBytes], choices[rng.IntN(len(choices))][at:])
	}
	return &torn
}

// cutSince applies the file's cuts from the first-th up to the last-th.
func (n *node) cutSince(s *sector, i int64, first, last int) *sector {
	for _, size := range n.cuts[first:last] {
		s = cutSector(s, i, size)
	}
	return s
}
