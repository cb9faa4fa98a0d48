package kafka

import (
	"bytes"
	"errors"
	"reflect"
	"strings"
	"testing"
)

func TestUvarint(t *testing.T) {
	for _, c := range []struct {
		in   string
		want uint32
		ok   bool
	}{
		{"\x00", 0, true},
		{"\x7f", 127, true},
		{"\x80\x01", 128, true},
		{"\xff\xff\xff\xff\x0f", 1<<32 - 1, true},
		{"\x80\x80\x80\x80\x00", 0, true}, // padded, as writers do that reserve room for a length
		{"\xff\xff\xff\xff\x10", 0, false},
		{"\x80\x80\x80\x80\x80\x00", 0, false},
		{"\x80", 0, false},
		{"", 0, false},
	} {
		r := NewReader([]byte(c.in))
		got := r.uvarint()
		if got != c.want || (r.Finish() == nil) != c.ok {
			t.Errorf("%x: %d, %v; want %d, ok %v", c.in, got, r.Err(), c.want, c.ok)
		}
	}
}

func TestLengths(t *testing.T) {
	read := map[string]func(r *Reader){
		"string":            func(r *Reader) { r.string(false) },
		"nullable string":   func(r *Reader) { r.nullString(false, true) },
		"compact string":    func(r *Reader) { r.string(true) },
		"bytes":             func(r *Reader) { r.bytes(false, false) },
		"nullable bytes":    func(r *Reader) { r.bytes(false, true) },
		"compact bytes":     func(r *Reader) { r.bytes(true, false) },
		"array":             func(r *Reader) { r.int32s(false, false) },
		"nullable array":    func(r *Reader) { r.int32s(false, true) },
		"compact array":     func(r *Reader) { r.int32s(true, false) },
		"compact strings":   func(r *Reader) { r.strings(true, false) },
		"tags":              func(r *Reader) { r.skipTags() },
		"struct mark":       func(r *Reader) { r.present() },
		"nullable records":  func(r *Reader) { r.pieces(true, true) },
		"compact, nullable": func(r *Reader) { r.nullString(true, true) },
	}
	for _, c := range []struct {
		what, in string
		ok       bool
	}{
		{"string", "\x00\x01a", true},
		{"string", "\x00\x02a", false},
		{"string", "\xff\xff", false},
		{"nullable string", "\xff\xff", true},
		{"nullable string", "\xff\xfe", false},
		{"compact string", "\x02a", true},
		{"compact string", "\x00", false},
		{"compact string", "\x80\x80\x02" + strings.Repeat("a", 1<<15-1), true},
		{"compact string", "\x81\x80\x02" + strings.Repeat("a", 1<<15), false},
		{"compact, nullable", "\x00", true},
		{"compact, nullable", "\xff\xff\xff\xff\x0f", false},
		{"bytes", "\x00\x00\x00\x01a", true},
		{"bytes", "\x7f\xff\xff\xffa", false},
		{"bytes", "\xff\xff\xff\xff", false},
		{"nullable bytes", "\xff\xff\xff\xff", true},
		{"compact bytes", "\x02a", true},
		{"compact bytes", "\xff\xff\xff\xff\x0fa", false},
		{"array", "\x00\x00\x00\x01\x00\x00\x00\x07", true},
		{"array", "\x00\x00\x00\x02\x00\x00\x00\x07", false},
		{"array", "\x7f\xff\xff\xff", false},
		{"nullable array", "\xff\xff\xff\xff", true},
		{"nullable array", "\xff\xff\xff\xfe", false},
		{"compact array", "\x02\x00\x00\x00\x07", true},
		{"compact array", "\x00", false},
		{"compact strings", "\x03\x01\x02a", true},
		{"compact strings", "\x04\x01\x02a", false},
		{"nullable records", "\x00", true},
		{"tags", "\x00", true},
		{"tags", "\x02\x00\x01x\x07\x00", true},
		{"tags", "\x01\x00\x02x", false},
		{"tags", "\xff\xff\xff\xff\x0f", false},
		{"tags", "\x02\x00\x01x", false},
		{"struct mark", "\xff", true},
		{"struct mark", "\x01", true},
		{"struct mark", "\x00", false},
	} {
		r := NewReader([]byte(c.in))
		read[c.what](r)
		if err := r.Finish(); (err == nil) != c.ok {
			t.Errorf("%s %.20x: error %v, want ok %v", c.what, c.in, err, c.ok)
		} else if err != nil && !errors.Is(err, ErrMalformed) {
			t.Errorf("%s %.20x: %v does not wrap ErrMalformed", c.what, c.in, err)
		}
	}
}

func TestReaderLatches(t *testing.T) {
	r := NewReader([]byte{0, 5, 'a'})
	if s := r.string(false); s != "" {
		t.Errorf("string %q", s)
	}
	first := r.Err()
	if r.int8() != 0 || r.int64() != 0 || r.uuid() != (UUID{}) || r.nullString(true, true) != nil || r.int32s(false, false) != nil {
		t.Error("reads after the error return something")
	}
	if first == nil || r.Finish() != first {
		t.Errorf("first %v, then %v", first, r.Finish())
	}
	r.Reset([]byte{7})
	if r.int8() != 7 || r.Finish() != nil {
		t.Error("Reset does not reset")
	}
}

