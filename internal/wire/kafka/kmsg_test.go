package kafka

import (
	"bytes"
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// notInKmsg lists what kmsg 1.15.0 does not know. Those versions are checked against ourselves only.
var notInKmsg = map[APIKey]map[int16]string{
	KeyInitProducerId: {6: "unstable in Kafka 4.2 (KIP-939), kmsg ends at 5"},
}

// tagsTooEarly lists the last versions for which kmsg writes tagged fields that the version does not have yet: it
// looks only whether the version is flexible. We pass over them, as a reader should, and so write less.
var tagsTooEarly = map[APIKey]int16{
	KeyProduce: 9,  // CurrentLeader, NodeEndpoints: from 10 on (KIP-951)
	KeyFetch:   17, // ReplicaState 15, NodeEndpoints 16, ReplicaDirectoryId 17, HighWatermark 18
}

// each calls f for every API and version in the table, for request and response.
func each(t *testing.T, f func(t *testing.T, key APIKey, version int16, m Message, peer func() kmsgMessage)) {
	for _, key := range Keys() {
		for v := APIs[key].Min; v <= APIs[key].Max; v++ {
			f(t, key, v, NewRequest(key), func() kmsgMessage {
				m := kmsg.RequestForKey(int16(key))
				m.SetVersion(v)
				return m
			})
			f(t, key, v, NewResponse(key), func() kmsgMessage {
				m := kmsg.ResponseForKey(int16(key))
				m.SetVersion(v)
				return m
			})
		}
	}
}

// kmsgMessage is what kmsg's requests and responses have in common.
type kmsgMessage interface {
	AppendTo([]byte) []byte
	ReadFrom([]byte) error
}

func TestTableAgreesWithKmsg(t *testing.T) {
	for _, key := range Keys() {
		api, peer := APIs[key], kmsg.RequestForKey(int16(key))
		if peer.MaxVersion() < api.Max && notInKmsg[key][api.Max] == "" {
			t.Errorf("%v: kmsg knows versions up to %d, we have %d", key, peer.MaxVersion(), api.Max)
		}
		if want := kmsg.NameForKey(int16(key)); api.Name != want && api.Name != "InitProducerId" {
			t.Errorf("key %d: name %s, want %s", key, api.Name, want)
		}
		for v := api.Min; v <= api.Max; v++ {
			peer.SetVersion(v)
			if got, want := api.IsFlexible(v), peer.IsFlexible(); got != want {
				t.Errorf("%v version %d: flexible %v, want %v", key, v, got, want)
			}
		}
		if NewRequest(key).APIKey() != key || NewResponse(key).APIKey() != key {
			t.Errorf("%v: the constructors return something else", key)
		}
	}
}

// TestOursToKmsg checks that what we write is what kmsg reads, and that we read it back.
func TestOursToKmsg(t *testing.T) {
	f := filler{newRand(t)}
	each(t, func(t *testing.T, key APIKey, v int16, m Message, newPeer func() kmsgMessage) {
		for range 20 {
			f.fill(reflect.ValueOf(m).Elem())
			wire := encode(t, m, v)
			if notInKmsg[key][v] == "" {
				peer := newPeer() // kmsg does not clear what it reads into
				if err := peer.ReadFrom(wire); err != nil {
					t.Fatalf("%T version %d: kmsg: %v\n%x", m, v, err, wire)
				}
				if again := peer.AppendTo(nil); !bytes.Equal(wire, again) {
					t.Fatalf("%T version %d: kmsg reads it otherwise:\n%x\n%x\n%s", m, v, wire, again, cmp.Diff(wire, again))
				}
			}
			checkRoundTrip(t, m, v, wire)
		}
	})
}

// TestKmsgToOurs checks that we read what kmsg writes, and write the same.
func TestKmsgToOurs(t *testing.T) {
	f := filler{newRand(t)}
	each(t, func(t *testing.T, key APIKey, v int16, m Message, newPeer func() kmsgMessage) {
		if notInKmsg[key][v] != "" {
			return
		}
		for range 20 {
			peer := newPeer()
			f.fill(reflect.ValueOf(peer).Elem())
			wire := peer.AppendTo(nil)
			if last, ok := tagsTooEarly[key]; ok && APIs[key].IsFlexible(v) && v <= last {
				wire = encode(t, mustDecode(t, m, v, wire), v)
			}
			checkRoundTrip(t, m, v, wire)
		}
	})
}

// checkRoundTrip checks that wire decodes into something that encodes to the same bytes and decodes to the same thing.
func checkRoundTrip(t *testing.T, m Message, v int16, wire []byte) {
	t.Helper()
	first := mustDecode(t, m, v, wire)
	if again := encode(t, first, v); !bytes.Equal(wire, again) {
		t.Fatalf("%T version %d: encodes otherwise:\n%x\n%x\n%+v", m, v, wire, again, first)
	}
	if second := mustDecode(t, m, v, wire); !reflect.DeepEqual(first, second) {
		t.Fatalf("%T version %d: %s", m, v, cmp.Diff(first, second))
	}
}

func encode(t testing.TB, m Message, v int16) []byte {
	t.Helper()
	var w Writer
	m.Append(v, &w)
	if err := w.Err(); err != nil {
		t.Fatalf("%T version %d: %v", m, v, err)
	}
	b := w.AppendTo(nil)
	if len(b) != w.Len() {
		t.Fatalf("%T version %d: Len is %d, wrote %d", m, v, w.Len(), len(b))
	}
	return b
}

// mustDecode decodes into a new message of m's type.
func mustDecode(t testing.TB, m Message, v int16, wire []byte) Message {
	t.Helper()
	out := reflect.New(reflect.TypeOf(m).Elem()).Interface().(Message)
	r := NewReader(wire)
	out.Decode(v, r)
	if err := r.Finish(); err != nil {
		t.Fatalf("%T version %d: %v\n%x", m, v, err, wire)
	}
	return out
}

func TestConsumerProtocolAgreesWithKmsg(t *testing.T) {
	f := filler{newRand(t)}
	for v := range int16(consumerProtocolVersionMax + 1) {
		for range 50 {
			var sub ConsumerProtocolSubscription
			f.fill(reflect.ValueOf(&sub).Elem())
			wire, err := EncodeSubscription(&sub, v)
			if err != nil {
				t.Fatal(err)
			}
			checkConsumer(t, wire, new(kmsg.ConsumerMemberMetadata))
			got, err := DecodeSubscription(wire)
			if err != nil {
				t.Fatal(err)
			}
			again, _ := EncodeSubscription(got, v)
			if !bytes.Equal(wire, again) {
				t.Fatalf("version %d:\n%x\n%x", v, wire, again)
			}

			var as ConsumerProtocolAssignment
			f.fill(reflect.ValueOf(&as).Elem())
			if wire, err = EncodeAssignment(&as, v); err != nil {
				t.Fatal(err)
			}
			checkConsumer(t, wire, new(kmsg.ConsumerMemberAssignment))
			if _, err := DecodeAssignment(append(wire, "from the future"...)); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func checkConsumer(t *testing.T, wire []byte, peer kmsgMessage) {
	t.Helper()
	if err := peer.ReadFrom(wire); err != nil {
		t.Fatalf("%T: %v", peer, err)
	}
	if again := peer.AppendTo(nil); !bytes.Equal(wire, again) {
		t.Fatalf("%T:\n%x\n%x", peer, wire, again)
	}
}
