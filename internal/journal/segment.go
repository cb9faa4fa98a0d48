package journal

import (
	"fmt"
	"io"
	"path"
	"sync"
	"sync/atomic"
	"time"

	"github.com/narumq/naru/internal/vfs"
)

// source is where the bytes of a segment are: a file, or an object.
type source interface {
	io.ReaderAt
	io.Closer
	Size() (int64, error)
}

// segment is one file, or one object. Runs and extents are guarded by index.mu.
type segment struct {
	id        SegmentID
	salt      uint32
	relocated bool
	newest    SegmentID // of those whose frames it holds; itself if not relocated
	file      source    // where to read
	disk      vfs.File  // where to write; nil for an object
	fs        vfs.FS
	path      string
	capacity  int64 // bytes preallocated

	end      int64 // one past the last frame; the committer's until sealed
	held     int64 // of an object: bytes of the slot's frames when it was made
	live     int64 // of an object, while whoever is in tidying counts: those of them that are live; else 0
	sealed   atomic.Bool
	sealedAt time.Time // zero if it was so before the journal was opened
	frames   int64     // position of the footer; 0 until sealed

	zeroing sync.Mutex
	taken   bool // guarded by zeroing: commits go here, so no zero may

	runs    []*run            // of a file; those of an object only streams have, so that dead ones go
	dead    map[StreamID]*run // the last run of each stream that no longer exists
	extents int               // in memory, over all runs

	// refs counts the index (1 while the segment is listed) and each read
	// under way; at zero the file is closed.
	refs     atomic.Int64
	unusable bool // a damaged header inside: not to be relocated
}

// createSegment makes a preallocated file under its final name. It is not
// durable until the first commit in it has been synced; see standby.
func createSegment(fs vfs.FS, dir, name string, h segmentHeader, capacity int64) (*segment, error) {
	p := path.Join(dir, name)
	file, err := fs.Create(p)
	if err != nil {
		return nil, err
	}
	s := &segment{
		id: h.id, salt: h.salt, relocated: h.flags&flagRelocated != 0,
		file: file, disk: file, fs: fs, path: p, capacity: capacity, end: segmentHeaderBytes,
	}
	s.refs.Store(1)
	if err := s.prepare(h); err != nil {
		file.Close()
		return nil, fmt.Errorf("create %s: %w", p, firstError(err, fs.Remove(p)))
	}
	return s, nil
}

func (s *segment) prepare(h segmentHeader) error {
	if err := s.disk.Allocate(s.capacity); err != nil {
		return err
	}
	if _, err := s.disk.WriteAt(h.encode(), 0); err != nil {
		return err
	}
	return s.disk.Sync()
}

// firstError keeps the error that came first; the second is of cleaning up.
func firstError(err, _ error) error { return err }

func (s *segment) acquire() { s.refs.Add(1) }

func (s *segment) release() {
	if s.refs.Add(-1) == 0 {
		s.file.Close()
	}
}

// footerRoom is what the footer needs if so many more entries come.
func (s *segment) footerRoom(more int) int64 {
	return int64(s.extents+more)*extentBytes + int64(len(s.runs)+more)*runBytes + trailerBytes
}

// readExtents loads r's extents from the footer.
func (s *segment) readExtents(r footerRange) ([]extent, error) {
	b := make([]byte, int(r.n)*extentBytes)
	pos := s.frames + int64(r.first)*extentBytes
	if _, err := s.file.ReadAt(b, pos); err != nil {
		return nil, fmt.Errorf("%s at byte %d: read footer: %w", s.path, pos, err)
	}
	if checksum(b) != r.crc {
		return nil, fmt.Errorf("%w: %s at byte %d: footer extents do not match their checksum", ErrDamaged, s.path, pos)
	}
	extents := make([]extent, r.n)
	for i := range extents {
		extents[i] = decodeExtent(b[i*extentBytes:])
		if e := &extents[i]; !e.within(s.frames) || i > 0 && e.base <= extents[i-1].last() {
			return nil, fmt.Errorf("%w: %s at byte %d: footer lists an impossible extent", ErrDamaged, s.path, pos+int64(i)*extentBytes)
		}
	}
	return extents, nil
}

