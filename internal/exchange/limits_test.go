package exchange

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/narumq/naru/internal/fault"
)

// chain makes n exchanges, each bound to the next, and the last to a queue.
func chain(t *testing.T, n int) *Table {
	table := NewTable()
	for i := range n {
		must(t, table, func() ([]Change, error) { return table.Declare(Spec{Name: fmt.Sprint("x", i), Kind: Fanout}) })
	}
	for i := range n {
		b := Binding{Source: fmt.Sprint("x", i), DestinationKind: ToExchange, Destination: fmt.Sprint("x", i+1)}
		if i == n-1 {
			b.DestinationKind, b.Destination = ToQueue, "q"
		}
		must(t, table, func() ([]Change, error) { return table.Bind(b, true) })
	}
	return table
}

func TestVisitsOfOneMessage(t *testing.T) {
	if got := routed(t, chain(t, VisitsPerMessageMax), "x0", &Message{}); !slices.Equal(got, []string{"q"}) {
		t.Errorf("through as many exchanges as allowed it goes to %q", got)
	}
	var r Routing
	err := chain(t, VisitsPerMessageMax+1).Route(&r, "x0", &Message{})
	if !errors.Is(err, ErrLimit) || !r.Unroutable() {
		t.Errorf("through one more: %v, %q", err, r.Queues)
	}
}

func TestKeysOfOneMessage(t *testing.T) {
	table := NewTable()
	keys := make([]string, KeysPerMessageMax-1)
	if got := routed(t, table, Default, &Message{CC: keys[:10], BCC: keys[10:]}); !slices.Equal(got, []string{""}) {
		t.Errorf("goes to %q", got)
	}
	if err := table.Route(&Routing{}, Default, &Message{CC: keys, BCC: []string{"one more"}}); !errors.Is(err, ErrLimit) {
		t.Errorf("too many keys: %v", err)
	}
}

// TestStepsOfOneMessage: many long keys through patterns that are never done, and many
// times along the same bindings.
func TestStepsOfOneMessage(t *testing.T) {
	x := newTrie(t)
	for i := range 63 {
		x.bind(t, strings.Repeat("#.a.", i)+"#.b", "never")
		x.bind(t, strings.Repeat("#.*.", i)+"#.b", "never")
	}
	hostile := Message{Key: strings.Repeat("a.", 120) + "a"}
	for len(hostile.BCC) < KeysPerMessageMax-1 {
		hostile.BCC = append(hostile.BCC, hostile.Key)
	}
	if err := x.t.Route(&x.r, trieName, &hostile); !errors.Is(err, ErrLimit) || !x.r.Unroutable() {
		t.Errorf("a thousand long keys: %v", err)
	}
	if most := StepsPerMessageMax + x.root().nodes(); x.r.steps > most { // it ends with a word
		t.Errorf("%d steps, want at most %d", x.r.steps, most)
	}
	// The same work for each key of a direct exchange.
	table := NewTable()
	for i := range 5_000 {
		must(t, table, func() ([]Change, error) {
			return table.Bind(Binding{Source: "amq.direct", Destination: fmt.Sprint("q", i), Key: "k"}, true)
		})
	}
	if err := table.Route(&x.r, "amq.direct", &Message{Key: "k", CC: slices.Repeat([]string{"k"}, 1_000)}); !errors.Is(err, ErrLimit) {
		t.Errorf("five million bindings are followed: %v", err)
	}
}

func TestLimitsOfDefinitions(t *testing.T) {
	table := NewTable()
	many := make(Arguments, ArgumentsMax+1)
	for i := range many {
		many[i].Name = fmt.Sprint(i)
	}
	long := strings.Repeat("x", NameBytesMax+1)
	for what, b := range map[string]Binding{
		"key":            {Source: "amq.direct", Destination: "q", Key: long},
		"queue":          {Source: "amq.direct", Destination: long},
		"source":         {Source: long, Destination: "q"},
		"no queue":       {Source: "amq.direct"},
		"no UTF-8":       {Source: "amq.direct", Destination: "\xff"},
		"arguments":      {Source: "amq.direct", Destination: "q", Arguments: many},
		"argument name":  {Source: "amq.direct", Destination: "q", Arguments: Arguments{{long, Value{}}}},
		"argument bytes": {Source: "amq.direct", Destination: "q", Arguments: Arguments{{"a", TextValue(strings.Repeat("x", ArgumentBytesMax))}}},
	} {
		if _, err := table.Bind(b, true); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: %v", what, err)
		}
		if _, err := table.Unbind(b); !errors.Is(err, ErrInvalid) {
			t.Errorf("unbind, %s: %v", what, err)
		}
	}
	if _, err := table.Declare(Spec{Name: "x", Kind: Direct, Alternate: long}); !errors.Is(err, ErrInvalid) {
		t.Errorf("alternate: %v", err)
	}
	if _, err := table.Declare(Spec{Name: "x", Kind: Direct, Wraps: Topic}); !errors.Is(err, ErrInvalid) {
		t.Errorf("direct that wraps: %v", err)
	}
}

func TestExchangesMax(t *testing.T) {
	table := NewTable()
	spec := func(i int) Spec { return Spec{Name: fmt.Sprint("x", i), Kind: Fanout, Durable: true} }
	for i := range ExchangesMax - len(predeclared) {
		must(t, table, func() ([]Change, error) { return table.Declare(spec(i)) })
	}
	s := spec(-1)
	if _, err := table.Declare(s); fault.CodeOf(err) != fault.ResourceExhausted {
		t.Errorf("one too many is planned: %v", err)
	}
	if err := table.Apply(s.command()); !errors.Is(err, ErrLimit) {
		t.Errorf("one too many is applied: %v", err)
	}
	if _, err := table.Declare(spec(1)); err != nil {
		t.Errorf("one that is there: %v", err)
	}
}

func TestBindingsPerExchangeMax(t *testing.T) {
	if testing.Short() {
		t.Skip("makes many bindings")
	}
	table := NewTable()
	def := func(i int) Binding {
		return Binding{Source: "amq.direct", Destination: "q", Key: fmt.Sprint(i), Durable: true}
	}
	for i := range BindingsPerExchangeMax {
		b := def(i)
		if err := table.Apply(b.command()); err != nil {
			t.Fatal(err)
		}
	}
	b := def(-1)
	if _, err := table.Bind(b, true); !errors.Is(err, ErrLimit) {
		t.Errorf("one too many is planned: %v", err)
	}
	if err := table.Apply(b.command()); !errors.Is(err, ErrLimit) {
		t.Errorf("one too many is applied: %v", err)
	}
	if _, err := table.Bind(def(1), true); err != nil {
		t.Errorf("one that is there: %v", err)
	}
}

// TestRoutesSideBySide is for the race detector: routing changes nothing.
func TestRoutesSideBySide(t *testing.T) {
	x := newTrie(t)
	for i := range 100 {
		x.bind(t, fmt.Sprintf("#.w%d.#", i), fmt.Sprint("q", i))
	}
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			var r Routing
			for j := range 200 {
				if err := x.t.Route(&r, trieName, &Message{Key: fmt.Sprintf("a.w%d.w%d", i, j%100)}); err != nil || len(r.Queues) == 0 {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

func TestKindNames(t *testing.T) {
	for k := Direct; k <= Delayed; k++ {
		if got, ok := ParseKind(k.String()); !ok || got != k {
			t.Errorf("%s is parsed as %s", k, got)
		}
	}
	if _, ok := ParseKind("unknown"); ok {
		t.Error("unknown is no kind")
	}
}
