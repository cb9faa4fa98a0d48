package amqp091

import (
	"bytes"
	"errors"
	"reflect"
	"strings"
	"testing"
)

// TestRoundTrip encodes every method with random arguments, decodes it, and encodes it again.
func TestRoundTrip(t *testing.T) {
	f := filler{newRand(t)}
	r := Reader{Intern: new(Interner)}
	for range 200 {
		for _, id := range MethodIDs() {
			m := f.method(id)
			wire := AppendMethod([]byte("kept"), m)[4:]
			got, err := r.DecodeMethod(wire)
			if err != nil {
				t.Fatalf("%v: %v\n%+v\n%x", id, err, m, wire)
			}
			if !reflect.DeepEqual(got, m) {
				t.Fatalf("%v: sent %+v, got %+v", id, m, got)
			}
			if again := AppendMethod(nil, got); !bytes.Equal(again, wire) {
				t.Fatalf("%v: %x became %x", id, wire, again)
			}
		}
	}
}

// TestReuse decodes every method twice into one struct: nothing of the first is left.
func TestReuse(t *testing.T) {
	f := filler{newRand(t)}
	var r Reader
	for _, id := range MethodIDs() {
		first, second := f.method(id), f.method(id)
		got := NewMethod(id)
		for _, m := range []Method{first, second} {
			if err := r.Arguments(got, m.Append(nil)); err != nil || !reflect.DeepEqual(got, m) {
				t.Fatalf("%v: sent %+v, got %+v, %v", id, m, got, err)
			}
		}
	}
}

// TestMethodsAreCopies: nothing that was decoded changes with the buffer.
func TestMethodsAreCopies(t *testing.T) {
	f := filler{newRand(t)}
	for _, id := range MethodIDs() {
		m := f.method(id)
		wire := AppendMethod(nil, m)
		got, err := DecodeMethod(wire)
		clear(wire)
		if err != nil || !reflect.DeepEqual(got, m) {
			t.Errorf("%v: %+v became %+v, %v", id, m, got, err)
		}
	}
}

func TestMethodTable(t *testing.T) {
	ids := MethodIDs()
	if len(ids) != 66 {
		t.Errorf("%d methods", len(ids))
	}
	names := map[string]bool{}
	for i, id := range ids {
		m := NewMethod(id)
		if m == nil || m.ID() != id || i > 0 && ids[i-1] >= id && id.Class() >= ids[i-1].Class() {
			t.Errorf("%v is not in its place", id)
		}
		if names[id.String()] || strings.Count(id.String(), ".") != 1 {
			t.Errorf("the name %v", id)
		}
		names[id.String()] = true
		if !id.FromClient() && !id.FromServer() {
			t.Errorf("nobody sends %v", id)
		}
		if MakeMethodID(id.Class(), id.Method()) != id {
			t.Errorf("%v is not put together again", id)
		}
		for _, a := range id.Answers() {
			if a.Synchronous() || !id.AnsweredBy(a) || id.FromClient() && !a.FromServer() || id.FromServer() && !a.FromClient() {
				t.Errorf("%v cannot answer %v", a, id)
			}
		}
		if ok := strings.HasSuffix(id.String(), "-ok"); ok && id.Synchronous() || ok && !isAnswer(id) {
			t.Errorf("%v answers nothing", id)
		}
	}
}

func isAnswer(a MethodID) bool {
	for _, id := range MethodIDs() {
		if id.AnsweredBy(a) {
			return true
		}
	}
	return false
}

