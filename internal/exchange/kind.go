package exchange

// Kind is how an exchange chooses. On disk: never renumber.
type Kind uint8

// Kinds.
const (
	Direct  Kind = 1 // the routing key is the binding's
	Fanout  Kind = 2 // every binding
	Topic   Kind = 3 // the routing key matches the binding's pattern
	Headers Kind = 4 // the headers match the binding's arguments
	Delayed Kind = 5 // as the kind that it wraps, after a delay that the message asks for
)

var kindNames = map[Kind]string{
	Direct: "direct", Fanout: "fanout", Topic: "topic", Headers: "headers", Delayed: "x-delayed-message",
}

// String is the name that users write.
func (k Kind) String() string {
	if name, ok := kindNames[k]; ok {
		return name
	}
	return "unknown"
}

// ParseKind finds a kind by the name that users write.
func ParseKind(name string) (Kind, bool) {
	for k, n := range kindNames {
		if n == name {
			return k, true
		}
	}
	return 0, false
}
