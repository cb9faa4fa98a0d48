package journal

import (
	"fmt"
	"path"

	"github.com/narumq/naru/internal/record"
	"github.com/narumq/naru/internal/vfs"
)

// CheckSummary counts what Check read.
type CheckSummary struct {
	Segments int
	Sealed   int
	Frames   int64
	Records  int64 // offsets that the frames span
	Bytes    int64 // of frames
	Streams  int
	Findings int
	TornTail int64 // bytes behind the last whole frame of the newest segment
}

// Check reads every byte of a data directory that no process has open, changes
// nothing, and reports what is wrong. ErrVersion and I/O errors end it.
//
// It does not look for missing records: without the catalog, records that are
// gone and records that were deleted look alike. CheckLive does.
func Check(fs vfs.FS, dir string, report func(Finding)) (CheckSummary, error) {
	return CheckLive(fs, dir, nil, report)
}

// CheckLive is Check with what the catalog knows: live is Options.Live. Records
// from a stream's log start on that no segment has are reported as well.
func CheckLive(fs vfs.FS, dir string, live func(StreamID) (record.Offset, bool), report func(Finding)) (sum CheckSummary, err error) {
	names, err := fs.List(dir)
	if err != nil {
		return sum, err
	}
	var files []found
	defer func() { closeFound(files) }()
	for _, name := range names {
		id, ok := parseSegmentName(name)
		if !ok {
			continue
		}
		f, err := openFound(fs, path.Join(dir, name), id)
		if err != nil {
			return sum, err
		}
		files = append(files, f)
	}
	c := checker{dir: dir, sum: &sum, report: report, live: live, streams: make(map[StreamID][]span)}
	last := lastWritten(files)
	for i := range files {
		if err := c.segment(&files[i], i < last || files[i].seg.relocated); err != nil {
			return sum, err
		}
	}
	c.continuity()
	return sum, nil
}

// span is a piece of a stream that was found whole.
type span struct{ base, last record.Offset }

type checker struct {
	dir     string
	sum     *CheckSummary
	report  func(Finding)
	live    func(StreamID) (record.Offset, bool) // nil: unknown
	streams map[StreamID][]span
}

func (c *checker) find(f Finding) {
	c.sum.Findings++
	c.report(f)
}

// segment scans a file as recovery would, whether or not it has a footer, and
// then compares the footer.
func (c *checker) segment(f *found, mustBeWhole bool) error {
	s := f.seg
	c.sum.Segments++
	whole := s.capacity
	if f.sealed {
		c.sum.Sealed++
		if f.headless {
			c.find(headerFinding(s))
		}
		s.capacity, mustBeWhole = f.trailer.dataEnd, true
	}
	frames := make(map[StreamID]int64)
	end, findings, err := scan(s, mustBeWhole, func(fr *frame, _ int64, _ []byte) {
		c.sum.Frames++
		c.sum.Records += int64(fr.count)
		c.sum.Bytes += fr.size()
		frames[fr.stream] += fr.size()
		c.add(fr)
	})
	if err != nil {
		return err
	}
	for _, finding := range findings {
		c.find(finding)
	}
	if !f.sealed {
		if !mustBeWhole {
			c.sum.TornTail += tornBytes(s, end, whole)
		}
		return nil
	}
	c.footer(f, frames)
	return nil
}

// tornBytes counts what lies behind end up to the last byte that is not zero.
func tornBytes(s *segment, end, size int64) int64 {
	b := make([]byte, max(0, size-end))
	n, _ := s.file.ReadAt(b, end)
	for n > 0 && b[n-1] == 0 {
		n--
	}
	return int64(n)
}

func (c *checker) add(f *frame) {
	spans := c.streams[f.stream]
	if n := len(spans); n > 0 && spans[n-1].last+1 == f.base {
		spans[n-1].last = f.last()
		return
	}
	c.streams[f.stream] = append(spans, span{f.base, f.last()})
}

// footer checks that the footer lists what the scan found.
func (c *checker) footer(f *found, frames map[StreamID]int64) {
	listed := make(map[StreamID]int64)
	for _, r := range f.runs {
		listed[r.stream] += r.bytes
		if _, err := f.seg.readExtents(footerRange{r.first, r.n, r.extentsCRC}); err != nil {
			c.find(Finding{File: f.seg.path, Position: f.trailer.dataEnd, Stream: r.stream, Base: r.base, Last: r.last, Problem: err.Error()})
		}
	}
	for id, n := range listed {
		if frames[id] != n {
			c.find(Finding{File: f.seg.path, Position: f.trailer.dataEnd, Stream: id, Base: -1, Last: -1,
				Problem: fmt.Sprintf("the footer lists %d bytes of stream %d, the frames hold %d", n, id, frames[id])})
		}
	}
}

// continuity looks for gaps within what is live of each stream. Spans may
// overlap: what a relocation replaced may still be there beside its copy, and
// recovery removes it.
func (c *checker) continuity() {
	c.sum.Streams = len(c.streams)
	if c.live == nil {
		return
	}
	for id, spans := range c.streams {
		next, ok := c.live(id)
		if !ok {
			continue
		}
		sortSpans(spans)
		for _, s := range spans {
			if s.last < next {
				continue
			}
			if s.base > next {
				c.find(Finding{File: c.dir, Position: -1, Stream: id, Base: next, Last: s.base - 1, Problem: "records are missing"})
			}
			next = s.last + 1
		}
	}
}
