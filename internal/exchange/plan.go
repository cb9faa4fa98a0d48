package exchange

import "fmt"

// Change is one step of a mutation that was planned. To carry it out, make Command
// durable if Durable says so, and give it to Apply.
type Change struct {
	Command Command
	Durable bool
	Deleted string // the exchange that this deletes; else empty
}

// Declare plans an exchange. There is nothing to change if it exists with these
// properties; with others the error is an *InequivalentError.
func (t *Table) Declare(s Spec) ([]Change, error) {
	if s.Name == Default {
		return nil, ErrDefaultExchange
	}
	s.Arguments = s.Arguments.sorted()
	if err := s.validate(); err != nil {
		return nil, err
	}
	if x := t.exchanges[s.Name]; x != nil {
		return nil, x.equivalent(&s)
	}
	if reserved(s.Name) {
		return nil, fmt.Errorf("%w: '%s' contains the prefix '%s'", ErrReserved, s.Name, reservedPrefix)
	}
	if len(t.exchanges) >= ExchangesMax {
		return nil, fmt.Errorf("%w: cannot declare '%s', there are %d exchanges already", ErrLimit, s.Name, ExchangesMax)
	}
	return []Change{{Command: s.command(), Durable: s.Durable}}, nil
}

// Delete plans the end of an exchange, of the bindings from and to it, and of what
// lives only as long as those.
func (t *Table) Delete(name string, ifUnused bool) ([]Change, error) {
	if name == Default {
		return nil, ErrDefaultExchange
	}
	if reserved(name) {
		return nil, fmt.Errorf("%w: deletion of system exchange '%s' is not allowed", ErrReserved, name)
	}
	x := t.exchanges[name]
	switch {
	case x == nil:
		return nil, fmt.Errorf("%w: '%s'", ErrNotFound, name)
	case ifUnused && len(x.from.list) > 0:
		return nil, fmt.Errorf("%w: '%s' has %d bindings", ErrInUse, name, len(x.from.list))
	}
	p := newPlan()
	p.removeExchange(x)
	return p.changes, nil
}

// Bind plans a binding; nothing changes if it is there. That a queue exists is for the
// caller to know, and whether it is durable; of an exchange the table knows.
func (t *Table) Bind(b Binding, queueDurable bool) ([]Change, error) {
	b.Arguments = b.Arguments.sorted()
	if err := b.validate(); err != nil {
		return nil, err
	}
	x := t.exchanges[b.Source]
	if x == nil {
		return nil, fmt.Errorf("%w: '%s'", ErrNotFound, b.Source)
	}
	b.Durable = x.Durable && queueDurable
	if b.DestinationKind == ToExchange {
		to := t.exchanges[b.Destination]
		if to == nil {
			return nil, fmt.Errorf("%w: '%s'", ErrNotFound, b.Destination)
		}
		b.Durable = x.Durable && to.Durable
	}
	if x.chooses() == Headers {
		if _, err := newHeaderRule(b.Arguments); err != nil {
			return nil, err
		}
	}
	c := b.command()
	if t.bindings[string(c.Key)] != nil {
		return nil, nil
	}
	if len(x.from.list) >= BindingsPerExchangeMax {
		return nil, fmt.Errorf("%w: '%s' has %d bindings already", ErrLimit, x.Name, BindingsPerExchangeMax)
	}
	return []Change{{Command: c, Durable: b.Durable}}, nil
}

// Unbind plans the end of a binding, and of its source if that lives only as long.
// Nothing changes if there is no such binding.
func (t *Table) Unbind(b Binding) ([]Change, error) {
	b.Arguments = b.Arguments.sorted()
	if err := b.validate(); err != nil {
		return nil, err
	}
	p := newPlan()
	if found := t.bindings[string(b.key())]; found != nil {
		p.removeBinding(found)
	}
	return p.changes, nil
}

// RemoveQueue plans the end of all bindings to a queue that is deleted, and of the
// exchanges that live only as long as those.
func (t *Table) RemoveQueue(name string) []Change {
	p := newPlan()
	if q := t.queues[name]; q != nil {
		for _, b := range q.in.list {
			p.removeBinding(b)
		}
	}
	return p.changes
}

// plan collects what goes with what. An exchange comes after its bindings.
type plan struct {
	changes  []Change
	bindings map[*binding]bool
	gone     map[*exchange]bool
	lost     map[*exchange]int // how many of its bindings go
}

func newPlan() *plan {
	return &plan{bindings: make(map[*binding]bool), gone: make(map[*exchange]bool), lost: make(map[*exchange]int)}
}

func (p *plan) removeBinding(b *binding) {
	if p.bindings[b] {
		return
	}
	p.bindings[b] = true
	p.lost[b.source]++
	p.changes = append(p.changes, Change{Command: Command{Key: []byte(b.key)}, Durable: b.Durable})
	if b.source.AutoDelete && p.lost[b.source] == len(b.source.from.list) {
		p.removeExchange(b.source)
	}
}

func (p *plan) removeExchange(x *exchange) {
	if p.gone[x] {
		return
	}
	p.gone[x] = true
	for _, list := range [][]*binding{x.from.list, x.in.list} {
		for _, b := range list {
			p.removeBinding(b)
		}
	}
	p.changes = append(p.changes, Change{Command: Command{Key: exchangeKey(x.Name)}, Durable: x.Durable, Deleted: x.Name})
}
