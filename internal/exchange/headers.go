package exchange

import (
	"fmt"
	"strings"
)

// headerRule is what a binding of a headers exchange asks for.
type headerRule struct {
	any   bool
	pairs []Argument // Void: the header is there, whatever its value
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

// matches tells whether a message is asked for. All of nothing matches, any of
// nothing does not.
func (h *headerRule) matches(m *Message) bool {
	for i := range h.pairs {
		v, ok := m.header(h.pairs[i].Name)
		if ok && h.pairs[i].Value.kind != Void {
			ok = v == h.pairs[i].Value
		}
		if ok == h.any {
			return h.any
		}
	}
	return !h.any
}

// headersMatcher tries each binding.
type headersMatcher struct{ all bucket }

func (h *headersMatcher) add(b *binding) {
	b.rule, _ = newHeaderRule(b.Arguments) // checked before it came here
	h.all.add(b, ofMatch)
}

func (h *headersMatcher) remove(b *binding) { h.all.remove(b, ofMatch) }

func (h *headersMatcher) match(r *Routing, m *Message) {
	for _, b := range h.all.list {
		if r.spend(1+len(b.rule.pairs)) && b.rule.matches(m) {
			r.follow(b)
		}
	}
}
