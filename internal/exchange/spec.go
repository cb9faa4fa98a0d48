package exchange

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Names that are there from the start.
const (
	Default        = "" // every queue is bound to it by its own name, and nothing else can be
	reservedPrefix = "amq."
)

// Arguments by which users say what Spec has fields for.
const (
	ArgumentAlternate = "alternate-exchange"
	ArgumentWraps     = "x-delayed-type"
	argumentMatch     = "x-match"
	headerDelay       = "x-delay"
)

// Spec defines an exchange.
type Spec struct {
	Name       string
	Kind       Kind
	Wraps      Kind // of Delayed: how it chooses
	Durable    bool
	AutoDelete bool   // goes with the last binding from it
	Internal   bool   // takes messages from exchanges only
	Alternate  string // the exchange that takes what matches no binding; empty for none
	// Arguments are kept for those who list exchanges; they decide nothing.
	Arguments Arguments
}

// Define makes a Spec of what users write: the type's name, and arguments of which some
// mean something.
func Define(name, kind string, durable, autoDelete, internal bool, args Arguments) (Spec, error) {
	s := Spec{Name: name, Durable: durable, AutoDelete: autoDelete, Internal: internal, Arguments: args.sorted()}
	var known bool
	if s.Kind, known = ParseKind(kind); !known {
		return Spec{}, fmt.Errorf("%w: unknown exchange type '%.40s'", ErrInvalid, kind)
	}
	switch a := args.Get(ArgumentAlternate); a.Kind() {
	case Absent:
	case TextKind:
		s.Alternate = a.Text()
	default:
		return Spec{}, fmt.Errorf("%w: argument %s of '%s' is %s, expected a name", ErrInvalid, ArgumentAlternate, name, a)
	}
	if s.Kind == Delayed {
		s.Wraps, _ = ParseKind(args.Get(ArgumentWraps).Text())
	}
	return s, s.validate()
}

var predeclared = []Spec{
	{Name: Default, Kind: Direct, Durable: true},
	{Name: "amq.direct", Kind: Direct, Durable: true},
	{Name: "amq.fanout", Kind: Fanout, Durable: true},
	{Name: "amq.topic", Kind: Topic, Durable: true},
	{Name: "amq.headers", Kind: Headers, Durable: true},
	{Name: "amq.match", Kind: Headers, Durable: true},
}

// Predeclared tells whether an exchange of that name is there from the start.
func Predeclared(name string) bool {
	for i := range predeclared {
		if predeclared[i].Name == name {
			return true
		}
	}
	return false
}

// chooses is the kind by which bindings are matched.
func (s *Spec) chooses() Kind {
	if s.Kind == Delayed {
		return s.Wraps
	}
	return s.Kind
}

func (s *Spec) validate() error {
	if err := checkName(s.Name); err != nil {
		return err
	}
	if len(s.Alternate) > NameBytesMax || !utf8.ValidString(s.Alternate) {
		return fmt.Errorf("%w: alternate of '%s' is no name of at most %d bytes", ErrInvalid, s.Name, NameBytesMax)
	}
	switch s.Kind {
	case Direct, Fanout, Topic, Headers:
		if s.Wraps != 0 {
			return fmt.Errorf("%w: '%s' of type %s wraps no other", ErrInvalid, s.Name, s.Kind)
		}
	case Delayed:
		if s.Wraps < Direct || s.Wraps > Headers {
			return fmt.Errorf("%w: '%s' of type %s needs %s to be direct, fanout, topic or headers",
				ErrInvalid, s.Name, s.Kind, ArgumentWraps)
		}
	default:
		return fmt.Errorf("%w: unknown type %d of '%s'", ErrInvalid, s.Kind, s.Name)
	}
	return s.Arguments.validate()
}

// equivalent says what of a new declaration differs.
func (s *Spec) equivalent(want *Spec) error {
	optional := func(name string) Value {
		if name == "" {
			return Value{}
		}
		return TextValue(name)
	}
	wraps := func(x *Spec) Value {
		if x.Wraps == 0 {
			return Value{}
		}
		return TextValue(x.Wraps.String())
	}
	for _, p := range []struct {
		property          string
		current, received Value
	}{
		{"type", TextValue(s.Kind.String()), TextValue(want.Kind.String())},
		{"durable", BoolValue(s.Durable), BoolValue(want.Durable)},
		{"auto_delete", BoolValue(s.AutoDelete), BoolValue(want.AutoDelete)},
		{"internal", BoolValue(s.Internal), BoolValue(want.Internal)},
		{ArgumentAlternate, optional(s.Alternate), optional(want.Alternate)},
		{ArgumentWraps, wraps(s), wraps(want)},
	} {
		if p.current != p.received {
			return &InequivalentError{Exchange: s.Name, Property: p.property, Received: p.received, Current: p.current}
		}
	}
	return nil
}

// DestinationKind is what a binding leads to. On disk: never renumber.
type DestinationKind uint8

// Destinations.
const (
	ToQueue    DestinationKind = 0
	ToExchange DestinationKind = 1
)

// Binding is from an exchange to a queue or another exchange. All fields but Durable
// are its identity: with another key or other arguments it is another binding.
type Binding struct {
	Source          string
	DestinationKind DestinationKind
	Destination     string
	Key             string
	Arguments       Arguments
	Durable         bool
}

func (b *Binding) validate() error {
	if b.Source == Default || b.DestinationKind == ToExchange && b.Destination == Default {
		return ErrDefaultExchange
	}
	for _, name := range []string{b.Source, b.Destination} {
		if err := checkName(name); err != nil {
			return err
		}
	}
	if len(b.Key) > KeyBytesMax {
		return fmt.Errorf("%w: routing key of %d bytes, at most %d", ErrInvalid, len(b.Key), KeyBytesMax)
	}
	return b.Arguments.validate()
}

func checkName(name string) error {
	if name == "" || len(name) > NameBytesMax || !utf8.ValidString(name) {
		return fmt.Errorf("%w: name %.40q is not 1 to %d bytes of UTF-8", ErrInvalid, name, NameBytesMax)
	}
	return nil
}

func reserved(name string) bool { return strings.HasPrefix(name, reservedPrefix) }

func (a Arguments) validate() error {
	if len(a) > ArgumentsMax {
		return fmt.Errorf("%w: %d arguments, at most %d", ErrInvalid, len(a), ArgumentsMax)
	}
	bytes := 0
	for i := range a {
		if len(a[i].Name) > NameBytesMax {
			return fmt.Errorf("%w: argument %.40q has a name of %d bytes, at most %d", ErrInvalid, a[i].Name, len(a[i].Name), NameBytesMax)
		}
		if bytes += len(a[i].Name) + len(a[i].Value.text); bytes > ArgumentBytesMax {
			return fmt.Errorf("%w: arguments of more than %d bytes", ErrInvalid, ArgumentBytesMax)
		}
	}
	return nil
}
