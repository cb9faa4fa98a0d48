package kafka

import (
	"bytes"
	"reflect"
	"testing"
)

// The seeds are messages of every API and what TestLies and TestSevenBytes were made from; found inputs are in testdata.

func FuzzRequest(f *testing.F) {
	corpus(f, func(k APIKey) Message { return NewRequest(k) }, func(key APIKey, v int16, b []byte) { f.Add(int16(key), v, b) })
	f.Add(int16(KeyApiVersions), int16(3), []byte("\x01\x01\xff\xff\xff\xff\x0f"))
	f.Fuzz(func(t *testing.T, key, version int16, body []byte) {
		if m := NewRequest(APIKey(key)); m != nil && APIs[APIKey(key)].Supports(version) {
			fuzzMessage(t, m, version, body)
		}
	})
}

func FuzzResponse(f *testing.F) {
	corpus(f, func(k APIKey) Message { return NewResponse(k) }, func(key APIKey, v int16, b []byte) { f.Add(int16(key), v, b) })
	f.Fuzz(func(t *testing.T, key, version int16, body []byte) {
		if m := NewResponse(APIKey(key)); m != nil && APIs[APIKey(key)].Supports(version) {
			fuzzMessage(t, m, version, body)
		}
	})
}

// FuzzConsumerProtocol decodes what the members of a group sent each other.
func FuzzConsumerProtocol(f *testing.F) {
	for v := range int16(consumerProtocolVersionMax + 1) {
		sub, _ := EncodeSubscription(&ConsumerProtocolSubscription{Topics: []string{"a", "b"}, UserData: []byte("u"),
			OwnedPartitions: []ConsumerProtocolSubscriptionTopicPartition{{Topic: "a", Partitions: []int32{1, 2}}}}, v)
		as, _ := EncodeAssignment(&ConsumerProtocolAssignment{
			AssignedPartitions: []ConsumerProtocolAssignmentTopicPartition{{Topic: "a", Partitions: []int32{1, 2}}}}, v)
		f.Add(v, sub[2:])
		f.Add(v, as[2:])
	}
	f.Fuzz(func(t *testing.T, version int16, body []byte) {
		if version < 0 || version > consumerProtocolVersionMax {
			return
		}
		fuzzMessage(t, new(ConsumerProtocolSubscription), version, body)
		fuzzMessage(t, new(ConsumerProtocolAssignment), version, body)
	})
}

// fuzzMessage checks that decoding body is bounded, and if it succeeds, that encoding and decoding keep the message.
func fuzzMessage(t *testing.T, m Message, version int16, body []byte) {
	t.Helper()
	if decodeBounded(t, m, version, body) != nil {
		return
	}
	wire := encode(t, m, version)
	second := mustDecode(t, m, version, wire)
	if again := encode(t, second, version); !bytes.Equal(wire, again) {
		t.Fatalf("%T version %d: encodes to\n%x\nand then to\n%x", m, version, wire, again)
	}
	if third := mustDecode(t, m, version, wire); !reflect.DeepEqual(second, third) {
		t.Fatalf("%T version %d: decodes to\n%+v\nand then to\n%+v", m, version, second, third)
	}
}

func FuzzRequestHeader(f *testing.F) {
	for _, key := range []APIKey{KeyApiVersions, KeyProduce, KeyOffsetDelete, 1000, -1} {
		id := "client"
		var w Writer
		(&RequestHeader{RequestApiKey: key, RequestApiVersion: 9, CorrelationId: 1, ClientId: &id}).Append(&w)
		f.Add(w.AppendTo(nil))
	}
	f.Add([]byte("\x00\x12\x00\x03\x00\x00\x00\x01\xff\xff\xff\xff\xff\xff\x0f"))
	f.Fuzz(func(t *testing.T, b []byte) {
		var h, again RequestHeader
		r := NewReader(b)
		h.Decode(r)
		if r.Err() != nil {
			return
		}
		var w Writer
		h.Append(&w)
		r = NewReader(w.AppendTo(nil))
		again.Decode(r)
		if r.Finish() != nil || !reflect.DeepEqual(h, again) {
			t.Fatalf("%+v became %+v, %v", h, again, r.Err())
		}
	})
}

// FuzzResponseHeader is for the clients in our tests.
func FuzzResponseHeader(f *testing.F) {
	f.Add(int16(KeyFetch), int16(12), []byte("\x00\x00\x00\x01\x00"))
	f.Add(int16(KeyApiVersions), int16(3), []byte("\x00\x00\x00\x01"))
	f.Fuzz(func(t *testing.T, key, version int16, b []byte) {
		r := NewReader(b)
		DecodeResponseHeader(APIKey(key), version, r)
		if r.Err() == nil && r.Remaining() > len(b)-4 {
			t.Fatalf("%d of %d bytes left", r.Remaining(), len(b))
		}
	})
}
