package amqp091

import (
	"encoding/binary"
	"fmt"
)

// Reader decodes the arguments of a method or the properties of a content. It latches the first error: from then on
// every read returns a zero value, and Err and Finish return that error. The zero Reader is empty; Reset gives it bytes.
// What it returns never aliases those bytes.
type Reader struct {
	// Intern, if set, is where short strings come from, so that those of a hot method are not made anew each time.
	// Reset keeps it.
	Intern *Interner

	b       []byte
	pos     int
	text    string // a copy of b that strings are cut from, if shared
	entries int    // of tables and arrays so far
	err     *Error
}

// NewReader returns a Reader of b.
func NewReader(b []byte) *Reader { return &Reader{b: b} }

// Reset makes r read b from its start and forgets any error.
func (r *Reader) Reset(b []byte) { *r = Reader{Intern: r.Intern, b: b} }

// Err returns the first error, an *Error of code SyntaxError, or nil.
func (r *Reader) Err() error {
	if r.err == nil {
		return nil
	}
	return r.err
}

// Remaining returns the number of bytes not yet read.
func (r *Reader) Remaining() int { return len(r.b) - r.pos }

// Finish returns the first error; bytes left over are one.
func (r *Reader) Finish() error {
	if r.err == nil && r.pos != len(r.b) {
		r.fail("%d bytes left over", len(r.b)-r.pos)
	}
	return r.Err()
}

func (r *Reader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = &Error{Code: SyntaxError, Text: fmt.Sprintf("at byte %d: %s", r.pos, fmt.Sprintf(format, args...))}
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
	b := r.b[r.pos : r.pos+n]
	r.pos += n
	return b
}

// failShort is apart from take so that take stays small.
func (r *Reader) failShort(n int) { r.fail("%d bytes wanted, %d left", n, len(r.b)-r.pos) }

// share makes all strings from here on parts of one copy of the input: one allocation instead of many, for what does not
// live long.
func (r *Reader) share() { r.text = string(r.b) }

// string copies the next n bytes, or cuts them from the copy that is shared.
func (r *Reader) string(n int) string {
	b := r.take(n)
	if r.text != "" && len(b) > 0 {
		return r.text[r.pos-n : r.pos]
	}
	return string(b)
}

func (r *Reader) octet() uint8 {
	b := r.take(1)
	if b == nil {
		return 0
	}
	return b[0]
}

func (r *Reader) short() uint16 {
	b := r.take(2)
	if b == nil {
		return 0
	}
	return binary.BigEndian.Uint16(b)
}

func (r *Reader) long() uint32 {
	b := r.take(4)
	if b == nil {
		return 0
	}
	return binary.BigEndian.Uint32(b)
}

func (r *Reader) longlong() uint64 {
	b := r.take(8)
	if b == nil {
		return 0
	}
	return binary.BigEndian.Uint64(b)
}

func (r *Reader) timestamp() uint64 { return r.longlong() }

func (r *Reader) shortstr() string {
	n := int(r.octet())
	if r.Intern == nil || r.text != "" {
		return r.string(n)
	}
	return r.Intern.String(r.take(n))
}

func (r *Reader) longstr() string { return r.string(r.size()) }

// size reads the length of a long string or a table. Where an int has 32 bits a huge one is negative, which take refuses.
func (r *Reader) size() int { return int(r.long()) }

func (r *Reader) table() Table {
	text := r.string(r.size())
	if r.err == nil {
		r.checkTable(text, 1)
	}
	if r.err != nil {
		return Table{}
	}
	return Table{text}
}

// internSlots is how many strings an Interner remembers; each is a short string, of 255 bytes at most.
const internSlots = 128

// Interner remembers short strings that were read lately: names of exchanges, routing keys, consumer tags. It belongs to
// one connection, is not safe for concurrent use, and its zero value is ready.
type Interner struct{ slots [internSlots]string }

// String returns b as a string, without a copy if it was the last of its slot.
func (t *Interner) String(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	h := uint32(2166136261) // FNV-1a
	for _, c := range b {
		h = (h ^ uint32(c)) * 16777619
	}
	slot := &t.slots[(h^h>>16)%internSlots]
	if *slot != string(b) {
		*slot = string(b)
	}
	return *slot
}
