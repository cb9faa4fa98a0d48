package exchange

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

// TestMalformed are commands that no table made.
func TestMalformed(t *testing.T) {
	spec := func(s Spec) Command { return s.command() }
	bind := func(b Binding) Command { return b.command() }
	valued := func(c Command, value ...byte) Command { return Command{Key: c.Key, Value: value} }
	x, b := spec(Spec{Name: "x", Kind: Direct, Durable: true}), bind(Binding{Source: "amq.match", Destination: "q"})
	args := func(list ...Argument) Command {
		return bind(Binding{Source: "amq.match", Destination: "q", Arguments: list})
	}
	one := Argument{"a", BoolValue(true)}
	for what, c := range map[string]Command{
		"no key": {}, "unknown kind": {Key: []byte("z")}, "no name": {Key: []byte("x")},
		"default exchange": spec(predeclared[0]), "predeclared": spec(predeclared[1]), "predeclared is gone": {Key: exchangeKey("amq.topic")},
		"no value": valued(x), "cut short": valued(x, x.Value[:len(x.Value)-1]...), "too long": valued(x, append(x.Value, 0)...),
		"kind": spec(Spec{Name: "x", Kind: 6}), "wraps": spec(Spec{Name: "x", Kind: Delayed, Wraps: Delayed}),
		"flags": valued(x, byte(Direct), 0, 8, 0, 0), "odd number": valued(x, byte(Direct), 0, 0, 0x80, 0, 0),
		"arguments out of order": args(Argument{"b", VoidValue()}, one), "an argument twice": args(one, one),
		"no boolean": args(Argument{"a", Value{kind: BoolKind, num: 2}}), "kind of value": args(Argument{"a", Value{kind: valueKinds}}),
		"x-match": args(Argument{"x-match", TextValue("none")}), "of the default exchange": bind(Binding{Destination: "q"}),
		"binding, no value": valued(b), "binding, flags": valued(b, 2), "binding, too long": valued(b, 1, 1),
		"binding, key too long": {Key: append(slices.Clone(b.Key), 0), Value: b.Value},
		"text cut short":        {Key: []byte{keyBinding, 200, 1}, Value: b.Value},
		"many arguments":        {Key: append(slices.Clone(b.Key[:len(b.Key)-1]), 0xff, 0xff, 3), Value: b.Value},
	} {
		table := NewTable()
		if c.Value == nil && strings.HasSuffix(what, "no value") {
			c.Value = []byte{}
		}
		if err := table.Apply(c); !errors.Is(err, ErrMalformed) || show(table) != "" {
			t.Errorf("%s: %v %s", what, err, show(table))
		}
	}
}

// FuzzCommands applies bytes as commands: those that are none change nothing, and what
// the others make, a snapshot makes again, and can be used.
func FuzzCommands(f *testing.F) {
	spec := func(s Spec) Command { return s.command() }
	bind := func(b Binding) Command { return b.command() }
	add := func(a, b Command) { f.Add(a.Key, a.Value, b.Key, b.Value) }
	add(spec(Spec{Name: "x", Kind: Topic, Durable: true, Alternate: "y", Arguments: Arguments{{"a", OpaqueValue("b")}}}),
		bind(Binding{Source: "x", Destination: "q", Key: "a.#", Durable: true}))
	add(spec(Spec{Name: "x", Kind: Delayed, Wraps: Headers, Durable: true}),
		bind(Binding{Source: "x", DestinationKind: ToExchange, Destination: "x", Arguments: Arguments{{"b", VoidValue()}, {"x-match", TextValue("any")}}, Durable: true}))
	add(spec(Spec{Name: "seen", Kind: Fanout, Durable: true, Internal: true, AutoDelete: true}), Command{Key: exchangeKey("seen")})
	add(bind(Binding{Source: "seen", Destination: "q", Arguments: Arguments{{"b", BoolValue(true)}, {"f", FloatValue(1)}, {"i", IntValue(-1)}}}),
		Command{Key: (&Binding{Source: "amq.match", Destination: "q"}).key()})
	f.Fuzz(func(t *testing.T, k1, v1, k2, v2 []byte) {
		table := replay(t, []Command{
			spec(Spec{Name: "seen", Kind: Headers, Durable: true}), bind(Binding{Source: "amq.match", Destination: "q", Durable: true}),
		})
		for _, c := range []Command{{Key: k1, Value: v1}, {Key: k2, Value: v2}} {
			before := show(table)
			if err := table.Apply(c); err != nil && (!errors.Is(err, ErrMalformed) || show(table) != before) {
				t.Fatalf("%q = %q: %v\n%s\nbefore\n%s", c.Key, c.Value, err, show(table), before)
			}
		}
		var r Routing
		for _, x := range table.Exchanges() {
			m := Message{Key: "a.b", FromBroker: true, Header: header(map[string]Value{"b": IntValue(1), "x-delay": IntValue(5)})}
			if err := table.Route(&r, x.Name, &m); err != nil {
				t.Fatal(err)
			}
			if _, err := table.Delete(x.Name, false); err != nil && !errors.Is(err, ErrReserved) && !errors.Is(err, ErrDefaultExchange) {
				t.Fatal(err)
			}
		}
		table.RemoveQueue("q")
		first := replay(t, snapshot(table))
		if second := replay(t, snapshot(first)); show(first) != show(second) {
			t.Fatalf("a snapshot gives\n%s\nand then\n%s", show(first), show(second))
		}
	})
}
