package exchange

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
)

// Apply carries out a command: one that was planned, or one of a snapshot. A malformed
// one is an error and changes nothing; a binding whose exchanges are not there changes
// nothing either.
func (t *Table) Apply(c Command) error {
	if len(c.Key) == 0 {
		return fmt.Errorf("%w: no key", ErrMalformed)
	}
	switch c.Key[0] {
	case keyExchange:
		return t.applyExchange(c)
	case keyBinding:
		return t.applyBinding(c)
	}
	return fmt.Errorf("%w: key of unknown kind %d", ErrMalformed, c.Key[0])
}

func (t *Table) applyExchange(c Command) error {
	name := string(c.Key[1:])
	if err := checkName(name); err != nil {
		return fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if reserved(name) {
		return fmt.Errorf("%w: '%s' never changes", ErrMalformed, name)
	}
	if c.Value == nil {
		if x := t.exchanges[name]; x != nil {
			t.removeExchange(x)
		}
		return nil
	}
	s, err := readSpec(c.Key, c.Value)
	if err != nil {
		return err
	}
	s.Arguments = s.Arguments.sorted()
	if !bytes.Equal(s.command().Value, c.Value) {
		return fmt.Errorf("%w: '%s' is encoded in an odd way", ErrMalformed, name)
	}
	if t.exchanges[name] == nil && len(t.exchanges) >= ExchangesMax {
		return fmt.Errorf("%w: %d exchanges", ErrLimit, len(t.exchanges))
	}
	t.putExchange(s)
	return nil
}

func (t *Table) applyBinding(c Command) error {
	b, err := readBinding(c.Key)
	if err != nil {
		return err
	}
	b.Arguments = b.Arguments.sorted()
	if !bytes.Equal(b.key(), c.Key) {
		return fmt.Errorf("%w: a binding is encoded in an odd way", ErrMalformed)
	}
	if c.Value == nil {
		if found := t.bindings[string(c.Key)]; found != nil {
			t.removeBinding(found)
		}
		return nil
	}
	r := reader{b: c.Value}
	b.Durable = r.byte(flagDurable) == flagDurable
	if err := r.end(); err != nil {
		return err
	}
	return t.putBinding(b, string(c.Key))
}

// putExchange makes an exchange, or changes one. What was bound to one that chose in
// another way is not bound to this.
func (t *Table) putExchange(s Spec) {
	x := t.exchanges[s.Name]
	if x != nil && x.chooses() == s.chooses() {
		x.Spec = s
		return
	}
	if x != nil {
		t.removeExchange(x)
	}
	x = &exchange{Spec: s}
	x.target = target{exchange: x, id: t.ids.take()}
	x.matcher = t.newMatcher(x)
	t.exchanges[s.Name] = x
}

func (t *Table) newMatcher(x *exchange) matcher {
	switch x.chooses() {
	case Direct:
		return make(directMatcher)
	case Topic:
		return &topicMatcher{nodes: &t.nodes}
	case Headers:
		return newHeadersMatcher()
	}
	return fanoutMatcher{&x.from}
}

func (t *Table) removeExchange(x *exchange) {
	for _, list := range [][]*binding{slices.Clone(x.from.list), slices.Clone(x.in.list)} {
		for _, b := range list {
			if t.bindings[b.key] == b { // one to itself is in both
				t.removeBinding(b)
			}
		}
	}
	delete(t.exchanges, x.Name)
	t.ids.giveBack(x.id)
}

func (t *Table) putBinding(def Binding, key string) error {
	if old := t.bindings[key]; old != nil {
		old.Durable = def.Durable
		return nil
	}
	x := t.exchanges[def.Source]
	if x == nil || def.DestinationKind == ToExchange && t.exchanges[def.Destination] == nil {
		return nil
	}
	b := &binding{Binding: def, key: key, source: x}
	if x.chooses() == Headers {
		if _, err := newHeaderRule(def.Arguments); err != nil {
			return fmt.Errorf("%w: %w", ErrMalformed, err)
		}
	}
	if len(x.from.list) >= BindingsPerExchangeMax {
		return fmt.Errorf("%w: %d bindings of '%s'", ErrLimit, len(x.from.list), x.Name)
	}
	b.to = t.target(def.DestinationKind, def.Destination)
	if b.to == nil {
		b.to = &target{queue: def.Destination, id: t.ids.take()}
		t.queues[def.Destination] = b.to
	}
	t.bindings[key] = b
	x.from.add(b, ofSource)
	b.to.in.add(b, ofTarget)
	x.matcher.add(b)
	return nil
}

func (t *Table) removeBinding(b *binding) {
	b.source.matcher.remove(b)
	b.source.from.remove(b, ofSource)
	b.to.in.remove(b, ofTarget)
	delete(t.bindings, b.key)
	if b.to.exchange == nil && len(b.to.in.list) == 0 {
		delete(t.queues, b.to.queue)
		t.ids.giveBack(b.to.id)
	}
}

// Snapshot emits commands that rebuild what is durable from nothing, and that change
// nothing when they are applied to this table.
func (t *Table) Snapshot(emit func(key, value []byte)) {
	for _, name := range slices.Sorted(maps.Keys(t.exchanges)) {
		if x := t.exchanges[name]; x.Durable && !Predeclared(name) {
			c := x.command()
			emit(c.Key, c.Value)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(t.bindings)) {
		if b := t.bindings[key]; b.Durable {
			emit([]byte(key), []byte{flagDurable})
		}
	}
}
