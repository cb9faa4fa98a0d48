package amqp

import (
	"maps"
	"reflect"
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

// ApplyPolicy gives a queue the settings of a policy, and tells whether it had others. Where its arguments say something else
// they win; of two numbers the smaller one does, as in RabbitMQ. The arguments stay what they were: a client may declare the
// queue as it did before. Keys that are not among PolicyKeys are left out.
func (s *Server) ApplyPolicy(vhost, name string, definition map[string]any) (changed bool, err error) {
	q, err := s.broker.NamespaceQueue(vhost, name)
	if err != nil {
		return false, queueRefusal(err, name, vhost)
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
			return false, failedPrecondition("policy for %s: %s: %v", queueNamed(name, vhost), key, err)
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
		return false, err
	}
	d.settings.Lanes = meta.Settings.Lanes // which never change
	if reflect.DeepEqual(d.settings, meta.Settings) {
		return false, nil
	}
	_, err = s.broker.AlterQueue(meta.Name, func(spec *catalog.QueueSpec) error {
		spec.Settings = d.settings
		return nil
	})
	if err != nil {
		return false, refusal(err, vhost)
	}
	return true, nil
}
