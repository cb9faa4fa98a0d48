package journal

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/narumq/naru/internal/vfs"
)

// found is a segment file at start-up.
type found struct {
	seg      *segment
	trailer  trailer
	runs     []runEntry
	replaced []SegmentID
	sealed   bool
	headless bool // sealed, but its header is damaged
}

// recover reads the directory: footers of sealed segments, the frames of the
// others. Those are then sealed, so that nothing half-written stays.
func (j *Journal) recover() error {
	files, err := j.findSegments()
	if err != nil {
		return err
	}
	files, err = j.removeReplaced(files)
	if err != nil {
		return err
	}
	for _, f := range files {
		j.list(f.seg) // whatever fails from here on, they are closed
	}
	last := lastWritten(files)
	for i := range files {
		f := &files[i]
		if f.sealed {
			if err := j.mendHeader(f); err != nil {
				return err
			}
			j.indexSealed(f)
			continue
		}
		if err := j.recoverOpen(f, i < last || f.seg.relocated); err != nil {
			return fmt.Errorf("recover %s: %w", f.seg.path, err)
		}
	}
	return j.fs.SyncDir(j.dir)
}

// findSegments opens every segment file, in order of their numbers, and
// removes what a crash left half-made.
func (j *Journal) findSegments() (files []found, err error) {
	names, err := j.fs.List(j.dir)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			closeFound(files)
		}
	}()
	for _, name := range names {
		if strings.HasSuffix(name, temporarySuffix) {
			if err := j.fs.Remove(path.Join(j.dir, name)); err != nil {
				return files, err
			}
			continue
		}
		id, ok := parseSegmentName(name)
		if !ok {
			continue
		}
		j.nextID.Store(max(j.nextID.Load(), uint64(id)))
		f, err := openFound(j.fs, path.Join(j.dir, name), id)
		if err != nil {
			return files, err
		}
		for _, r := range f.replaced {
			j.nextID.Store(max(j.nextID.Load(), uint64(r)))
		}
		files = append(files, f)
	}
	slices.SortFunc(files, func(a, b found) int { return int(int64(a.seg.id) - int64(b.seg.id)) })
	return files, nil
}

func closeFound(files []found) {
	for _, f := range files {
		f.seg.release()
	}
}

func parseSegmentName(name string) (SegmentID, bool) {
	hex, ok := strings.CutSuffix(name, segmentSuffix)
	if !ok || len(hex) != 16 {
		return 0, false
	}
	n, err := strconv.ParseUint(hex, 16, 64)
	return SegmentID(n), err == nil
}

// openFound reads the header and, if there is one, the footer. A damaged
// header leaves salt 0; the scan then takes the salt of the first frame.
func openFound(fs vfs.FS, p string, id SegmentID) (f found, err error) {
	file, err := fs.Open(p)
	if err != nil {
		return f, err
	}
	size, err := file.Size()
	if err != nil {
		file.Close()
		return f, err
	}
	s := &segment{id: id, fs: fs, file: file, disk: file, path: p, capacity: size, end: segmentHeaderBytes}
	s.refs.Store(1)
	f.seg = s
	b := make([]byte, segmentHeaderBytes)
	if size >= segmentHeaderBytes {
		if _, err := file.ReadAt(b, 0); err != nil {
			return f, closing(file, err)
		}
	}
	h, ok, err := decodeSegmentHeader(b)
	if err != nil {
		return f, closing(file, fmt.Errorf("%s: %w", p, err))
	}
	s.salt, s.relocated = h.salt, h.flags&flagRelocated != 0
	f.trailer, f.runs, f.replaced, f.sealed, err = readFooter(file, h.salt)
	if err != nil {
		return f, closing(file, fmt.Errorf("%s: %w", p, err))
	}
	f.headless = f.sealed && !ok
	if f.headless { // the footer tells all that the header did
		s.salt, s.relocated = f.trailer.salt, len(f.replaced) > 0
	}
	s.newest = id
	if f.sealed && s.relocated && len(f.replaced) > 0 {
		s.newest = slices.Max(f.replaced)
	}
	if f.sealed {
		s.end, s.frames = f.trailer.dataEnd, f.trailer.dataEnd
		s.sealed.Store(true)
	}
	return f, nil
}