// within tells whether the extent can lie between a header and dataEnd.
func (e *extent) within(dataEnd int64) bool {
	return e.pos >= segmentHeaderBytes && e.length >= frameHeaderBytes && e.end() <= dataEnd && e.count > 0 && e.base >= 0
}

// footer builds the bytes that follow the last frame. runs need not be sorted.
func buildFooter(salt uint32, dataEnd int64, runs []*run, replaced []SegmentID) ([]byte, []footerRange) {
	t := trailer{salt: salt, dataEnd: dataEnd, runs: uint32(len(runs)), replaced: uint32(len(replaced))}
	for _, r := range runs {
		t.extents += uint32(len(r.extents))
	}
	b := make([]byte, t.footerBytes())
	ranges := make([]footerRange, len(runs))
	pos, table := 0, int(t.extents)*extentBytes
	for i, r := range runs {
		from := pos
		for j := range r.extents {
			r.extents[j].encode(b[pos:])
			pos += extentBytes
		}
		ranges[i] = footerRange{first: uint32(from / extentBytes), n: uint32(len(r.extents)), crc: checksum(b[from:pos])}
		e := runEntry{
			stream: r.stream, base: r.base, last: r.last, maxTimestamp: r.maxTimestamp, bytes: r.bytes,
			first: ranges[i].first, n: ranges[i].n, extentsCRC: ranges[i].crc,
		}
		e.encode(b[table+i*runBytes:])
	}
	at := table + len(runs)*runBytes
	for i, id := range replaced {
		le.PutUint64(b[at+i*replacedBytes:], uint64(id))
	}
	end := at + len(replaced)*replacedBytes
	t.tableCRC = checksum(b[table:end])
	t.encode(b[end:])
	return b, ranges
}

// readFooter returns the table of a sealed segment; ok is false when there is
// no sound footer, so that the segment must be scanned. A salt of 0 is that of
// a damaged header: the footer's own then counts.
func readFooter(file source, salt uint32) (t trailer, runs []runEntry, replaced []SegmentID, ok bool, err error) {
	size, err := file.Size()
	if err != nil || size < segmentHeaderBytes+trailerBytes {
		return t, nil, nil, false, err
	}
	b := make([]byte, trailerBytes)
	if _, err := file.ReadAt(b, size-trailerBytes); err != nil {
		return t, nil, nil, false, err
	}
	t, ok, err = decodeTrailer(b)
	if err != nil || !ok || salt != 0 && t.salt != salt {
		return t, nil, nil, false, err
	}
	if t.dataEnd < segmentHeaderBytes || t.dataEnd > size || t.dataEnd+t.footerBytes() != size {
		return t, nil, nil, false, nil
	}
	table := make([]byte, int(t.runs)*runBytes+int(t.replaced)*replacedBytes)
	if _, err := file.ReadAt(table, t.dataEnd+int64(t.extents)*extentBytes); err != nil {
		return t, nil, nil, false, err
	}
	if checksum(table) != t.tableCRC {
		return t, nil, nil, false, nil
	}
	runs = make([]runEntry, t.runs)
	room := t.dataEnd - segmentHeaderBytes
	for i := range runs {
		runs[i] = decodeRun(table[i*runBytes:])
		r := &runs[i]
		if r.base < 0 || r.last < r.base || r.n == 0 || uint64(r.first)+uint64(r.n) > uint64(t.extents) || r.bytes < 0 || r.bytes > room {
			return t, nil, nil, false, nil
		}
		room -= r.bytes
	}
	for i := range int(t.replaced) {
		replaced = append(replaced, SegmentID(le.Uint64(table[int(t.runs)*runBytes+i*replacedBytes:])))
	}
	return t, runs, replaced, true, nil
}
