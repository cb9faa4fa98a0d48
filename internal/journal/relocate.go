package journal

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"time"
)

// When a sealed segment is worth rewriting.
const (
	sparseShare        = 0.5      // of its bytes still live, or less
	fragmentBytesMax   = 16 << 10 // mean extent, or less
	fragmentedBytesMin = 1 << 20  // of the segment, or more
	smallShare         = 0.25     // of a full segment, or less; merged with others
	mergeSegmentsMax   = 64
)

// relocateLoop is the relocator: it gives space back.
func (j *Journal) relocateLoop(ctx context.Context) {
	tick := time.NewTicker(j.opt.RelocateEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		for {
			more, err := j.Relocate(ctx)
			if err != nil && ctx.Err() == nil {
				j.log.Warn("relocation put off", "err", err)
			}
			if err != nil || !more || ctx.Err() != nil {
				break
			}
		}
	}
}

// Relocate does one step: it removes every segment in which nothing lives, and
// rewrites one group of segments that are mostly dead, fragmented or small, in
// the order of their partitions. It tells whether it rewrote anything.
// Appends and reads go on meanwhile.
func (j *Journal) Relocate(ctx context.Context) (more bool, err error) {
	j.relocMu.Lock()
	defer j.relocMu.Unlock()
	if err := j.Err(); err != nil {
		return false, err
	}
	if j.closing.Load() {
		return false, ErrClosed
	}
	if err := j.removeLeftovers(); err != nil {
		return false, err
	}
	if err := j.removeDead(); err != nil {
		return false, err
	}
	group := j.chooseGroup()
	if len(group) == 0 {
		return false, nil
	}
	if err := j.rewrite(ctx, group); err != nil {
		return false, fmt.Errorf("relocate %d segments: %w", len(group), err)
	}
	return true, nil
}

// sealedSegments lists them by number.
func (j *Journal) sealedSegments() []*segment {
	j.segMu.Lock()
	defer j.segMu.Unlock()
	var sealed []*segment
	for _, s := range j.segments {
		if s.sealed.Load() {
			sealed = append(sealed, s)
		}
	}
	slices.SortFunc(sealed, func(a, b *segment) int { return int(int64(a.id) - int64(b.id)) })
	return sealed
}

// live is the part of a segment that can still be read.
type live struct {
	bytes   int64
	extents int64
	runs    []*run
}

func (j *Journal) liveOf(s *segment) live {
	j.index.mu.RLock()
	defer j.index.mu.RUnlock()
	var l live
	for _, r := range s.runs {
		if j.index.dead(r) {
			continue
		}
		l.bytes += r.bytes
		l.extents += int64(r.footer.n)
		l.runs = append(l.runs, r)
	}
	return l
}

func (j *Journal) removeDead() error {
	removed := false
	for _, s := range j.sealedSegments() {
		if s.unusable || len(j.liveOf(s).runs) > 0 {
			continue
		}
		if err := j.unlink(s); err != nil {
			return err
		}
		removed = true
	}
	if !removed {
		return nil
	}
	return j.fs.SyncDir(j.dir)
}

// unlink takes a segment out of the index and removes its file. Reads under
// way finish on the open file.
func (j *Journal) unlink(s *segment) error {
	j.index.mu.Lock()
	for _, r := range s.runs {
		j.index.remove(r)
	}
	j.index.mu.Unlock()
	size, _ := s.file.Size()
	if err := j.discard(s); err != nil {
		j.leftovers = append(j.leftovers, s.path)
		return err
	}
	j.stats.reclaimed.Add(size)
	if f := j.opt.Observer.Reclaimed; f != nil {
		f(size)
	}
	return nil
}

// removeLeftovers tries again to remove files that could not be. No segment may
// be rewritten before: the footer that names such a file as replaced could go,
// and the file would come back at the next start.
func (j *Journal) removeLeftovers() error {
	for len(j.leftovers) > 0 {
		if err := j.fs.Remove(j.leftovers[0]); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		j.leftovers = j.leftovers[1:]
		if len(j.leftovers) == 0 {
			return j.fs.SyncDir(j.dir)
		}
	}
	return nil
}

