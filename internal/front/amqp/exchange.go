package amqp

import (
	"errors"
	"strings"

	"github.com/narumq/naru/internal/catalog"
	"github.com/narumq/naru/internal/exchange"
	"github.com/narumq/naru/internal/user"
	wire "github.com/narumq/naru/internal/wire/amqp091"
)

const reservedPrefix = "amq."

func (ch *channel) exchangeDeclare(m *wire.ExchangeDeclare) error {
	b, vhost := ch.c.s.broker, ch.c.vhost
	name := strip(m.Exchange)
	if name == exchange.Default {
		return refuse(wire.AccessRefused, "operation not permitted on the default exchange")
	}
	have, missing := b.Exchange(vhost, name)
	exists := missing == nil
	if m.Passive {
		if !exists {
			return exchangeRefusal(missing, name, vhost)
		}
		return ch.answer(m.NoWait, &wire.ExchangeDeclareOk{})
	}
	if err := ch.c.mayExchange(user.Configure, name); err != nil {
		return err
	}
	spec, err := exchangeSpec(name, m, vhost)
	if err != nil {
		return err
	}
	if spec.Alternate != "" && !exists {
		if err := ch.c.mayForward(ch.c.mayExchange(user.Read, name), spec.Alternate); err != nil {
			return err
		}
	}
	if !exists && strings.HasPrefix(name, reservedPrefix) {
		return refuse(wire.AccessRefused, "exchange name '%s' contains reserved prefix 'amq.*'", name)
	}
	if exists && exchange.Predeclared(name) {
		spec.Arguments = have.Arguments
	}
	if err := b.DeclareExchange(vhost, spec); err != nil {
		return refusal(err, vhost)
	}
	return ch.answer(m.NoWait, &wire.ExchangeDeclareOk{})
}

// strip takes line breaks out of a name, as RabbitMQ does.
func strip(name string) string {
	if !strings.ContainsAny(name, "\r\n") {
		return name
	}
	return strings.NewReplacer("\r", "", "\n", "").Replace(name)
}

func exchangeSpec(name string, m *wire.ExchangeDeclare, vhost string) (exchange.Spec, error) {
	spec := exchange.Spec{Name: name, Durable: m.Durable, AutoDelete: m.AutoDelete, Internal: m.Internal}
	var ok bool
	if spec.Kind, ok = exchange.ParseKind(m.Type); !ok {
		return spec, failedPrecondition("unknown exchange type '%s'", m.Type)
	}
	if spec.Kind == exchange.Delayed {
		wraps, _ := m.Arguments.Get(exchange.ArgumentWraps)
		text, _ := wraps.Text()
		if spec.Wraps, ok = exchange.ParseKind(text); !ok || spec.Wraps == exchange.Delayed {
			return spec, failedPrecondition("invalid argument, '%s' must be an existing exchange type", exchange.ArgumentWraps)
		}
	}
	if v, ok := m.Arguments.Get(exchange.ArgumentAlternate); ok {
		if spec.Alternate, ok = v.Text(); !ok {
			return spec, failedPrecondition("invalid type '%s' for arg '%s' in %s", typeName(v.Kind()), exchange.ArgumentAlternate, exchangeNamed(name, vhost))
		}
	}
	spec.Arguments = argumentsOf(m.Arguments)
	return spec, nil
}

// argumentsOf is a table as exchanges and bindings know it.
func argumentsOf(t wire.Table) (list exchange.Arguments) {
	for name, v := range t.All() {
		list = append(list, exchange.Argument{Name: name, Value: valueOf(v)})
	}
	return list
}

// valueOf is a field as routing compares it: numbers of any size are equal if they are, texts and bytes likewise.
func valueOf(v wire.Value) exchange.Value {
	switch v.Kind() {
	case wire.KindVoid:
		return exchange.VoidValue()
	case wire.KindBool:
		b, _ := v.Bool()
		return exchange.BoolValue(b)
	case wire.KindFloat32, wire.KindFloat64:
		f, _ := v.Float()
		return exchange.FloatValue(f)
	case wire.KindTimestamp:
		t, _ := v.Timestamp()
		return exchange.IntValue(int64(t))
	case wire.KindString:
		s, _ := v.Text()
		return exchange.TextValue(s)
	case wire.KindBytes:
		b, _ := v.Bytes()
		return exchange.TextValue(string(b))
	case wire.KindDecimal, wire.KindArray, wire.KindTable:
		return exchange.OpaqueValue(string(v.Kind()) + fieldText(v))
	}
	i, _ := v.Int()
	return exchange.IntValue(i)
}

