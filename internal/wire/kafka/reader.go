package kafka

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"unsafe"
)

// ErrMalformed is wrapped by every error that decoding returns: the bytes are not a message of that version.
var ErrMalformed = errors.New("malformed Kafka message")

// UUID is a topic or directory id, as it stands on the wire.
type UUID [16]byte

// Pieces are records that lie in several places in memory, to be sent one after another. Nil means null.
type Pieces [][]byte

// Bytes returns the length of all pieces together.
func (p Pieces) Bytes() int {
	n := 0
	for _, b := range p {
		n += len(b)
	}
	return n
}

// Reader decodes one message. It latches the first error: from then on every read returns a zero value, and Err and
// Finish return that error. The zero Reader is empty; Reset gives it bytes.
type Reader struct {
	b      []byte // ends at the open tagged field's end, if one is open
	pos    int
	budget int // bytes that may still be allocated
	err    error
}

// NewReader returns a Reader of b.
func NewReader(b []byte) *Reader {
	r := new(Reader)
	r.Reset(b)
	return r
}

// Reset makes r read b from its start and forgets any error.
func (r *Reader) Reset(b []byte) {
	*r = Reader{b: b, budget: allocFactor * len(b)}
}

// Err returns the first error, which wraps ErrMalformed, or nil.
func (r *Reader) Err() error { return r.err }

// Remaining returns the number of bytes not yet read.
func (r *Reader) Remaining() int { return len(r.b) - r.pos }

// Finish returns the first error; bytes left over are one.
func (r *Reader) Finish() error {
	if r.err == nil && r.pos != len(r.b) {
		r.fail("%d bytes after the message", len(r.b)-r.pos)
	}
	return r.err
}

func (r *Reader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf("%w: at byte %d: %s", ErrMalformed, r.pos, fmt.Sprintf(format, args...))
	}
}

// take returns the next n bytes, aliasing the input, or nil after an error.
func (r *Reader) take(n int) []byte {
	if r.err != nil {
		return nil
	}
	if n < 0 || n > len(r.b)-r.pos {
		r.failShort(n)
		return nil
	}
	b := r.b[r.pos : r.pos+n : r.pos+n]
	r.pos += n
	return b
}

// failShort is apart from take so that take stays small.
func (r *Reader) failShort(n int) { r.fail("%d bytes wanted, %d left", n, len(r.b)-r.pos) }

// spend takes n bytes from the allocation budget and says whether they were there.
func (r *Reader) spend(n int) bool {
	if r.err != nil {
		return false
	}
	if n > r.budget {
		r.fail("counts promise more than the message holds")
		return false
	}
	r.budget -= n
	return true
}

func (r *Reader) bool() bool { return r.int8() != 0 }

func (r *Reader) int8() int8 {
	b := r.take(1)
	if b == nil {
		return 0
	}
	return int8(b[0])
}

func (r *Reader) int16() int16 {
	b := r.take(2)
	if b == nil {
		return 0
	}
	return int16(binary.BigEndian.Uint16(b))
}

func (r *Reader) int32() int32 {
	b := r.take(4)
	if b == nil {
		return 0
	}
	return int32(binary.BigEndian.Uint32(b))
}

func (r *Reader) int64() int64 {
	b := r.take(8)
	if b == nil {
		return 0
	}
	return int64(binary.BigEndian.Uint64(b))
}

func (r *Reader) uuid() (u UUID) {
	copy(u[:], r.take(len(u)))
	return u
}

// uvarint reads an unsigned varint of at most 32 bits in at most five bytes.
func (r *Reader) uvarint() uint32 {
	var x uint32
	for shift := 0; shift < 35; shift += 7 {
		b := r.take(1)
		if b == nil {
			return 0
		}
		if shift == 28 && b[0] > 0x0f {
			break
		}
		x |= uint32(b[0]&0x7f) << shift
		if b[0] < 0x80 {
			return x
		}
	}
	r.fail("varint of more than 32 bits")
	return 0
}

// length reads the length of a string (wide: of bytes or of an array), -1 for null. Compact lengths are sent plus one.
// Compact strings are no longer than others: Kafka too refuses more.
func (r *Reader) length(flex, wide, nullable bool) int {
	n := 0
	switch {
	case flex:
		n = int(r.uvarint()) - 1
	case wide:
		n = int(r.int32())
	default:
		n = int(r.int16())
	}
	if r.err != nil {
		return -1
	}
	if n < -1 || n == -1 && !nullable || n > math.MaxInt16 && !wide {
		r.fail("length %d", n)
		return -1
	}
	return n
}

