package sqs

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/narumq/naru/internal/front/aws"
)

// action is how a call is answered in each of the protocols.
type action struct {
	json, form func(ctx context.Context, s *Server, c *aws.Call) ([]byte, error)
}

// actions are filled by the actions' files.
var actions = map[string]action{}

// Serves tells whether there is an action of that name.
func Serves(name string) bool {
	_, ok := actions[name]
	return ok
}

func register(name string, a action) {
	if _, twice := actions[name]; twice {
		panic("sqs: " + name + " is registered twice")
	}
	actions[name] = a
}

// simple registers an action whose input and output are plain structs: their JSON
// is that of encoding/json, their Query forms those of aws.DecodeForm and
// aws.EncodeXML. An output may be nil.
func simple[In, Out any](name string, f func(ctx context.Context, s *Server, c *aws.Call, in *In) (*Out, error)) {
	register(name, action{
		json: func(ctx context.Context, s *Server, c *aws.Call) ([]byte, error) {
			var in In
			if err := unmarshal(c.Body, &in); err != nil {
				return nil, err
			}
			out, err := f(ctx, s, c, &in)
			if err != nil {
				return nil, err
			}
			if out == nil {
				return []byte("{}"), nil
			}
			return json.Marshal(out)
		},
		form: func(ctx context.Context, s *Server, c *aws.Call) ([]byte, error) {
			var in In
			if err := aws.DecodeForm(c.Form, &in); err != nil {
				return nil, err
			}
			out, err := f(ctx, s, c, &in)
			if err != nil {
				return nil, err
			}
			return result(name, out), nil
		},
	})
}

// nothing is the output of an action that has none.
type nothing struct{}

// result is the inside of a Query answer.
func result[Out any](name string, out *Out) []byte {
	if out == nil {
		return nil
	}
	if _, none := any(out).(*nothing); none {
		return nil
	}
	b := append([]byte("<"+name+"Result>"), aws.EncodeXML(out)...)
	return append(b, "</"+name+"Result>"...)
}

func unmarshal(b []byte, in any) error {
	if len(b) == 0 {
		return nil
	}
	err := json.Unmarshal(b, in)
	var wrong *json.UnmarshalTypeError
	switch {
	case errors.As(err, &wrong):
		return serialization(wrong.Field + " is of a wrong type: " + wrong.Value)
	case err != nil:
		return serialization(err.Error())
	}
	return nil
}

func serialization(text string) error {
	return &aws.Error{Shape: "SerializationException", Code: "MalformedInput", Message: text, Common: true}
}
