package broker

import (
	"strconv"
	"strings"

	"github.com/narumq/naru/internal/exchange"
	"github.com/narumq/naru/internal/record"
)

// How record headers say what their values are; see docs/amqp.md. On disk: never rename.
const (
	headerTyped  = "naru.type:" // and a header's name: the kind of its value
	headerEscape = "amqp.header."
)

// typedHeader finds a header as routing compares it: the value that its sender gave it, not the text of that. So a dead letter
// goes the way on which its message came.
func typedHeader(headers []record.HeaderField, name string) (exchange.Value, bool) {
	key := name
	if name == "content-type" || strings.HasPrefix(name, "amqp.") || strings.HasPrefix(name, queueHeaderPrefix) {
		key = headerEscape + name
	}
	v, ok := headerValue(headers, key)
	if !ok {
		return exchange.Value{}, false
	}
	kind, _ := headerValue(headers, headerTyped+key)
	return typedValue(string(kind), string(v)), true
}

// typedValue is a text as what its kind says: a letter of AMQP 0-9-1 (section 4.2.1), or a word of SQS. What does not fit is text.
func typedValue(kind, text string) exchange.Value {
	base, _, _ := strings.Cut(kind, ".")
	switch base {
	case "V":
		return exchange.VoidValue()
	case "t":
		return exchange.BoolValue(text == "true")
	case "T":
		if n, err := strconv.ParseUint(text, 10, 64); err == nil {
			return exchange.IntValue(int64(n))
		}
	case "b", "B", "s", "u", "I", "i", "l", "L":
		if n, err := strconv.ParseInt(text, 10, 64); err == nil {
			return exchange.IntValue(n)
		}
	case "f":
		if f, err := strconv.ParseFloat(text, 32); err == nil {
			return exchange.FloatValue(f)
		}
	case "d":
		if f, err := strconv.ParseFloat(text, 64); err == nil {
			return exchange.FloatValue(f)
		}
	case "D", "A", "F":
		return exchange.OpaqueValue(base + text)
	case "Number":
		if n, err := strconv.ParseInt(text, 10, 64); err == nil {
			return exchange.IntValue(n)
		}
		return typedValue("d", text)
	}
	return exchange.TextValue(text)
}
