package kafka

import (
	wire "github.com/narumq/naru/internal/wire/kafka"
)

// api is one request type that is served. Each is registered by the file that
// serves it; ApiVersions lists this table, so that nothing is advertised that
// has no handler.
type api struct {
	wire.API
	low, high int16 // as advertised
	// overlap lets requests of this type be in flight together.
	overlap bool
	// start decodes the body and carries the request out, or starts to. It
	// returns an error only if the body is malformed.
	start func(c *call, body []byte) error
}

// served are the APIs by key. It is filled while the package initialises and
// never changes after that.
var served = map[wire.APIKey]*api{}

func (a *api) supports(version int16) bool { return a.Supports(version) && version <= a.high }

func register(key wire.APIKey, overlap bool, start func(*call, []byte) error) *api {
	a := &api{API: wire.APIs[key], overlap: overlap, start: start}
	a.low, a.high = a.Advertised()
	served[key] = a
	return a
}

// request is a pointer to a request struct.
type request[T any] interface {
	*T
	wire.Request
}

// serve registers an API whose handler answers at once, or later through the
// call.
func serve[T any, P request[T]](key wire.APIKey, handle func(*call, *T)) *api {
	return register(key, false, decoding[T, P](handle))
}

// answer registers an API whose handler returns the answer.
func answer[T any, P request[T]](key wire.APIKey, handle func(*call, *T) wire.Response) *api {
	return serve[T, P](key, func(c *call, q *T) { c.finish(handle(c, q)) })
}

// decoding decodes a request before it is handled. Bytes behind the message are
// let pass, as Kafka does.
func decoding[T any, P request[T]](handle func(*call, *T)) func(*call, []byte) error {
	return func(c *call, body []byte) error {
		r := &c.conn.body
		r.Reset(body)
		defer r.Reset(nil)
		q := new(T)
		P(q).Decode(c.version, r)
		if err := r.Err(); err != nil {
			return err
		}
		handle(c, q)
		return nil
	}
}
