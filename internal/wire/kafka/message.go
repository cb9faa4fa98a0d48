package kafka

import (
	"errors"
	"fmt"
	"slices"
)

// ErrUnsupported says that the API or its version is not in the table.
var ErrUnsupported = errors.New("unsupported Kafka API or version")

// APIKey is the number of a request type.
type APIKey int16

// String returns the name, or "APIKey(n)" for one that is not in the table.
func (k APIKey) String() string {
	if a, ok := APIs[k]; ok {
		return a.Name
	}
	return fmt.Sprintf("APIKey(%d)", int16(k))
}

// API describes one request type.
type API struct {
	Key                   APIKey
	Name                  string // of the message, without Request or Response
	Min, Max              int16  // the versions in the table
	Flexible              int16  // the first flexible version; noFlexible if none is
	LatestVersionUnstable bool   // Max may still change in Kafka: do not offer it
}

// noFlexible is above all versions.
const noFlexible = 1<<15 - 1

// Supports says whether version is in the table. The zero API, which APIs gives for an unknown key, has no versions.
func (a API) Supports(version int16) bool {
	return a.Name != "" && a.Min <= version && version <= a.Max
}

// IsFlexible says whether version uses compact lengths, tagged fields, and headers with tagged fields (KIP-482).
func (a API) IsFlexible(version int16) bool { return a.Name != "" && version >= a.Flexible }

// Advertised returns the versions that the answer to ApiVersions lists: without an unstable last one, and for Produce
// from 0 on, although nothing below Min is served: older librdkafka takes a broker that
// does not list Produce 0 for one that cannot do more (KAFKA-18659).
func (a API) Advertised() (low, high int16) {
	low, high = a.Min, a.Max
	if a.Key == KeyProduce {
		low = 0
	}
	if a.LatestVersionUnstable {
		high--
	}
	return low, high
}

// Keys returns the keys of all APIs in ascending order.
func Keys() []APIKey {
	keys := make([]APIKey, 0, len(APIs))
	for k := range APIs {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// Message is a request, a response or a message inside bytes.
//
// Decode and Append work for the versions in the table; others are the caller's mistake and give what the nearest
// ones might. DecodeRequest and its kin check.
type Message interface {
	Default()                        // sets every field to its protocol default
	Decode(version int16, r *Reader) // overwrites every field; errors latch in r
	Append(version int16, w *Writer) // errors latch in w
}

// Request is a Message that a client sends.
type Request interface {
	Message
	APIKey() APIKey
}

// Response is a Message that a broker sends.
type Response interface {
	Message
	APIKey() APIKey
}

// DecodeRequest decodes the whole of body. Errors wrap ErrUnsupported or ErrMalformed.
func DecodeRequest(key APIKey, version int16, body []byte) (Request, error) {
	if !APIs[key].Supports(version) {
		return nil, fmt.Errorf("%w: %v version %d", ErrUnsupported, key, version)
	}
	m := NewRequest(key)
	return m, decode(m, key, version, body)
}

// DecodeResponse decodes the whole of body. Errors wrap ErrUnsupported or ErrMalformed.
func DecodeResponse(key APIKey, version int16, body []byte) (Response, error) {
	if !APIs[key].Supports(version) {
		return nil, fmt.Errorf("%w: %v version %d", ErrUnsupported, key, version)
	}
	m := NewResponse(key)
	return m, decode(m, key, version, body)
}

func decode(m Message, key APIKey, version int16, body []byte) error {
	var r Reader
	r.Reset(body)
	m.Decode(version, &r)
	if err := r.Finish(); err != nil {
		return fmt.Errorf("%T of %v version %d: %w", m, key, version, err)
	}
	return nil
}
