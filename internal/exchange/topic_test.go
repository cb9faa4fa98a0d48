package exchange

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// words splits a key or a pattern as the trie does; the empty key has none.
func words(key string) []string {
	if key == "" {
		return nil
	}
	return strings.Split(key, ".")
}

// naiveTopic matches by the definition, a row of a table for each word of the pattern:
// row[i] tells whether the pattern so far matches the first i words.
func naiveTopic(pattern, key string) bool {
	have := words(key)
	row := make([]bool, len(have)+1)
	row[0] = true
	for _, p := range words(pattern) {
		next := make([]bool, len(row))
		for i := range row {
			switch {
			case p == wordHash:
				next[i] = row[i] || i > 0 && next[i-1]
			case i > 0:
				next[i] = row[i-1] && (p == wordStar || p == have[i-1])
			}
		}
		row = next
	}
	return row[len(have)]
}

// trie is a topic exchange by itself: each pattern leads to the queue of its name.
type trie struct {
	t     *Table
	r     Routing
	steps int
}

const trieName = "trie"

func newTrie(t testing.TB) *trie {
	table := NewTable()
	must(t, table, func() ([]Change, error) { return table.Declare(Spec{Name: trieName, Kind: Topic}) })
	return &trie{t: table}
}

// must plans and applies.
func must(t testing.TB, table *Table, plan func() ([]Change, error)) []Change {
	t.Helper()
	changes, err := plan()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range changes {
		if err := table.Apply(c.Command); err != nil {
			t.Fatal(err)
		}
	}
	return changes
}

func (x *trie) bind(t testing.TB, pattern, queue string) {
	must(t, x.t, func() ([]Change, error) {
		return x.t.Bind(Binding{Source: trieName, Destination: queue, Key: pattern}, true)
	})
}

func (x *trie) unbind(t testing.TB, pattern, queue string) {
	must(t, x.t, func() ([]Change, error) {
		return x.t.Unbind(Binding{Source: trieName, Destination: queue, Key: pattern})
	})
}

func (x *trie) route(t testing.TB, key string) []string {
	if err := x.t.Route(&x.r, trieName, &Message{Key: key}); err != nil {
		t.Fatal(err)
	}
	x.steps = x.r.steps
	slices.Sort(x.r.Queues)
	return x.r.Queues
}

func (x *trie) root() *topicNode { return &x.t.exchanges[trieName].matcher.(*topicMatcher).root }

// nodes counts the trie's nodes.
func (n *topicNode) nodes() int {
	count := 1
	for _, c := range n.next {
		count += c.nodes()
	}
	for _, c := range []*topicNode{n.star, n.hash} {
		if c != nil {
			count += c.nodes()
		}
	}
	return count
}

// TestTopicModel compares the trie with the definition while patterns come and go.
func TestTopicModel(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	draw := func(alphabet []string, most int) string {
		list := make([]string, rng.IntN(most+1))
		for i := range list {
			list[i] = alphabet[rng.IntN(len(alphabet))]
		}
		return strings.Join(list, ".")
	}
	for range 60 {
		x, patterns := newTrie(t), map[string]bool{}
		for range 200 {
			pattern := draw([]string{"a", "b", "", "*", "#", "#"}, 6)
			queue := "q " + pattern
			if rng.IntN(3) > 0 {
				x.bind(t, pattern, queue)
				patterns[pattern] = true
			} else {
				x.unbind(t, pattern, queue)
				delete(patterns, pattern)
			}
			key := draw([]string{"a", "b", "c", "", "*", "#"}, 7)
			var want []string
			for p := range patterns {
				if naiveTopic(p, key) {
					want = append(want, "q "+p)
				}
			}
			slices.Sort(want)
			if got := x.route(t, key); !slices.Equal(got, want) {
				t.Fatalf("key %q of patterns %v\ngoes to %q\nwant    %q", key, patterns, got, want)
			}
		}
		for p := range patterns {
			x.unbind(t, p, "q "+p)
		}
		if !x.root().empty() {
			t.Fatal("nodes are left without bindings")
		}
		if n := x.t.nodes; len(n.free) != n.next {
			t.Fatalf("%d of %d numbers of nodes were not given back", n.next-len(n.free), n.next)
		}
	}
}

