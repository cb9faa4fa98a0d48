package amqp091

import (
	"encoding/json"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// every is a table with a field of each kind, in RabbitMQ's encoding.
const everyWire = "\x01tt\x02" + "\x01bb\xff" + "\x01BB\xff" + "\x01ss\xff\xfe" + "\x01uu\xff\xfe" + "\x01II\xff\xff\xff\xfd" +
	"\x01ii\xff\xff\xff\xfd" + "\x01ll\xff\xff\xff\xff\xff\xff\xff\xfc" + "\x01LL\xff\xff\xff\xff\xff\xff\xff\xfc" +
	"\x01ff\x3f\xc0\x00\x00" + "\x01dd\x3f\xf8\x00\x00\x00\x00\x00\x00" + "\x01DD\x02\x00\x00\x01\x3a" +
	"\x01SS\x00\x00\x00\x02hi" + "\x01AA\x00\x00\x00\x03t\x00V" + "\x01TT\x00\x00\x00\x00\x65\x92\x00\x80" +
	"\x01FF\x00\x00\x00\x04\x01at\x01" + "\x01VV" + "\x01xx\x00\x00\x00\x01\xff"

func readTable(wire string) (Table, error) {
	r := NewReader(appendLongstr(nil, wire))
	t := r.table()
	return t, r.Finish()
}

// TestKinds reads every kind of field, and what is asked of it in the wrong way.
func TestKinds(t *testing.T) {
	every, err := readTable(everyWire)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"t": true, "b": int64(-1), "B": int64(255), "s": int64(-2), "u": int64(65534), "I": int64(-3), "i": int64(math.MaxUint32 - 2),
		"l": int64(-4), "L": int64(-4), "f": 1.5, "d": 1.5, "D": Decimal{2, 314}, "S": "hi", "A": []any{false, nil},
		"T": Timestamp(1704067200), "F": map[string]any{"a": true}, "V": nil, "x": []byte{0xff},
	}
	if got := every.Map(); !reflect.DeepEqual(got, want) || every.Len() != len(kinds) {
		t.Errorf("got %+v", got)
	}
	for name, v := range every.All() {
		if v.Kind() != Kind(name[0]) {
			t.Errorf("%s is %v", name, v.Kind())
		}
		answers := 0
		for _, ok := range []bool{
			second(v.Bool()), second(v.Int()), second(v.Float()), second(v.Decimal()), second(v.Text()), second(v.Bytes()),
			second(v.Timestamp()), second(v.Table()), second(v.Array()), v.Kind() == KindVoid,
		} {
			if ok {
				answers++
			}
		}
		if answers != 1 {
			t.Errorf("%s answers to %d of the questions", name, answers)
		}
	}
	const text = `{t: true, b: -1, B: 255, s: -2, u: 65534, I: -3, i: 4294967293, l: -4, L: -4, f: 1.5, d: 1.5, D: 314e-2, S: "hi", ` +
		`A: [false, <nil>], T: 1704067200, F: {a: true}, V: <nil>, x: "\xff"}`
	if every.String() != text {
		t.Errorf("got %v", every)
	}
	if got := string(appendTable(nil, every)[4:]); got != everyWire {
		t.Errorf("%x became %x", everyWire, got)
	}
}

func second[T any](_ T, ok bool) bool { return ok }

