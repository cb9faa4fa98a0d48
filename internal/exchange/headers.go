package exchange

import (
	"fmt"
	"strings"
)

// headerRule is what a binding of a headers exchange asks for.
type headerRule struct {
	any   bool
	pairs []Argument // Void: the header is there, whatever its value
	filed []filing   // where a matcher finds it
}

// newHeaderRule reads a binding's arguments. Names that begin with x- count only if
// x-match says so.
func newHeaderRule(list Arguments) (*headerRule, error) {
	rule, withX := &headerRule{}, false
	switch match := list.Get(argumentMatch); match {
	case Value{}, TextValue("all"):
	case TextValue("any"):
		rule.any = true
	case TextValue("all-with-x"):
		withX = true
	case TextValue("any-with-x"):
		rule.any, withX = true, true
	default:
		return nil, fmt.Errorf("%w: %s is %s, expected the text all, any, all-with-x, or any-with-x", ErrInvalid, argumentMatch, quoted(match))
	}
	for _, a := range list {
		if a.Name != argumentMatch && (withX || !strings.HasPrefix(a.Name, "x-")) {
			rule.pairs = append(rule.pairs, a)
		}
	}
	return rule, nil
}

// all tells whether a message has everything that is asked for.
func (h *headerRule) all(m *Message) bool {
	for i := range h.pairs {
		v, ok := m.header(h.pairs[i].Name)
		if !ok || h.pairs[i].Value.kind != Void && v != h.pairs[i].Value {
			return false
		}
	}
	return true
}

// headersMatcher files bindings under what they ask for, so that only those are looked
// at of which something is there: any under each of its pairs; all under one, of which
// fewest others are. All of nothing always matches, any of nothing never does.
type headersMatcher struct {
	always *drawer
	names  []*headerName
	byName map[string]*headerName
}

type headerName struct {
	name   string
	at     int // in names
	values map[Value]*drawer
}

type drawer struct {
	name  *headerName
	value Value
	list  []filed
}

// filed is a binding in a drawer, filing is where: one knows the other's place.
type filed struct {
	b     *binding
	which int // of the binding's filings
}

type filing struct {
	in *drawer
	at int
}

func newHeadersMatcher() *headersMatcher {
	return &headersMatcher{always: &drawer{}, byName: make(map[string]*headerName)}
}

func (h *headersMatcher) add(b *binding) {
	b.rule, _ = newHeaderRule(b.Arguments) // checked before it came here
	switch pairs := b.rule.pairs; {
	case b.rule.any:
		for _, p := range pairs {
			h.drawer(p).add(b)
		}
	case len(pairs) == 0:
		h.always.add(b)
	default:
		best := pairs[0]
		for _, p := range pairs[1:] {
			if h.filed(p) < h.filed(best) {
				best = p
			}
		}
		h.drawer(best).add(b)
	}
}

// filed is how many bindings are filed under a pair.
func (h *headersMatcher) filed(p Argument) int {
	if n := h.byName[p.Name]; n != nil && n.values[p.Value] != nil {
		return len(n.values[p.Value].list)
	}
	return 0
}

// drawer finds or makes the drawer of a pair.
func (h *headersMatcher) drawer(p Argument) *drawer {
	n := h.byName[p.Name]
	if n == nil {
		n = &headerName{name: p.Name, at: len(h.names), values: make(map[Value]*drawer)}
		h.byName[p.Name] = n
		h.names = append(h.names, n)
	}
	d := n.values[p.Value]
	if d == nil {
		d = &drawer{name: n, value: p.Value}
		n.values[p.Value] = d
	}
	return d
}

func (d *drawer) add(b *binding) {
	d.list = append(d.list, filed{b, len(b.rule.filed)})
	b.rule.filed = append(b.rule.filed, filing{d, len(d.list) - 1})
}

func (h *headersMatcher) remove(b *binding) {
	for _, f := range b.rule.filed {
		d, last := f.in, len(f.in.list)-1
		moved := d.list[last]
		d.list[f.at] = moved
		moved.b.rule.filed[moved.which].at = f.at
		d.list[last] = filed{}
		d.list = d.list[:last]
		if n := d.name; n != nil && last == 0 {
			delete(n.values, d.value)
			if len(n.values) == 0 {
				h.forget(n)
			}
		}
	}
	b.rule = nil
}

func (h *headersMatcher) forget(n *headerName) {
	last := len(h.names) - 1
	moved := h.names[last]
	h.names[n.at], moved.at = moved, n.at
	h.names[last] = nil
	h.names = h.names[:last]
	delete(h.byName, n.name)
}

func (h *headersMatcher) match(r *Routing, m *Message) {
	h.always.match(r, m)
	for _, n := range h.names {
		v, ok := m.header(n.name)
		if !r.spend(1) || !ok {
			continue
		}
		n.values[v].match(r, m)
		n.values[VoidValue()].match(r, m)
	}
}

func (d *drawer) match(r *Routing, m *Message) {
	if d == nil {
		return
	}
	for _, f := range d.list {
		if r.spend(1+len(f.b.rule.pairs)) && (f.b.rule.any || f.b.rule.all(m)) {
			r.follow(f.b)
		}
	}
}
