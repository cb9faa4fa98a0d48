package main

import (
	"fmt"
	"math"
	"strings"
)

func emitAPIs(p printer, t *table) {
	p.line("\n// allocFactor is the most that decoding allocates per byte of a well-formed message.")
	p.line("const allocFactor = %d", t.allocFactor())
	p.line("\n// The keys of the APIs in the table.\nconst (")
	for _, a := range t.apis {
		p.line("Key%s APIKey = %d", a.name, a.key)
	}
	p.line(")\n\n// APIs is the table of the APIs. It is never changed.\nvar APIs = map[APIKey]API{")
	for _, a := range t.apis {
		flexible, unstable := fmt.Sprint(a.flexible), ""
		if a.flexible == math.MaxInt16 {
			flexible = "noFlexible"
		}
		if a.unstable {
			unstable = ", LatestVersionUnstable: true"
		}
		p.line("Key%s: {Key: Key%s, Name: %q, Min: %d, Max: %d, Flexible: %s%s},",
			a.name, a.name, a.name, a.versions.from, a.versions.to, flexible, unstable)
	}
	p.line("}")
	for _, kind := range []string{"Request", "Response"} {
		p.line("\n// New%s returns an empty %s, nil if the key is not in the table.", kind, strings.ToLower(kind))
		p.line("func New%s(key APIKey) %s {\nswitch key {", kind, kind)
		for _, a := range t.apis {
			p.line("case Key%s: return new(%s%s)", a.name, a.name, kind)
		}
		p.line("}\nreturn nil\n}")
	}
}

func emitMessage(p printer, m *message) {
	m.root.walk(func(s *structure) { emitType(p, m, s) })
	if m.api != nil {
		p.line("\n// APIKey returns Key%s.", m.api.name)
		p.line("func (*%s) APIKey() APIKey { return Key%s }", m.root.goName, m.api.name)
	}
	m.root.walk(func(s *structure) { emitDefault(p, s) })
	m.root.walk(func(s *structure) { emitDecode(p, m, s) })
	m.root.walk(func(s *structure) { emitAppend(p, m, s) })
}

func emitType(p printer, m *message, s *structure) {
	switch {
	case s != m.root:
		p.line("\n// %s is %s of %s.", s.goName, s.proto, m.root.goName)
	case m.api == nil:
		p.line("\n// %s travels inside bytes; version %s.", s.goName, s.in)
	default:
		p.line("\n// %s has key %d, version %s.", s.goName, m.api.key, s.in)
	}
	p.line("type %s struct {", s.goName)
	for _, f := range s.fields {
		p.line("%s %s%s", f.name, f.goType(m.response), f.comment(s))
	}
	p.line("}")
}

// comment says what the type alone does not: versions, where null is allowed, tag and default.
func (f *field) comment(s *structure) string {
	var notes []string
	if f.in != s.in {
		notes = append(notes, "versions "+f.in.String())
	}
	switch {
	case f.nullFrom > f.in.from:
		notes = append(notes, fmt.Sprintf("null from version %d on", f.nullFrom))
	case f.nullFrom >= 0:
		notes = append(notes, "nullable")
	}
	if f.tag >= 0 {
		notes = append(notes, fmt.Sprintf("tag %d", f.tag))
	}
	if f.def != "" {
		notes = append(notes, "default "+f.def)
	}
	if notes == nil {
		return ""
	}
	return " // " + strings.Join(notes, ", ")
}

// zero is the Go expression of a field's default, "" where that is Go's own zero value.
func (f *field) zero(response bool) string {
	if f.array && f.nullFrom >= 0 && f.def == "" {
		return f.goType(response) + "{}"
	}
	if f.def == "null" {
		return ""
	}
	return f.def
}

func emitDefault(p printer, s *structure) {
	var set []string
	for _, f := range s.fields {
		if z := f.zero(false); z != "" {
			set = append(set, f.name+": "+z)
		}
	}
	p.line("\n// Default sets every field to its default.")
	p.line("func (m *%s) Default() {\n*m = %s{%s}\n}", s.goName, s.goName, strings.Join(set, ", "))
}

// cond is the Go condition under which versions in inner hold, given those in outer do; "" for always.
func cond(inner, outer span) string {
	var c []string
	if inner.from > outer.from {
		c = append(c, fmt.Sprintf("v >= %d", inner.from))
	}
	if inner.to < outer.to {
		c = append(c, fmt.Sprintf("v <= %d", inner.to))
	}
	return strings.Join(c, " && ")
}

// flex is the Go expression for "v is flexible", given that v is in the span.
func (m *message) flex(in span) string {
	switch {
	case in.from >= m.flexible:
		return "true"
	case in.to < m.flexible:
		return "false"
	}
	return "flex"
}

// nullable is the Go expression for "null is allowed".
func (f *field) nullable() string {
	switch {
	case f.nullFrom < 0:
		return "false"
	case f.nullFrom <= f.in.from:
		return "true"
	}
	return fmt.Sprintf("v >= %d", f.nullFrom)
}

// head opens a method and declares flex if the body will use it.
func (m *message) head(p printer, s *structure, name, rest, body string) {
	if s != m.root {
		name = strings.ToLower(name)
	}
	v := "v"
	if !usesVersion(body) && !strings.Contains(body, "flex") {
		v = "_"
	}
	p.line("func (m *%s) %s(%s int16, %s) {", s.goName, name, v, rest)
	if strings.Contains(body, "flex") {
		p.line("flex := v >= %d", m.flexible)
	}
	p.b.WriteString(body)
	p.line("}")
}

func usesVersion(body string) bool {
	return strings.Contains(body, "v >= ") || strings.Contains(body, "v <= ") || strings.Contains(body, "(v, ")
}
