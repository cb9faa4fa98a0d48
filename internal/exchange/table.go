package exchange

import (
	"cmp"
	"maps"
	"slices"
)

// Table is the exchanges and bindings of one namespace.
type Table struct {
	exchanges map[string]*exchange
	queues    map[string]*target // those that something is bound to
	bindings  map[string]*binding
	ids       numbers // of targets
	nodes     numbers // of the topic matchers' nodes that stand for any number of words
}

type exchange struct {
	target
	Spec
	from    bucket // its bindings
	matcher matcher
}

// target is what a binding leads to.
type target struct {
	queue    string
	exchange *exchange // nil of a queue
	id       int
	in       bucket // the bindings that lead to it
}

type binding struct {
	Binding
	key    string
	source *exchange
	to     *target
	at     [buckets]int // its place in each kind of bucket
	rule   *headerRule  // of a headers exchange
}

// matcher finds the bindings that a message goes along.
type matcher interface {
	add(*binding)
	remove(*binding)
	match(*Routing, *Message)
}

// NewTable returns a table of the predeclared exchanges.
func NewTable() *Table {
	t := &Table{
		exchanges: make(map[string]*exchange), queues: make(map[string]*target), bindings: make(map[string]*binding),
	}
	for _, s := range predeclared {
		t.putExchange(s)
	}
	return t
}

// Get returns an exchange's definition.
func (t *Table) Get(name string) (Spec, bool) {
	x := t.exchanges[name]
	if x == nil {
		return Spec{}, false
	}
	return x.Spec, true
}

// Exchanges returns all definitions, by name.
func (t *Table) Exchanges() []Spec {
	list := make([]Spec, 0, len(t.exchanges))
	for _, name := range slices.Sorted(maps.Keys(t.exchanges)) {
		list = append(list, t.exchanges[name].Spec)
	}
	return list
}

// Bindings returns all bindings, by source, destination and key. Every queue's binding
// to the default exchange is not among them.
func (t *Table) Bindings() []Binding {
	list := make([]*binding, 0, len(t.bindings))
	for _, b := range t.bindings {
		list = append(list, b)
	}
	return definitions(list)
}

// BindingCount is how many Bindings returns.
func (t *Table) BindingCount() int { return len(t.bindings) }

// From returns an exchange's bindings.
func (t *Table) From(name string) []Binding {
	if x := t.exchanges[name]; x != nil {
		return definitions(x.from.list)
	}
	return nil
}

// To returns the bindings that lead to a queue or an exchange.
func (t *Table) To(kind DestinationKind, name string) []Binding {
	if to := t.target(kind, name); to != nil {
		return definitions(to.in.list)
	}
	return nil
}

func definitions(list []*binding) []Binding {
	out := make([]Binding, len(list))
	for i, b := range list {
		out[i] = b.Binding
	}
	slices.SortFunc(out, func(a, b Binding) int {
		return cmp.Or(cmp.Compare(a.Source, b.Source), cmp.Compare(a.DestinationKind, b.DestinationKind),
			cmp.Compare(a.Destination, b.Destination), cmp.Compare(a.Key, b.Key),
			cmp.Compare(string(a.key()), string(b.key())))
	})
	return out
}

// Queues returns the queues that something is bound to, by name.
func (t *Table) Queues() []string { return slices.Sorted(maps.Keys(t.queues)) }

// target finds what a binding leads to; nil if nothing leads there yet, or it is no
// exchange.
func (t *Table) target(kind DestinationKind, name string) *target {
	if kind == ToQueue {
		return t.queues[name]
	}
	if x := t.exchanges[name]; x != nil {
		return &x.target
	}
	return nil
}

// numbers gives out small numbers, and takes them back.
type numbers struct {
	free []int
	next int
}

func (n *numbers) take() int {
	if last := len(n.free) - 1; last >= 0 {
		id := n.free[last]
		n.free = n.free[:last]
		return id
	}
	n.next++
	return n.next - 1
}

func (n *numbers) giveBack(id int) { n.free = append(n.free, id) }

// bucket holds bindings. Each knows its place, so that one of very many goes as fast as
// one of few.
type bucket struct{ list []*binding }

// Kinds of buckets that a binding is in at the same time.
const (
	ofSource = iota
	ofTarget
	ofMatch
	buckets
)

func (s *bucket) add(b *binding, which int) {
	b.at[which] = len(s.list)
	s.list = append(s.list, b)
}

func (s *bucket) remove(b *binding, which int) {
	last := len(s.list) - 1
	moved := s.list[last]
	s.list[b.at[which]] = moved
	moved.at[which] = b.at[which]
	s.list[last] = nil
	s.list = s.list[:last]
}
