package journal

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/narumq/naru/internal/record"
	"github.com/narumq/naru/internal/vfs"
)

func isDiskFull(err error) bool { return errors.Is(err, vfs.ErrNoSpace) }

// scan walks the frames of a segment that has no footer, and returns where
// they end. A bad frame with proof behind it that it was once durable is
// damage: it is reported and stepped over. A frame whose payload alone is bad
// is given to each all the same, so that its offsets stay taken; reading it
// fails by its checksum.
//
// If the segment's header was damaged, its salt is that of the first frame.
func scan(s *segment, mustBeWhole bool, each func(f *frame, pos int64, payload []byte)) (end int64, findings []Finding, err error) {
	b, err := readWhole(s)
	if err != nil {
		return 0, nil, err
	}
	if s.salt == 0 {
		if allZero(b) {
			return segmentHeaderBytes, nil, nil // a crash came before its header did
		}
		findings = append(findings, headerFinding(s))
	}
	c := scanner{b: b, salt: s.salt, mustBeWhole: mustBeWhole}
	defer func() { s.salt = c.salt }()
	pos := int64(segmentHeaderBytes)
	for {
		f, sound, ok := c.frameAt(pos)
		if ok && !sound && !c.durable(pos, pos+f.size()) {
			return pos, findings, nil // the last commit, torn
		}
		if !ok {
			next, durable := c.resync(pos)
			if !durable || next >= c.size() && c.tornFooter(pos) {
				return pos, findings, nil
			}
			findings = append(findings, Finding{File: s.path, Position: pos, Bytes: next - pos, Base: -1, Last: -1,
				Problem: "frames that were once durable are unreadable"})
			if next >= c.size() {
				return c.size(), findings, nil // keep the bytes for whoever looks
			}
			pos = next
			continue
		}
		if !sound {
			findings = append(findings, Finding{File: s.path, Position: pos, Bytes: f.size(), Stream: f.stream,
				Base: f.base, Last: f.last(), Problem: "payload does not match its checksum"})
		}
		each(&f, pos, b[pos+frameHeaderBytes:pos+frameHeaderBytes+int64(f.length)])
		pos += f.size()
	}
}

func headerFinding(s *segment) Finding {
	return Finding{File: s.path, Position: 0, Bytes: min(s.capacity, segmentHeaderBytes), Base: -1, Last: -1,
		Problem: "segment header does not match its checksum"}
}

// readWhole reads a segment; they are at most SegmentBytesMax long and this is
// done for one at a time, at start.
func readWhole(s *segment) ([]byte, error) {
	b := make([]byte, s.capacity)
	n, err := s.file.ReadAt(b, 0)
	if err != nil && !(err == io.EOF && n == len(b)) {
		return nil, fmt.Errorf("read %s: %w", s.path, err)
	}
	return b, nil
}

// scanner finds frames in the bytes of a segment.
type scanner struct {
	b           []byte
	salt        uint32 // 0: that of the first frame found
	mustBeWhole bool
	evidence    int64 // greatest commit start known behind resync's position
	searched    int64 // resync has looked at everything from here on
}

func (c *scanner) size() int64 { return int64(len(c.b)) }

// frameAt decodes the frame at pos. ok: its header is sound and it lies inside
// the segment; sound: its payload is, too.
func (c *scanner) frameAt(pos int64) (f frame, sound, ok bool) {
	if pos+frameHeaderBytes > c.size() {
		return f, false, false
	}
	f, ok = decodeFrame(c.b[pos:])
	if !ok || c.salt != 0 && f.salt != c.salt || pos+f.size() > c.size() || f.count == 0 || int64(f.commitStart) > pos {
		return f, false, false
	}
	if c.salt == 0 {
		c.salt = f.salt
	}
	payload := c.b[pos+frameHeaderBytes : pos+frameHeaderBytes+int64(f.length)]
	return f, checksum(payload) == f.payloadCRC, true
}

// durable tells whether some commit began at or behind `after`, which proves
// that a frame at pos before it was durable.
func (c *scanner) durable(pos, after int64) bool {
	if c.mustBeWhole {
		return true
	}
	c.search(after)
	return c.evidence > pos
}

// resync returns the position of the first sound frame behind a bad one at
// pos, and whether what is at pos was once durable. With mustBeWhole and no
// further frame, zeros to the end are a clean end.
func (c *scanner) resync(pos int64) (next int64, durable bool) {
	for next = pos + frameAlign; next+frameHeaderBytes <= c.size(); next += frameAlign {
		if _, sound, ok := c.frameAt(next); ok && sound {
			return next, c.durable(pos, next)
		}
	}
	if !c.mustBeWhole {
		return c.size(), false
	}
	return c.size(), !allZero(c.b[min(pos, c.size()):])
}

func allZero(b []byte) bool {
	for _, x := range b {
		if x != 0 {
			return false
		}
	}
	return true
}

// tornUnit is what a disk writes whole or not at all; see package vfs.
const tornUnit = 512

// paddedPart is n bytes of b from `from` on, with zeros behind its end.
func paddedPart(b []byte, from, n int64) []byte {
	part := make([]byte, n)
	if from < int64(len(b)) {
		copy(part, b[from:])
	}
	return part
}

// tornFooter tells whether what lies behind the last frame is a footer that a
// crash kept from being written whole: each unit of it is that of the footer
// that the frames ask for, or still zero. A footer follows from the frames alone, so
// that the damaged last frame of a full segment is not taken for one.
func (c *scanner) tornFooter(end int64) bool {
	s := &segment{salt: c.salt}
	dead := newIndex(func(StreamID) (record.Offset, bool) { return 0, false })
	for pos := int64(segmentHeaderBytes); pos < end; {
		f, _, ok := c.frameAt(pos)
		if !ok {
			pos += frameAlign
			continue
		}
		dead.add(s, &f, pos)
		pos += f.size()
	}
	want, _ := buildFooter(c.salt, end, s.runs, nil)
	body := want[:len(want)-trailerBytes] // which is written first
	for pos := end; pos < c.size(); {
		next := min(c.size(), (pos/tornUnit+1)*tornUnit)
		got := c.b[pos:next]
		if !allZero(got) && !bytes.Equal(got, paddedPart(want, pos-end, next-pos)) &&
			!bytes.Equal(got, paddedPart(body, pos-end, next-pos)) {
			return false
		}
		pos = next
	}
	return true
}

// search notes the greatest commit start among the sound frames from pos on.
func (c *scanner) search(pos int64) {
	if c.searched != 0 && c.searched <= pos {
		return
	}
	c.searched = pos
	for pos+frameHeaderBytes <= c.size() {
		f, sound, ok := c.frameAt(pos)
		if !ok || !sound {
			pos += frameAlign
			continue
		}
		c.evidence = max(c.evidence, int64(f.commitStart))
		pos += f.size()
	}
}
