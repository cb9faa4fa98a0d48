package amqp091

import (
	"encoding/binary"
	"math"
	"strconv"
)

// Kind is the type octet of a field's value.
type Kind byte

// The kinds, as RabbitMQ reads and writes them. Where 4.2.1 of the specification and its 4.2.5.5 disagree, or nobody
// followed it, its errata decide: s is a signed 16-bit integer (the specification's is a short string, and U the integer),
// l and L are both signed, b and B are not booleans, x is there, and u and i are unsigned.
const (
	KindBool      Kind = 't' // one octet, any but 0 is true
	KindInt8      Kind = 'b'
	KindUint8     Kind = 'B'
	KindInt16     Kind = 's'
	KindUint16    Kind = 'u'
	KindInt32     Kind = 'I'
	KindUint32    Kind = 'i'
	KindInt64     Kind = 'l'
	KindInt64L    Kind = 'L' // read, as RabbitMQ does, and never written by Int64
	KindFloat32   Kind = 'f'
	KindFloat64   Kind = 'd'
	KindDecimal   Kind = 'D'
	KindString    Kind = 'S'
	KindArray     Kind = 'A'
	KindTimestamp Kind = 'T'
	KindTable     Kind = 'F'
	KindVoid      Kind = 'V'
	KindBytes     Kind = 'x'
)

// What fixedBytes says of kinds that have no fixed length.
const (
	sized   = -1 // four octets of length come first
	unknown = -2
)

// fixedBytes is the length of a kind's value.
func (k Kind) fixedBytes() int {
	switch k {
	case KindVoid:
		return 0
	case KindBool, KindInt8, KindUint8:
		return 1
	case KindInt16, KindUint16:
		return 2
	case KindInt32, KindUint32, KindFloat32:
		return 4
	case KindDecimal:
		return 5
	case KindInt64, KindInt64L, KindFloat64, KindTimestamp:
		return 8
	case KindString, KindArray, KindTable, KindBytes:
		return sized
	}
	return unknown
}

// Value is the value of a field: a kind, and its bytes as they stand on the wire, without a length. It is immutable, and
// two with the same kind and bytes are ==. The zero Value is void.
type Value struct {
	kind Kind
	text string
}

// Decimal is Digits divided by ten to the power of Scale. RabbitMQ takes Digits as unsigned; some clients mean an int32.
type Decimal struct {
	Scale  uint8
	Digits uint32
}

// Timestamp is in seconds since 1970. The specification has no finer one.
type Timestamp uint64

func number(k Kind, bits uint64) Value {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], bits)
	return Value{k, string(b[8-k.fixedBytes():])}
}

// Bool returns a boolean.
func Bool(v bool) Value {
	if v {
		return Value{KindBool, "\x01"}
	}
	return Value{KindBool, "\x00"}
}

// Int64 returns a signed integer of 64 bits, which every client reads.
func Int64(v int64) Value { return number(KindInt64, uint64(v)) }

// Int32 returns a signed integer of 32 bits.
func Int32(v int32) Value { return number(KindInt32, uint64(v)) }

// Float64 returns a floating point number.
func Float64(v float64) Value { return number(KindFloat64, math.Float64bits(v)) }

// String returns a string.
func String(v string) Value { return Value{KindString, v} }

// Bytes returns a string of bytes.
func Bytes(v []byte) Value { return Value{KindBytes, string(v)} }

// Value returns the table as a field's value.
func (t Table) Value() Value { return Value{KindTable, t.text} }

// Value returns the array as a field's value.
func (a Array) Value() Value { return Value{KindArray, a.text} }

// Value returns the decimal as a field's value.
func (d Decimal) Value() Value { return number(KindDecimal, uint64(d.Scale)<<32|uint64(d.Digits)) }

// Value returns the timestamp as a field's value.
func (t Timestamp) Value() Value { return number(KindTimestamp, uint64(t)) }

// Kind returns the kind.
func (v Value) Kind() Kind {
	if v.kind == 0 {
		return KindVoid
	}
	return v.kind
}

// bits are those of a number, in the lowest places.
func (v Value) bits() (x uint64) {
	for i := range len(v.text) {
		x = x<<8 | uint64(v.text[i])
	}
	return x
}

// Bool returns a boolean.
func (v Value) Bool() (value, ok bool) {
	return v.kind == KindBool && v.bits() != 0, v.kind == KindBool
}

// Int returns an integer of any size; all fit. A float or a decimal is none.
func (v Value) Int() (value int64, ok bool) {
	x := v.bits()
	switch v.kind {
	case KindInt8:
		return int64(int8(x)), true
	case KindInt16:
		return int64(int16(x)), true
	case KindInt32:
		return int64(int32(x)), true
	case KindUint8, KindUint16, KindUint32, KindInt64, KindInt64L:
		return int64(x), true
	}
	return 0, false
}

// Float returns a floating point number.
func (v Value) Float() (value float64, ok bool) {
	switch v.kind {
	case KindFloat32:
		return float64(math.Float32frombits(uint32(v.bits()))), true
	case KindFloat64:
		return math.Float64frombits(v.bits()), true
	}
	return 0, false
}

// Decimal returns a decimal.
func (v Value) Decimal() (value Decimal, ok bool) {
	if v.kind != KindDecimal {
		return Decimal{}, false
	}
	x := v.bits()
	return Decimal{uint8(x >> 32), uint32(x)}, true
}

// Text returns a string.
func (v Value) Text() (value string, ok bool) {
	if v.kind != KindString {
		return "", false
	}
	return v.text, true
}

// Bytes returns a string of bytes, which is not text.
func (v Value) Bytes() (value []byte, ok bool) {
	if v.kind != KindBytes {
		return nil, false
	}
	return []byte(v.text), true
}

// Timestamp returns a timestamp.
func (v Value) Timestamp() (value Timestamp, ok bool) {
	if v.kind != KindTimestamp {
		return 0, false
	}
	return Timestamp(v.bits()), true
}

// Table returns a table.
func (v Value) Table() (value Table, ok bool) {
	if v.kind != KindTable {
		return Table{}, false
	}
	return Table{v.text}, true
}

// Array returns an array.
func (v Value) Array() (value Array, ok bool) {
	if v.kind != KindArray {
		return Array{}, false
	}
	return Array{v.text}, true
}

// Equivalent says whether RabbitMQ takes two values for the same, in a headers exchange and when a queue is declared
// again: integers of any size if their numbers are, floats likewise, others if kind and value are.
func (v Value) Equivalent(w Value) bool {
	if a, ok := v.Int(); ok {
		b, ok := w.Int()
		return ok && a == b
	}
	if a, ok := v.Float(); ok {
		b, ok := w.Float()
		return ok && a == b
	}
	if v.Kind() != w.Kind() {
		return false
	}
	a, _ := v.Bool()
	b, _ := w.Bool()
	return v.kind == KindBool && a == b || v.text == w.text
}

func (k Kind) String() string { return strconv.QuoteRune(rune(k)) }
