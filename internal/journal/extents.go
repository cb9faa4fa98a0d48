package journal

import (
	"container/list"
	"errors"
	"fmt"
	"sync"

	"github.com/narumq/naru/internal/record"
)

// extentCache keeps extents that were read from footers, least recently used
// out first.
type extentCache struct {
	mu       sync.Mutex
	byKey    map[extentKey]*list.Element
	order    *list.List // of *cachedExtents, most recent in front
	bytes    int
	bytesMax int
}

type extentKey struct {
	seg   SegmentID
	first uint32
}

type cachedExtents struct {
	key     extentKey
	extents []extent
}

func newExtentCache(bytesMax int) *extentCache {
	return &extentCache{byKey: make(map[extentKey]*list.Element), order: list.New(), bytesMax: bytesMax}
}

func (c *extentCache) get(seg *segment, r footerRange) ([]extent, error) {
	key := extentKey{seg.id, r.first}
	c.mu.Lock()
	if e := c.byKey[key]; e != nil {
		c.order.MoveToFront(e)
		c.mu.Unlock()
		return e.Value.(*cachedExtents).extents, nil
	}
	c.mu.Unlock()
	extents, err := seg.readExtents(r)
	if err != nil {
		return nil, err
	}
	c.put(key, extents)
	return extents, nil
}

func (c *extentCache) put(key extentKey, extents []extent) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.byKey[key] != nil {
		return
	}
	c.byKey[key] = c.order.PushFront(&cachedExtents{key, extents})
	c.bytes += len(extents) * extentBytes
	for c.bytes > c.bytesMax && c.order.Len() > 1 {
		oldest := c.order.Remove(c.order.Back()).(*cachedExtents)
		delete(c.byKey, oldest.key)
		c.bytes -= len(oldest.extents) * extentBytes
	}
}

// runCopy is what a search needs of a run, taken under the lock, with a
// reference to its segment.
type runCopy struct {
	*run
	base, last   record.Offset
	maxTimestamp int64
	extents      []extent
	footer       footerRange
}

// copyRun copies r. Caller holds index.mu and releases the segment later.
func copyRun(r *run) runCopy {
	r.seg.acquire()
	c := runCopy{run: r, base: r.base, last: r.last, maxTimestamp: r.maxTimestamp, footer: r.footer}
	if r.extents != nil {
		c.extents = append([]extent(nil), r.extents...)
	}
	return c
}

func (v *view) extentsOf(c runCopy) ([]extent, error) {
	if c.extents != nil {
		return c.extents, nil
	}
	return v.footerExtents(c.seg, c.stream, c.base, c.last, c.footer)
}

// footerExtents returns a sealed run's extents: from memory, from the footer,
// or, if that is damaged, from the frames themselves.
func (v *view) footerExtents(seg *segment, id StreamID, base, last record.Offset, r footerRange) ([]extent, error) {
	extents, err := v.foot.get(seg, r)
	if err == nil || !errors.Is(err, ErrDamaged) {
		return extents, err
	}
	v.damage.report(Finding{File: seg.path, Position: seg.frames, Stream: id, Base: base, Last: last, Problem: err.Error()})
	v.scanMu.Lock() // one at a time: it takes a segment's worth of memory
	defer v.scanMu.Unlock()
	if extents, err = v.foot.get(seg, r); err == nil {
		return extents, nil // somebody else did it meanwhile
	}
	view := &segment{path: seg.path, file: seg.file, salt: seg.salt, capacity: seg.frames}
	whole := newIndex(func(StreamID) (record.Offset, bool) { return 0, false })
	_, _, err = scan(view, true, func(f *frame, pos int64, _ []byte) {
		if f.stream == id && f.base >= base && f.last() <= last {
			whole.add(view, f, pos)
		}
	})
	if err != nil {
		return nil, err
	}
	for _, run := range view.runs {
		extents = append(extents, run.extents...)
	}
	if len(extents) == 0 {
		return nil, fmt.Errorf("%w: %s holds no frame of stream %d offsets %d to %d", ErrDamaged, seg.path, id, base, last)
	}
	v.foot.put(extentKey{seg.id, r.first}, extents)
	return extents, nil
}

