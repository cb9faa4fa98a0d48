package amqp

import (
	"maps"
	"slices"

	"github.com/narumq/naru/internal/catalog"
	wire "github.com/narumq/naru/internal/wire/amqp091"
)

// policyArguments are the keys of RabbitMQ's policies that a queue can be given after it was declared, and the arguments
// that mean the same.
var policyArguments = map[string]string{
	"message-ttl": argMessageTTL, "max-length": argMaxLength, "max-length-bytes": argMaxBytes, "overflow": argOverflow,
	"dead-letter-exchange": argDeadExchange, "dead-letter-routing-key": argDeadKey, "delivery-limit": argDeliveryLimit,
}

// PolicyKeys are those that ApplyPolicy takes, sorted.
func PolicyKeys() []string { return slices.Sorted(maps.Keys(policyArguments)) }

// ApplyPolicy gives a queue the settings of a policy. Where its arguments say something else they win; of two numbers the
// smaller one does, as in RabbitMQ. The arguments stay what they were: a client may declare the queue as it did before. Keys
// that are not among PolicyKeys are left out.
func (s *Server) ApplyPolicy(vhost, name string, definition map[string]any) error {
	q, err := s.broker.NamespaceQueue(vhost, name)
	if err != nil {
		return queueRefusal(err, name, vhost)
	}
	meta := q.Meta()
	table := argumentTable(meta)
	for _, key := range PolicyKeys() {
		given, there := definition[key]
		if !there {
			continue
		}
		v, err := wire.ValueOf(given)
		if err != nil {
			return failedPrecondition("policy for %s: %s: %v", queueNamed(name, vhost), key, err)
		}
		argument := policyArguments[key]
		if own, ok := table.Get(argument); ok {
			a, isNumber := own.Int()
			b, ok := v.Int()
			if !isNumber || ok && a <= b {
				continue
			}
		}
		table = table.With(argument, v)
	}
	d, err := declarationOf(name, &wire.QueueDeclare{Durable: Durable(meta), AutoDelete: AutoDelete(meta), Arguments: table}, vhost)
	if err != nil {
		return err
	}
	_, err = s.broker.AlterQueue(meta.Name, func(spec *catalog.QueueSpec) error {
		d.settings.Lanes = spec.Settings.Lanes
		spec.Settings = d.settings
		return nil
	})
	if err != nil {
		return refusal(err, vhost)
	}
	return nil
}
