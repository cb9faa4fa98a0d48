package amqp

import (
	"encoding/json"
	"strconv"
	"time"

	"github.com/narumq/naru/internal/broker"
	"github.com/narumq/naru/internal/catalog"
	wire "github.com/narumq/naru/internal/wire/amqp091"
)

// Arguments of queues.
const (
	argExpires        = "x-expires"
	argMessageTTL     = "x-message-ttl"
	argDeadExchange   = "x-dead-letter-exchange"
	argDeadKey        = "x-dead-letter-routing-key"
	argMaxLength      = "x-max-length"
	argMaxBytes       = "x-max-length-bytes"
	argMaxPriority    = "x-max-priority"
	argOverflow       = "x-overflow"
	argDeliveryLimit  = "x-delivery-limit"
	argQueueType      = "x-queue-type"
	argQueueMode      = "x-queue-mode"
	argSingleConsumer = "x-single-active-consumer"

	typeClassic, typeQuorum, typeStream = "classic", "quorum", "stream"
)

// comparedArguments are those that have to be the same when a queue is declared again, in the order in which they are looked at.
var comparedArguments = []string{
	argExpires, argMessageTTL, argDeadExchange, argDeadKey, argMaxLength, argMaxBytes, argMaxPriority, argOverflow, argDeliveryLimit,
	argQueueType, argQueueMode, argSingleConsumer, argMaxAge, argSegmentBytes,
}

// Limits of arguments, as in RabbitMQ.
const (
	maxPriorityMax = 255
	expiresMax     = 10 * 365 * 24 * 60 * 60 * 1000 // milliseconds, also of a TTL: ten years
)

// ttlLeast stands for a TTL of nothing: RabbitMQ delivers such a message at once or not at all, and here it has to become
// durable before. Where it is the queue's, what nobody waits for then has expired: see catalog.QueueSettings.ExpireUnwaited.
const ttlLeast = 100 * time.Millisecond

// Argument is one that a queue was declared with.
type Argument struct {
	Name string
	Kind wire.Kind
	Text string // see docs/amqp.md
}

// declaration is what a queue is declared with.
type declaration struct {
	vhost                          string
	durable, exclusive, autoDelete bool
	arguments                      []Argument
	settings                       catalog.QueueSettings
	maxAge                         time.Duration // of a stream; 0: for ever
	segmentBytes                   int64
}

// typeNames are RabbitMQ's, as its errors say them.
var typeNames = map[wire.Kind]string{
	wire.KindBool: "bool", wire.KindInt8: "byte", wire.KindUint8: "unsignedbyte", wire.KindInt16: "short",
	wire.KindUint16: "unsignedshort", wire.KindInt32: "signedint", wire.KindUint32: "unsignedint", wire.KindInt64: "long",
	wire.KindInt64L: "long", wire.KindFloat32: "float", wire.KindFloat64: "double", wire.KindDecimal: "decimal",
	wire.KindString: "longstr", wire.KindArray: "array", wire.KindTimestamp: "timestamp", wire.KindTable: "table",
	wire.KindVoid: "void", wire.KindBytes: "binary",
}

func typeName(k wire.Kind) string { return typeNames[k] }

func declarationOf(name string, m *wire.QueueDeclare, vhost string) (*declaration, error) {
	d := &declaration{
		vhost: vhost, durable: m.Durable && !m.Exclusive, exclusive: m.Exclusive, autoDelete: m.AutoDelete,
		settings: catalog.DefaultQueueSettings(),
	}
	d.settings.MessageBytesMax = catalog.MessageBytesCap         // what clients may send, config.go says
	d.settings.Retention, d.settings.DeadLetterExpired = 0, true // what expires goes by itself, wherever it goes
	for name, v := range m.Arguments.All() {
		if _, twice := find(d.arguments, name); !twice {
			d.arguments = append(d.arguments, Argument{name, v.Kind(), fieldText(v)})
		}
	}
	for _, check := range []func(wire.Table) (argument string, problem string){d.numbers, d.deadLetters, d.choices, d.stream} {
		if arg, problem := check(m.Arguments); problem != "" {
			return nil, failedPrecondition("invalid arg '%s' for %s: %s", arg, queueNamed(name, vhost), problem)
		}
	}
	return d, d.checkType(name)
}

