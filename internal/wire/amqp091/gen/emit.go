package main

import (
	"strings"
)

func emitCodes(p printer, t *table) {
	p.line("\n// The reply codes (1.2).\nconst (")
	for _, c := range t.codes {
		p.line("%s ReplyCode = %d", goName(c.name), c.number)
	}
	p.line(")\n\n// String returns the code's name, as NOT_FOUND.\nfunc (c ReplyCode) String() string {\nswitch c {")
	for _, c := range t.codes {
		p.line("case %s:\nreturn %q", goName(c.name), c.name)
	}
	p.line("}\nreturn c.unknown()\n}")
	p.line("\n// Closes says what an error of this code ends; of an unknown code, the connection.")
	p.line("func (c ReplyCode) Closes() Scope {\nswitch c {")
	for _, scope := range []string{"success", "channel"} {
		var names []string
		for _, c := range t.codes {
			if c.closes == scope {
				names = append(names, goName(c.name))
			}
		}
		p.line("case %s:\nreturn %s", strings.Join(names, ", "), map[string]string{"success": "ClosesNothing", "channel": "ClosesChannel"}[scope])
	}
	p.line("}\nreturn ClosesConnection\n}")
}

func emitMethods(p printer, t *table) {
	p.line("\n// The methods' ids: class in the upper half, method in the lower.\nconst (")
	t.each(func(m *method) { p.line("%s MethodID = %d<<16 | %d", m.goID(), m.class.id, m.id) })
	p.line(")\n\n// MethodIDs returns all ids, by class and method.\nfunc MethodIDs() []MethodID {\nreturn []MethodID{")
	t.each(func(m *method) { p.line("%s,", m.goID()) })
	p.line("}\n}")
	p.line("\n// NewMethod returns an empty method, nil if there is none of that id.\nfunc NewMethod(id MethodID) Method {\nswitch id {")
	t.each(func(m *method) { p.line("case %s:\nreturn new(%s)", m.goID(), m.goName()) })
	p.line("}\nreturn nil\n}")
	p.line("\n// String returns the name for logs, as basic.publish.\nfunc (id MethodID) String() string {\nswitch id {")
	t.each(func(m *method) { p.line("case %s:\nreturn %q", m.goID(), m.full()) })
	p.line("}\nreturn id.unknown()\n}")
	t.emitBool(p, "HasContent says whether a content header and body follow the method.", "HasContent",
		func(m *method) bool { return m.content })
	t.emitBool(p, "FromClient says whether a client may send the method.", "FromClient",
		func(m *method) bool { return m.from != "server" })
	t.emitBool(p, "FromServer says whether a server may send the method.", "FromServer",
		func(m *method) bool { return m.from != "client" })
	p.line("\n// Answers returns the methods that may answer a synchronous one, none for others.")
	p.line("func (id MethodID) Answers() []MethodID {\nswitch id {")
	t.each(func(m *method) {
		if m.answers != nil {
			var ids []string
			for _, a := range m.answers {
				ids = append(ids, "ID"+goName(m.class.name)+goName(a))
			}
			p.line("case %s:\nreturn []MethodID{%s}", m.goID(), strings.Join(ids, ", "))
		}
	})
	p.line("}\nreturn nil\n}")
}

func (t *table) each(f func(*method)) {
	for _, c := range t.classes {
		for _, m := range c.methods {
			f(m)
		}
	}
}

func (t *table) emitBool(p printer, comment, name string, is func(*method) bool) {
	var ids []string
	t.each(func(m *method) {
		if is(m) {
			ids = append(ids, m.goID())
		}
	})
	p.line("\n// %s\nfunc (id MethodID) %s() bool {\nswitch id {\ncase %s:\nreturn true\n}\nreturn false\n}",
		comment, name, strings.Join(ids, ",\n"))
}

func emitClass(p printer, c *class) {
	p.line("\n// Class%s is the id of class %s.\nconst Class%s = %d", goName(c.name), c.name, goName(c.name), c.id)
	for _, m := range c.methods {
		emitMethod(p, m)
	}
	if c.properties != nil {
		emitProperties(p, c)
	}
}

