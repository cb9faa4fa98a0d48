package exchange

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// naiveHeaders says what a headers binding means, in the words of its documentation.
func naiveHeaders(args Arguments, headers map[string]Value) bool {
	match := args.Get("x-match").Text()
	met, wanted := 0, 0
	for _, a := range args {
		withX := match == "all-with-x" || match == "any-with-x"
		if a.Name == "x-match" || strings.HasPrefix(a.Name, "x-") && !withX {
			continue
		}
		wanted++
		if v, there := headers[a.Name]; there && (a.Value == VoidValue() || v == a.Value) {
			met++
		}
	}
	if match == "any" || match == "any-with-x" {
		return met > 0
	}
	return met == wanted
}

func TestHeadersModel(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 2))
	names := []string{"a", "b", "c", "x-a", "x-", "x-match2"}
	values := []Value{
		VoidValue(), IntValue(1), IntValue(-1), FloatValue(1), TextValue("1"), TextValue(""), BoolValue(true), BoolValue(false), OpaqueValue("1"),
	}
	draw := func() (list Arguments) {
		for _, i := range rng.Perm(len(names))[:rng.IntN(4)] {
			list = append(list, Argument{names[i], values[rng.IntN(len(values))]})
		}
		return list
	}
	for range 60 {
		table, bound := NewTable(), map[string]Arguments{}
		for i := range 100 {
			args, queue := draw(), fmt.Sprintf("q%d", i)
			if match := []string{"", "all", "any", "all-with-x", "any-with-x"}[rng.IntN(5)]; match != "" {
				args = append(args, Argument{"x-match", TextValue(match)})
			}
			must(t, table, func() ([]Change, error) {
				return table.Bind(Binding{Source: "amq.headers", Destination: queue, Key: "any key", Arguments: args}, true)
			})
			bound[queue] = args
			if gone := fmt.Sprintf("q%d", rng.IntN(100)); rng.IntN(4) == 0 {
				must(t, table, func() ([]Change, error) { return table.RemoveQueue(gone), nil })
				delete(bound, gone)
			}
			headers := map[string]Value{}
			for _, a := range draw() {
				headers[a.Name] = a.Value
			}
			var want []string
			for q, args := range bound {
				if naiveHeaders(args, headers) {
					want = append(want, q)
				}
			}
			slices.Sort(want)
			if got := routed(t, table, "amq.headers", &Message{Header: header(headers)}); !slices.Equal(got, want) {
				t.Fatalf("headers %v of bindings %v\ngo to %q\nwant  %q", headers, bound, got, want)
			}
		}
		for q := range bound {
			must(t, table, func() ([]Change, error) { return table.RemoveQueue(q), nil })
		}
		if h := table.exchanges["amq.headers"].matcher.(*headersMatcher); len(h.always.list)+len(h.names)+len(h.byName) > 0 {
			t.Fatalf("something is left without bindings: %+v", h)
		}
	}
}

func header(headers map[string]Value) func(string) (Value, bool) {
	return func(name string) (Value, bool) {
		v, ok := headers[name]
		return v, ok
	}
}

func routed(t testing.TB, table *Table, exchange string, m *Message) []string {
	var r Routing
	if err := table.Route(&r, exchange, m); err != nil {
		t.Fatal(err)
	}
	slices.Sort(r.Queues)
	return r.Queues
}
