package amqp091

import (
	"errors"
	"reflect"
	"strings"
	"testing"
)

// TestPropertiesRoundTrip sends random properties: each there, absent, or there and empty.
func TestPropertiesRoundTrip(t *testing.T) {
	f := filler{newRand(t)}
	for range 2000 {
		p := randomProperties(f)
		raw := p.Append(nil)
		var got Properties
		if err := got.Parse(raw); err != nil {
			t.Fatalf("%v: %v\n%x", &p, err, raw)
		}
		clear(raw)
		if !reflect.DeepEqual(got, p) || got.Len() != p.Len() {
			t.Fatalf("sent %+v, got %+v", p, got)
		}
	}
}

func randomProperties(f filler) Properties {
	var p Properties
	v := reflect.ValueOf(&p).Elem()
	for i := 1; i < v.NumField(); i++ {
		if f.IntN(2) == 0 {
			p.Has |= 1 << (16 - i)
			f.fill(v.Field(i))
		}
	}
	return p
}

// TestPropertySetters: each sets its own field and its own flag, and String knows it.
func TestPropertySetters(t *testing.T) {
	f := filler{newRand(t)}
	var all Properties
	v := reflect.ValueOf(&all)
	for i := 1; i < v.Elem().NumField(); i++ {
		name := v.Elem().Type().Field(i).Name
		value := reflect.New(v.Elem().Field(i).Type()).Elem()
		f.fill(value)
		v.MethodByName("Set" + name).Call([]reflect.Value{value})
		if all.Len() != i || !v.Elem().Field(i).Equal(value) || all.Has != ^PropertyFlags(0)<<(16-i) {
			t.Errorf("%s: %+v", name, all)
		}
		if s := all.String(); strings.Count(s, ": ") < i {
			t.Errorf("%s: %s", name, s)
		}
	}
	if all.Has != knownProperties || all.Len() != 14 {
		t.Errorf("%#04x, %d properties", all.Has, all.Len())
	}
}

// TestAbsentIsNotEmpty: a field without its flag is not sent, an empty one with it is.
func TestAbsentIsNotEmpty(t *testing.T) {
	p := Properties{ContentType: "text/plain", Priority: 3}
	p.SetReplyTo("")
	raw := p.Append(nil)
	var got Properties
	if err := got.Parse(raw); err != nil || len(raw) != 3 || got != (Properties{Has: HasReplyTo}) {
		t.Errorf("%x: %+v, %v", raw, got, err)
	}
	if raw := new(Properties).Append(nil); string(raw) != "\x00\x00" {
		t.Errorf("no properties are %x", raw)
	}
}

func TestPropertyFlags(t *testing.T) {
	for _, c := range []struct{ raw, wrong string }{
		{"\x00\x00", ""},
		{"\x10\x00\x02", ""},
		{"\x10\x01\x00\x00\x02", ""},                 // another word of flags, all unset
		{"\x10\x01\x00\x01\x00\x01\x00\x00\x02", ""}, // as many as we read
		{"\x10\x01\x00\x01\x00\x01\x00\x01\x00\x00", "more than 4 words"},
		{"\x10\x02\x02", "unknown property flags 0x0002"},
		{"\x10\x01\x80\x00\x02", "unknown property flags 0x8000"},
		{"", "2 bytes wanted, 0 left"},
		{"\x10", "2 bytes wanted, 1 left"},
		{"\x10\x01", "2 bytes wanted, 0 left"},
		{"\x10\x00", "1 bytes wanted, 0 left"},
		{"\x10\x00\x02\x00", "1 bytes left over"},
		{"\x00\x00\x00", "1 bytes left over"},
	} {
		p := Properties{Has: HasAppID, AppID: "old"}
		err := p.Parse([]byte(c.raw))
		if c.wrong == "" {
			if err != nil || p.Has&^HasDeliveryMode != 0 || p.AppID != "" {
				t.Errorf("%x: %+v, %v", c.raw, p, err)
			}
			continue
		}
		var e *Error
		if !errors.As(err, &e) || e.Code != SyntaxError || !strings.Contains(e.Text, c.wrong) {
			t.Errorf("%x: %v, want %q", c.raw, err, c.wrong)
		}
	}
}

func TestSplitContentHeader(t *testing.T) {
	h := ContentHeader{Class: ClassBasic, BodySize: 1 << 40}
	wire := AppendContentHeader(nil, h, []byte("\x80\x00\x00"))
	got, raw, err := SplitContentHeader(wire)
	if err != nil || got != h || string(raw) != "\x80\x00\x00" {
		t.Errorf("%+v, %x, %v", got, raw, err)
	}
	for n := range 12 {
		if _, _, err := SplitContentHeader(wire[:n]); err == nil {
			t.Errorf("%d bytes are a header", n)
		}
	}
	wire[3] = 1
	if _, _, err := SplitContentHeader(wire); err == nil || !strings.Contains(err.Error(), "weight 1") {
		t.Error(err)
	}
}