func (r *Reader) string(flex bool) string {
	b := r.take(max(0, r.length(flex, false, false)))
	if !r.spend(len(b)) {
		return ""
	}
	return string(b)
}

func (r *Reader) nullString(flex, nullable bool) *string {
	n := r.length(flex, false, nullable)
	if n < 0 {
		return nil
	}
	b := r.take(n)
	if !r.spend(len(b) + int(unsafe.Sizeof(""))) {
		return nil
	}
	s := string(b)
	return &s
}

// bytes returns a copy, nil for null.
func (r *Reader) bytes(flex, nullable bool) []byte {
	b := r.records(flex, nullable)
	if b == nil || !r.spend(len(b)) {
		return nil
	}
	return append(make([]byte, 0, len(b)), b...)
}

// records returns a part of the input, nil for null.
func (r *Reader) records(flex, nullable bool) []byte {
	n := r.length(flex, true, nullable)
	if n < 0 {
		return nil
	}
	return r.take(n)
}

// pieces returns the records as one piece of the input, nil for null.
func (r *Reader) pieces(flex, nullable bool) Pieces {
	b := r.records(flex, nullable)
	if b == nil || !r.spend(int(unsafe.Sizeof(b))) {
		return nil
	}
	if len(b) == 0 {
		return Pieces{}
	}
	return Pieces{b}
}

// present reads the byte that goes before a nullable struct.
func (r *Reader) present() bool {
	switch x := r.int8(); x {
	case 1:
		return true
	case -1:
	default:
		if r.err == nil {
			r.fail("struct marked %d, neither null nor present", x)
		}
	}
	return false
}

// arrayLen reads an array's count, -1 for null and after an error. Each element takes at least least bytes.
func (r *Reader) arrayLen(flex bool, least int, nullable bool) int {
	n := r.length(flex, true, nullable)
	if r.err == nil && n > (len(r.b)-r.pos)/least {
		r.fail("%d elements in %d bytes", n, len(r.b)-r.pos)
		return -1
	}
	return n
}

// makeArray allocates n elements out of the reader's budget; nil when n is -1 or too much.
func makeArray[T any](r *Reader, n int) []T {
	var zero T
	if n < 0 || !r.spend(n*int(unsafe.Sizeof(zero))) {
		return nil
	}
	return make([]T, n)
}

// makeStruct allocates a nullable struct out of the reader's budget. It returns one even after an error, for the
// caller to read zeros into.
func makeStruct[T any](r *Reader) *T {
	p := new(T)
	r.spend(int(unsafe.Sizeof(*p)))
	return p
}

func (r *Reader) int32s(flex, nullable bool) []int32 {
	a := makeArray[int32](r, r.arrayLen(flex, 4, nullable))
	b := r.take(4 * len(a))
	for i := range a {
		a[i] = int32(binary.BigEndian.Uint32(b[4*i:]))
	}
	return a
}

func (r *Reader) strings(flex, nullable bool) []string {
	least := 2
	if flex {
		least = 1
	}
	a := makeArray[string](r, r.arrayLen(flex, least, nullable))
	for i := 0; i < len(a) && r.err == nil; i++ {
		a[i] = r.string(flex)
	}
	return a
}

// tags reads the count of tagged fields at the end of a struct.
func (r *Reader) tags() int {
	n := int(r.uvarint())
	if n > (len(r.b)-r.pos)/2 {
		r.fail("%d tagged fields in %d bytes", n, len(r.b)-r.pos)
		return 0
	}
	return n
}

// tag is an open tagged field.
type tag struct {
	id    uint32
	outer []byte // what the reader reads once the field is closed
}

// openTag reads a tag and its size, and confines the reader to the field.
func (r *Reader) openTag() tag {
	t := tag{id: r.uvarint(), outer: r.b}
	size := r.uvarint()
	if r.err == nil && uint64(size) > uint64(len(r.b)-r.pos) {
		r.failShort(int(size))
	}
	if r.err == nil {
		r.b = r.b[:r.pos+int(size)]
	}
	return t
}

// skipTag passes over the rest of the open field.
func (r *Reader) skipTag() {
	if r.err == nil {
		r.pos = len(r.b)
	}
}

// closeTag ends the field, which must have been read to its end.
func (r *Reader) closeTag(t tag) {
	if r.err == nil && r.pos != len(r.b) {
		r.fail("tagged field %d is %d bytes longer than its content", t.id, len(r.b)-r.pos)
	}
	r.b = t.outer
}

// skipTags passes over the tagged fields of a struct that has none we know.
func (r *Reader) skipTags() {
	for n := r.tags(); n > 0 && r.err == nil; n-- {
		t := r.openTag()
		r.skipTag()
		r.closeTag(t)
	}
}