func TestMethodFacts(t *testing.T) {
	var content, unanswered, serverOnly []string
	for _, id := range MethodIDs() {
		if id.HasContent() {
			content = append(content, id.String())
		}
		if !id.Synchronous() && !isAnswer(id) {
			unanswered = append(unanswered, id.String())
		}
		if !id.FromClient() && !isAnswer(id) {
			serverOnly = append(serverOnly, id.String())
		}
	}
	for _, c := range []struct {
		got  []string
		want string
	}{
		{content, "basic.publish basic.return basic.deliver basic.get-ok"},
		{unanswered, "connection.blocked connection.unblocked basic.publish basic.return basic.deliver basic.ack basic.reject basic.recover-async basic.nack"},
		{serverOnly, "connection.start connection.secure connection.tune connection.blocked connection.unblocked basic.return basic.deliver"},
	} {
		if got := strings.Join(c.got, " "); got != c.want {
			t.Errorf("got %s, want %s", got, c.want)
		}
	}
	if !IDBasicGet.AnsweredBy(IDBasicGetEmpty) || !IDBasicGet.AnsweredBy(IDBasicGetOk) || IDBasicGet.AnsweredBy(IDBasicConsumeOk) {
		t.Error("what answers basic.get")
	}
	if IDExchangeUnbindOk != MakeMethodID(40, 51) {
		t.Error("exchange.unbind-ok is not 51") // RabbitMQ's slip of the pen, which all clients know
	}
}

func TestUnknownMethod(t *testing.T) {
	for _, c := range []struct {
		payload string
		want    Error
	}{
		{"", Error{Code: SyntaxError, Text: "at byte 0: 4 bytes wanted, 0 left"}},
		{"\x00\x3c\x00", Error{Code: SyntaxError, Text: "at byte 0: 4 bytes wanted, 3 left"}},
		{"\x00\x3c\x00\xff", Error{Code: NotImplemented, Text: "no method 60.255", Class: 60, Method: 255}},
		{"\xff\xff\xff\xff", Error{Code: NotImplemented, Text: "no method 65535.65535", Class: 65535, Method: 65535}},
		{"\x00\x3c\x00\x50\x00", Error{Code: SyntaxError, Text: "basic.ack: at byte 0: 8 bytes wanted, 1 left", Class: 60, Method: 80}},
		{"\x00\x3c\x00\x6f\x00", Error{Code: SyntaxError, Text: "basic.recover-ok: at byte 0: 1 bytes left over", Class: 60, Method: 111}},
	} {
		m, err := DecodeMethod([]byte(c.payload))
		var got *Error
		if m != nil || !errors.As(err, &got) || *got != c.want {
			t.Errorf("%x: %v, %+v", c.payload, m, err)
		}
	}
	if NewMethod(0) != nil || MethodID(0).HasContent() || MethodID(0).FromClient() || MethodID(0).Synchronous() {
		t.Error("0.0 is known")
	}
}

// TestReservedBits: RabbitMQ does not look at the bits of an octet that no field uses, and some clients set them.
func TestReservedBits(t *testing.T) {
	m, err := DecodeMethod([]byte("\x00\x3c\x00\x50\x00\x00\x00\x00\x00\x00\x00\x07\xff"))
	if ack, ok := m.(*BasicAck); err != nil || !ok || *ack != (BasicAck{DeliveryTag: 7, Multiple: true}) {
		t.Errorf("%+v, %v", m, err)
	}
}

// TestLongShortStrings: what no frame can hold is cut, between characters.
func TestLongShortStrings(t *testing.T) {
	for _, c := range []struct {
		key  string
		want int
	}{
		{strings.Repeat("x", 255), 255},
		{strings.Repeat("x", 256), 255},
		{strings.Repeat("x", 254) + "나루", 254},
		{strings.Repeat("\x80", 1000), 255},
	} {
		m, err := DecodeMethod(AppendMethod(nil, &BasicPublish{Exchange: "e", RoutingKey: c.key, Mandatory: true}))
		if err != nil {
			t.Fatal(err)
		}
		if p := m.(*BasicPublish); p.RoutingKey != c.key[:c.want] || !p.Mandatory {
			t.Errorf("%d bytes became %d", len(c.key), len(p.RoutingKey))
		}
	}
}

func TestInterner(t *testing.T) {
	rnd := newRand(t)
	var in Interner
	f := filler{rnd}
	for range 2000 {
		s := f.text(3)
		if got := in.String([]byte(s)); got != s {
			t.Fatalf("%q became %q", s, got)
		}
	}
	b := []byte("orders.placed")
	in.String(b)
	if n := testing.AllocsPerRun(100, func() { in.String(b) }); n != 0 {
		t.Errorf("%v allocations for a string that is known", n)
	}
}
