package journal

import (
	"sync"

	"github.com/narumq/naru/internal/record"
)

// view is what can be read of a journal: where each stream's frames are, and their bytes, in memory or behind a segment's
// source. Both media have one.
type view struct {
	index  *index
	cache  *cache
	foot   *extentCache
	stats  counters
	damage damageLog
	scanMu sync.Mutex // one segment read whole at a time, beside recovery
}

func newView(opt Options, c *cache, foot *extentCache) *view {
	v := &view{index: newIndex(opt.Live), cache: c, foot: foot}
	v.damage.init(opt)
	return v
}

// Bounds returns the log start and one past the last committed offset.
func (v *view) Bounds(id StreamID) (start, next record.Offset) {
	v.index.mu.RLock()
	defer v.index.mu.RUnlock()
	if s := v.index.streams[id]; s != nil {
		return s.start, s.next
	}
	start, _ = v.index.live(id)
	return start, start
}

// StreamBytes is the space that a stream's frames take, dead ones included
// until they are reclaimed.
func (v *view) StreamBytes(id StreamID) int64 {
	v.index.mu.RLock()
	defer v.index.mu.RUnlock()
	s := v.index.streams[id]
	if s == nil {
		return 0
	}
	total := s.bytes
	for _, r := range s.runs {
		if r.last >= s.start {
			break
		}
		total -= r.bytes
	}
	return total
}

// Trim moves the log start of a stream up. The caller has made that durable:
// what lies below may be gone at any moment after.
func (v *view) Trim(id StreamID, start record.Offset) {
	v.index.mu.Lock()
	defer v.index.mu.Unlock()
	if s := v.index.stream(id); s != nil {
		s.start = max(s.start, start)
		s.next = max(s.next, start)
	}
}

// Drop forgets a stream whose deletion the caller has made durable.
func (v *view) Drop(id StreamID) {
	v.index.mu.Lock()
	defer v.index.mu.Unlock()
	delete(v.index.streams, id)
}
