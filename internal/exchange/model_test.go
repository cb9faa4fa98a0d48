package exchange

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
)

// model is a namespace as a list of what there is.
type model struct {
	exchanges map[string]Spec
	bindings  map[string]Binding // by identity
	durable   map[string]bool    // queues
}

func newModel() *model {
	m := &model{exchanges: map[string]Spec{}, bindings: map[string]Binding{}, durable: map[string]bool{"q0": true, "q1": true, "q2": false}}
	for _, s := range predeclared {
		m.exchanges[s.Name] = s
	}
	return m
}

// drop removes bindings, and exchanges that live only as long as those.
func (m *model) drop(gone func(Binding) bool) {
	sources := map[string]bool{}
	for k, b := range m.bindings {
		if gone(b) {
			delete(m.bindings, k)
			sources[b.Source] = true
		}
	}
	for x := range sources {
		if s, ok := m.exchanges[x]; ok && s.AutoDelete && !slices.ContainsFunc(slices.Collect(maps.Values(m.bindings)), func(b Binding) bool { return b.Source == x }) {
			m.dropExchange(x)
		}
	}
}

func (m *model) dropExchange(x string) {
	delete(m.exchanges, x)
	m.drop(func(b Binding) bool { return b.Source == x || b.DestinationKind == ToExchange && b.Destination == x })
}

// restart forgets what is not durable.
func (m *model) restart() {
	maps.DeleteFunc(m.exchanges, func(_ string, s Spec) bool { return !s.Durable })
	maps.DeleteFunc(m.bindings, func(_ string, b Binding) bool { return !b.Durable })
}

// matches tells whether a message goes along a binding.
func (m *model) matches(b Binding, keys []string, headers map[string]Value) bool {
	s := m.exchanges[b.Source]
	switch s.chooses() {
	case Direct:
		return slices.Contains(keys, b.Key)
	case Topic:
		return slices.ContainsFunc(keys, func(k string) bool { return naiveTopic(b.Key, k) })
	case Headers:
		return naiveHeaders(b.Arguments, headers)
	}
	return true
}

// reach finds all that can be reached: through is false for what is behind a delay.
func (m *model) reach(at string, delaying, delay bool, keys []string, headers map[string]Value, seen, queues map[string]bool) {
	s, ok := m.exchanges[at]
	if !ok || seen[at] || delaying && s.Kind == Delayed && !delay {
		return
	}
	seen[at] = true
	matched := false
	for _, b := range m.bindings {
		if b.Source != at || !m.matches(b, keys, headers) {
			continue
		}
		matched = true
		if b.DestinationKind == ToQueue {
			queues[b.Destination] = true
		} else {
			m.reach(b.Destination, delaying, delay, keys, headers, seen, queues)
		}
	}
	if !matched && s.Alternate != "" {
		m.reach(s.Alternate, delaying, delay, keys, headers, seen, queues)
	}
}

// route is what must be reached now, and what later.
func (m *model) route(at string, keys []string, headers map[string]Value) (now, later []string) {
	v, ok := headers["x-delay"]
	delaying := ok && v.Int() > 0
	first, all := map[string]bool{}, map[string]bool{}
	m.reach(at, delaying, false, keys, headers, map[string]bool{}, first)
	m.reach(at, delaying, true, keys, headers, map[string]bool{}, all)
	for q := range all {
		if first[q] {
			now = append(now, q)
		} else {
			later = append(later, q)
		}
	}
	slices.Sort(now)
	slices.Sort(later)
	return now, later
}

// pair is the table and the model, side by side.
type pair struct {
	t     *testing.T
	rng   *rand.Rand
	table *Table
	model *model
	log   []Command
	r     Routing
}

func pick[T any](rng *rand.Rand, of ...T) T { return of[rng.IntN(len(of))] }

var (
	modelNames    = []string{"x0", "x1", "x2", "x3", "x4", "amq.topic", "amq.match", "amq.direct", "amq.fanout"}
	modelPatterns = []string{"a", "b", "a.b", "a.*", "#", "a.#", "*.b", ""}
	modelKeys     = []string{"a", "b", "a.b", "a.c", "", "c"}
)