func closing(file vfs.File, err error) error {
	file.Close()
	return err
}

// removeReplaced removes the segments that a relocation rewrote, if the
// process ended before it could.
func (j *Journal) removeReplaced(files []found) ([]found, error) {
	replaced := make(map[SegmentID]bool)
	for _, f := range files {
		for _, id := range f.replaced {
			replaced[id] = true
		}
	}
	var kept []found
	for i, f := range files {
		if !replaced[f.seg.id] {
			kept = append(kept, f)
			continue
		}
		f.seg.release()
		if err := j.fs.Remove(f.seg.path); err != nil {
			closeFound(kept)
			closeFound(files[i+1:])
			return nil, err
		}
	}
	return kept, nil
}

// lastWritten returns the place of the newest segment that commits went to:
// only there can a torn tail be. Segments before it were whole when the next
// was begun.
func lastWritten(files []found) int {
	for i := len(files) - 1; i >= 0; i-- {
		if files[i].seg.relocated {
			continue
		}
		if files[i].sealed {
			return i
		}
		if ok, err := hasFrame(files[i].seg); ok || err != nil {
			return i
		}
	}
	return -1
}

func hasFrame(s *segment) (bool, error) {
	if s.capacity < segmentHeaderBytes+frameHeaderBytes {
		return false, nil
	}
	b := make([]byte, frameHeaderBytes)
	if _, err := s.file.ReadAt(b, segmentHeaderBytes); err != nil {
		return false, err
	}
	f, ok := decodeFrame(b)
	return ok && (s.salt == 0 || f.salt == s.salt), nil
}

// mendHeader writes the header of a sealed segment anew if it is damaged.
func (j *Journal) mendHeader(f *found) error {
	if !f.headless {
		return nil
	}
	s := f.seg
	j.damage.report(headerFinding(s))
	h := segmentHeader{id: s.id, salt: s.salt}
	if s.relocated {
		h.flags |= flagRelocated
	}
	if _, err := s.disk.WriteAt(h.encode(), 0); err != nil {
		return err
	}
	return s.disk.Sync()
}

func (j *Journal) indexSealed(f *found) {
	j.index.mu.Lock()
	defer j.index.mu.Unlock()
	for _, r := range f.runs {
		if r := j.index.addSealed(f.seg, r); r != nil {
			f.seg.runs = append(f.seg.runs, r)
		}
	}
}

// recoverOpen scans a segment without a footer and seals it. mustBeWhole says
// that a later segment was begun, so that a bad frame here is damage.
func (j *Journal) recoverOpen(f *found, mustBeWhole bool) error {
	s, headerSound := f.seg, f.seg.salt != 0
	j.index.mu.Lock()
	end, findings, err := scan(s, mustBeWhole, func(fr *frame, pos int64, _ []byte) {
		j.index.add(s, fr, pos)
	})
	j.index.mu.Unlock()
	if err != nil {
		return err
	}
	for _, finding := range findings {
		j.damage.report(finding)
		s.unusable = true
	}
	s.end = end
	if end == segmentHeaderBytes {
		if len(findings) == 0 {
			return j.discard(s)
		}
		return nil // nothing to read in it; it stays for whoever looks
	}
	if !headerSound {
		// The name and the frames tell all that the header did.
		if _, err := s.disk.WriteAt(segmentHeader{id: s.id, salt: s.salt}.encode(), 0); err != nil {
			return err
		}
	}
	return j.cut(s)
}

// cut ends a recovered segment behind its last sound frame, for good.
func (j *Journal) cut(s *segment) error {
	if err := s.disk.Truncate(s.end); err != nil {
		return err
	}
	if err := s.disk.Sync(); err != nil {
		return err
	}
	s.capacity = s.end
	if err := j.seal(s); err != nil {
		return noSpaceIsFine(firstError(err, s.disk.Truncate(s.end))) // no half footer
	}
	return nil
}

// noSpaceIsFine: without its footer a segment is scanned again at the next
// start, which costs time and nothing else.
func noSpaceIsFine(err error) error {
	if err != nil && isDiskFull(err) {
		return nil
	}
	return err
}
