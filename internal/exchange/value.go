package exchange

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
)

// ValueKind tells what a Value is. On disk: never renumber.
type ValueKind uint8

// Value kinds.
const (
	Absent    ValueKind = 0 // not there at all
	Void      ValueKind = 1 // there, without a value
	BoolKind  ValueKind = 2
	IntKind   ValueKind = 3 // also times
	FloatKind ValueKind = 4
	TextKind  ValueKind = 5 // strings and bytes: equal if their bytes are
	// OpaqueKind is what has parts: the caller's own encoding, which must be the same for
	// equal values.
	OpaqueKind ValueKind = 6
)

const valueKinds = 7

// Value is an argument's or a header's. Two are equal by ==: the number 1 is not the
// string "1", nor the float 1.0.
type Value struct {
	kind ValueKind
	num  uint64
	text string
}

// VoidValue is a value that only says that its name is there.
func VoidValue() Value { return Value{kind: Void} }

// BoolValue makes a Value.
func BoolValue(b bool) Value {
	v := Value{kind: BoolKind}
	if b {
		v.num = 1
	}
	return v
}

// IntValue makes a Value.
func IntValue(i int64) Value { return Value{kind: IntKind, num: uint64(i)} }

// FloatValue makes a Value.
func FloatValue(f float64) Value { return Value{kind: FloatKind, num: math.Float64bits(f)} }

// TextValue makes a Value.
func TextValue(s string) Value { return Value{kind: TextKind, text: s} }

// OpaqueValue makes a Value of the caller's encoding of a list or a table.
func OpaqueValue(b string) Value { return Value{kind: OpaqueKind, text: b} }

// Kind tells what it is.
func (v Value) Kind() ValueKind { return v.kind }

// Bool is false unless it is the boolean true.
func (v Value) Bool() bool { return v.kind == BoolKind && v.num == 1 }

// Int is 0 unless it is an integer.
func (v Value) Int() int64 {
	if v.kind != IntKind {
		return 0
	}
	return int64(v.num)
}

// Float is 0 unless it is a float.
func (v Value) Float() float64 {
	if v.kind != FloatKind {
		return 0
	}
	return math.Float64frombits(v.num)
}

// Text is what a text or an opaque value consists of, else empty.
func (v Value) Text() string { return v.text }

// String is for people.
func (v Value) String() string {
	switch v.kind {
	case Absent:
		return "none"
	case Void:
		return "void"
	case BoolKind:
		return strconv.FormatBool(v.Bool())
	case IntKind:
		return strconv.FormatInt(v.Int(), 10)
	case FloatKind:
		return strconv.FormatFloat(v.Float(), 'g', -1, 64)
	case TextKind:
		return v.text
	}
	return fmt.Sprintf("%x", v.text)
}

// Argument is a named value.
type Argument struct {
	Name  string
	Value Value
}

// Arguments are those of an exchange or a binding, by name.
type Arguments []Argument

// Get returns an argument's value; Absent if there is none of that name.
func (a Arguments) Get(name string) Value {
	for i := range a {
		if a[i].Name == name {
			return a[i].Value
		}
	}
	return Value{}
}

// sorted is a copy by name, in which of one name the first counts.
func (a Arguments) sorted() Arguments {
	s := slices.Clone(a)
	slices.SortStableFunc(s, func(x, y Argument) int { return cmp.Compare(x.Name, y.Name) })
	return slices.CompactFunc(s, func(x, y Argument) bool { return x.Name == y.Name })
}