func (d *declaration) checkType(name string) error {
	kind, _ := find(d.arguments, argQueueType)
	invalid := func(property string) error {
		return failedPrecondition("invalid property '%s' for %s", property, queueNamed(name, d.vhost))
	}
	switch {
	case kind.Text == typeStream:
		return d.asStream(name)
	case kind.Text != typeQuorum:
		return nil
	case d.exclusive:
		return invalid("exclusive-owner")
	case !d.durable:
		return invalid("non-durable")
	case d.autoDelete:
		return invalid("auto-delete")
	}
	return nil
}

func ttlOf(ms int64) time.Duration {
	if ms == 0 {
		return ttlLeast
	}
	return time.Duration(ms) * time.Millisecond
}

// boundOf is a queue's bound as its settings have it, where 0 is none.
func boundOf(n int64) int64 {
	if n == 0 {
		return catalog.BoundNothing
	}
	return n
}

// number reads an integer that is no less than least.
func number(t wire.Table, name string, least int64) (n int64, there bool, problem string) {
	v, there := t.Get(name)
	if !there {
		return 0, false, ""
	}
	n, ok := v.Int()
	switch {
	case !ok:
		return 0, true, "expected integer, got " + typeName(v.Kind())
	case n < 0:
		return 0, true, "{value_negative," + strconv.FormatInt(n, 10) + "}"
	case n < least:
		return 0, true, "{value_zero," + strconv.FormatInt(n, 10) + "}"
	}
	return n, true, ""
}

// numbers reads the arguments that are integers.
func (d *declaration) numbers(t wire.Table) (string, string) {
	s := &d.settings
	for _, a := range []struct {
		name  string
		least int64
		most  int64
		set   func(n int64)
	}{
		{argExpires, 1, expiresMax, func(int64) {}}, // see expiresOf
		{argMessageTTL, 0, expiresMax, func(n int64) { s.Retention, s.ExpireUnwaited = ttlOf(n), n == 0 }},
		{argMaxLength, 0, 1<<63 - 1, func(n int64) { s.LengthMax = boundOf(n) }},
		{argMaxBytes, 0, 1<<63 - 1, func(n int64) { s.BytesMax = boundOf(n) }},
		{argMaxPriority, 0, maxPriorityMax, func(n int64) { s.Lanes = int32(min(n+1, catalog.LanesMax)) }},
		{argDeliveryLimit, 0, 1 << 30, func(n int64) { s.AttemptsMax = int32(n + 1) }},
	} {
		n, there, problem := number(t, a.name, a.least)
		if there && problem == "" && n > a.most {
			problem = "{max_value_exceeded," + strconv.FormatInt(n, 10) + "}"
		}
		if problem != "" {
			return a.name, problem
		}
		if there {
			a.set(n)
		}
	}
	return "", ""
}

func (d *declaration) deadLetters(t wire.Table) (string, string) {
	to, ok := t.Get(argDeadExchange)
	key, hasKey := t.Get(argDeadKey)
	switch {
	case ok && to.Kind() != wire.KindString:
		return argDeadExchange, "{unacceptable_type," + typeName(to.Kind()) + "}"
	case hasKey && key.Kind() != wire.KindString:
		return argDeadKey, "{unacceptable_type," + typeName(key.Kind()) + "}"
	case hasKey && !ok:
		return argDeadKey, "routing_key_but_no_dlx_defined"
	case !ok:
		return "", ""
	}
	name, _ := to.Text()
	route := &catalog.DeadLetterRoute{Namespace: d.vhost, Exchange: name}
	if hasKey {
		text, _ := key.Text()
		route.Key = &text
	}
	d.settings.DeadLetterRoute = route
	return "", ""
}

// choices reads the arguments that are one of a few words.
func (d *declaration) choices(t wire.Table) (string, string) {
	for _, a := range []struct {
		name    string
		problem string
		words   []string
	}{
		{argOverflow, "invalid_overflow", []string{"drop-head", "reject-publish", "reject-publish-dlx"}},
		{argQueueType, "{error,unknown_queue_type}", []string{typeClassic, typeQuorum, typeStream}},
		{argQueueMode, "invalid_queue_mode", []string{"default", "lazy"}},
	} {
		v, ok := t.Get(a.name)
		if !ok {
			continue
		}
		word, isText := v.Text()
		if !isText {
			return a.name, "{unacceptable_type," + typeName(v.Kind()) + "}"
		}
		if !contains(a.words, word) {
			return a.name, a.problem
		}
	}
	v, _ := t.Get(argOverflow)
	switch word, _ := v.Text(); word {
	case "reject-publish":
		d.settings.Overflow = catalog.OverflowReject
	case "reject-publish-dlx":
		d.settings.Overflow = catalog.OverflowRejectDeadLetter
	}
	if v, ok := t.Get(argSingleConsumer); ok && v.Kind() != wire.KindBool {
		return argSingleConsumer, "{unacceptable_type," + typeName(v.Kind()) + "}"
	}
	return "", ""
}

