package kafka

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"
)

// allocBytesMax is what decoding n bytes may allocate: the budget, half again for the allocator's size classes, and a
// constant for the message itself, an error, and what the test binary does meanwhile.
func allocBytesMax(n int) uint64 { return uint64(n)*allocFactor*3/2 + 16<<10 }

// decodeTimeMax is what decoding n bytes may take on a busy machine: a second, and then 1 MiB a second.
func decodeTimeMax(n int) time.Duration { return time.Second + time.Duration(n)*time.Microsecond }

// decodeBounded decodes body and fails the test if that takes too much memory or time, or spends more than the budget.
func decodeBounded(t testing.TB, m Message, version int16, body []byte) error {
	t.Helper()
	var before, after runtime.MemStats
	r := NewReader(body)
	runtime.ReadMemStats(&before)
	start := time.Now()
	m.Decode(version, r)
	err := r.Finish()
	took := time.Since(start)
	runtime.ReadMemStats(&after)
	if got, most := after.TotalAlloc-before.TotalAlloc, allocBytesMax(len(body)); got > most {
		t.Fatalf("%T version %d: %d bytes allocated for %d, want %d at most (%v)\n%.200x", m, version, got, len(body), most, err, body)
	}
	if most := decodeTimeMax(len(body)); took > most {
		t.Fatalf("%T version %d: %v for %d bytes, want %v at most (%v)\n%.200x", m, version, took, len(body), most, err, body)
	}
	if r.budget < 0 {
		t.Fatalf("%T version %d: %d bytes over the budget", m, version, -r.budget)
	}
	if err != nil && !errors.Is(err, ErrMalformed) {
		t.Fatalf("%T version %d: %v does not wrap ErrMalformed", m, version, err)
	}
	return err
}

// eachMessage calls f for every API and version, request and response, with a constructor.
func eachMessage(f func(key APIKey, version int16, newMessage func() Message)) {
	for _, key := range Keys() {
		for v := APIs[key].Min; v <= APIs[key].Max; v++ {
			f(key, v, func() Message { return NewRequest(key) })
			f(key, v, func() Message { return NewResponse(key) })
		}
	}
}

func randomWire(t testing.TB, f filler, m Message, version int16) []byte {
	f.fill(reflect.ValueOf(m).Elem())
	return encode(t, m, version)
}

// TestTruncated: no proper prefix of a message is one, and nothing may follow it.
func TestTruncated(t *testing.T) {
	f := filler{newRand(t)}
	eachMessage(func(_ APIKey, v int16, newMessage func() Message) {
		wire := randomWire(t, f, newMessage(), v)
		for n := range wire {
			if n > 300 && n < len(wire)-300 { // inside records, mostly
				continue
			}
			r := NewReader(wire[:n])
			m := newMessage()
			if m.Decode(v, r); r.Finish() == nil {
				t.Fatalf("%T version %d: %d of %d bytes decode\n%x", m, v, n, len(wire), wire)
			}
		}
		r := NewReader(append(wire, 0))
		m := newMessage()
		if m.Decode(v, r); r.Finish() == nil {
			t.Fatalf("%T version %d: a byte after the message goes unnoticed", m, v)
		}
	})
}

// lies are lengths and counts that no frame can keep.
var lies = []string{
	"\xff\xff\xff\xff\x0f", "\xff\xff\xff\xff\x07", "\x80\x80\x80\x80\x08", "\xff\xff\x7f", "\xff\x7f", "\x7f",
	"\x7f\xff\xff\xff", "\x00\xff\xff\xff", "\x00\x00\xff\xff", "\xff\xff\xff\xff", "\xff\xff\xff\xfe", "\x7f\xff", "\x80\x00",
}

// TestLies writes a lie over every place of real messages, followed by much or little.
func TestLies(t *testing.T) {
	rnd := newRand(t)
	f := filler{rnd}
	eachMessage(func(_ APIKey, v int16, newMessage func() Message) {
		wire := randomWire(t, f, newMessage(), v)
		wire = wire[:min(len(wire), 400)]
		for range 30 {
			at, lie := rnd.IntN(len(wire)+1), lies[rnd.IntN(len(lies))]
			body := append(append([]byte(nil), wire[:at]...), lie...)
			body = append(body, bytes.Repeat([]byte{byte(rnd.IntN(3))}, []int{0, 10, 5000}[rnd.IntN(3)])...)
			_ = decodeBounded(t, newMessage(), v, body)
		}
	})
}