func (ch *channel) exchangeDelete(m *wire.ExchangeDelete) error {
	vhost, name := ch.c.vhost, strip(m.Exchange)
	switch {
	case name == exchange.Default:
		return refuse(wire.AccessRefused, "operation not permitted on the default exchange")
	case strings.HasPrefix(name, reservedPrefix):
		return refuse(wire.AccessRefused, "deletion of system %s not allowed", exchangeNamed(name, vhost))
	}
	if err := ch.c.mayExchange(user.Configure, name); err != nil {
		return err
	}
	err := ch.c.s.broker.DeleteExchange(vhost, name, m.IfUnused)
	switch {
	case err == nil, errors.Is(err, exchange.ErrNotFound): // it is gone, as the client wants it
		return ch.answer(m.NoWait, &wire.ExchangeDeleteOk{})
	case errors.Is(err, exchange.ErrInUse):
		return failedPrecondition("%s in use", exchangeNamed(name, vhost))
	}
	return refusal(err, vhost)
}

func (ch *channel) exchangeBind(m *wire.ExchangeBind) error {
	x := exchange.Binding{
		Source: strip(m.Source), DestinationKind: exchange.ToExchange, Destination: strip(m.Destination), Key: m.RoutingKey,
		Arguments: argumentsOf(m.Arguments),
	}
	if err := ch.bind(x); err != nil {
		return err
	}
	return ch.answer(m.NoWait, &wire.ExchangeBindOk{})
}

func (ch *channel) exchangeUnbind(m *wire.ExchangeUnbind) error {
	x := exchange.Binding{
		Source: strip(m.Source), DestinationKind: exchange.ToExchange, Destination: strip(m.Destination), Key: m.RoutingKey,
		Arguments: argumentsOf(m.Arguments),
	}
	if err := ch.unbind(x); err != nil {
		return err
	}
	return ch.answer(m.NoWait, &wire.ExchangeUnbindOk{})
}

func (ch *channel) bind(x exchange.Binding) error {
	if err := ch.mayBind(x); err != nil {
		return err
	}
	return ch.c.s.bind(ch.c.vhost, x, func(name string) error {
		if _, err := ch.queue(name); err != nil {
			return err
		}
		return nil
	})
}

// mayBind tells whether the user may write to the destination of a binding and read from its source.
func (ch *channel) mayBind(x exchange.Binding) error {
	may, toQueue := ch.c.mayQueue, x.DestinationKind == exchange.ToQueue
	if x.Source == exchange.Default || !toQueue && x.Destination == exchange.Default {
		return refuse(wire.AccessRefused, "operation not permitted on the default exchange")
	}
	if !toQueue {
		may = ch.c.mayExchange
	}
	if err := may(user.Write, x.Destination); err != nil {
		return err
	}
	if err := ch.c.mayExchange(user.Read, x.Source); err != nil {
		return err
	}
	return ch.c.mayKeys(user.Read, x.Source, x.Key)
}

// bind binds, and says which end is missing, the source first. mayUse tells whether a queue is there and not another's.
func (s *Server) bind(vhost string, x exchange.Binding, mayUse func(queue string) error) error {
	b := s.broker
	toQueue := x.DestinationKind == exchange.ToQueue
	if x.Source == exchange.Default || !toQueue && x.Destination == exchange.Default {
		return refuse(wire.AccessRefused, "operation not permitted on the default exchange")
	}
	if _, err := b.Exchange(vhost, x.Source); err != nil {
		return exchangeRefusal(err, x.Source, vhost)
	}
	if !toQueue {
		if _, err := b.Exchange(vhost, x.Destination); err != nil {
			return exchangeRefusal(err, x.Destination, vhost)
		}
	} else if err := mayUse(x.Destination); err != nil {
		return err
	}
	err := b.Bind(vhost, x)
	match := x.Arguments.Get("x-match")
	switch {
	case errors.Is(err, exchange.ErrInvalid) && match.Kind() != exchange.Absent:
		return failedPrecondition("Invalid x-match field value <<\"%s\">>; expected all, any, all-with-x, or any-with-x", match)
	case errors.Is(err, catalog.ErrUnknownQueue):
		return noQueue(x.Destination, vhost)
	case err != nil:
		return refusal(err, vhost)
	}
	return nil
}

// unbind ends a binding. One that is not there is no error, as in RabbitMQ.
func (ch *channel) unbind(x exchange.Binding) error {
	if err := ch.mayBind(x); err != nil {
		return err
	}
	if x.DestinationKind == exchange.ToQueue {
		if _, err := ch.queue(x.Destination); err != nil && err.Code != wire.NotFound {
			return err
		}
	}
	err := ch.c.s.broker.Unbind(ch.c.vhost, x)
	if err != nil && !errors.Is(err, exchange.ErrNotFound) && !errors.Is(err, catalog.ErrUnknownQueue) {
		return refusal(err, ch.c.vhost)
	}
	return nil
}