func contains(words []string, word string) bool {
	for _, w := range words {
		if w == word {
			return true
		}
	}
	return false
}

// spec is the queue as the broker makes it.
func (d *declaration) spec() catalog.QueueSpec {
	labels := map[string]string{}
	for label, set := range map[string]bool{
		broker.LabelTransient: !d.durable, labelExclusive: d.exclusive, labelAutoDelete: d.autoDelete,
	} {
		if set {
			labels[label] = labelSet
		}
	}
	if len(d.arguments) > 0 {
		b, _ := json.Marshal(rows(d.arguments))
		labels[labelArguments] = string(b)
	}
	return catalog.QueueSpec{Settings: d.settings, Labels: labels}
}

// rows are arguments as their label has them.
func rows(list []Argument) [][3]string {
	out := make([][3]string, len(list))
	for i, a := range list {
		out[i] = [3]string{a.Name, string(rune(a.Kind)), a.Text}
	}
	return out
}

// ArgumentsOf are those that a queue was declared with; none if it was not declared with AMQP.
func ArgumentsOf(meta *catalog.Queue) (list []Argument) {
	var stored [][3]string
	if json.Unmarshal([]byte(meta.Labels[labelArguments]), &stored) != nil {
		return nil
	}
	for _, row := range stored {
		if row[1] != "" {
			list = append(list, Argument{row[0], wire.Kind(row[1][0]), row[2]})
		}
	}
	return list
}

// Exclusive, AutoDelete and Durable tell how a queue was declared.
func Exclusive(meta *catalog.Queue) bool { return meta.Labels[labelExclusive] != "" }

// AutoDelete tells whether a queue goes with its last consumer.
func AutoDelete(meta *catalog.Queue) bool { return meta.Labels[labelAutoDelete] != "" }

// Durable tells whether a queue outlives the process.
func Durable(meta *catalog.Queue) bool { return meta.Labels[broker.LabelTransient] == "" }

func find(list []Argument, name string) (Argument, bool) {
	for _, a := range list {
		if a.Name == name {
			return a, true
		}
	}
	return Argument{}, false
}

// expiresOf is after how long without use a queue goes; 0 is never.
func expiresOf(meta *catalog.Queue) time.Duration {
	a, _ := find(ArgumentsOf(meta), argExpires)
	ms, _ := strconv.ParseInt(a.Text, 10, 64)
	return time.Duration(ms) * time.Millisecond
}

// equivalent says what of a connection's new declaration differs from the queue that is there; nil is no connection.
func (s *Server) equivalent(c *conn, name string, q *broker.Queue, d *declaration) error {
	meta := q.Meta()
	owner := s.ownerOf(q)
	if d.exclusive != (owner != nil) || owner != c && (owner != nil || Exclusive(meta)) {
		return lockedQueue(name, d.vhost)
	}
	what := queueNamed(name, d.vhost)
	for _, p := range []struct {
		name          string
		current, want bool
	}{{"durable", Durable(meta), d.durable}, {"auto_delete", AutoDelete(meta), d.autoDelete}} {
		if p.current != p.want {
			return inequivalent(what, p.name, quoted(strconv.FormatBool(p.want)), quoted(strconv.FormatBool(p.current)))
		}
	}
	current := ArgumentsOf(meta)
	for _, arg := range comparedArguments {
		if err := equivalentArgument(what, arg, current, d.arguments); err != nil {
			return err
		}
	}
	return nil
}

func equivalentArgument(what, name string, current, want []Argument) error {
	have, there := find(current, name)
	received, comes := find(want, name)
	switch {
	case !there && !comes, there && comes && have.Text == received.Text:
		return nil
	case there && comes:
		return inequivalent(what, name, quoted(received.Text), quoted(have.Text))
	case name == argQueueType && (have.Text == typeClassic || received.Text == typeClassic): // the default
		return nil
	}
	typed := func(a Argument, there bool) string {
		if !there {
			return "none"
		}
		return "the value " + quoted(a.Text) + " of type " + quoted(typeName(a.Kind))
	}
	return inequivalent(what, name, typed(received, comes), typed(have, there))
}

func quoted(s string) string { return "'" + s + "'" }
