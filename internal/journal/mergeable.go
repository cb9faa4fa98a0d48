package journal

import (
	"cmp"
	"maps"
	"slices"
)

// When objects are worth merging. Each flush leaves one, with a little of many streams. They are merged with others of about
// their size, so that what is written is written anew only a few times; large ones stay, unless nearly all in them is dead.
const (
	mergeTierBytes   = 64 << 10 // an object of the lowest tier, at most
	mergeTierFactor  = 8        // from tier to tier
	mergeObjectBytes = 4 << 20  // an object that is small
	mergeFragment    = 4        // one part in so many is live in an object that is not
	mergeObjectsMin  = 16
	mergeObjectsMax  = 1024
	mergeGroupsMax   = 32       // objects that come of a round
	mergedBytes      = 32 << 20 // of live frames in the object that comes of it, about
)

// forgetUnsound drops from the objects that could not be copied those that no slot has any more.
func (f *Flusher) forgetUnsound(slots []*Slot) {
	if len(f.unsound) == 0 {
		return
	}
	held := make(map[string]bool)
	for _, s := range slots {
		s.index.mu.RLock()
		for _, st := range s.index.streams {
			for _, r := range st.runs {
				held[r.seg.path] = true
			}
		}
		s.index.mu.RUnlock()
	}
	maps.DeleteFunc(f.unsound, func(key string, _ bool) bool { return !held[key] })
}

// mergeable is an object that may be worth merging, with what is live in it of the slots that are open here.
type mergeable struct {
	key        string
	size       int64
	live, held int64 // bytes
	newest     SegmentID
	parts      []mergePart
}

type mergePart struct {
	slot *Slot
	seg  *segment
	runs []*run
}

// weight is what counts for the tier: nothing for an object that stays as it is.
func (o *mergeable) weight() int64 {
	switch {
	case o.size <= mergeObjectBytes:
		return o.size // whosever it is: else each slot that moves would have its log written anew
	case o.live <= o.held/mergeFragment:
		return o.live
	}
	return 0
}

// worthMerging picks groups of objects of one tier each, if there are enough: the oldest that together make one of a good size.
func worthMerging(slots []*Slot, unsound map[string]bool) (groups [][]*mergeable) {
	tiers := make(map[int64][]*mergeable)
	for _, o := range liveObjects(slots) {
		if w := o.weight(); w > 0 && !unsound[o.key] {
			tier := int64(mergeTierBytes)
			for tier < w {
				tier *= mergeTierFactor
			}
			tiers[tier] = append(tiers[tier], o)
		}
	}
	for _, tier := range slices.Sorted(maps.Keys(tiers)) {
		list := tiers[tier]
		slices.SortFunc(list, func(a, b *mergeable) int { return cmp.Or(cmp.Compare(a.newest, b.newest), cmp.Compare(a.key, b.key)) })
		for len(list) > 0 && len(groups) < mergeGroupsMax {
			n, full := groupOf(list)
			if n < mergeObjectsMin && !(full && n > 1) {
				break
			}
			groups, list = append(groups, list[:n]), list[n:]
		}
	}
	return groups
}

// groupOf is how many objects from the first on make one. full: one more would be too much.
func groupOf(list []*mergeable) (n int, full bool) {
	total := list[0].live
	for n = 1; n < min(len(list), mergeObjectsMax); n++ {
		if total += list[n].live; total > mergedBytes {
			return n, true
		}
	}
	return n, false
}

// paysOff weighs merging against the manifests that it calls for, of all slots that have something in the objects: what was written
// since their last manifests, and what is dead in the objects, has to be as much, or there have to be many objects.
func paysOff(groups [][]*mergeable) bool {
	manifests, gain, objects := int64(0), int64(manifestsSmall), 0
	seen := make(map[*Slot]bool)
	for _, group := range groups {
		objects += len(group)
		for _, o := range group {
			gain += o.held - o.live
			for _, p := range o.parts {
				if !seen[p.slot] {
					seen[p.slot] = true
					bytes, unlisted := p.slot.manifestCost()
					manifests, gain = manifests+bytes, gain+unlisted
				}
			}
		}
	}
	return objects >= mergeObjectsMax || gain >= manifests
}

// mayMerge tells of which objects of slots some part is little enough that the whole may have a weight. Most have none, so that this
// is all that is done about them.
func mayMerge(slots []*Slot) map[string]bool {
	keys := make(map[string]bool)
	var list []*segment
	for _, s := range slots {
		list = s.countLive(list[:0])
		for _, seg := range list {
			part := mergeable{size: seg.capacity, live: seg.live, held: seg.held}
			if seg.live = 0; part.weight() > 0 {
				keys[seg.path] = true
			}
		}
	}
	return keys
}

// countLive appends the segments that have something live of the slot, each with how much that is.
func (s *Slot) countLive(list []*segment) []*segment {
	s.index.mu.RLock()
	defer s.index.mu.RUnlock()
	for _, st := range s.index.streams {
		for _, r := range st.runs[st.find(st.start):] {
			if r.seg.live == 0 {
				list = append(list, r.seg)
			}
			r.seg.live += r.bytes
		}
	}
	return list
}

// liveObjects lists the objects of slots that may have a weight, and their live runs.
func liveObjects(slots []*Slot) map[string]*mergeable {
	byKey := make(map[string]*mergeable)
	keys := mayMerge(slots)
	if len(keys) == 0 {
		return byKey
	}
	for _, s := range slots {
		s.index.mu.RLock()
		bySegment := make(map[*segment]*mergePart)
		for _, id := range slices.Sorted(maps.Keys(s.index.streams)) {
			st := s.index.streams[id]
			for _, r := range st.runs[st.find(st.start):] {
				if !keys[r.seg.path] {
					continue
				}
				p := bySegment[r.seg]
				if p == nil {
					p = &mergePart{slot: s, seg: r.seg}
					bySegment[r.seg] = p
				}
				p.runs = append(p.runs, r)
			}
		}
		s.index.mu.RUnlock()
		for seg, p := range bySegment {
			o := byKey[seg.path]
			if o == nil {
				o = &mergeable{key: seg.path, size: seg.capacity}
				byKey[seg.path] = o
			}
			o.add(p)
		}
	}
	return byKey
}

func (o *mergeable) add(p *mergePart) {
	o.parts = append(o.parts, *p)
	o.held += p.seg.held
	o.newest = max(o.newest, p.seg.newest)
	for _, r := range p.runs {
		o.live += r.bytes
	}
}
