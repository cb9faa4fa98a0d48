package amqp091

import "iter"

// Limits of what we read.
const (
	// TableDepthMax is how deep tables and arrays may be nested, the outermost included. RabbitMQ sets none; x-death needs 3.
	TableDepthMax = 32
	// TableEntriesMax is how many fields and elements the tables of one method or content header may have, with all that is
	// nested.
	TableEntriesMax = 1 << 14
)

// Table is a field table: names and values in the order they came, names that occur twice included. It holds the bytes as
// they stand on the wire, checked when they were read; so it is immutable, and what was not changed is sent on as it
// was. Two of the same bytes are ==. The zero Table is empty.
type Table struct{ text string }

// Array is a field array: values without names. It is like Table in all else.
type Array struct{ text string }

// Field is a name and a value in a table.
type Field struct {
	Name  string
	Value Value
}

// NewTable returns a table of fields in that order. A name is cut at ShortStringMax.
func NewTable(fields ...Field) Table {
	var b []byte
	for _, f := range fields {
		b = appendField(b, f.Name, f.Value)
	}
	return Table{string(b)}
}

// NewArray returns an array of values.
func NewArray(values ...Value) Array {
	var b []byte
	for _, v := range values {
		b = appendValue(b, v)
	}
	return Array{string(b)}
}

// All returns the fields in order.
func (t Table) All() iter.Seq2[string, Value] {
	return func(yield func(string, Value) bool) {
		for rest := t.text; rest != ""; {
			name, v, after, ok := cutField(rest)
			if !ok || !yield(name, v) {
				return
			}
			rest = after
		}
	}
}

// All returns the values in order.
func (a Array) All() iter.Seq[Value] {
	return func(yield func(Value) bool) {
		for rest := a.text; rest != ""; {
			v, after, ok := cutValue(rest)
			if !ok || !yield(v) {
				return
			}
			rest = after
		}
	}
}

// Empty says whether there is no field.
func (t Table) Empty() bool { return t.text == "" }

// Len counts the fields.
func (t Table) Len() (n int) {
	for range t.All() {
		n++
	}
	return n
}

// Len counts the values.
func (a Array) Len() (n int) {
	for range a.All() {
		n++
	}
	return n
}

// Get returns the first value of that name, as RabbitMQ's look-up does.
func (t Table) Get(name string) (v Value, ok bool) {
	for n, v := range t.All() {
		if n == name {
			return v, true
		}
	}
	return Value{}, false
}

// With returns the table with a value in place of the first of that name, others of the name gone; or at the end if there
// is none.
func (t Table) With(name string, v Value) Table {
	b := make([]byte, 0, len(t.text)+len(name)+len(v.text)+6)
	found := false
	for n, old := range t.All() {
		if n != name {
			b = appendField(b, n, old)
		} else if !found {
			found = true
			b = appendField(b, n, v)
		}
	}
	if !found {
		b = appendField(b, name, v)
	}
	return Table{string(b)}
}

// Without returns the table without any field of that name.
func (t Table) Without(name string) Table {
	if _, ok := t.Get(name); !ok {
		return t
	}
	b := make([]byte, 0, len(t.text))
	for n, v := range t.All() {
		if n != name {
			b = appendField(b, n, v)
		}
	}
	return Table{string(b)}
}

func appendField(b []byte, name string, v Value) []byte {
	return appendValue(appendShortstr(b, name), v)
}

func appendValue(b []byte, v Value) []byte {
	b = append(b, byte(v.Kind()))
	if v.kind.fixedBytes() == sized {
		b = appendLong(b, uint32(len(v.text)))
	}
	return append(b, v.text...)
}

// cutField takes the first field off the text of a table.
func cutField(text string) (name string, v Value, rest string, ok bool) {
	n := 1 + int(text[0])
	if n >= len(text) {
		return "", Value{}, text, false
	}
	v, rest, ok = cutValue(text[n:])
	return text[1:n], v, rest, ok
}

// cutValue takes the first value off the text of an array, which is not empty. If that fails, v has at least its kind.
func cutValue(text string) (v Value, rest string, ok bool) {
	v.kind, rest = Kind(text[0]), text[1:]
	n := v.kind.fixedBytes()
	if n == sized {
		if len(rest) < 4 {
			return v, rest, false
		}
		length := uint64(rest[0])<<24 | uint64(rest[1])<<16 | uint64(rest[2])<<8 | uint64(rest[3])
		rest = rest[4:]
		if length > uint64(len(rest)) {
			return v, rest, false
		}
		n = int(length)
	}
	if n == unknown || n > len(rest) {
		return v, rest, false
	}
	v.text = rest[:n]
	return v, rest[n:], true
}

// checkTable looks at all of a table's text, so that nobody has to do it again.
func (r *Reader) checkTable(text string, depth int) {
	if !r.enter(depth) {
		return
	}
	for text != "" && r.err == nil {
		name, v, rest, ok := cutField(text)
		r.checkValue(name, v, ok, depth)
		text = rest
	}
}

func (r *Reader) checkArray(text string, depth int) {
	if !r.enter(depth) {
		return
	}
	for text != "" && r.err == nil {
		v, rest, ok := cutValue(text)
		r.checkValue("", v, ok, depth)
		text = rest
	}
}

func (r *Reader) enter(depth int) bool {
	if depth > TableDepthMax {
		r.fail("tables nested deeper than %d", TableDepthMax)
	}
	return r.err == nil
}

func (r *Reader) checkValue(name string, v Value, ok bool, depth int) {
	r.entries++
	switch {
	case !ok && v.kind != 0 && v.kind.fixedBytes() == unknown:
		r.fail("field %q has the unknown type %v", name, v.kind)
	case !ok:
		r.fail("field %q goes past its table's end", name)
	case r.entries > TableEntriesMax:
		r.fail("more than %d fields in tables", TableEntriesMax)
	case v.kind == KindTable:
		r.checkTable(v.text, depth+1)
	case v.kind == KindArray:
		r.checkArray(v.text, depth+1)
	}
}