func TestTableErrors(t *testing.T) {
	nested := func(depth int) string {
		var v Table
		for range depth - 1 {
			v = NewTable(Field{"", v.Value()})
		}
		return v.text
	}
	nestedArrays := func(depth int) string {
		var v Array
		for range depth - 2 {
			v = NewArray(v.Value())
		}
		return NewTable(Field{"", v.Value()}).text
	}
	for _, c := range []struct{ wire, wrong string }{
		{"", ""},
		{"\x00V", ""}, // a name may be empty
		{strings.Repeat("\x01aV", 2), ""},
		{nested(TableDepthMax), ""},
		{nested(TableDepthMax + 1), "nested deeper than 32"},
		{nestedArrays(TableDepthMax), ""},
		{nestedArrays(TableDepthMax + 1), "nested deeper than 32"},
		{strings.Repeat("\x00V", TableEntriesMax), ""},
		{strings.Repeat("\x00V", TableEntriesMax+1), "more than 16384 fields"},
		{"\x00A\x00\x00\x40\x00" + strings.Repeat("V", TableEntriesMax), "more than 16384 fields"},
		{"\x00", `field "" goes past its table's end`},
		{"\x01a", `field "" goes past`},
		{"\x05aV", `field "" goes past`},
		{"\x01at", `field "a" goes past`},
		{"\x01aS\x00\x00\x00", `field "a" goes past`},
		{"\x01aS\x00\x00\x00\x01", `field "a" goes past`},
		{"\x01aS\xff\xff\xff\xffx", `field "a" goes past`},
		{"\x01aF\x00\x00\x00\x02\x01bV", `field "" goes past`},
		{"\x01aU\x00\x00", `field "a" has the unknown type 'U'`},
		{"\x01aA\x00\x00\x00\x01?", `field "" has the unknown type '?'`},
		{"\x01a\x00", "goes past"},
	} {
		got, err := readTable(c.wire)
		if c.wrong == "" {
			if err != nil || got.text != c.wire {
				t.Errorf("%.40q: %v", c.wire, err)
			}
		} else if err == nil || !strings.Contains(err.Error(), c.wrong) || got != (Table{}) {
			t.Errorf("%.40q: %v, want %q", c.wire, err, c.wrong)
		}
	}
}

func TestTableEdits(t *testing.T) {
	a := NewTable(Field{"x", Int64(1)}, Field{"y", Bool(true)}, Field{"x", String("again")})
	if v, ok := a.Get("x"); !ok || v != Int64(1) {
		t.Errorf("the first x is %v", v)
	}
	if _, ok := a.Get("X"); ok {
		t.Error("names are not case-sensitive")
	}
	for _, c := range []struct {
		got  Table
		want string
	}{
		{a, `{x: 1, y: true, x: "again"}`},
		{a.With("x", Float64(2.5)), `{x: 2.5, y: true}`},
		{a.With("z", NewArray(Int32(1), Bytes([]byte("b"))).Value()), `{x: 1, y: true, x: "again", z: [1, "b"]}`},
		{a.Without("x"), `{y: true}`},
		{a.Without("z"), a.String()},
		{Table{}.With("v", Value{}), `{v: <nil>}`},
	} {
		if c.got.String() != c.want {
			t.Errorf("got %v, want %s", c.got, c.want)
		}
		if again, err := readTable(c.got.text); err != nil || again != c.got {
			t.Errorf("%v: %v", c.got, err)
		}
	}
	if !(Table{}).Empty() || a.Empty() || a.Len() != 3 || NewArray(Int64(1)).Len() != 1 {
		t.Error("lengths")
	}
	if got := a.Map(); !reflect.DeepEqual(got, map[string]any{"x": int64(1), "y": true}) {
		t.Errorf("got %v", got)
	}
	for range a.All() {
		break // a walk may end early
	}
	for range NewArray(Value{}, Value{}).All() {
		break
	}
	if v, _ := (Table{}.With("v", Value{})).Get("v"); v.Kind() != KindVoid || !v.Equivalent(Value{}) {
		t.Error("the zero value is not void")
	}
}