// SeekTime returns the base offset of the first extent, at or above `from`,
// that holds a timestamp of at least ms; ok is false if there is none. An
// extent may hold several payloads, and begin below `from`. With an error, base
// is where it was met.
func (v *view) SeekTime(id StreamID, from record.Offset, ms int64) (base record.Offset, ok bool, err error) {
	for gone := 0; ; {
		c, found := v.nextRun(id, from, ms)
		if !found {
			return 0, false, nil
		}
		extents, err := v.extentsOf(c)
		c.seg.release()
		if isMissing(err) {
			if gone++; gone < goneMax {
				continue // as in Read
			}
			err = fmt.Errorf("%w: %w", ErrGone, err)
		}
		if err != nil {
			return max(from, c.base), false, err
		}
		for i := range extents {
			if e := &extents[i]; e.last() >= from && e.maxTimestamp >= ms {
				return e.base, true, nil
			}
		}
		from = c.last + 1
	}
}

// nextRun returns the first run that ends at or above `from` and reaches ms.
func (v *view) nextRun(id StreamID, from record.Offset, ms int64) (runCopy, bool) {
	x := v.index
	x.mu.RLock()
	defer x.mu.RUnlock()
	s := x.streams[id]
	if s == nil {
		return runCopy{}, false
	}
	for _, r := range s.runs[s.find(from):] {
		if r.maxTimestamp >= ms {
			return copyRun(r), true
		}
	}
	return runCopy{}, false
}

// MaxTimestamp returns the greatest timestamp of the runs of a stream that
// reach its log start; ok is false if there are none.
func (v *view) MaxTimestamp(id StreamID) (ms int64, ok bool) {
	x := v.index
	x.mu.RLock()
	defer x.mu.RUnlock()
	s := x.streams[id]
	if s == nil {
		return 0, false
	}
	for _, r := range s.runs[s.find(s.start):] {
		if !ok || r.maxTimestamp > ms {
			ms, ok = r.maxTimestamp, true
		}
	}
	return ms, ok
}

// RetentionStart returns where the log of a stream should start so that
// nothing older than olderThan (milliseconds; below 0: any age) is kept, and
// no more than bytesMax bytes (below 0: any number), by whole runs or extents:
// what is returned never cuts a piece that is still wanted. A piece without
// timestamps is too old if one behind it is.
func (v *view) RetentionStart(id StreamID, olderThan, bytesMax int64) record.Offset {
	x := v.index
	x.mu.RLock()
	defer x.mu.RUnlock()
	s := x.streams[id]
	if s == nil {
		return 0
	}
	start, runs := s.start, s.runs[s.find(s.start):]
	var total int64
	for _, r := range runs {
		total += r.bytes
	}
	c := retention{olderThan: olderThan, bytesMax: bytesMax, total: total, start: start}
	for _, r := range runs {
		if c.drop(r.maxTimestamp, r.bytes, r.last) {
			continue
		}
		for i := range r.extents {
			if e := &r.extents[i]; !c.drop(e.maxTimestamp, int64(e.length), e.last()) {
				break
			}
		}
		break
	}
	return c.start
}

// retention walks along the pieces of a stream, oldest first.
type retention struct {
	olderThan, bytesMax int64
	total               int64 // bytes from the piece at hand on
	start               record.Offset
}

// drop tells whether a piece may go, so that the walk goes on to the next.
func (c *retention) drop(maxTimestamp, bytes int64, last record.Offset) bool {
	unknown := maxTimestamp < 0
	switch {
	case c.bytesMax >= 0 && c.total-bytes >= c.bytesMax:
	case c.olderThan >= 0 && maxTimestamp < c.olderThan && !unknown:
	case c.olderThan >= 0 && unknown:
		c.total -= bytes
		return true // as the next one with a timestamp says
	default:
		return false
	}
	c.total -= bytes
	c.start = max(c.start, last+1)
	return true
}

// Available counts the bytes that a stream has from offset `from` on, up to
// max, by extents: it may count up to one extent too many.
func (v *view) Available(id StreamID, from record.Offset, max int) int {
	x := v.index
	x.mu.RLock()
	defer x.mu.RUnlock()
	s := x.streams[id]
	if s == nil || from >= s.next {
		return 0
	}
	var n int64
	for _, r := range s.runs[s.find(from):] {
		if r.extents == nil || r.base >= from {
			n += r.bytes
		} else {
			for _, e := range extentsFrom(r.extents, from, false) {
				n += int64(e.length)
			}
		}
		if n >= int64(max) {
			return max
		}
	}
	return int(n)
}
