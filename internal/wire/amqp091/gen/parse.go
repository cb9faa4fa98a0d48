package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// table is methods.txt.
type table struct {
	codes   []code
	classes []*class
}

type code struct {
	name   string
	number uint64
	closes string // success, channel or connection
}

type class struct {
	name       string
	id         uint64
	methods    []*method
	properties []field
}

type method struct {
	class   *class
	name    string
	id      uint64
	from    string // client, server or both
	content bool
	answers []string
	fields  []field
}

type field struct{ name, kind string }

// goTypes are the kinds of fields, and what holds them in Go.
var goTypes = map[string]string{
	"bit": "bool", "octet": "uint8", "short": "uint16", "long": "uint32", "longlong": "uint64", "timestamp": "uint64",
	"shortstr": "string", "longstr": "string", "table": "Table",
}

// parser reads methods.txt line by line; its comment there describes the language.
type parser struct {
	t      table
	class  *class
	fields *[]field // where the next field goes; nil where none may come
}

func parse(src string) (*table, error) {
	var p parser
	for i, line := range strings.Split(src, "\n") {
		if line == "" || line[0] == '#' {
			continue
		}
		if err := p.line(line); err != nil {
			return nil, fmt.Errorf("methods.txt:%d: %w", i+1, err)
		}
	}
	return &p.t, p.t.check()
}

func (p *parser) line(line string) error {
	w := strings.Fields(line)
	switch {
	case strings.HasPrefix(line, "  ") && len(w) == 2 && goTypes[w[1]] != "" && p.fields != nil:
		*p.fields = append(*p.fields, field{w[0], w[1]})
		return nil
	case w[0] == "code" && len(w) == 4:
		return p.code(w)
	case w[0] == "class" && len(w) == 3:
		id, err := strconv.ParseUint(w[2], 10, 16)
		p.class, p.fields = &class{name: w[1], id: id}, nil
		p.t.classes = append(p.t.classes, p.class)
		return err
	case w[0] == "method" && len(w) >= 5 && w[3] == "from" && p.class != nil:
		return p.method(w)
	case line == "properties" && p.class != nil && p.class.properties == nil:
		p.fields = &p.class.properties
		return nil
	}
	return fmt.Errorf("cannot read %q", line)
}

func (p *parser) code(w []string) error {
	number, err := strconv.ParseUint(w[2], 10, 16)
	if err != nil {
		return err
	}
	if !slices.Contains([]string{"success", "channel", "connection"}, w[3]) {
		return fmt.Errorf("closes %q", w[3])
	}
	p.t.codes = append(p.t.codes, code{w[1], number, w[3]})
	return nil
}

func (p *parser) method(w []string) error {
	id, err := strconv.ParseUint(w[2], 10, 16)
	if err != nil {
		return err
	}
	m := &method{class: p.class, name: w[1], id: id, from: w[4]}
	if !slices.Contains([]string{"client", "server", "both"}, m.from) {
		return fmt.Errorf("from %q", m.from)
	}
	w = w[5:]
	if len(w) > 0 && w[0] == "content" {
		m.content, w = true, w[1:]
	}
	if len(w) > 0 && w[0] == "answered" {
		m.answers, w = w[1:], nil
	}
	if len(w) > 0 {
		return fmt.Errorf("cannot read %q", w)
	}
	p.class.methods, p.fields = append(p.class.methods, m), &m.fields
	return nil
}

// propertiesMax is what one word of flags has room for: the last bit says that another word follows (4.2.6.1).
const propertiesMax = 15

// check looks for what the generator takes for granted.
func (t *table) check() error {
	for _, c := range t.classes {
		names := map[string]bool{}
		for _, m := range c.methods {
			if names[m.name] {
				return fmt.Errorf("%s: twice", m.full())
			}
			names[m.name] = true
		}
		for _, m := range c.methods {
			for _, a := range m.answers {
				if !names[a] {
					return fmt.Errorf("%s: answered by %s, which does not exist", m.full(), a)
				}
			}
		}
		if len(c.properties) > propertiesMax {
			return fmt.Errorf("%s: more than %d properties", c.name, propertiesMax)
		}
		for _, f := range c.properties {
			if f.kind == "bit" {
				return fmt.Errorf("%s: property %s is a bit: not needed so far", c.name, f.name)
			}
		}
	}
	return nil
}

// full is the name for logs, as basic.publish.
func (m *method) full() string { return m.class.name + "." + m.name }

// goName is the method's type, as BasicPublish.
func (m *method) goName() string { return goName(m.class.name) + goName(m.name) }

// goID is the constant of the method's id.
func (m *method) goID() string { return "ID" + m.goName() }

// goName makes VirtualHost of virtual-host, and ClassID of class-id.
func goName(name string) string {
	var b strings.Builder
	for _, part := range strings.FieldsFunc(strings.ToLower(name), func(r rune) bool { return r == '-' || r == '_' }) {
		if part == "id" {
			part = "ID"
		}
		b.WriteString(strings.ToUpper(part[:1]) + part[1:])
	}
	return b.String()
}
