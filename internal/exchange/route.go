package exchange

import (
	"fmt"
	"slices"
	"strconv"
)

// Message is what routing looks at.
type Message struct {
	Key     string
	CC, BCC []string // more routing keys
	// Header finds a header; nil if there are none.
	Header func(name string) (Value, bool)
	// FromBroker may pass internal exchanges: nobody published it, it was dead-lettered.
	FromBroker bool
}

func (m *Message) keys() int { return 1 + len(m.CC) + len(m.BCC) }

func (m *Message) key(i int) string {
	switch {
	case i == 0:
		return m.Key
	case i <= len(m.CC):
		return m.CC[i-1]
	}
	return m.BCC[i-1-len(m.CC)]
}

func (m *Message) header(name string) (Value, bool) {
	if m.Header == nil {
		return Value{}, false
	}
	return m.Header(name)
}

// delayMillis is for how long a delayed exchange holds the message; 0 is not at all.
// What is no number, or out of range, is no delay.
func (m *Message) delayMillis() int64 {
	v, _ := m.header(headerDelay)
	d := int64(0)
	switch v.kind {
	case IntKind:
		d = v.Int()
	case FloatKind:
		if f := v.Float(); f > 0 && f <= DelayMillisMax {
			d = int64(f)
		}
	case TextKind:
		d, _ = strconv.ParseInt(v.text, 10, 64)
	}
	if d < 0 || d > DelayMillisMax {
		return 0
	}
	return d
}

// Routing is where a message goes. It can be used again for the next one.
type Routing struct {
	Queues      []string // now
	Later       []string // after DelayMillis; none of Queues
	DelayMillis int64

	now, later []*exchange // to visit; later holds what a delayed exchange leads to
	delaying   bool        // later is being visited
	matched    bool        // the exchange that is visited has a binding that matches
	seen       marks       // targets
	steps      int
	topic      topicWalk
}

// Unroutable tells whether the message goes nowhere. The default exchange leads to
// queues of which only the caller knows whether they exist.
func (r *Routing) Unroutable() bool { return len(r.Queues) == 0 && len(r.Later) == 0 }

func (r *Routing) reset() {
	clear(r.now)
	clear(r.later)
	*r = Routing{
		Queues: r.Queues[:0], Later: r.Later[:0], now: r.now[:0], later: r.later[:0], seen: r.seen, topic: r.topic,
	}
	r.seen.clear()
}

// Route finds the queues for a message that is published to an exchange.
func (t *Table) Route(r *Routing, name string, m *Message) error {
	r.reset()
	x := t.exchanges[name]
	switch {
	case x == nil:
		return fmt.Errorf("%w: '%s'", ErrNotFound, name)
	case x.Internal && !m.FromBroker:
		return fmt.Errorf("%w: '%s'", ErrInternalExchange, name)
	case m.keys() > KeysPerMessageMax:
		return fmt.Errorf("%w: %d routing keys, at most %d", ErrLimit, m.keys(), KeysPerMessageMax)
	case name == Default:
		r.byName(m)
		return nil
	}
	r.visit(x)
	err := t.walk(r, &r.now, m)
	r.delaying = true
	if err == nil {
		err = t.walk(r, &r.later, m)
	}
	if err != nil {
		r.Queues, r.Later = r.Queues[:0], r.Later[:0]
	}
	return err
}

// byName is the default exchange.
func (r *Routing) byName(m *Message) {
	for i := range m.keys() {
		if key := m.key(i); !slices.Contains(r.Queues, key) {
			r.Queues = append(r.Queues, key)
		}
	}
}

// walk visits exchanges until no new ones come up.
func (t *Table) walk(r *Routing, work *[]*exchange, m *Message) error {
	for i := 0; i < len(*work); i++ {
		x := (*work)[i]
		if x.Kind == Delayed && !r.delaying {
			if d := m.delayMillis(); d > 0 {
				r.DelayMillis = d
				r.later = append(r.later, x)
				continue
			}
		}
		r.matched = false
		x.matcher.match(r, m)
		if alternate := t.exchanges[x.Alternate]; !r.matched && x.Alternate != "" && alternate != nil {
			r.visit(alternate)
		}
		if !r.spend(0) || len(r.now)+len(r.later) > VisitsPerMessageMax {
			return fmt.Errorf("%w: more than %d exchanges or %d bindings on the way", ErrLimit, VisitsPerMessageMax, StepsPerMessageMax)
		}
	}
	return nil
}

// visit plans a visit, once for each exchange: all that is reached at once is visited
// before all that is reached later.
func (r *Routing) visit(x *exchange) {
	if !r.seen.set(x.id) {
		return
	}
	if r.delaying {
		r.later = append(r.later, x)
	} else {
		r.now = append(r.now, x)
	}
}

// follow goes along a binding that matches.
func (r *Routing) follow(b *binding) {
	r.matched = true
	switch {
	case b.to.exchange != nil:
		r.visit(b.to.exchange)
	case !r.seen.set(b.to.id):
	case r.delaying:
		r.Later = append(r.Later, b.to.queue)
	default:
		r.Queues = append(r.Queues, b.to.queue)
	}
}

func (r *Routing) followAll(s *bucket) {
	if r.spend(len(s.list)) {
		for _, b := range s.list {
			r.follow(b)
		}
	}
}

// spend takes steps, and tells whether that is still allowed.
func (r *Routing) spend(steps int) bool {
	r.steps += steps
	return r.steps <= StepsPerMessageMax
}

// marks is a set of small numbers that is cleared at no cost.
type marks struct {
	at  []uint32
	gen uint32
}

func (s *marks) clear() {
	s.gen++
	if s.gen == 0 {
		clear(s.at)
		s.gen = 1
	}
}

// set adds a number and tells whether it is new.
func (s *marks) set(i int) bool {
	if i >= len(s.at) {
		s.at = append(s.at, make([]uint32, i+1-len(s.at))...)
	}
	if s.at[i] == s.gen {
		return false
	}
	s.at[i] = s.gen
	return true
}

// directMatcher is by routing key.
type directMatcher map[string]*bucket

func (d directMatcher) add(b *binding) {
	s := d[b.Key]
	if s == nil {
		s = &bucket{}
		d[b.Key] = s
	}
	s.add(b, ofMatch)
}

func (d directMatcher) remove(b *binding) {
	s := d[b.Key]
	s.remove(b, ofMatch)
	if len(s.list) == 0 {
		delete(d, b.Key)
	}
}

func (d directMatcher) match(r *Routing, m *Message) {
	for i := range m.keys() {
		if s := d[m.key(i)]; s != nil {
			r.followAll(s)
		}
	}
}

// fanoutMatcher is all bindings of the exchange.
type fanoutMatcher struct{ from *bucket }

func (f fanoutMatcher) add(*binding)                 {}
func (f fanoutMatcher) remove(*binding)              {}
func (f fanoutMatcher) match(r *Routing, _ *Message) { r.followAll(f.from) }
