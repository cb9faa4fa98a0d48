package cluster

import (
	"math"
	"slices"

	"github.com/narumq/naru/internal/journal"
)

// placement tells who ought to own which slot. All brokers that see the same agree on it.
type placement struct {
	slots  int
	fit    []Seen // ready
	owners []SlotOwner
	wishes wishes
}

func (v *View) placement(slots int, w wishes) placement {
	p := placement{slots: slots, owners: v.Owners, wishes: w}
	for _, m := range v.Members {
		if m.member.Ready {
			p.fit = append(p.fit, m)
		}
	}
	return p
}

// rank returns whom a slot belongs to, 0 if there is nobody, and how many come before a broker, -1 if it may not own the slot.
func (p *placement) rank(slot journal.SlotID, node int32) (right int32, rank int) {
	var best, mine uint64
	for _, m := range p.fit {
		w := p.weight(slot, m)
		if w > best {
			right, best = m.Node, w
		}
		if m.Node == node {
			mine = w
		}
	}
	if mine == 0 {
		return right, -1
	}
	for _, m := range p.fit {
		if p.weight(slot, m) > mine {
			rank++
		}
	}
	return right, rank
}

// weight orders the brokers for a slot: highest random weight ("rendezvous hashing", Thaler and Ravishankar 1998), by which a broker
// that comes or goes changes nothing between the others. A wish beats it. The only slot of a cluster stays where it is, because
// nothing is spread by moving it. Brokers that are drained come after all others: better one of them serves than nobody. 0: it may
// not own the slot.
func (p *placement) weight(slot journal.SlotID, m Seen) uint64 {
	w := mix(uint64(slot)<<32|uint64(m.Node))>>1 | 1
	switch name := p.wishes.places[slot]; {
	case slices.Contains(m.member.Refuses, slot):
		return 0
	case name != "" && name == m.member.Name:
		w = math.MaxInt64
	case p.slots == 1 && p.owners[slot].Node == m.Node:
		w = math.MaxInt64 - 1
	}
	if !p.wishes.drained[m.member.Name] {
		w |= 1 << 63
	}
	return w
}

// mix is the finalizer of SplitMix64 (Steele, Lea and Flood 2014). Brokers of all versions in a cluster have to agree: never change
// it, nor placeSeed. That was chosen such that few brokers, numbered from 1, get about as many of 64 slots each:
// two 32, three 20 to 22, also after one of them is gone.
func mix(x uint64) uint64 {
	x = (x + placeSeed) * 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

const placeSeed = 27242532