// chooseGroup picks segments to rewrite into one: a sparse or fragmented one
// alone or with its like, small ones together.
func (j *Journal) chooseGroup() []*segment {
	var group []*segment
	room := j.opt.SegmentBytes - segmentHeaderBytes - trailerBytes
	worth := false
	for _, s := range j.sealedSegments() {
		if s.unusable || len(group) == mergeSegmentsMax {
			continue
		}
		l := j.liveOf(s)
		whole := s.end - segmentHeaderBytes
		sparse := float64(l.bytes) <= sparseShare*float64(whole)
		fragmented := !s.relocated && time.Since(s.sealedAt) >= j.opt.RelocateAfter && whole >= fragmentedBytesMin && l.bytes/max(l.extents, 1) <= fragmentBytesMax
		small := float64(whole) <= smallShare*float64(j.opt.SegmentBytes)
		if !sparse && !fragmented && !small {
			continue
		}
		need := l.bytes + l.extents*extentBytes + int64(len(l.runs))*(extentBytes+runBytes) + replacedBytes
		if need > room {
			continue
		}
		room -= need
		group = append(group, s)
		worth = worth || sparse || fragmented
	}
	if !worth && len(group) < 4 {
		return nil // a few small segments are not worth a rewrite
	}
	return group
}

// rewrite copies what lives in the group to a new segment, puts that in their
// place, and removes them.
func (j *Journal) rewrite(ctx context.Context, group []*segment) error {
	w := relocation{j: j, ctx: ctx, old: make(map[*run]bool), began: time.Now()}
	var need int64
	for _, s := range group {
		l := j.liveOf(s)
		w.runs = append(w.runs, l.runs...)
		w.replaced = append(w.replaced, s.id)
		need += l.bytes + l.extents*extentBytes + int64(len(l.runs))*(extentBytes+runBytes) + replacedBytes
		for _, r := range s.runs {
			w.old[r] = true
		}
	}
	fresh, err := j.newSegment(temporarySuffix, flagRelocated, need+segmentHeaderBytes+trailerBytes)
	if err != nil {
		return noSpace(err)
	}
	w.to = fresh
	if err := w.copyAll(); err != nil {
		fresh.file.Close()
		j.fs.Remove(fresh.path)
		var bad *unusableError
		if errors.As(err, &bad) {
			bad.seg.unusable = true
			j.damage.report(bad.finding)
			return nil
		}
		return err
	}
	if err := w.install(); err != nil {
		return j.fail(err)
	}
	var failed error
	for _, s := range group {
		if err := j.unlink(s); err != nil {
			failed = err // the others go all the same: none is in the index any more
		}
	}
	if failed != nil {
		return failed
	}
	if f := j.opt.Observer.Relocated; f != nil {
		f(len(group), w.written)
	}
	j.stats.relocated.Add(w.written)
	return j.fs.SyncDir(j.dir)
}

// unusableError says that a segment has a damaged header inside and must stay
// as it is.
type unusableError struct {
	seg     *segment
	finding Finding
}

func (e *unusableError) Error() string { return e.finding.String() }

func unusable(r *run, pos int64, problem error) error {
	return &unusableError{r.seg, Finding{
		File: r.seg.path, Position: pos, Stream: r.stream, Base: r.base, Last: r.last, Problem: problem.Error(),
	}}
}

// relocation copies runs into a new segment.
type relocation struct {
	j        *Journal
	ctx      context.Context
	to       *segment
	runs     []*run // to copy
	old      map[*run]bool
	replaced []SegmentID
	fresh    []*run
	buf      []byte // frames not yet written, which begin at flushed
	flushed  int64
	written  int64
	began    time.Time
}

func (w *relocation) copyAll() error {
	slices.SortFunc(w.runs, func(a, b *run) int {
		if a.stream != b.stream {
			return int(int64(a.stream) - int64(b.stream))
		}
		return int(a.base - b.base)
	})
	w.flushed = segmentHeaderBytes
	for _, r := range w.runs {
		extents, err := r.seg.readExtents(r.footer)
		if err != nil {
			return unusable(r, r.seg.frames, err)
		}
		for _, e := range extents {
			if err := w.copyExtent(r, e); err != nil {
				return err
			}
		}
	}
	if err := w.flush(); err != nil {
		return err
	}
	w.to.end = w.flushed
	footer, ranges := buildFooter(w.to.salt, w.to.end, w.fresh, w.replaced)
	for i, r := range w.fresh {
		r.footer, r.extents = ranges[i], nil
	}
	w.to.frames = w.to.end
	return w.to.writeFooter(footer)
}

