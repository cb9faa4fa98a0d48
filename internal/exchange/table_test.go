package exchange

import "testing"

// TestCommandsAlone: commands that come without those that were planned with them, as
// from a log whose end was lost.
func TestCommandsAlone(t *testing.T) {
	x := Spec{Name: "x", Kind: Direct, Durable: true}
	log := []Command{x.command()}
	for _, b := range []Binding{
		{Source: "x", Destination: "q", Key: "k", Durable: true},
		{Source: "x", DestinationKind: ToExchange, Destination: "x", Key: "k", Durable: true},
		{Source: "amq.fanout", DestinationKind: ToExchange, Destination: "x", Durable: true},
		{Source: "nosuch", Destination: "q", Key: "k", Durable: true},
		{Source: "x", DestinationKind: ToExchange, Destination: "nosuch", Durable: true},
	} {
		log = append(log, b.command())
	}
	table := replay(t, log)
	if n := len(table.Bindings()); n != 3 {
		t.Errorf("%d bindings, want those 3 whose exchanges are there", n)
	}
	if len(table.From("x")) != 2 || len(table.To(ToExchange, "x")) != 2 || len(table.To(ToQueue, "q")) != 1 {
		t.Errorf("from x %v, to x %v, to q %v", table.From("x"), table.To(ToExchange, "x"), table.To(ToQueue, "q"))
	}
	if table.From("nosuch") != nil || table.To(ToExchange, "nosuch") != nil || table.To(ToQueue, "nosuch") != nil {
		t.Error("something leads from or to what is not there")
	}

	// Defined anew in what does not matter for bindings: they stay.
	changed := x
	changed.Alternate = "amq.topic"
	table = replay(t, append(log, changed.command()))
	if got, _ := table.Get("x"); len(table.From("x")) != 2 || got.Alternate != "amq.topic" {
		t.Errorf("%+v has %v", got, table.From("x"))
	}

	// Another kind is another exchange.
	other := x
	other.Kind = Headers
	table = replay(t, append(log, other.command()))
	if got, _ := table.Get("x"); got.Kind != Headers || len(table.Bindings()) != 0 || len(table.Queues()) != 0 {
		t.Errorf("%+v, bindings %v", got, table.Bindings())
	}

	// What is gone takes its bindings along.
	table = replay(t, append(log, Command{Key: exchangeKey("x")}, Command{Key: exchangeKey("x")}))
	if _, ok := table.Get("x"); ok || len(table.Bindings()) != 0 || len(table.Queues()) != 0 {
		t.Errorf("bindings %v, queues %v", table.Bindings(), table.Queues())
	}
}

func TestValues(t *testing.T) {
	all := []Value{
		{}, VoidValue(), BoolValue(false), BoolValue(true), IntValue(0), IntValue(1), IntValue(-1), FloatValue(0), FloatValue(1),
		TextValue(""), TextValue("1"), OpaqueValue(""), OpaqueValue("1"),
	}
	for i, a := range all {
		for j, b := range all {
			if (a == b) != (i == j) {
				t.Errorf("%v and %v are equal: %v", a, b, a == b)
			}
		}
	}
	if v := IntValue(-5); v.Int() != -5 || v.Float() != 0 || v.Bool() || v.Text() != "" || v.String() != "-5" {
		t.Errorf("%+v", v)
	}
	if v := FloatValue(0.5); v.Int() != 0 || v.Float() != 0.5 || v.String() != "0.5" {
		t.Errorf("%+v", v)
	}
	if v := OpaqueValue("\x01"); v.Text() != "\x01" || v.String() != "01" || (Value{}).String() != "none" {
		t.Errorf("%+v", v)
	}
}