func TestEquivalent(t *testing.T) {
	every, _ := readTable(everyWire)
	value := func(name string) Value { v, _ := every.Get(name); return v }
	groups := [][]Value{
		{Int64(-4), value("l"), value("L"), Int32(-4)},
		{Int64(255), value("B")},
		{Float64(1.5), value("f"), value("d")},
		{Bool(true), value("t"), {KindBool, "\xff"}},
		{Bool(false)},
		{String("hi"), value("S")},
		{Bytes([]byte("hi"))},
		{Int64(1704067200)},
		{value("T")},
		{Decimal{0, 255}.Value()},
		{value("F"), NewTable(Field{"a", Bool(true)}).Value()},
		{value("A")},
		{Value{}, value("V")},
	}
	for i, a := range groups {
		for j, b := range groups {
			for _, v := range a {
				for _, w := range b {
					if v.Equivalent(w) != (i == j) {
						t.Errorf("%v %v and %v %v", v.Kind(), v, w.Kind(), w)
					}
				}
			}
		}
	}
}

// TestJSON takes a table through JSON, as definitions of RabbitMQ come.
func TestJSON(t *testing.T) {
	const text = `{"x-max-length":10000,"x-ttl":1e3,"x-overflow":"reject-publish","x-list":[1,true,null,{"a":-1.5}]}`
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var m map[string]any
	if err := d.Decode(&m); err != nil {
		t.Fatal(err)
	}
	table, err := TableOf(m)
	const want = `{x-list: [1, true, <nil>, {a: -1.5}], x-max-length: 10000, x-overflow: "reject-publish", x-ttl: 1000}`
	if err != nil || table.String() != want {
		t.Errorf("%v, %v", table, err)
	}
	if v, _ := table.Get("x-max-length"); v.Kind() != KindInt64 {
		t.Errorf("integers become %v", v.Kind())
	}
	out, err := json.Marshal(table.Map())
	if err != nil || string(out) != `{"x-list":[1,true,null,{"a":-1.5}],"x-max-length":10000,"x-overflow":"reject-publish","x-ttl":1000}` {
		t.Errorf("%s, %v", out, err)
	}
}

func TestTableOf(t *testing.T) {
	f := filler{newRand(t)}
	for range 500 {
		m := f.table(4).Map()
		table, err := TableOf(m)
		if err != nil {
			t.Fatal(err)
		}
		if got := table.Map(); !sameMap(got, m) {
			t.Fatalf("%v became %v", m, got)
		}
	}
	if _, err := ValueOf(map[string]any{"a": []any{1, NewArray(), Table{}, Value{}, struct{}{}}}); err == nil || err.Error() != "a: no field of a table holds a struct {}" {
		t.Error(err)
	}
	if _, err := TableOf(map[string]any{strings.Repeat("n", 256): 1}); err == nil {
		t.Error("a name of 256 bytes")
	}
	if _, err := ValueOf(json.Number("many")); err == nil {
		t.Error("a number that is none")
	}
	deep, deepMap := any(nil), any(nil)
	for range TableDepthMax + 1 {
		deep, deepMap = []any{deep}, map[string]any{"": deepMap}
	}
	for _, v := range []any{deep, deepMap} {
		if _, err := ValueOf(v); err == nil || !strings.Contains(err.Error(), "deeper than 32") {
			t.Error(err)
		}
	}
}

// sameMap compares what fmt would: NaN is not equal to itself.
func sameMap(a, b map[string]any) bool {
	at, _ := TableOf(a)
	bt, _ := TableOf(b)
	return at == bt
}

// TestLongLogs: nobody can fill our logs with a table.
func TestLongLogs(t *testing.T) {
	long := String(strings.Repeat("x", 10*stringBytesMax))
	many := NewArray(slices.Repeat([]Value{Int64(1)}, 2000)...)
	table := NewTable(slices.Repeat([]Field{{"a", Int64(1)}}, 2000)...)
	for _, s := range []string{
		long.String(), NewArray(slices.Repeat([]Value{long}, 20)...).String(), many.String(), table.String(),
		NewTable(Field{"a", many.Value()}, Field{"b", table.Value()}).String(),
	} {
		if len(s) > 3*stringBytesMax {
			t.Errorf("%d bytes", len(s))
		}
	}
}
