package aws

import (
	"encoding/json"

	wire "github.com/narumq/naru/internal/wire/aws"
)

// Time is a timestamp on the wire, in milliseconds.
type Time = wire.Time

// Unmarshal reads a call's input into a struct, whose fields' json tags name the
// members, in whichever encoding it is: see package wire/aws. The error is a
// SerializationException.
func Unmarshal(c *Call, into any) error {
	var err error
	switch {
	case len(c.Body) == 0: // as good as an empty document
	case c.encoding.cbor:
		err = wire.DecodeCBOR(c.Body, into, c.encoding.millis)
	default:
		err = wire.DecodeJSON(c.Body, into)
	}
	if err != nil {
		return &Error{Shape: "SerializationException", Code: "MalformedInput", Message: err.Error(), Common: true}
	}
	return nil
}

// Marshal writes a call's output. nil is no document at all.
func Marshal(c *Call, v any) ([]byte, error) {
	switch {
	case v == nil:
		return nil, nil
	case c.encoding.cbor:
		return wire.EncodeCBOR(nil, v, c.encoding.millis), nil
	}
	return json.Marshal(v)
}