func (p *pair) apply(changes []Change) {
	for _, c := range changes {
		if c.Durable {
			p.log = append(p.log, c.Command)
		}
		if err := p.table.Apply(c.Command); err != nil {
			p.t.Fatal(err)
		}
	}
}

func (p *pair) declare() {
	s := Spec{
		Name: pick(p.rng, modelNames[:5]...), Kind: Kind(1 + p.rng.IntN(5)), Durable: p.rng.IntN(3) > 0,
		AutoDelete: p.rng.IntN(3) == 0, Alternate: pick(p.rng, "", "", "x0", "x1", "amq.fanout"),
	}
	if s.Kind == Delayed {
		s.Wraps = Kind(1 + p.rng.IntN(4))
	}
	changes, err := p.table.Declare(s)
	old, exists := p.model.exchanges[s.Name]
	switch {
	case !exists:
		p.model.exchanges[s.Name] = s
	case fmt.Sprint(old) != fmt.Sprint(s):
		if !errors.Is(err, ErrInequivalent) {
			p.t.Fatalf("%+v is declared as %+v: %v", old, s, err)
		}
		return
	}
	if err != nil {
		p.t.Fatal(err)
	}
	p.apply(changes)
}

func (p *pair) binding() Binding {
	b := Binding{Source: pick(p.rng, modelNames...), Destination: pick(p.rng, "q0", "q1", "q2"), Key: pick(p.rng, modelPatterns...)}
	if p.rng.IntN(2) == 0 {
		b.DestinationKind, b.Destination = ToExchange, pick(p.rng, modelNames...)
	}
	if p.rng.IntN(2) == 0 {
		b.Arguments = Arguments{{"h", IntValue(int64(p.rng.IntN(2)))}}
	}
	if p.rng.IntN(4) == 0 {
		b.Arguments = append(b.Arguments, Argument{"x-match", TextValue(pick(p.rng, "any", "all-with-x"))})
	}
	return b
}

func (p *pair) bind() {
	b := p.binding()
	changes, err := p.table.Bind(b, p.model.durable[b.Destination])
	source, ok := p.model.exchanges[b.Source]
	to, there := p.model.exchanges[b.Destination]
	if !ok || b.DestinationKind == ToExchange && !there {
		if !errors.Is(err, ErrNotFound) {
			p.t.Fatalf("binding %+v: %v", b, err)
		}
		return
	}
	if err != nil {
		p.t.Fatal(err)
	}
	b.Durable = source.Durable && (b.DestinationKind == ToQueue && p.model.durable[b.Destination] || b.DestinationKind == ToExchange && to.Durable)
	p.model.bindings[string(b.key())] = b
	p.apply(changes)
}

func (p *pair) unbind() {
	b := p.binding()
	if have := slices.Sorted(maps.Keys(p.model.bindings)); len(have) > 0 && p.rng.IntN(3) > 0 {
		b = p.model.bindings[pick(p.rng, have...)]
	}
	changes, err := p.table.Unbind(b)
	if err != nil {
		p.t.Fatal(err)
	}
	key := string(b.key())
	p.model.drop(func(x Binding) bool { return string(x.key()) == key })
	p.apply(changes)
}

func (p *pair) remove() {
	if q := pick(p.rng, "q0", "q1", "q2"); p.rng.IntN(2) == 0 {
		changes := p.table.RemoveQueue(q)
		before := slices.Collect(maps.Keys(p.model.exchanges))
		p.model.drop(func(b Binding) bool { return b.DestinationKind == ToQueue && b.Destination == q })
		var deleted int
		for _, c := range changes {
			if c.Deleted != "" {
				deleted++
			}
		}
		if want := len(before) - len(p.model.exchanges); deleted != want {
			p.t.Fatalf("removing %s deletes %d exchanges, want %d", q, deleted, want)
		}
		p.apply(changes)
		return
	}
	x := pick(p.rng, modelNames[:5]...)
	changes, err := p.table.Delete(x, false)
	if _, ok := p.model.exchanges[x]; !ok {
		if !errors.Is(err, ErrNotFound) {
			p.t.Fatalf("deleting %s: %v", x, err)
		}
		return
	}
	p.model.dropExchange(x)
	p.apply(changes)
}

