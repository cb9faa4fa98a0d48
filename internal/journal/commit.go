package journal

import (
	"context"
	"slices"
	"time"
)

// commitLoop is the committer: it takes all that is queued and commits it.
func (j *Journal) commitLoop() {
	defer close(j.sealQ)
	for {
		batch := j.queue.take(func() bool { return j.Err() != nil })
		if err := j.Err(); err != nil {
			j.drain(batch, err)
			return
		}
		if len(batch) == 0 {
			j.finish()
			return
		}
		// One stream's frames lie together in a commit, so that they form one
		// extent. Stable: a stream's own order is its order of offsets.
		slices.SortStableFunc(batch, func(a, b *Entry) int {
			switch {
			case a.Stream < b.Stream:
				return -1
			case a.Stream > b.Stream:
				return 1
			}
			return 0
		})
		for rest := batch; len(rest) > 0; {
			rest = rest[j.commitSome(rest):]
		}
		j.queue.recycle(batch)
	}
}

// drain answers what is queued after a failure, and lets nothing more in.
func (j *Journal) drain(batch []*Entry, err error) {
	j.answer(batch, err)
	j.queue.close()
	j.answer(j.queue.take(func() bool { return true }), err)
}

// commitSome commits a first part of entries, as much as the active segment
// and the limit of one write allow, and returns how many that were. Every
// entry in it gets the same answer.
func (j *Journal) commitSome(entries []*Entry) int {
	if err := j.Err(); err != nil {
		return j.answer(entries, err)
	}
	if j.active == nil || !j.fits(entries[0]) {
		if err := j.roll(); err != nil {
			return j.answer(entries, j.fail(err))
		}
	}
	c := commit{j: j, seg: j.active, start: j.active.end, pos: j.active.end}
	n := 0
	for _, e := range entries {
		if n > 0 && (c.pos-c.start >= commitBytesMax || !c.fits(e)) {
			break
		}
		c.frame(e)
		n++
	}
	err := c.write()
	for _, k := range c.held {
		j.cache.release(k)
	}
	if err != nil {
		return j.answer(entries[:n], j.fail(err))
	}
	c.publish(entries[:n])
	j.observeAppends(entries[:n])
	j.space.setRemaining(j.active.room())
	return j.answer(entries[:n], nil)
}

// observeAppends tells how long durable entries waited.
func (j *Journal) observeAppends(entries []*Entry) {
	if f := j.opt.Observer.Append; f != nil {
		now := time.Now()
		for _, e := range entries {
			f(now.Sub(e.queuedAt))
		}
	}
}

func (j *Journal) answer(entries []*Entry, err error) int {
	for _, e := range entries {
		e.Done(e, err)
	}
	return len(entries)
}

// room is what a segment can still take, a footer kept free.
func (s *segment) room() int64 { return s.capacity - s.end - s.footerRoom(0) }

func (j *Journal) fits(e *Entry) bool { return cost(len(e.Payload)) <= j.active.room() }

// roll hands the active segment to the sealer and makes the standby active.
func (j *Journal) roll() error {
	fresh, err := j.space.awaitStandby(j.Err)
	if err != nil {
		return err
	}
	fresh.zeroing.Lock() // a zero on its way must not overtake a commit
	fresh.taken = true
	fresh.zeroing.Unlock()
	j.rolled.Store(time.Now().UnixNano())
	if old := j.active; old != nil {
		j.retire(old)
	}
	j.list(fresh)
	j.active = fresh
	return nil
}

// retire passes a full segment to the sealer.
func (j *Journal) retire(s *segment) {
	j.closeTail()
	j.sealQ <- s
}

// finish ends the committer after Close: the active segment is sealed like any
// other.
func (j *Journal) finish() {
	if j.active == nil {
		return
	}
	j.retire(j.active)
	j.active = nil
}

// commit is one write to the active segment.
type commit struct {
	j          *Journal
	seg        *segment
	start, pos int64
	positions  []int64
	frames     []frame
	bufs       [][]byte // what to write, in order, from start
	held       []*chunk // behind bufs: the cache may forget them before the write
}

