package main

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
)

// parser reads messages.txt line by line; its comment there describes the language.
type parser struct {
	t    *table
	m    *message
	open []*structure // open[d] takes the fields at depth d; nil after a field that is no struct
}

func parse(src string) (*table, error) {
	p := parser{t: &table{}}
	for i, line := range strings.Split(src, "\n") {
		if line == "" || line[0] == '#' {
			continue
		}
		if err := p.line(line); err != nil {
			return nil, fmt.Errorf("messages.txt:%d: %w", i+1, err)
		}
	}
	return p.t, nil
}

var (
	apiLine   = regexp.MustCompile(`^api (\w+) (\d+) versions (\S+) flexible (\S+)( unstable)?$`)
	dataLine  = regexp.MustCompile(`^data (\w+) versions (\S+) flexible (\S+)$`)
	fieldLine = regexp.MustCompile(`^( +)(\w+) +(\[\])?(\w+)(\?(?:(\d+)\+)?)?(?: +(\d\S*))?(?: +tag (\d+))?(?: +(=) (\S+))?$`)
)

func (p *parser) line(line string) error {
	if a := apiLine.FindStringSubmatch(line); a != nil {
		return p.api(a[1], a[2], a[3], a[4], a[5] != "")
	}
	if a := dataLine.FindStringSubmatch(line); a != nil {
		in, err := parseSpan(a[2], span{0, math.MaxInt16})
		if err != nil {
			return err
		}
		flexible, err := parseFlexible(a[3])
		p.begin(&message{flexible: flexible, root: &structure{goName: a[1], proto: a[1], in: in}})
		return err
	}
	if line == "request" || line == "response" {
		if len(p.t.apis) == 0 {
			return fmt.Errorf("%s before any api", line)
		}
		a := p.t.apis[len(p.t.apis)-1]
		name := a.name + strings.ToUpper(line[:1]) + line[1:]
		root := &structure{goName: name, proto: name, in: a.versions}
		p.begin(&message{api: a, response: line == "response", flexible: a.flexible, root: root})
		return nil
	}
	f := fieldLine.FindStringSubmatch(line)
	if f == nil || p.m == nil {
		return fmt.Errorf("cannot read %q", line)
	}
	return p.field(f)
}

func (p *parser) begin(m *message) {
	p.m, p.open = m, []*structure{m.root}
	p.t.messages = append(p.t.messages, m)
}

func (p *parser) api(name, key, versions, flexible string, unstable bool) error {
	k, err := strconv.ParseInt(key, 10, 16)
	if err != nil {
		return err
	}
	a := &api{name: name, key: int(k), unstable: unstable}
	if a.versions, err = parseSpan(versions, span{0, math.MaxInt16}); err != nil {
		return err
	}
	if a.flexible, err = parseFlexible(flexible); err != nil {
		return err
	}
	p.t.apis, p.m = append(p.t.apis, a), nil
	return nil
}

func (p *parser) field(a []string) error {
	depth := len(a[1])/2 - 1
	if len(a[1])%2 != 0 || depth >= len(p.open) || p.open[depth] == nil {
		return fmt.Errorf("%s: wrong indentation", a[2])
	}
	parent := p.open[depth]
	f := &field{name: a[2], array: a[3] != "", kind: a[4], nullFrom: -1, in: parent.in, tag: -1, def: a[10]}
	var err error
	if a[7] != "" {
		if f.in, err = parseSpan(a[7], parent.in); err != nil {
			return err
		}
	}
	if a[5] != "" {
		f.nullFrom = f.in.from
	}
	if a[6] != "" {
		f.nullFrom, _ = strconv.Atoi(a[6])
	}
	if a[8] != "" {
		f.tag, _ = strconv.Atoi(a[8])
	}
	p.open = append(p.open[:depth+1], nil)
	if !primitives[f.kind] {
		f.of = &structure{goName: p.m.root.goName + f.kind, proto: f.kind, in: f.in}
		f.kind = "struct"
		p.open[depth+1] = f.of
	}
	parent.fields = append(parent.fields, f)
	return nil
}

var primitives = map[string]bool{
	"bool": true, "int8": true, "int16": true, "int32": true, "int64": true,
	"string": true, "uuid": true, "bytes": true, "records": true,
}

// parseSpan reads 3, 0-7 or 5+, the last ending where outer does.
func parseSpan(s string, outer span) (span, error) {
	from, to, dash := strings.Cut(s, "-")
	open := strings.HasSuffix(from, "+")
	a, err := strconv.Atoi(strings.TrimSuffix(from, "+"))
	if err != nil || open && dash {
		return span{}, fmt.Errorf("versions %q", s)
	}
	switch {
	case open:
		return span{a, outer.to}, nil
	case !dash:
		return span{a, a}, nil
	}
	b, err := strconv.Atoi(to)
	if err != nil {
		return span{}, fmt.Errorf("versions %q", s)
	}
	return span{a, b}, nil
}

func parseFlexible(s string) (int, error) {
	if s == "none" {
		return math.MaxInt16, nil
	}
	in, err := parseSpan(s, span{0, math.MaxInt16})
	return in.from, err
}
