package kafka

import "fmt"

// The members of a consumer group put a subscription into the metadata of JoinGroup and an assignment into SyncGroup.
// To the protocol both are opaque bytes; a broker reads them only to describe a group.
//
//	version int16 | ConsumerProtocolSubscription or ConsumerProtocolAssignment | what later versions add
const consumerProtocolVersionMax = 3

// DecodeSubscription reads the metadata that a consumer joins with. A version newer than ours is read as ours: later
// versions only add fields, so the rest is no error. Errors wrap ErrMalformed or ErrUnsupported.
func DecodeSubscription(b []byte) (*ConsumerProtocolSubscription, error) {
	m := new(ConsumerProtocolSubscription)
	return m, decodeConsumer(m, b)
}

// DecodeAssignment reads the assignment that the leader gave a consumer, in the manner of DecodeSubscription.
func DecodeAssignment(b []byte) (*ConsumerProtocolAssignment, error) {
	m := new(ConsumerProtocolAssignment)
	return m, decodeConsumer(m, b)
}

func decodeConsumer(m Message, b []byte) error {
	r := NewReader(b)
	version := r.int16()
	if r.err == nil && version < 0 {
		return fmt.Errorf("%w: %T version %d", ErrUnsupported, m, version)
	}
	m.Decode(min(version, consumerProtocolVersionMax), r)
	return r.Err()
}

// EncodeSubscription returns the bytes that DecodeSubscription reads; version is 0 to 3.
func EncodeSubscription(m *ConsumerProtocolSubscription, version int16) ([]byte, error) {
	return encodeConsumer(m, version)
}

// EncodeAssignment returns the bytes that DecodeAssignment reads; version is 0 to 3.
func EncodeAssignment(m *ConsumerProtocolAssignment, version int16) ([]byte, error) {
	return encodeConsumer(m, version)
}

func encodeConsumer(m Message, version int16) ([]byte, error) {
	var w Writer
	w.int16(version)
	m.Append(version, &w)
	return w.AppendTo(nil), w.Err()
}
