package main

import (
	"bytes"
	"fmt"
	"strings"
)

func emitDecode(p printer, m *message, s *structure) {
	body := printer{new(bytes.Buffer)}
	if s == m.root {
		body.line("*m = %s{}", s.goName)
	}
	for _, f := range s.fields {
		z, c := f.zero(m.response), cond(f.in, s.in)
		switch {
		case f.tag >= 0:
			if z != "" {
				body.line("m.%s = %s", f.name, z)
			}
		case c == "":
			decodeField(body, m, f)
		default:
			body.line("if %s {", c)
			decodeField(body, m, f)
			if z != "" {
				body.line("} else {\nm.%s = %s", f.name, z)
			}
			body.line("}")
		}
	}
	decodeTags(body, m, s)
	if s == m.root {
		p.line("\n// Decode reads the message.")
	} else {
		p.line("")
	}
	m.head(p, s, "Decode", "r *Reader", body.b.String())
}

func decodeTags(p printer, m *message, s *structure) {
	flex := m.flex(s.in)
	if flex == "false" {
		return
	}
	if flex == "flex" {
		p.line("if flex {")
		defer p.line("}")
	}
	tagged := s.tagged()
	if len(tagged) == 0 {
		p.line("r.skipTags()")
		return
	}
	p.line("for n := r.tags(); n > 0 && r.err == nil; n-- {\nt := r.openTag()\nswitch {")
	for _, f := range tagged {
		c := fmt.Sprintf("t.id == %d", f.tag)
		if vc := cond(f.in, span{max(s.in.from, m.flexible), s.in.to}); vc != "" {
			c += " && " + vc
		}
		p.line("case %s:", c)
		decodeField(p, m, f)
	}
	p.line("default:\nr.skipTag()\n}\nr.closeTag(t)\n}")
}

// decodeField prints the reading of a field that is there.
func decodeField(p printer, m *message, f *field) {
	flex, to := m.flex(f.in), "m."+f.name
	if f.tag >= 0 {
		flex = "true"
	}
	switch {
	case f.kind == "struct" && f.array:
		p.line("%s = makeArray[%s](r, r.arrayLen(%s, %d, %s))", to, f.of.goName, flex, m.leastEver(f.of), f.nullable())
		p.line("for i := 0; i < len(%s) && r.err == nil; i++ {\n%s[i].decode(v, r)\n}", to, to)
	case f.kind == "struct" && f.tag >= 0:
		p.line("%s = makeStruct[%s](r)\n%s.decode(v, r)", to, f.of.goName, to)
	case f.kind == "struct":
		p.line("if r.present() {\n%s = makeStruct[%s](r)\n%s.decode(v, r)\n}", to, f.of.goName, to)
	case f.array:
		p.line("%s = r.%ss(%s, %s)", to, f.kind, flex, f.nullable())
	case f.pointerString():
		p.line("%s = r.nullString(%s, %s)", to, flex, f.nullable())
	case f.kind == "string":
		p.line("%s = r.string(%s)", to, flex)
	case f.kind == "records" && m.response:
		p.line("%s = r.pieces(%s, %s)", to, flex, f.nullable())
	case f.kind == "records", f.kind == "bytes":
		p.line("%s = r.%s(%s, %s)", to, f.kind, flex, f.nullable())
	default:
		p.line("%s = r.%s()", to, f.kind)
	}
}

func emitAppend(p printer, m *message, s *structure) {
	body := printer{new(bytes.Buffer)}
	for _, f := range s.fields {
		if f.tag >= 0 {
			continue
		}
		c := cond(f.in, s.in)
		if c != "" {
			body.line("if %s {", c)
		}
		appendField(body, m, f)
		if c != "" {
			body.line("}")
		}
	}
	appendTags(body, m, s)
	if s == m.root {
		p.line("\n// Append writes the message.")
	} else {
		p.line("")
	}
	m.head(p, s, "Append", "w *Writer", body.b.String())
}

func appendTags(p printer, m *message, s *structure) {
	flex := m.flex(s.in)
	if flex == "false" {
		return
	}
	if flex == "flex" {
		p.line("if flex {")
		defer p.line("}")
	}
	var set []string
	for _, f := range s.tagged() {
		c := f.present()
		if vc := cond(f.in, span{max(s.in.from, m.flexible), s.in.to}); vc != "" {
			c = vc + " && " + c
		}
		p.line("has%s := %s", f.name, c)
		set = append(set, "has"+f.name)
	}
	p.line("w.tags(%s)", strings.Join(set, ", "))
	for _, f := range s.tagged() {
		p.line("if has%s {\nat := w.openTag(%d)", f.name, f.tag)
		appendField(p, m, f)
		p.line("w.closeTag(at)\n}")
	}
}

// present is the Go condition under which a tagged field is sent: it differs from its default.
func (f *field) present() string {
	x := "m." + f.name
	switch {
	case f.array:
		return "len(" + x + ") > 0"
	case f.kind == "struct", f.pointerString():
		return x + " != nil"
	case f.kind == "bool":
		return x
	case f.kind == "string":
		return x + ` != ""`
	case f.kind == "uuid":
		return x + " != (UUID{})"
	case f.def == "":
		return x + " != 0"
	}
	return x + " != " + f.def
}

// appendField prints the writing of a field that is to be sent.
func appendField(p printer, m *message, f *field) {
	flex, x := m.flex(f.in), "m."+f.name
	if f.tag >= 0 {
		flex = "true"
	}
	switch {
	case f.kind == "struct" && f.array:
		null := "false"
		if f.nullFrom >= 0 {
			null = strings.TrimPrefix(f.nullable()+" && "+x+" == nil", "true && ")
		}
		p.line("w.arrayLen(%s, %s, len(%s))", flex, null, x)
		p.line("for i := range %s {\n%s[i].append(v, w)\n}", x, x)
	case f.kind == "struct" && f.tag >= 0:
		p.line("%s.append(v, w)", x)
	case f.kind == "struct":
		p.line("w.present(%s != nil)\nif %s != nil {\n%s.append(v, w)\n}", x, x, x)
	case f.array:
		p.line("w.%ss(%s, %s, %s)", f.kind, flex, f.nullable(), x)
	case f.pointerString():
		p.line("w.nullString(%s, %s, %s)", flex, f.nullable(), x)
	case f.kind == "string":
		p.line("w.string(%s, %s)", flex, x)
	case f.kind == "records" && m.response:
		p.line("w.pieces(%s, %s, %s)", flex, f.nullable(), x)
	case f.kind == "records", f.kind == "bytes":
		p.line("w.%s(%s, %s, %s)", f.kind, flex, f.nullable(), x)
	default:
		p.line("w.%s(%s)", f.kind, x)
	}
}
