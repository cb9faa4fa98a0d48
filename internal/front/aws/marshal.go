package aws

import (
	"encoding/json"
	"errors"
	"math"
	"strconv"
	"time"
)

// Time is a timestamp on the wire: seconds since 1970 with milliseconds
// (Smithy, "epoch-seconds").
type Time struct{ time.Time }

// MarshalJSON implements json.Marshaler.
func (t Time) MarshalJSON() ([]byte, error) {
	return strconv.AppendFloat(nil, float64(t.UnixMilli())/1000, 'f', -1, 64), nil
}

// UnmarshalJSON implements json.Unmarshaler.
func (t *Time) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		return nil
	}
	seconds, err := strconv.ParseFloat(string(b), 64)
	if err != nil || math.Abs(seconds) > secondsMax {
		return errors.New("not a timestamp")
	}
	t.Time = time.UnixMilli(int64(math.Round(seconds * 1000)))
	return nil
}

// secondsMax is about the year 33,000: what is past it is no timestamp.
const secondsMax = 1e12

// Unmarshal reads a call's input into a struct, whose fields' json tags name the
// members. The error is a SerializationException.
func Unmarshal(c *Call, into any) error {
	if len(c.Body) == 0 {
		return nil
	}
	err := json.Unmarshal(c.Body, into)
	var wrong *json.UnmarshalTypeError
	switch {
	case errors.As(err, &wrong):
		return serialization(wrong.Field + " is of a wrong type: " + wrong.Value)
	case err != nil:
		return serialization(err.Error())
	}
	return nil
}

// Marshal writes a call's output.
func Marshal(_ *Call, v any) ([]byte, error) { return json.Marshal(v) }

func serialization(text string) error {
	return &Error{Shape: "SerializationException", Code: "MalformedInput", Message: text, Common: true}
}