// TestTopicKnownAnswers are the patterns and keys of RabbitMQ's own test of topic
// exchanges, with its answers before and after some are unbound.
func TestTopicKnownAnswers(t *testing.T) {
	x := newTrie(t)
	patterns := map[string]string{
		"t1": "a.b.c", "t2": "a.*.c", "t3": "a.#.b", "t4": "a.b.b.c", "t5": "#", "t6": "#.#", "t7": "#.b", "t8": "*.*", "t9": "a.*",
		"t10": "*.b.c", "t11": "a.#", "t12": "a.#.#", "t13": "b.b.c", "t14": "a.b.b", "t15": "a.b", "t16": "b.c", "t17": "",
		"t18": "*.*.*", "t19": "vodka.martini", "t20": "a.b.c", "t21": "*.#", "t22": "#.*.#", "t23": "*.#.#", "t25": "*", "t26": "#.b.#",
	}
	for queue, pattern := range patterns {
		x.bind(t, pattern, queue)
	}
	twice := func(value string) Binding { // two bindings of one key and queue
		return Binding{Source: trieName, Destination: "t27", Key: "args-test", Arguments: Arguments{{"foo", TextValue(value)}}}
	}
	for _, v := range []string{"bar", "baz"} {
		must(t, x.t, func() ([]Change, error) { return x.t.Bind(twice(v), true) })
	}
	expect := func(key, want string) {
		t.Helper()
		list := strings.Fields(want)
		slices.Sort(list)
		if got := x.route(t, key); !slices.Equal(got, list) {
			t.Errorf("%q goes to %q, want %q", key, got, list)
		}
	}
	expect("a.b.c", "t1 t2 t5 t6 t10 t11 t12 t18 t20 t21 t22 t23 t26")
	expect("a.b", "t3 t5 t6 t7 t8 t9 t11 t12 t15 t21 t22 t23 t26")
	expect("a.b.b", "t3 t5 t6 t7 t11 t12 t14 t18 t21 t22 t23 t26")
	expect("", "t5 t6 t17")
	expect("b.c.c", "t5 t6 t18 t21 t22 t23 t26")
	expect("a.a.a.a.a", "t5 t6 t11 t12 t21 t22 t23")
	expect("vodka.gin", "t5 t6 t8 t21 t22 t23")
	expect("vodka.martini", "t5 t6 t8 t19 t21 t22 t23")
	expect("b.b.c", "t5 t6 t10 t13 t18 t21 t22 t23 t26")
	expect("nothing.here.at.all", "t5 t6 t21 t22 t23")
	expect("oneword", "t5 t6 t21 t22 t23 t25")
	expect("args-test", "t5 t6 t21 t22 t23 t25 t27")
	for _, queue := range []string{"t1", "t5", "t11", "t19", "t21"} {
		x.unbind(t, patterns[queue], queue)
	}
	must(t, x.t, func() ([]Change, error) { return x.t.Unbind(twice("baz")) })
	expect("a.b.c", "t2 t6 t10 t12 t18 t20 t22 t23 t26")
	expect("a.b", "t3 t6 t7 t8 t9 t12 t15 t22 t23 t26")
	expect("a.b.b", "t3 t6 t7 t12 t14 t18 t22 t23 t26")
	expect("", "t6 t17")
	expect("b.c.c", "t6 t18 t22 t23 t26")
	expect("a.a.a.a.a", "t6 t12 t22 t23")
	expect("vodka.gin", "t6 t8 t22 t23")
	expect("vodka.martini", "t6 t8 t22 t23")
	expect("b.b.c", "t6 t10 t13 t18 t22 t23 t26")
	expect("nothing.here.at.all", "t6 t22 t23")
	expect("oneword", "t6 t22 t23 t25")
	expect("args-test", "t6 t22 t23 t25 t27")
}

// TestTopicNeverGoesBack gives the trie patterns on which a matcher that goes back takes
// for ever.
func TestTopicNeverGoesBack(t *testing.T) {
	key := strings.Repeat("a.", KeyBytesMax/2) + "a"
	x := newTrie(t)
	for i := range 40 {
		x.bind(t, strings.Repeat("#.a.", i)+"#.b", fmt.Sprint("never", i))
		x.bind(t, strings.Repeat("#.*.", i)+"#.a", fmt.Sprint("always", i))
	}
	if got := len(x.route(t, key)); got != 40 {
		t.Errorf("goes to %d queues, want 40", got)
	}
	checkSteps(t, x, key)
}

// checkSteps holds the bound on the work for a key: no node is looked at more often than
// there are words, and those that no word leads out of are not looked at with each.
func checkSteps(t *testing.T, x *trie, key string) {
	t.Helper()
	// What matches is counted too, once for each node at most.
	nodes := x.root().nodes()
	if most := (len(words(key)) + 1) * nodes; x.steps > most+len(x.t.bindings) {
		t.Fatalf("%q took %d steps through %d nodes, want at most %d", key, x.steps, nodes, most)
	}
}

func FuzzTopic(f *testing.F) {
	f.Add("#.a.#.a.#\n*.#\n\na..b", "a.a.a")
	f.Add("#.#.#.#.#\n*.*.*\n#.*.#.*", "....")
	f.Add("a.#.b\na.*\n.", "a.x.y.b")
	f.Fuzz(func(t *testing.T, patterns, key string) {
		if len(key) > KeyBytesMax {
			key = key[:KeyBytesMax]
		}
		x, queues := newTrie(t), map[string]string{}
		for p := range strings.SplitSeq(patterns, "\n") {
			if len(p) <= KeyBytesMax && len(queues) < 50 && queues[p] == "" {
				queues[p] = fmt.Sprint("q", len(queues))
				x.bind(t, p, queues[p])
			}
		}
		var want []string
		for p, q := range queues {
			if naiveTopic(p, key) {
				want = append(want, q)
			}
		}
		slices.Sort(want)
		if got := x.route(t, key); !slices.Equal(got, want) {
			t.Fatalf("key %q of %v goes to %q, want %q", key, queues, got, want)
		}
		checkSteps(t, x, key)
	})
}