// fits tells whether e's frame and its part of the footer fit behind pos.
func (c *commit) fits(e *Entry) bool {
	used := c.pos - c.start + int64(len(c.frames))*(extentBytes+runBytes)
	return cost(len(e.Payload)) <= c.seg.room()-used
}

// frame lays e out in the tail chunk.
func (c *commit) frame(e *Entry) {
	f := frame{
		payloadCRC: e.payloadCRC(), length: uint32(len(e.Payload)), commitStart: uint32(c.start),
		stream: e.Stream, base: e.Base, count: e.Count, salt: c.seg.salt, maxTimestamp: e.MaxTimestamp,
	}
	size := int(f.size())
	k := c.j.chunkFor(c.seg, c.pos, size)
	if n := len(c.held); n == 0 || c.held[n-1] != k {
		k.refs.Add(1)
		c.held = append(c.held, k)
	}
	at := k.n
	k.n += size
	b := k.mem[at:k.n]
	f.encode(b)
	end := frameHeaderBytes + copy(b[frameHeaderBytes:], e.Payload)
	clear(b[end:])
	if n := len(c.bufs); n > 0 && at > 0 {
		last := c.bufs[n-1]
		c.bufs[n-1] = k.mem[at-len(last) : k.n] // the same chunk goes on
	} else {
		c.bufs = append(c.bufs, b)
	}
	c.frames = append(c.frames, f)
	c.positions = append(c.positions, c.pos)
	c.pos += int64(size)
}

// chunkFor returns the chunk whose next free byte is position pos of seg, with
// room for size bytes.
func (j *Journal) chunkFor(seg *segment, pos int64, size int) *chunk {
	if k := j.tail; k != nil && k.room() >= size {
		return k
	}
	j.closeTail()
	k := j.cache.buffer(size, true)
	k.seg, k.start = seg.id, pos
	k.refs.Add(1) // the cache's, beside the committer's
	j.tail = k
	j.cache.add(k)
	return k
}

// closeTail ends the chunk that was being filled.
func (j *Journal) closeTail() {
	if j.tail != nil {
		j.tail.close()
		j.cache.release(j.tail)
		j.tail = nil
	}
}

// write makes the commit durable as the policy says.
func (c *commit) write() error {
	began := time.Now()
	if err := c.seg.disk.WritevAt(c.bufs, c.start); err != nil {
		return err
	}
	written := time.Now()
	if c.j.opt.Sync.Mode == SyncAlways {
		if err := c.seg.disk.Sync(); err != nil {
			return err
		}
	}
	if f := c.j.opt.Observer.Commit; f != nil {
		f(len(c.frames), c.pos-c.start, written.Sub(began), time.Since(written))
	}
	c.j.stats.commits.Add(1)
	c.j.stats.entries.Add(int64(len(c.frames)))
	c.j.stats.bytesWritten.Add(c.pos - c.start)
	return nil
}

// publish lets readers see the commit.
func (c *commit) publish(entries []*Entry) {
	x := c.j.index
	x.mu.Lock()
	defer x.mu.Unlock()
	for i := range entries {
		x.add(c.seg, &c.frames[i], c.positions[i])
	}
	c.seg.end = c.pos
}

// syncLoop is SyncInterval's: what was written is synced once per interval.
func (j *Journal) syncLoop(ctx context.Context) {
	tick := time.NewTicker(j.opt.Sync.Interval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := j.syncNewest(); err != nil {
			j.fail(err)
			return
		}
	}
}

// syncNewest syncs the segments that are not sealed; the sealer syncs the rest.
func (j *Journal) syncNewest() error {
	j.segMu.Lock()
	var open []*segment
	for _, s := range j.segments {
		if !s.sealed.Load() {
			s.acquire()
			open = append(open, s)
		}
	}
	j.segMu.Unlock()
	var failed error
	for _, s := range open {
		if err := s.disk.Sync(); err != nil {
			failed = err
		}
		s.release()
	}
	return failed
}
