package journal

import (
	"slices"
	"sort"
	"sync"

	"github.com/narumq/naru/internal/record"
)

// run is a dense piece of a stream inside one segment. Of a sealed segment
// only this much is in memory; its extents are read from the footer on demand.
type run struct {
	seg          *segment
	stream       StreamID
	base, last   record.Offset
	maxTimestamp int64
	bytes        int64

	// extents is set until the segment is sealed, or the object is not recent any more; footer after.
	extents []extent
	footer  footerRange
}

type footerRange struct {
	first, n uint32
	crc      uint32
}

// stream is where a partition's frames are.
type stream struct {
	start record.Offset // log start: everything below is dead
	next  record.Offset // one past the last committed offset
	runs  []*run        // by base offset, never overlapping
	bytes int64         // of all runs
}

// find returns the first run whose last offset is at or above o.
func (s *stream) find(o record.Offset) int {
	return sort.Search(len(s.runs), func(i int) bool { return s.runs[i].last >= o })
}

// index maps streams to runs. All fields below mu are guarded by it.
type index struct {
	mu      sync.RWMutex
	streams map[StreamID]*stream
	live    func(StreamID) (record.Offset, bool)
}

func newIndex(live func(StreamID) (record.Offset, bool)) *index {
	return &index{streams: make(map[StreamID]*stream), live: live}
}

// stream returns the stream, made if it is live and new. Caller holds mu.
func (x *index) stream(id StreamID) *stream {
	if s := x.streams[id]; s != nil {
		return s
	}
	start, ok := x.live(id)
	if !ok {
		return nil
	}
	s := &stream{start: start, next: start}
	x.streams[id] = s
	return s
}

// has tells whether a run is neither dead nor replaced. Caller holds mu.
func (x *index) has(r *run) bool {
	s := x.streams[r.stream]
	if s == nil {
		return false
	}
	i := s.find(r.base)
	return i < len(s.runs) && s.runs[i] == r
}

// add records a committed frame at pos of seg. Caller holds mu.
func (x *index) add(seg *segment, f *frame, pos int64) {
	s := x.stream(f.stream)
	var r *run
	if s != nil {
		r = s.tail(seg, f)
	} else {
		// Deleted, maybe while the append was on its way. Nobody reads it, but
		// the footer lists all that the segment holds.
		r = seg.tailOfDead(f)
	}
	if r == nil {
		r = &run{seg: seg, stream: f.stream, base: f.base, maxTimestamp: f.maxTimestamp}
		seg.runs = append(seg.runs, r)
		if s != nil {
			s.insert(r)
		} else {
			seg.dead[f.stream] = r
		}
	}
	size, n := f.size(), len(r.extents)
	r.grow(f, pos)
	if s != nil {
		s.bytes += size
		s.next = max(s.next, r.last+1)
	}
	seg.extents += len(r.extents) - n
}

// grow adds a frame at pos, which follows the last one.
func (r *run) grow(f *frame, pos int64) {
	size := f.size()
	r.last = f.last()
	r.maxTimestamp = max(r.maxTimestamp, f.maxTimestamp)
	r.bytes += size
	if n := len(r.extents); n > 0 {
		e := &r.extents[n-1]
		if e.end() == pos && int64(e.length)+size <= extentBytesMax {
			e.length += uint32(size)
			e.count += f.count
			e.maxTimestamp = max(e.maxTimestamp, f.maxTimestamp)
			return
		}
	}
	r.extents = append(r.extents, extent{
		base: f.base, count: f.count, pos: uint32(pos), length: uint32(size), maxTimestamp: f.maxTimestamp,
	})
}

// tail returns the run in seg that f continues, if there is one.
func (s *stream) tail(seg *segment, f *frame) *run {
	i := s.find(f.base - 1)
	if i < len(s.runs) && s.runs[i].seg == seg && s.runs[i].last == f.base-1 {
		return s.runs[i]
	}
	return nil
}

// tailOfDead is tail for a stream that does not exist (any more).
func (s *segment) tailOfDead(f *frame) *run {
	if s.dead == nil {
		s.dead = make(map[StreamID]*run)
	}
	r, known := s.dead[f.stream]
	if !known {
		for _, x := range s.runs {
			if x.stream == f.stream {
				r = x
			}
		}
		s.dead[f.stream] = r
	}
	if r != nil && r.last == f.base-1 {
		return r
	}
	return nil
}

func (s *stream) insert(r *run) {
	i := sort.Search(len(s.runs), func(i int) bool { return s.runs[i].base > r.base })
	s.runs = slices.Insert(s.runs, i, r)
}

// addSealed records a run that a footer lists, and returns it; nil if its stream is no more. Caller holds mu.
func (x *index) addSealed(seg *segment, e runEntry) *run {
	s := x.stream(e.stream)
	if s == nil {
		return nil
	}
	r := &run{
		seg: seg, stream: e.stream, base: e.base, last: e.last, maxTimestamp: e.maxTimestamp, bytes: e.bytes,
		footer: footerRange{first: e.first, n: e.n, crc: e.extentsCRC},
	}
	s.insert(r)
	s.bytes += r.bytes
	s.next = max(s.next, r.last+1)
	return r
}

// dead tells whether nothing of r can be read any more. Caller holds mu.
func (x *index) dead(r *run) bool {
	s := x.streams[r.stream]
	return s == nil || r.last < s.start
}

// remove forgets r. Caller holds mu.
func (x *index) remove(r *run) {
	s := x.streams[r.stream]
	if s == nil {
		return
	}
	if i := slices.Index(s.runs, r); i >= 0 {
		s.runs = slices.Delete(s.runs, i, i+1)
		s.bytes -= r.bytes
	}
}

// replace puts r in the place of the runs it was copied from. Caller holds mu.
func (x *index) replace(old map[*run]bool, fresh []*run) {
	for id := range streamsOf(old, fresh) {
		s := x.streams[id]
		if s == nil {
			continue
		}
		s.runs = slices.DeleteFunc(s.runs, func(r *run) bool {
			if old[r] {
				s.bytes -= r.bytes
			}
			return old[r]
		})
	}
	for _, r := range fresh {
		if s := x.streams[r.stream]; s != nil {
			s.insert(r)
			s.bytes += r.bytes
		}
	}
}

func streamsOf(old map[*run]bool, fresh []*run) map[StreamID]bool {
	ids := make(map[StreamID]bool)
	for r := range old {
		ids[r.stream] = true
	}
	for _, r := range fresh {
		ids[r.stream] = true
	}
	return ids
}
