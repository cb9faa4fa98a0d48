package journal

import (
	"container/list"
	"sync"
	"sync/atomic"

	"github.com/narumq/naru/internal/record"
)

// Limits of reading ahead.
const (
	aheadBytesMax    = 16 << 20 // of a stream that one reader is given ahead, and a quarter of the cache at most
	aheadRunsMax     = 64       // objects that one reader is given ahead
	aheadRequestsMax = 32       // on their way at the same time, of all readers
	aheadReadersMax  = 256      // of a slot that are told apart; past it, the one that was heard of longest ago is forgotten
)

// readAhead sees who reads a stream from where its last read ended, and has blocks fetched that will be wanted next. It is about
// readers that the cache of recent objects does not serve.
type readAhead struct {
	s *Slot

	mu      sync.Mutex
	readers map[position]*list.Element // guarded by mu: by where the next read will begin
	order   list.List                  // guarded by mu: of *sequential, last heard of in front
}

type position struct {
	stream StreamID
	offset record.Offset
}

// sequential is a reader that goes on where it ended.
type sequential struct {
	next    position
	planned record.Offset // what lies below is there, or on its way
	left    int64         // bytes of it that were not read yet, about
	busy    atomic.Bool   // planning
}

func newReadAhead(s *Slot) *readAhead {
	return &readAhead{s: s, readers: make(map[position]*list.Element)}
}

// begin is told of a read before it begins. What a reader that was not heard of before has asked for is fetched at the same time,
// from however many objects it has to come.
func (a *readAhead) begin(id StreamID, from record.Offset, bytes int) {
	if a.s.flusher.ahead == nil {
		return
	}
	at := position{id, from}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.readers[at] != nil || !a.s.coldAt(at) {
		return
	}
	if a.order.Len() >= aheadReadersMax {
		delete(a.readers, a.order.Remove(a.order.Back()).(*sequential).next)
	}
	r := &sequential{next: at, planned: from}
	r.busy.Store(true)
	a.readers[at] = a.order.PushFront(r)
	a.s.flusher.blocks.spawn(func() { a.plan(r, at, int64(bytes)) })
}

// coldAt tells whether an offset is to be read from the bucket.
func (s *Slot) coldAt(at position) bool {
	s.index.mu.RLock()
	defer s.index.mu.RUnlock()
	st := s.index.streams[at.stream]
	if st == nil {
		return false
	}
	i := st.find(at.offset)
	if i == len(st.runs) {
		return false
	}
	r := st.runs[i]
	return r.extents == nil || !s.recent(r)
}

// end is told of a read that began at an offset.
func (a *readAhead) end(id StreamID, from record.Offset, slice *Slice) {
	if a.s.flusher.ahead == nil || slice.Next == from {
		return
	}
	was, next := position{id, from}, position{id, slice.Next}
	a.mu.Lock()
	defer a.mu.Unlock()
	e := a.readers[was]
	if e == nil {
		return
	}
	r := e.Value.(*sequential)
	delete(a.readers, was)
	if a.readers[next] != nil { // two in the same place count as one
		a.order.Remove(e)
		return
	}
	r.next = next
	a.readers[next] = e
	a.order.MoveToFront(e)
	r.left = max(0, r.left-int64(slice.Bytes))
	r.planned = max(r.planned, next.offset)
	window := min(aheadBytesMax, a.s.flusher.opt.BlockCacheBytes/4)
	if slice.cold && r.left < window/2 && r.busy.CompareAndSwap(false, true) {
		at, want := position{id, r.planned}, window-r.left
		a.s.flusher.blocks.spawn(func() { a.plan(r, at, want) })
	}
}

// plan has about so many bytes fetched.
func (a *readAhead) plan(r *sequential, at position, want int64) {
	runs := a.s.runsFrom(at, want)
	var work sync.WaitGroup
	var planned atomic.Int64
	end := at.offset
	for _, c := range runs {
		part := min(want, c.bytes)
		want -= part
		work.Add(1)
		a.s.flusher.blocks.spawn(func() {
			defer work.Done()
			defer c.seg.release()
			last, n := a.fetch(c, at.offset, part)
			planned.Add(n)
			if c.run == runs[len(runs)-1].run {
				end = last + 1
			}
		})
	}
	work.Wait()
	a.mu.Lock()
	r.planned = max(r.planned, end)
	r.left += planned.Load()
	a.mu.Unlock()
	r.busy.Store(false)
}

// runsFrom lists the runs of a stream that hold so many bytes from an offset on. The caller releases their segments.
func (s *Slot) runsFrom(at position, want int64) (runs []runCopy) {
	s.index.mu.RLock()
	defer s.index.mu.RUnlock()
	st := s.index.streams[at.stream]
	if st == nil {
		return nil
	}
	for _, r := range st.runs[st.find(at.offset):] {
		if want <= 0 || len(runs) == aheadRunsMax {
			break
		}
		runs = append(runs, copyRun(r))
		want -= r.bytes
	}
	return runs
}

// fetch has the first bytes of a run fetched, from an offset on, and returns the last offset and the bytes that it came to. The
// run's extents are waited for, the blocks are not.
func (a *readAhead) fetch(c runCopy, from record.Offset, part int64) (last record.Offset, n int64) {
	f := a.s.flusher
	last = max(from, c.base) - 1
	o, ok := c.seg.file.(*bucketObject)
	if !ok {
		return last, 0
	}
	f.ahead <- struct{}{}
	extents, err := a.s.extentsOf(c)
	<-f.ahead
	if err != nil {
		return last, 0 // the reader will see
	}
	for len(extents) > 0 && n < part {
		e := extents[0]
		if extents = extents[1:]; e.last() < from {
			continue
		}
		lo, hi := int64(e.pos), e.end()
		n, last = n+int64(e.length), e.last()
		for len(extents) > 0 && n < part && int64(extents[0].pos) == hi && hi-lo < fetchBytesMax {
			n, last, hi = n+int64(extents[0].length), extents[0].last(), extents[0].end()
			extents = extents[1:]
		}
		if k := a.s.cache.get(c.seg.id, lo); k != nil {
			a.s.cache.release(k)
			continue
		}
		f.ahead <- struct{}{}
		f.blocks.spawn(func() {
			defer func() { <-f.ahead }()
			f.blocks.want(o, lo, hi, true)
		})
	}
	return last, n
}
