package main

import (
	"fmt"
	"math"
)

// table is messages.txt.
type table struct {
	apis     []*api
	messages []*message
}

type api struct {
	name     string
	key      int
	versions span
	flexible int
	unstable bool
}

type message struct {
	api      *api // nil for a message that travels inside bytes
	response bool
	flexible int // first flexible version, math.MaxInt16 for none
	root     *structure
}

// structure is a message or a struct nested in one.
type structure struct {
	goName string
	proto  string // the protocol's name
	in     span   // the versions in which it exists
	fields []*field
}

type field struct {
	name     string
	kind     string     // a primitive, or "struct"
	of       *structure // of a struct
	array    bool
	nullFrom int // first version in which it may be null, never if -1
	in       span
	tag      int // -1 if not tagged
	def      string
}

// span is a range of versions, both ends included.
type span struct{ from, to int }

func (s span) String() string {
	if s.from == s.to {
		return fmt.Sprint(s.from)
	}
	return fmt.Sprintf("%d-%d", s.from, s.to)
}

func (s span) has(v int) bool { return s.from <= v && v <= s.to }

// walk calls f for s and all structs nested in it, outermost first.
func (s *structure) walk(f func(*structure)) {
	f(s)
	for _, c := range s.fields {
		if c.of != nil {
			c.of.walk(f)
		}
	}
}

// tagged returns the tagged fields in the order of their tags.
func (s *structure) tagged() []*field {
	var out []*field
	for tag := 0; ; tag++ {
		n := len(out)
		for _, f := range s.fields {
			if f.tag == tag {
				out = append(out, f)
			}
		}
		if len(out) == n {
			return out
		}
	}
}

// allocFactorMax is what we accept: the bytes that decoding may allocate per byte of input.
const allocFactorMax = 24

// check looks for what the generator and the codec take for granted.
func (t *table) check() error {
	for _, m := range t.messages {
		var err error
		m.root.walk(func(s *structure) {
			for _, f := range s.fields {
				if e := checkField(m, s, f); e != nil && err == nil {
					err = fmt.Errorf("%s.%s: %w", s.goName, f.name, e)
				}
			}
			if n := len(s.tagged()); err == nil && n != countTagged(s) {
				err = fmt.Errorf("%s: tags are not 0 to n-1", s.goName)
			}
		})
		if err != nil {
			return err
		}
	}
	if f := t.allocFactor(); f > allocFactorMax {
		return fmt.Errorf("decoding could allocate %d bytes per byte of input", f)
	}
	return nil
}

func checkField(m *message, s *structure, f *field) error {
	switch {
	case f.in.from < s.in.from || f.in.to > s.in.to || f.in.from > f.in.to:
		return fmt.Errorf("versions %v outside %v", f.in, s.in)
	case f.tag >= 0 && f.in.from < m.flexible:
		return fmt.Errorf("tagged before version %d", m.flexible)
	case f.tag >= 0 && f.kind == "records":
		return fmt.Errorf("tagged records") // closeTag could not measure them
	case f.tag >= 0 && f.nullFrom >= 0 && (f.array || f.kind == "struct"):
		return fmt.Errorf("a tagged nullable array or struct") // nothing would tell null from absent
	case f.nullFrom > f.in.to:
		return fmt.Errorf("nullable from %d, exists in %v", f.nullFrom, f.in)
	case f.kind == "struct" && !f.array && f.nullFrom < 0 && f.tag < 0:
		return fmt.Errorf("a plain struct field: not needed so far")
	case f.kind == "struct" && !f.array && f.nullFrom > f.in.from:
		return fmt.Errorf("a struct nullable in some versions only: not needed so far")
	case f.array && f.kind != "struct" && f.kind != "int32" && f.kind != "string":
		return fmt.Errorf("an array of %s: not needed so far", f.kind)
	}
	return nil
}

func countTagged(s *structure) int {
	n := 0
	for _, f := range s.fields {
		if f.tag >= 0 {
			n++
		}
	}
	return n
}

// allocFactor is the most that decoding allocates per byte of a well-formed message, over all arrays.
func (t *table) allocFactor() int {
	most := 16 // an array of empty compact strings
	for _, m := range t.messages {
		m.root.walk(func(s *structure) {
			if s == m.root {
				return
			}
			for v := s.in.from; v <= s.in.to; v++ {
				need, least := s.memory(v), s.leastBytes(v, v >= m.flexible)
				most = max(most, int(math.Ceil(float64(need)/float64(least))))
			}
		})
	}
	return most
}

// memory is the size of the Go struct plus what its shortest encoding in version v makes decoding allocate besides.
func (s *structure) memory(v int) int {
	size, align, apart := 0, 1, 0
	for _, f := range s.fields {
		fs, fa := f.goSize()
		size = (size+fa-1)/fa*fa + fs
		align = max(align, fa)
		if f.pointerString() && f.in.has(v) {
			apart += 16
		}
	}
	return (size+align-1)/align*align + apart
}

// goSize returns size and alignment of the field's Go type on a 64-bit machine.
func (f *field) goSize() (size, align int) {
	switch {
	case f.array || f.kind == "bytes" || f.kind == "records":
		return 24, 8
	case f.kind == "struct" || f.pointerString():
		return 8, 8
	case f.kind == "string":
		return 16, 8
	case f.kind == "uuid":
		return 16, 1
	}
	n := fixedBytes[f.kind]
	return n, n
}

var fixedBytes = map[string]int{"bool": 1, "int8": 1, "int16": 2, "int32": 4, "int64": 8, "uuid": 16}

// leastBytes is the length of the shortest encoding.
func (s *structure) leastBytes(v int, flex bool) int {
	n := 0
	if flex {
		n = 1 // the count of tagged fields
	}
	for _, f := range s.fields {
		switch {
		case !f.in.has(v) || f.tag >= 0:
		case !f.array && fixedBytes[f.kind] > 0:
			n += fixedBytes[f.kind]
		case !f.array && f.kind == "struct", flex: // a null struct's mark, a compact length
			n++
		case !f.array && f.kind == "string":
			n += 2
		default:
			n += 4
		}
	}
	return n
}

// leastEver is the length of the shortest encoding in any version.
func (m *message) leastEver(s *structure) int {
	least := math.MaxInt
	for v := s.in.from; v <= s.in.to; v++ {
		least = min(least, s.leastBytes(v, v >= m.flexible))
	}
	return least
}

func (f *field) pointerString() bool { return f.kind == "string" && !f.array && f.nullFrom >= 0 }

// goType is the type of the field in a Go struct.
func (f *field) goType(response bool) string {
	t := f.kind
	switch {
	case f.kind == "struct" && f.array:
		t = f.of.goName
	case f.kind == "struct":
		return "*" + f.of.goName
	case f.kind == "uuid":
		t = "UUID"
	case f.kind == "records" && response:
		t = "Pieces"
	case f.kind == "records", f.kind == "bytes":
		t = "[]byte"
	case f.pointerString():
		return "*string"
	}
	if f.array {
		return "[]" + t
	}
	return t
}
