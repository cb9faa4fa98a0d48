package kafka

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// ErrTooLong is wrapped by a Writer's error: a string, an array or the frame is longer than its length field can say.
var ErrTooLong = errors.New("too long for the Kafka protocol")

// pieceBytesMin is the length from which a piece of records is passed on rather than copied: below it, a copy is
// cheaper than one more entry in writev.
const pieceBytesMin = 4 << 10

// Writer builds one frame as a list of buffers for writev. Small things are copied into its own buffer, large pieces of
// records are referred to: they must not change until the frame was sent. The zero Writer is ready; Reset makes it
// ready again and keeps its memory.
//
//	buf   [size | header | body … | … body … | … ]
//	cuts                          ^piece     ^piece, piece
type Writer struct {
	buf  []byte
	cuts []cut
	held int // bytes in pieces
	out  [][]byte
	err  error
}

// cut says that piece comes after the first at bytes of buf.
type cut struct {
	at    int
	piece []byte
}

// Reset forgets the frame and any error.
func (w *Writer) Reset() {
	clear(w.cuts) // let go of the records
	clear(w.out)
	w.buf, w.cuts, w.out, w.held, w.err = w.buf[:0], w.cuts[:0], w.out[:0], 0, nil
}

// Len returns the length of all that was written.
func (w *Writer) Len() int { return len(w.buf) + w.held }

// Err returns the first error, which wraps ErrTooLong, or nil. After an error the frame must not be sent.
func (w *Writer) Err() error { return w.err }

// Buffers returns all that was written, in order, without copying. It stays valid until the next write or Reset; the
// list, not the bytes, may be changed by the caller, as net.Buffers.WriteTo does.
func (w *Writer) Buffers() [][]byte {
	out, from := w.out[:0], 0
	for _, c := range w.cuts {
		if c.at > from {
			out = append(out, w.buf[from:c.at:c.at])
			from = c.at
		}
		out = append(out, c.piece)
	}
	if from < len(w.buf) {
		out = append(out, w.buf[from:])
	}
	w.out = out
	return out
}

// AppendTo appends all that was written to b, for those who want one buffer.
func (w *Writer) AppendTo(b []byte) []byte {
	for _, p := range w.Buffers() {
		b = append(b, p...)
	}
	return b
}

// begin leaves room for the frame's size.
func (w *Writer) begin() {
	w.Reset()
	w.int32(0)
}

// finish writes the frame's size into its place.
func (w *Writer) finish() error {
	size := w.Len() - 4
	if size > math.MaxInt32 {
		w.fail("frame", size)
	}
	binary.BigEndian.PutUint32(w.buf, uint32(size))
	return w.err
}

func (w *Writer) fail(what string, n int) {
	if w.err == nil {
		w.err = fmt.Errorf("%w: %s of %d", ErrTooLong, what, n)
	}
}

func (w *Writer) bool(x bool) {
	if x {
		w.buf = append(w.buf, 1)
	} else {
		w.buf = append(w.buf, 0)
	}
}

func (w *Writer) int8(x int8)   { w.buf = append(w.buf, byte(x)) }
func (w *Writer) int16(x int16) { w.buf = binary.BigEndian.AppendUint16(w.buf, uint16(x)) }
func (w *Writer) int32(x int32) { w.buf = binary.BigEndian.AppendUint32(w.buf, uint32(x)) }
func (w *Writer) int64(x int64) { w.buf = binary.BigEndian.AppendUint64(w.buf, uint64(x)) }
func (w *Writer) uuid(x UUID)   { w.buf = append(w.buf, x[:]...) }

func (w *Writer) uvarint(x uint32) { w.buf = binary.AppendUvarint(w.buf, uint64(x)) }

// length writes the length of a string (wide: of bytes or of an array), -1 for null.
func (w *Writer) length(flex, wide bool, n int) {
	switch {
	case flex:
		if n >= math.MaxInt32 {
			w.fail("length", n)
		}
		w.uvarint(uint32(n + 1))
	case wide:
		if n > math.MaxInt32 {
			w.fail("length", n)
		}
		w.int32(int32(n))
	default:
		w.int16(int16(n))
	}
}

func (w *Writer) string(flex bool, s string) {
	// Also where the length is compact: readers, Kafka's and ours, refuse more.
	if len(s) > math.MaxInt16 {
		w.fail("string", len(s))
		s = ""
	}
	w.length(flex, false, len(s))
	w.buf = append(w.buf, s...)
}

// nullString writes nil as null, or as "" where null is not allowed.
func (w *Writer) nullString(flex, nullable bool, s *string) {
	switch {
	case s != nil:
		w.string(flex, *s)
	case nullable:
		w.length(flex, false, -1)
	default:
		w.length(flex, false, 0)
	}
}

// bytes writes nil as null, or as empty where null is not allowed.
func (w *Writer) bytes(flex, nullable bool, b []byte) {
	if b == nil && nullable {
		w.length(flex, true, -1)
		return
	}
	w.length(flex, true, len(b))
	w.buf = append(w.buf, b...)
}

func (w *Writer) records(flex, nullable bool, b []byte) {
	if b == nil && nullable {
		w.length(flex, true, -1)
		return
	}
	w.length(flex, true, len(b))
	w.piece(b)
}

func (w *Writer) pieces(flex, nullable bool, p Pieces) {
	if p == nil && nullable {
		w.length(flex, true, -1)
		return
	}
	w.length(flex, true, p.Bytes())
	for _, b := range p {
		w.piece(b)
	}
}

func (w *Writer) piece(b []byte) {
	if len(b) < pieceBytesMin {
		w.buf = append(w.buf, b...)
		return
	}
	w.cuts = append(w.cuts, cut{at: len(w.buf), piece: b})
	w.held += len(b)
}

// arrayLen writes an array's count; null says that the array is nil and may be.
func (w *Writer) arrayLen(flex, null bool, n int) {
	if null {
		n = -1
	}
	w.length(flex, true, n)
}

func (w *Writer) int32s(flex, nullable bool, a []int32) {
	w.arrayLen(flex, nullable && a == nil, len(a))
	for _, x := range a {
		w.int32(x)
	}
}

func (w *Writer) strings(flex, nullable bool, a []string) {
	w.arrayLen(flex, nullable && a == nil, len(a))
	for _, s := range a {
		w.string(flex, s)
	}
}

// present writes the byte that goes before a nullable struct.
func (w *Writer) present(yes bool) {
	if yes {
		w.int8(1)
	} else {
		w.int8(-1)
	}
}

// tags writes the count of the tagged fields that follow.
func (w *Writer) tags(set ...bool) {
	n := uint32(0)
	for _, s := range set {
		if s {
			n++
		}
	}
	w.uvarint(n)
}

// openTag writes a tag and returns where its content begins, for closeTag.
func (w *Writer) openTag(id uint32) int {
	w.uvarint(id)
	return len(w.buf)
}

// closeTag inserts the size of the content between the tag and the content, which holds no records and is short.
func (w *Writer) closeTag(at int) {
	var size [binary.MaxVarintLen32]byte
	n := binary.PutUvarint(size[:], uint64(len(w.buf)-at))
	w.buf = append(w.buf, size[:n]...)
	copy(w.buf[at+n:], w.buf[at:len(w.buf)-n])
	copy(w.buf[at:], size[:n])
}