// TestTagConfined: a tagged field must be read to the end of its size exactly, even if what follows would make sense.
func TestTagConfined(t *testing.T) {
	m := &FetchRequest{ClusterId: new(string), ReplicaState: &FetchRequestReplicaState{ReplicaId: 7}}
	*m.ClusterId = "abc"
	wire := encode(t, m, 15)
	at := bytes.Index(wire, []byte("\x00\x04\x04abc")) + 1 // tag 0, size 4, compact string; then tag 1
	for size, ok := range map[byte]bool{3: false, 4: true, 5: false, 200: false} {
		wire[at] = size
		if _, err := DecodeRequest(KeyFetch, 15, wire); (err == nil) != ok {
			t.Errorf("size %d: %v", size, err)
		}
	}
}

func TestUnknownTagsSkipped(t *testing.T) {
	m := &HeartbeatRequest{GroupId: "g", MemberId: "m"}
	wire := encode(t, m, 4)
	wire = append(wire[:len(wire)-1], 2, 0, 1, 'x', 9, 3, 'a', 'b', 'c')
	got, err := DecodeRequest(KeyHeartbeat, 4, wire)
	if err != nil || !reflect.DeepEqual(got, m) {
		t.Errorf("%+v, %v", got, err)
	}
}

// TestAbsentFields pins what a version without a field means; taken from the protocol's message definitions.
func TestAbsentFields(t *testing.T) {
	decode := func(m Message, from, as int16) Message {
		return mustDecode(t, m, as, encode(t, m, from))
	}
	if m := decode(&MetadataRequest{}, 0, 0).(*MetadataRequest); !m.AllowAutoTopicCreation {
		t.Error("Metadata 0 forbids auto-creation")
	}
	if m := decode(&FetchRequest{}, 4, 4).(*FetchRequest); m.SessionEpoch != -1 || m.MaxBytes != 0 {
		t.Errorf("Fetch 4: %+v", m)
	}
	if m := decode(&OffsetFetchRequest{}, 8, 8).(*OffsetFetchRequest); m.Topics == nil {
		t.Error("OffsetFetch 8 asks for all topics of no group")
	}
	if m := decode(&OffsetFetchRequest{}, 2, 2).(*OffsetFetchRequest); m.Topics != nil {
		t.Error("OffsetFetch 2 with null does not ask for all topics")
	}
	if m := decode(&OffsetCommitRequest{}, 5, 5).(*OffsetCommitRequest); m.RetentionTimeMs != -1 {
		t.Errorf("OffsetCommit 5: %+v", m)
	}
	var d FetchResponsePartitionData
	d.Default()
	if d.PreferredReadReplica != -1 || d.LastStableOffset != -1 || d.AbortedTransactions == nil || d.DivergingEpoch != nil {
		t.Errorf("%+v", d)
	}
}

func TestUnsupported(t *testing.T) {
	for _, c := range []struct {
		key     APIKey
		version int16
	}{{KeyProduce, 2}, {KeyProduce, 14}, {KeyProduce, -1}, {4, 0}, {-1, 0}, {1000, 0}} {
		if _, err := DecodeRequest(c.key, c.version, nil); !errors.Is(err, ErrUnsupported) {
			t.Errorf("%v %d: %v", c.key, c.version, err)
		}
		if _, err := DecodeResponse(c.key, c.version, nil); !errors.Is(err, ErrUnsupported) {
			t.Errorf("%v %d: %v", c.key, c.version, err)
		}
	}
	if NewRequest(4) != nil || NewResponse(4) != nil || APIKey(4).String() != "APIKey(4)" {
		t.Error("key 4 is known")
	}
}

func TestAdvertised(t *testing.T) {
	for key, want := range map[APIKey][2]int16{KeyProduce: {0, 13}, KeyInitProducerId: {0, 5}, KeyFetch: {4, 18}} {
		if low, high := APIs[key].Advertised(); low != want[0] || high != want[1] {
			t.Errorf("%v: %d-%d, want %v", key, low, high, want)
		}
	}
}

func TestConsumerProtocolErrors(t *testing.T) {
	for in, want := range map[string]error{"": ErrMalformed, "\x00": ErrMalformed, "\xff\xff\x00\x00": ErrUnsupported, "\x00\x01\x7f\xff\xff\xff": ErrMalformed} {
		if _, err := DecodeSubscription([]byte(in)); !errors.Is(err, want) {
			t.Errorf("%x: %v, want %v", in, err, want)
		}
	}
	// Version 9 is read as 3.
	wire, err := EncodeSubscription(&ConsumerProtocolSubscription{Topics: []string{"a"}, GenerationId: 4}, 3)
	if err != nil {
		t.Fatal(err)
	}
	wire[1] = 9
	m, err := DecodeSubscription(append(wire, "more"...))
	if err != nil || m.GenerationId != 4 {
		t.Errorf("%+v, %v", m, err)
	}
}