// copyExtent copies an extent's live frames. A frame with a bad payload is
// copied as it is, so that it stays known as damaged.
func (w *relocation) copyExtent(r *run, e extent) error {
	if err := w.ctx.Err(); err != nil {
		return err
	}
	start, _ := w.j.Bounds(r.stream)
	if e.last() < start {
		return nil
	}
	b := make([]byte, e.length)
	if _, err := r.seg.file.ReadAt(b, int64(e.pos)); err != nil {
		return err
	}
	for pos := int64(0); pos < int64(len(b)); {
		var f frame
		ok := pos+frameHeaderBytes <= int64(len(b))
		if ok {
			f, ok = decodeFrame(b[pos:])
		}
		if !ok || f.stream != r.stream || pos+f.size() > int64(len(b)) {
			return unusable(r, int64(e.pos)+pos, errBadHeader)
		}
		if f.last() >= start {
			w.add(f, b[pos:pos+f.size()])
		}
		pos += f.size()
	}
	if len(w.buf) >= chunkBytesMax {
		return w.flush()
	}
	return nil
}

// add appends a frame to the output and to its run there.
func (w *relocation) add(f frame, b []byte) {
	pos := w.flushed + int64(len(w.buf))
	f.salt, f.commitStart = w.to.salt, segmentHeaderBytes
	at := len(w.buf)
	w.buf = append(w.buf, b...)
	f.encode(w.buf[at:])
	n := len(w.fresh)
	if n == 0 || w.fresh[n-1].stream != f.stream || w.fresh[n-1].last+1 != f.base {
		w.fresh = append(w.fresh, &run{seg: w.to, stream: f.stream, base: f.base, maxTimestamp: f.maxTimestamp})
		n++
	}
	r := w.fresh[n-1]
	r.last = f.last()
	r.maxTimestamp = max(r.maxTimestamp, f.maxTimestamp)
	r.bytes += f.size()
	if m := len(r.extents); m > 0 && int64(r.extents[m-1].length)+f.size() <= extentBytesMax {
		e := &r.extents[m-1]
		e.length += uint32(f.size())
		e.count += f.count
		e.maxTimestamp = max(e.maxTimestamp, f.maxTimestamp)
		return
	}
	r.extents = append(r.extents, extent{
		base: f.base, count: f.count, pos: uint32(pos), length: uint32(f.size()), maxTimestamp: f.maxTimestamp,
	})
}

func (w *relocation) flush() error {
	if len(w.buf) == 0 {
		return nil
	}
	if _, err := w.to.disk.WriteAt(w.buf, w.flushed); err != nil {
		return err
	}
	w.flushed += int64(len(w.buf))
	w.written += int64(len(w.buf))
	w.buf = w.buf[:0]
	return w.pace()
}

// pace keeps rewriting below its rate, so that it never starves appends.
func (w *relocation) pace() error {
	rate := w.j.opt.RelocateBytesPerSecond
	if rate <= 0 {
		return nil
	}
	ahead := time.Duration(float64(w.written)/float64(rate)*float64(time.Second)) - time.Since(w.began)
	if ahead <= 0 {
		return nil
	}
	t := time.NewTimer(ahead)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-w.ctx.Done():
		return w.ctx.Err()
	}
}

// install makes the new segment durable under its name and swaps it in. The
// footer names what it replaces, so that a crash before the old files are gone
// leaves no record twice.
func (w *relocation) install() error {
	j := w.j
	final := path.Join(j.dir, w.to.id.String())
	if err := j.fs.Rename(w.to.path, final); err != nil {
		return err
	}
	w.to.path = final
	if err := j.fs.SyncDir(j.dir); err != nil {
		return err
	}
	w.to.sealed.Store(true)
	w.to.runs = w.fresh
	j.list(w.to)
	j.index.mu.Lock()
	defer j.index.mu.Unlock()
	j.index.replace(w.old, w.fresh)
	return nil
}