func emitMethod(p printer, m *method) {
	name := m.goName()
	sender := map[string]string{"client": "a client", "server": "a server", "both": "either side"}[m.from]
	p.line("\n// %s is %s, id %d, sent by %s.", name, m.full(), m.id, sender)
	if m.answers != nil {
		p.line("// It is answered by %s.", strings.Join(m.answers, " or "))
	}
	p.line("type %s struct {", name)
	for _, f := range m.fields {
		note := ""
		if f.kind == "longstr" {
			note = " // longstr"
		}
		p.line("%s %s%s", goName(f.name), goTypes[f.kind], note)
	}
	p.line("}\n\n// ID returns %s.\nfunc (*%s) ID() MethodID { return %s }", m.goID(), name, m.goID())
	if len(m.fields) == 0 {
		p.line("\n// Decode reads nothing.\nfunc (*%s) Decode(*Reader) {}", name)
		p.line("\n// Append adds nothing.\nfunc (*%s) Append(b []byte) []byte { return b }", name)
		return
	}
	assign := ":="
	p.line("\n// Decode reads the arguments.\nfunc (m *%s) Decode(r *Reader) {", name)
	m.runs(func(f field) { p.line("m.%s = r.%s()", goName(f.name), f.kind) }, func(bits []field) {
		if len(bits) == 1 {
			p.line("m.%s = r.octet()&1 != 0", goName(bits[0].name))
			return
		}
		p.line("bits %s r.octet()", assign)
		assign = "="
		for i, f := range bits {
			p.line("m.%s = bits&%d != 0", goName(f.name), 1<<i)
		}
	})
	p.line("}\n\n// Append adds the arguments.\nfunc (m *%s) Append(b []byte) []byte {", name)
	m.runs(func(f field) { p.line("b = append%s(b, m.%s)", goName(f.kind), goName(f.name)) }, func(bits []field) {
		var args []string
		for _, f := range bits {
			args = append(args, "m."+goName(f.name))
		}
		p.line("b = appendBits(b, %s)", strings.Join(args, ", "))
	})
	p.line("return b\n}")
}

// runs calls bits for each octet's worth of bits in a row, and plain for every other field.
func (m *method) runs(plain func(field), bits func([]field)) {
	for rest := m.fields; len(rest) > 0; {
		n := 0
		for n < min(8, len(rest)) && rest[n].kind == "bit" {
			n++
		}
		if n == 0 {
			plain(rest[0])
			rest = rest[1:]
			continue
		}
		bits(rest[:n])
		rest = rest[n:]
	}
}

func emitProperties(p printer, c *class) {
	p.line("\n// The flags of the properties, as they stand on the wire (4.2.6.1).\nconst (")
	var all []string
	for i, f := range c.properties {
		p.line("Has%s PropertyFlags = 1<<%d", goName(f.name), 15-i)
		all = append(all, "Has"+goName(f.name))
	}
	p.line("\nknownProperties = %s\n)", strings.Join(all, "|"))
	p.line("\n// Properties are those of class %s's content. A property is there if Has says so, whatever its field holds.", c.name)
	p.line("type Properties struct {\nHas PropertyFlags")
	for _, f := range c.properties {
		p.line("%s %s", goName(f.name), goTypes[f.kind])
	}
	p.line("}\n\nfunc (p *Properties) decode(r *Reader) {")
	for _, f := range c.properties {
		p.line("if p.Has&Has%s != 0 {\np.%s = r.%s()\n}", goName(f.name), goName(f.name), f.kind)
	}
	p.line("}\n\nfunc (p *Properties) append(b []byte) []byte {")
	for _, f := range c.properties {
		p.line("if p.Has&Has%s != 0 {\nb = append%s(b, p.%s)\n}", goName(f.name), goName(f.kind), goName(f.name))
	}
	p.line("return b\n}")
	for _, f := range c.properties {
		n := goName(f.name)
		p.line("\n// Set%s sets the property.\nfunc (p *Properties) Set%s(v %s) { p.%s, p.Has = v, p.Has|Has%s }", n, n, goTypes[f.kind], n, n)
	}
	p.line("\n// String lists the properties that are there, for logs.\nfunc (p *Properties) String() string {\nvar l propertyList")
	for _, f := range c.properties {
		p.line("if p.Has&Has%s != 0 {\nl.add(%q, p.%s)\n}", goName(f.name), f.name, goName(f.name))
	}
	p.line("return l.String()\n}")
}
