package journal

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"github.com/narumq/naru/internal/record"
)

// On disk: never renumber, never reorder.
const (
	segmentSuffix   = ".seg"
	temporarySuffix = ".tmp"

	formatVersion = 1
	frameVersion  = 1

	segmentHeaderBytes = 64
	frameHeaderBytes   = 56
	frameAlign         = 8

	extentBytes   = 32
	runBytes      = 56
	replacedBytes = 8
	trailerBytes  = 64

	flagRelocated = 1
)

var (
	segmentMagic = [8]byte{'n', 'a', 'r', 'u', '.', 's', 'e', 'g'}
	trailerMagic = [8]byte{'n', 'a', 'r', 'u', '.', 'e', 'n', 'd'}

	castagnoli = crc32.MakeTable(crc32.Castagnoli)
	le         = binary.LittleEndian
)

func checksum(b []byte) uint32 { return crc32.Checksum(b, castagnoli) }

// segmentHeader is the first 64 bytes of a segment.
//
//	0  8  "naru.seg"      16  8  segment id
//	8  2  version         24 36  zero
//	10 2  flags           60  4  CRC32C of bytes 0..59
//	12 4  salt
type segmentHeader struct {
	id    SegmentID
	salt  uint32
	flags uint16
}

func (h segmentHeader) encode() []byte {
	b := make([]byte, segmentHeaderBytes)
	copy(b, segmentMagic[:])
	le.PutUint16(b[8:], formatVersion)
	le.PutUint16(b[10:], h.flags)
	le.PutUint32(b[12:], h.salt)
	le.PutUint64(b[16:], uint64(h.id))
	le.PutUint32(b[60:], checksum(b[:60]))
	return b
}

// decodeSegmentHeader tells a header that is damaged (ok false) from one that
// is sound but of another version (an error).
func decodeSegmentHeader(b []byte) (h segmentHeader, ok bool, err error) {
	if len(b) < segmentHeaderBytes || [8]byte(b[:8]) != segmentMagic || le.Uint32(b[60:]) != checksum(b[:60]) {
		return h, false, nil
	}
	if v := le.Uint16(b[8:]); v != formatVersion {
		return h, true, fmt.Errorf("%w: segment version %d, this program reads %d", ErrVersion, v, formatVersion)
	}
	h.flags = le.Uint16(b[10:])
	h.salt = le.Uint32(b[12:])
	h.id = SegmentID(le.Uint64(b[16:]))
	return h, true, nil
}

// frame is a decoded frame header.
type frame struct {
	payloadCRC   uint32
	length       uint32
	commitStart  uint32
	stream       StreamID
	base         record.Offset
	count        uint32
	salt         uint32
	maxTimestamp int64
}

func (f *frame) last() record.Offset { return f.base + record.Offset(f.count) - 1 }

// size is the frame's whole length on disk.
func (f *frame) size() int64 { return frameSize(int(f.length)) }

func frameSize(payload int) int64 {
	return int64(frameHeaderBytes+payload+frameAlign-1) &^ (frameAlign - 1)
}

func (f *frame) encode(b []byte) {
	_ = b[frameHeaderBytes-1]
	le.PutUint32(b[4:], f.payloadCRC)
	le.PutUint32(b[8:], f.length)
	le.PutUint32(b[12:], f.commitStart)
	le.PutUint64(b[16:], uint64(f.stream))
	le.PutUint64(b[24:], uint64(f.base))
	le.PutUint32(b[32:], f.count)
	le.PutUint32(b[36:], f.salt)
	le.PutUint64(b[40:], uint64(f.maxTimestamp))
	le.PutUint64(b[48:], frameVersion)
	le.PutUint32(b, checksum(b[4:frameHeaderBytes]))
}

// decodeFrame reads a header and checks its checksum; b must hold the header.
func decodeFrame(b []byte) (f frame, ok bool) {
	if le.Uint32(b) != checksum(b[4:frameHeaderBytes]) || b[48] != frameVersion {
		return f, false
	}
	return readFrame(b), true
}

// readFrame reads a header that is known to be sound.
func readFrame(b []byte) frame {
	return frame{
		payloadCRC:   le.Uint32(b[4:]),
		length:       le.Uint32(b[8:]),
		commitStart:  le.Uint32(b[12:]),
		stream:       StreamID(le.Uint64(b[16:])),
		base:         record.Offset(le.Uint64(b[24:])),
		count:        le.Uint32(b[32:]),
		salt:         le.Uint32(b[36:]),
		maxTimestamp: int64(le.Uint64(b[40:])),
	}
}

// extent is a contiguous run of one stream's frames inside a segment, at most
// extentBytesMax long unless a single frame is longer.
//
//	0  8  base offset      20  4  reserved
//	8  4  offsets spanned  24  8  greatest timestamp
//	12 4  position         (32 bytes)
//	16 4  length
type extent struct {
	base         record.Offset
	count        uint32
	pos, length  uint32
	maxTimestamp int64
}

