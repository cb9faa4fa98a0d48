package journal

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"
)

// When objects are worth merging: each flush leaves one, with a little of many streams.
const (
	mergeObjectsMin  = 16
	mergeObjectsMax  = 1024
	mergeObjectBytes = 4 << 20  // of live frames of the slot in one object, or less
	mergedBytes      = 32 << 20 // of live frames in the object that comes of it, about
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

// replaced puts what was merged into the place of what it was made of. A manifest that says so has been committed.
func (s *Slot) replaced(r *replacement) {
	if r == nil {
		return
	}
	s.index.mu.Lock()
	defer s.index.mu.Unlock()
	s.index.replace(r.old, r.fresh)
}

// Relocate merges small objects of the slot into one, in the order of its streams, and tells whether it did. Nothing is deleted:
// other slots may need the objects; see Collect.
func (s *Slot) Relocate(ctx context.Context) (more bool, err error) {
	s.work.Lock()
	defer s.work.Unlock()
	s.forgetDead()
	group := s.smallObjects()
	if len(group) < mergeObjectsMin {
		return false, nil
	}
	began := time.Now()
	swap, err := s.merge(ctx, group)
	if err != nil {
		return false, fmt.Errorf("merge objects of slot %d: %w", s.id, err)
	}
	return true, s.install(ctx, swap, began)
}

// merge stores a copy of the runs as one object.
func (s *Slot) merge(ctx context.Context, group map[*segment][]*run) (*replacement, error) {
	m := merging{s: s, old: make(map[*run]bool)}
	for _, seg := range slices.SortedFunc(maps.Keys(group), func(a, b *segment) int { return cmp.Compare(a.newest, b.newest) }) {
		if err := m.read(ctx, seg, group[seg]); err != nil {
			return nil, err
		}
	}
	return m.write(ctx)
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

// smallObjects picks the oldest objects that hold little of the slot, and their live runs.
func (s *Slot) smallObjects() map[*segment][]*run {
	s.index.mu.RLock()
	defer s.index.mu.RUnlock()
	live := make(map[*segment][]*run)
	bytes := make(map[*segment]int64)
	for _, id := range slices.Sorted(maps.Keys(s.index.streams)) {
		st := s.index.streams[id]
		for _, r := range st.runs[st.find(st.start):] {
			live[r.seg] = append(live[r.seg], r)
			bytes[r.seg] += r.bytes
		}
	}
	total, taken := int64(0), 0
	for _, seg := range slices.SortedFunc(maps.Keys(live), func(a, b *segment) int { return cmp.Compare(a.newest, b.newest) }) {
		small := bytes[seg] <= mergeObjectBytes && total+bytes[seg] <= mergedBytes && taken < mergeObjectsMax
		if !small {
			delete(live, seg)
			continue
		}
		total += bytes[seg]
		taken++
	}
	return live
}

// merging gathers frames of several objects.
type merging struct {
	s      *Slot
	frames []mergedFrame
	old    map[*run]bool
	newest SegmentID
}

type mergedFrame struct {
	frame
	payload []byte
}

// read takes the live frames of some runs of an object, with one request.
func (m *merging) read(ctx context.Context, seg *segment, runs []*run) error {
	var extents []extent
	var streams []StreamID
	lo, hi := seg.end, int64(0)
	for _, r := range runs {
		list := r.extents
		if list == nil {
			var err error
			if list, err = m.s.footerExtents(seg, r.stream, r.base, r.last, r.footer); err != nil {
				return err
			}
		}
		for _, e := range list {
			extents, streams = append(extents, e), append(streams, r.stream)
			lo, hi = min(lo, int64(e.pos)), max(hi, e.end())
		}
		m.old[r] = true
	}
	b := make([]byte, hi-lo)
	if err := seg.file.(*bucketObject).readPast(ctx, b, lo); err != nil {
		return fmt.Errorf("%s at byte %d: %w", seg.path, lo, err)
	}
	for i, e := range extents {
		if err := m.take(b[int64(e.pos)-lo:e.end()-lo], seg, streams[i]); err != nil {
			return fmt.Errorf("%s at byte %d: %w", seg.path, e.pos, err)
		}
	}
	m.newest = max(m.newest, seg.newest)
	return nil
}

// take adds the frames of one extent.
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
func (m *merging) write(ctx context.Context) (*replacement, error) {
	slices.SortFunc(m.frames, func(a, b mergedFrame) int {
		return cmp.Or(cmp.Compare(a.stream, b.stream), cmp.Compare(a.base, b.base))
	})
	size := int64(segmentHeaderBytes)
	for i := range m.frames {
		size += m.frames[i].size()
	}
	w := newObjectWriter(newSalt(), size)
	for _, f := range m.frames {
		w.frame(f.frame, f.payload)
	}
	end := int64(len(w.body))
	body := w.finish()
	key := m.s.flusher.objectKey()
	if err := m.s.flusher.put(ctx, key, body); err != nil {
		return nil, err
	}
	seg := m.s.segment(key, int64(len(body)), end, w.salt, uint64(m.newest))
	for _, r := range w.runs {
		r.seg, r.extents = seg, nil
	}
	seg.runs = w.runs
	m.s.stats.relocated.Add(size)
	return &replacement{m.old, w.runs}, nil
}
