package journal

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"
)

// How objects are merged.
const (
	mergeTimeShare = 8        // a round begins no more objects after this part of AgeMax
	mergeTimeMax   = 2        // and ends after this part: the rest is for the commit of what came of it
	mergeRequests  = 16       // at the same time
	mergeReadBytes = 64 << 20 // of objects that are read at the same time; one always is
)

// replacement is runs, and those that were made of them.
type replacement struct {
	old   map[*run]bool
	fresh []*run
}

// of is what the runs of a stream become.
func (r *replacement) of(id StreamID, runs []*run) []*run {
	if r == nil {
		return runs
	}
	var list []*run
	for _, x := range runs {
		if !r.old[x] {
			list = append(list, x)
		}
	}
	for _, x := range r.fresh {
		if x.stream == id {
			list = append(list, x)
		}
	}
	slices.SortFunc(list, func(a, b *run) int { return cmp.Compare(a.base, b.base) })
	return list
}

// forgetDead takes runs below the log starts out of the index. The next manifest does not list them.
func (s *Slot) forgetDead() {
	s.index.mu.Lock()
	defer s.index.mu.Unlock()
	for _, st := range s.index.streams {
		n := st.find(st.start)
		for _, r := range st.runs[:n] {
			st.bytes -= r.bytes
		}
		st.runs = slices.Delete(st.runs, 0, n)
	}
}

// forgetExtents leaves the extents of objects that are not recent any more to their footers. It looks at no others: a slot may have
// millions of runs, and nobody reads or commits meanwhile.
func (s *Slot) forgetExtents() {
	s.index.mu.Lock()
	defer s.index.mu.Unlock()
	n := 0
	for n < len(s.recents) && !s.recent(s.recents[n]) {
		r := s.recents[n]
		if s.index.has(r) {
			s.foot.put(extentKey{r.seg.id, r.footer.first}, slices.Clone(r.extents)) // which has none in reserve
		}
		r.extents = nil
		n++
	}
	s.recents = slices.Delete(s.recents, 0, n)
}

// recent tells whether a run whose extents are known is in the cache of recent objects. Caller holds index.mu.
func (s *Slot) recent(r *run) bool {
	k := s.cache.get(r.seg.id, int64(r.extents[0].pos))
	if k != nil {
		s.cache.release(k)
	}
	return k != nil
}

// mergeAll merges what is worth it, for a part of the time that the first of what comes of it may wait for its commit, and until a
// slot asks for its manifest. After an error, swaps are what was done before it.
func (f *Flusher) mergeAll(ctx context.Context, slots []*Slot, began time.Time) (swaps map[*Slot]*replacement, err error) {
	groups := worthMerging(slots, f.unsound)
	if !paysOff(groups) {
		return nil, nil
	}
	ctx, cancel := context.WithDeadline(ctx, began.Add(f.opt.AgeMax/mergeTimeMax))
	defer cancel()
	swaps = make(map[*Slot]*replacement)
	for _, group := range groups {
		if time.Since(began) > f.opt.AgeMax/mergeTimeShare || f.awaited() {
			break
		}
		done, err := f.merge(ctx, group)
		if err != nil {
			return swaps, fmt.Errorf("merge objects: %w", err)
		}
		for s, r := range done {
			if all := swaps[s]; all == nil {
				swaps[s] = r
			} else {
				maps.Copy(all.old, r.old)
				all.fresh = append(all.fresh, r.fresh...)
			}
		}
	}
	return swaps, nil
}

// merge stores a copy of the live runs of objects as one object, and tells what each slot has in their place. Nothing is deleted:
// other slots may need the objects; see Collect.
func (f *Flusher) merge(ctx context.Context, group []*mergeable) (map[*Slot]*replacement, error) {
	m := merging{f: f, swaps: make(map[*Slot]*replacement), newest: make(map[*Slot]SegmentID)}
	for len(group) > 0 {
		n := readTogether(group)
		if err := m.readAll(ctx, group[:n]); err != nil {
			return nil, err
		}
		group = group[n:]
	}
	return m.swaps, m.write(ctx)
}

// readTogether is how many objects are read at the same time.
func readTogether(group []*mergeable) (n int) {
	bytes := int64(0)
	for n < min(len(group), mergeRequests) && (n == 0 || bytes+group[n].size <= mergeReadBytes) {
		bytes += group[n].size
		n++
	}
	return n
}

func bySlot(a, b *Slot) int { return cmp.Compare(a.id, b.id) }

// merging gathers frames of several objects.
type merging struct {
	f      *Flusher
	frames []mergedFrame
	swaps  map[*Slot]*replacement
	newest map[*Slot]SegmentID
}

type mergedFrame struct {
	frame
	payload []byte
}

// mergeSource is the part of an object that is to be copied.
type mergeSource struct {
	object  *mergeable
	extents []extent
	segs    []*segment // of the extents
	streams []StreamID
	lo      int64
	b       []byte
	chunk   *chunk // that b is in; nil: b was read
	err     error
}