func (e *extent) last() record.Offset { return e.base + record.Offset(e.count) - 1 }
func (e *extent) end() int64          { return int64(e.pos) + int64(e.length) }

func (e *extent) encode(b []byte) {
	le.PutUint64(b, uint64(e.base))
	le.PutUint32(b[8:], e.count)
	le.PutUint32(b[12:], e.pos)
	le.PutUint32(b[16:], e.length)
	le.PutUint32(b[20:], 0)
	le.PutUint64(b[24:], uint64(e.maxTimestamp))
}

func decodeExtent(b []byte) extent {
	return extent{
		base:         record.Offset(le.Uint64(b)),
		count:        le.Uint32(b[8:]),
		pos:          le.Uint32(b[12:]),
		length:       le.Uint32(b[16:]),
		maxTimestamp: int64(le.Uint64(b[24:])),
	}
}

// runEntry is a run as the footer lists it.
//
//	0  8  stream        32  8  bytes on disk
//	8  8  base offset   40  4  index of its first extent
//	16 8  last offset   44  4  number of extents
//	24 8  max timestamp 48  4  CRC32C of its extents
//	                    52  4  zero
type runEntry struct {
	stream       StreamID
	base, last   record.Offset
	maxTimestamp int64
	bytes        int64
	first, n     uint32
	extentsCRC   uint32
}

func (r *runEntry) encode(b []byte) {
	le.PutUint64(b, uint64(r.stream))
	le.PutUint64(b[8:], uint64(r.base))
	le.PutUint64(b[16:], uint64(r.last))
	le.PutUint64(b[24:], uint64(r.maxTimestamp))
	le.PutUint64(b[32:], uint64(r.bytes))
	le.PutUint32(b[40:], r.first)
	le.PutUint32(b[44:], r.n)
	le.PutUint32(b[48:], r.extentsCRC)
	le.PutUint32(b[52:], 0)
}

func decodeRun(b []byte) runEntry {
	return runEntry{
		stream:       StreamID(le.Uint64(b)),
		base:         record.Offset(le.Uint64(b[8:])),
		last:         record.Offset(le.Uint64(b[16:])),
		maxTimestamp: int64(le.Uint64(b[24:])),
		bytes:        int64(le.Uint64(b[32:])),
		first:        le.Uint32(b[40:]),
		n:            le.Uint32(b[44:]),
		extentsCRC:   le.Uint32(b[48:]),
	}
}

// trailer is the last 64 bytes of a sealed segment. The footer before it is
// the extents, then the runs, then the ids of the segments that this one
// replaces.
//
//	0  8  "naru.end"      32  4  runs
//	8  2  version         36  4  replaced segments
//	10 2  zero            40  4  CRC32C of runs and replaced
//	12 4  salt            44 16  zero
//	16 8  end of frames   60  4  CRC32C of bytes 0..59
//	24 4  zero
//	28 4  extents
type trailer struct {
	salt                    uint32
	dataEnd                 int64
	extents, runs, replaced uint32
	tableCRC                uint32
}

func (t *trailer) encode(b []byte) {
	clear(b[:trailerBytes])
	copy(b, trailerMagic[:])
	le.PutUint16(b[8:], formatVersion)
	le.PutUint32(b[12:], t.salt)
	le.PutUint64(b[16:], uint64(t.dataEnd))
	le.PutUint32(b[28:], t.extents)
	le.PutUint32(b[32:], t.runs)
	le.PutUint32(b[36:], t.replaced)
	le.PutUint32(b[40:], t.tableCRC)
	le.PutUint32(b[60:], checksum(b[:60]))
}

func decodeTrailer(b []byte) (t trailer, ok bool, err error) {
	if len(b) < trailerBytes || [8]byte(b[:8]) != trailerMagic || le.Uint32(b[60:]) != checksum(b[:60]) {
		return t, false, nil
	}
	if v := le.Uint16(b[8:]); v != formatVersion {
		return t, true, fmt.Errorf("%w: footer version %d, this program reads %d", ErrVersion, v, formatVersion)
	}
	return trailer{
		salt:     le.Uint32(b[12:]),
		dataEnd:  int64(le.Uint64(b[16:])),
		extents:  le.Uint32(b[28:]),
		runs:     le.Uint32(b[32:]),
		replaced: le.Uint32(b[36:]),
		tableCRC: le.Uint32(b[40:]),
	}, true, nil
}

// footerBytes is the length of a footer with so many parts.
func (t *trailer) footerBytes() int64 {
	return int64(t.extents)*extentBytes + int64(t.runs)*runBytes + int64(t.replaced)*replacedBytes + trailerBytes
}