// TestNestedLies feeds every decoder 256 KiB of counts: arrays in arrays, each promising all that is left.
func TestNestedLies(t *testing.T) {
	const size = 256 << 10
	var bodies [][]byte
	for _, unit := range []string{"\x00", "\x01", "\x02", "\x03", "\x00\x01", "\xff\xff\x03", "\x80\x80\x04", "\x00\x00\x10\x00"} {
		bodies = append(bodies, []byte(strings.Repeat(unit, size/len(unit))))
	}
	random := make([]byte, size)
	rnd := newRand(t)
	for i := 0; i < size; i += 8 {
		binary.BigEndian.PutUint64(random[i:], rnd.Uint64()&rnd.Uint64()&rnd.Uint64())
	}
	bodies = append(bodies, random)
	eachMessage(func(key APIKey, v int16, newMessage func() Message) {
		if v != APIs[key].Min && v != APIs[key].Max {
			return
		}
		for _, b := range bodies {
			_ = decodeBounded(t, newMessage(), v, b)
		}
	})
}

// TestPromisesAddUp nests two arrays that each could just fit: together they want more memory than any message may.
func TestPromisesAddUp(t *testing.T) {
	const left = 64 << 10
	var b []byte
	b = binary.AppendUvarint(b, left/5+1)                   // groups, of at least five bytes each in version 9
	b = append(b, 2, 'g', 0, 0, 0, 0, 0)                    // group, no member, epoch
	b = binary.AppendUvarint(b, left/3+1)                   // topics, of at least three
	b = append(b, bytes.Repeat([]byte{1}, left+left/10)...) // and none of it is true
	err := decodeBounded(t, new(OffsetFetchRequest), 9, b)
	if err == nil || !strings.Contains(err.Error(), "promise more") {
		t.Errorf("error %v, want one about the budget", err)
	}
}

// TestSevenBytes is the body that keeps kmsg busy for a minute: 2^32-1 tagged fields.
func TestSevenBytes(t *testing.T) {
	body := []byte("\x01\x01\xff\xff\xff\xff\x0f")
	if err := decodeBounded(t, new(ApiVersionsRequest), 3, body); err == nil {
		t.Error("decoded")
	}
}

// TestBudgetStopsOnlyLies decodes the messages that need most memory per byte: arrays of the emptiest elements.
func TestBudgetStopsOnlyLies(t *testing.T) {
	const n = 10000
	empty := make([]MetadataRequestMetadataRequestTopic, n)
	for i := range empty {
		empty[i].Name = new(string)
	}
	for _, c := range []struct {
		m       Message
		version int16
	}{
		{&MetadataRequest{Topics: empty}, 0},
		{&MetadataRequest{Topics: empty}, 9},
		{&FindCoordinatorRequest{CoordinatorKeys: make([]string, n)}, 4},
		{&ListGroupsResponse{Groups: make([]ListGroupsResponseListedGroup, n)}, 3},
		{&LeaveGroupRequest{Members: make([]LeaveGroupRequestMemberIdentity, n)}, 5},
		{&ProduceRequest{TopicData: make([]ProduceRequestTopicProduceData, n)}, 12},
		{&FetchResponse{Responses: make([]FetchResponseFetchableTopicResponse, n)}, 12},
	} {
		wire := encode(t, c.m, c.version)
		again := mustDecode(t, c.m, c.version, wire)
		if err := decodeBounded(t, again, c.version, wire); err != nil {
			t.Errorf("%T: %v", c.m, err)
		}
	}
}

// corpus returns a message of every API's first, middle and last version.
func corpus(t testing.TB, newMessage func(APIKey) Message, add func(key APIKey, version int16, body []byte)) {
	f := filler{rand.New(rand.NewPCG(1, 2))} // the same seeds each time
	for _, key := range Keys() {
		api := APIs[key]
		for _, v := range []int16{api.Min, (api.Min + api.Max) / 2, api.Max} {
			wire := randomWire(t, f, newMessage(key), v)
			add(key, v, wire[:min(len(wire), 1000)])
		}
	}
}