// readAll reads several objects at the same time, and takes what is live in them.
func (m *merging) readAll(ctx context.Context, group []*mergeable) error {
	sources := make([]mergeSource, len(group))
	var work sync.WaitGroup
	for i, o := range group {
		work.Add(1)
		m.f.blocks.spawn(func() {
			defer work.Done()
			sources[i].object = o
			sources[i].err = sources[i].read(ctx, m.f)
		})
	}
	work.Wait()
	var failed error
	for i := range sources {
		src := &sources[i]
		if src.err == nil {
			src.err = m.takeAll(src)
		}
		if src.chunk != nil {
			m.f.cache.release(src.chunk)
		}
		if errors.Is(src.err, ErrDamaged) || isMissing(src.err) {
			m.f.unsound[src.object.key] = true
		}
		if src.err != nil {
			failed = src.err
		}
	}
	return failed
}

// read gets all that is live of an object: from the cache of recent objects, or with one request.
func (src *mergeSource) read(ctx context.Context, f *Flusher) error {
	hi := int64(0)
	for _, p := range src.object.parts {
		for _, r := range p.runs {
			list := r.extents
			if list == nil {
				var err error
				if list, err = p.slot.footerExtents(p.seg, r.stream, r.base, r.last, r.footer); err != nil {
					return err
				}
			}
			for _, e := range list {
				if len(src.extents) == 0 {
					src.lo = int64(e.pos)
				}
				src.extents, src.segs, src.streams = append(src.extents, e), append(src.segs, p.seg), append(src.streams, r.stream)
				src.lo, hi = min(src.lo, int64(e.pos)), max(hi, e.end())
			}
		}
	}
	seg := src.object.parts[0].seg
	if k := f.cache.get(seg.id, src.lo); k != nil {
		if hi <= k.end() {
			src.chunk, src.b = k, k.mem[src.lo-k.start:hi-k.start]
			return nil
		}
		f.cache.release(k)
	}
	var err error
	if src.b, err = seg.file.(*bucketObject).readPast(ctx, src.lo, hi-src.lo); err != nil {
		return fmt.Errorf("%s at byte %d: %w", seg.path, src.lo, err)
	}
	return nil
}

// takeAll adds a copy of what is live of what was read of an object: that may be little, and lie far apart.
func (m *merging) takeAll(src *mergeSource) error {
	for i, e := range src.extents {
		b := slices.Clone(src.b[int64(e.pos)-src.lo : e.end()-src.lo])
		if err := m.take(b, src.segs[i], src.streams[i]); err != nil {
			return fmt.Errorf("%s at byte %d: %w", src.object.key, e.pos, err)
		}
	}
	for _, p := range src.object.parts {
		swap := m.swaps[p.slot]
		if swap == nil {
			swap = &replacement{old: make(map[*run]bool)}
			m.swaps[p.slot] = swap
		}
		for _, r := range p.runs {
			swap.old[r] = true
		}
		m.newest[p.slot] = max(m.newest[p.slot], p.seg.newest)
	}
	return nil
}

// take adds the frames of one extent, which it keeps.
func (m *merging) take(b []byte, seg *segment, stream StreamID) error {
	for len(b) > 0 {
		if len(b) < frameHeaderBytes {
			return ErrDamaged
		}
		f, ok := decodeFrame(b)
		if !ok || f.salt != seg.salt || f.stream != stream || f.size() > int64(len(b)) {
			return fmt.Errorf("%w: %w", ErrDamaged, errBadHeader)
		}
		payload := b[frameHeaderBytes : frameHeaderBytes+int(f.length)]
		if checksum(payload) != f.payloadCRC {
			return fmt.Errorf("%w: %w", ErrDamaged, errBadPayload)
		}
		m.frames = append(m.frames, mergedFrame{f, payload})
		b = b[f.size():]
	}
	return nil
}

// write stores the frames as one object, in the order of streams and offsets.
func (m *merging) write(ctx context.Context) error {
	slices.SortFunc(m.frames, func(a, b mergedFrame) int {
		return cmp.Or(cmp.Compare(a.stream, b.stream), cmp.Compare(a.base, b.base))
	})
	size := int64(segmentHeaderBytes)
	for i := range m.frames {
		size += m.frames[i].size()
	}
	w := newObjectWriter(newSalt(), make([]byte, 0, objectBytes(size)))
	for _, f := range m.frames {
		w.frame(f.frame, f.payload)
	}
	end := int64(len(w.body))
	body := w.finish()
	key := m.f.objectKey()
	if err := m.f.put(ctx, key, body); err != nil {
		return err
	}
	for _, s := range slices.SortedFunc(maps.Keys(m.swaps), bySlot) {
		seg, swap := s.segment(key, int64(len(body)), end, w.salt, uint64(m.newest[s])), m.swaps[s]
		for _, r := range w.runs {
			if m.f.opt.SlotOf(r.stream) == s.id {
				r.seg, r.extents = seg, nil
				seg.held += r.bytes
				swap.fresh = append(swap.fresh, r)
			}
		}
		s.stats.relocated.Add(seg.held)
	}
	return nil
}