// restart rebuilds the table, from the log or from a snapshot.
func (p *pair) restart() {
	p.model.restart()
	if p.rng.IntN(2) == 0 {
		p.log = snapshot(p.table)
	}
	p.table = replay(p.t, p.log)
}

func (p *pair) check() {
	if got, want := len(p.table.bindings), len(p.model.bindings); got != want || len(p.table.exchanges) != len(p.model.exchanges) {
		p.t.Fatalf("%d bindings of %d exchanges, want %d of %d", got, len(p.table.exchanges), want, len(p.model.exchanges))
	}
	for key, b := range p.model.bindings {
		if have := p.table.bindings[key]; have == nil || have.Durable != b.Durable {
			p.t.Fatalf("binding %+v: have %+v", b, have)
		}
	}
	at := pick(p.rng, modelNames...)
	keys := []string{pick(p.rng, modelKeys...), pick(p.rng, modelKeys...)}
	headers := map[string]Value{}
	if p.rng.IntN(2) == 0 {
		headers["h"] = IntValue(int64(p.rng.IntN(2)))
	}
	if p.rng.IntN(2) == 0 {
		headers["x-delay"] = IntValue(int64(p.rng.IntN(3) - 1))
	}
	err := p.table.Route(&p.r, at, &Message{Key: keys[0], BCC: keys[1:], Header: header(headers)})
	if _, ok := p.model.exchanges[at]; !ok {
		if !errors.Is(err, ErrNotFound) {
			p.t.Fatal(err)
		}
		return
	}
	if err != nil {
		p.t.Fatal(err)
	}
	now, later := p.model.route(at, keys, headers)
	slices.Sort(p.r.Queues)
	slices.Sort(p.r.Later)
	if !slices.Equal(p.r.Queues, now) || !slices.Equal(p.r.Later, later) || p.r.Unroutable() != (len(now)+len(later) == 0) {
		p.t.Fatalf("%s %q %v goes to %q and later %q, want %q and later %q\n%s", at, keys, headers, p.r.Queues, p.r.Later, now, later, show(p.table))
	}
	if len(later) > 0 && p.r.DelayMillis != headers["x-delay"].Int() {
		p.t.Fatalf("delayed by %d", p.r.DelayMillis)
	}
}

// consistent holds that nothing is left of what went.
func (p *pair) consistent() {
	for _, x := range p.table.exchanges {
		for i, b := range x.from.list {
			if b.at[ofSource] != i || b.source != x || p.table.bindings[b.key] != b {
				p.t.Fatalf("binding %+v is at %d of %s", b.Binding, i, x.Name)
			}
		}
	}
	if used := p.table.ids.next - len(p.table.ids.free); used != len(p.table.exchanges)+len(p.table.queues) {
		p.t.Fatalf("%d numbers are in use by %d exchanges and %d queues", used, len(p.table.exchanges), len(p.table.queues))
	}
	for _, q := range p.table.Queues() {
		if len(p.table.To(ToQueue, q)) == 0 {
			p.t.Fatalf("%s is kept, and nothing is bound to it", q)
		}
	}
	again := snapshot(p.table)
	for _, c := range again {
		if err := p.table.Apply(c); err != nil {
			p.t.Fatal(err)
		}
	}
	if !slices.EqualFunc(again, snapshot(p.table), func(a, b Command) bool { return bytes.Equal(a.Key, b.Key) && bytes.Equal(a.Value, b.Value) }) {
		p.t.Fatal("a snapshot changed the table that it is of")
	}
}

// TestModel lets a table live through many changes and restarts, and compares where
// messages go with a list of all that there is.
func TestModel(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rounds := 150
	if testing.Short() {
		rounds = 20
	}
	for i := range rounds {
		p := &pair{t: t, rng: rand.New(rand.NewPCG(seed, uint64(i))), table: NewTable(), model: newModel()}
		for range 300 {
			switch n := p.rng.IntN(100); {
			case n < 25:
				p.declare()
			case n < 70:
				p.bind()
			case n < 90:
				p.unbind()
			case n < 98:
				p.remove()
			default:
				p.restart()
			}
			p.check()
		}
		p.consistent()
	}
}
