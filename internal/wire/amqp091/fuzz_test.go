package amqp091

import (
	"bytes"
	"math/rand/v2"
	"reflect"
	"testing"
)

// The seeds are methods, headers and tables of each kind, and the lies of bounds_test.go.

func seeds() filler { return filler{rand.New(rand.NewPCG(1, 2))} } // the same each time

// FuzzFrame reads frames as a session does, until the bytes end or make no sense.
func FuzzFrame(f *testing.F) {
	for _, g := range golden {
		f.Add(unhex(f, g.wire))
	}
	p := randomProperties(seeds())
	content := AppendMethodFrame(nil, 1, &BasicPublish{Exchange: "e", RoutingKey: "k"})
	content = AppendContentHeaderFrame(content, 1, ContentHeader{ClassBasic, 4}, p.Append(nil))
	f.Add(AppendHeartbeat(AppendBodyFrames(content, 1, FrameMin, []byte("body"))))
	f.Add([]byte(ProtocolHeader))
	f.Add([]byte("\x03\x00\x01\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, b []byte) {
		for len(b) >= FrameHeaderBytes {
			h, err := ParseFrameHeader(b, FrameUntuned)
			if err != nil {
				return
			}
			if h.Size > FrameUntuned-FrameOverheadBytes {
				t.Fatalf("%+v is too large", h)
			}
			n := FrameHeaderBytes + int(h.Size)
			if n >= len(b) || CheckFrameEnd(b[n]) != nil {
				return
			}
			switch h.Type {
			case FrameMethod:
				fuzzMethod(t, b[FrameHeaderBytes:n])
			case FrameHeader:
				fuzzContent(t, b[FrameHeaderBytes:n])
			}
			b = b[n+1:]
		}
	})
}

func FuzzMethod(f *testing.F) {
	fill := seeds()
	for _, id := range MethodIDs() {
		f.Add(AppendMethod(nil, fill.method(id)))
	}
	f.Fuzz(func(t *testing.T, payload []byte) { fuzzMethod(t, payload) })
}

// fuzzMethod checks that decoding is bounded, and if it succeeds, that encoding and decoding keep the method.
func fuzzMethod(t *testing.T, payload []byte) {
	var m Method
	if bounded(t, payload, func(b []byte) (err error) {
		m, err = DecodeMethod(b)
		return err
	}) != nil {
		return
	}
	wire := AppendMethod(nil, m)
	again, err := DecodeMethod(wire)
	if err != nil || !reflect.DeepEqual(m, again) {
		t.Fatalf("%+v became %+v, %v", m, again, err)
	}
	// Only bits that no field uses may differ.
	if len(wire) != len(payload) {
		t.Fatalf("%x became %x", payload, wire)
	}
}

func FuzzContentHeader(f *testing.F) {
	fill := seeds()
	for range 20 {
		p := randomProperties(fill)
		f.Add(AppendContentHeader(nil, ContentHeader{ClassBasic, fill.Uint64()}, p.Append(nil)))
	}
	f.Add(AppendContentHeader(nil, ContentHeader{ClassBasic, 1}, []byte("\x10\x01\x00\x01\x00\x01\x00\x00\x02")))
	f.Fuzz(func(t *testing.T, payload []byte) { fuzzContent(t, payload) })
}

func fuzzContent(t *testing.T, payload []byte) {
	var h ContentHeader
	var p, again Properties
	if bounded(t, payload, func(b []byte) error {
		var raw []byte
		var err error
		if h, raw, err = SplitContentHeader(b); err != nil {
			return err
		}
		return p.Parse(raw)
	}) != nil {
		return
	}
	raw := p.Append(nil)
	if err := again.Parse(raw); err != nil || again != p {
		t.Fatalf("%v became %v, %v", &p, &again, err)
	}
	if wire := AppendContentHeader(nil, h, raw); p.Has != 0 && payload[13]&1 == 0 && !bytes.Equal(wire, payload) {
		t.Fatalf("%x became %x", payload, wire)
	}
	_ = p.String()
}

// FuzzTable reads a table, walks it in every way there is, and builds it again.
func FuzzTable(f *testing.F) {
	f.Add([]byte(everyWire))
	fill := seeds()
	for range 20 {
		f.Add([]byte(fill.table(4).text))
	}
	for _, lie := range lies {
		f.Add([]byte("\x01a" + lie))
	}
	f.Fuzz(func(t *testing.T, wire []byte) {
		var table Table
		if bounded(t, appendLongstr(nil, string(wire)), func(b []byte) error {
			r := NewReader(b)
			table = r.table()
			return r.Finish()
		}) != nil {
			return
		}
		var fields []Field
		for name, v := range table.All() {
			fields = append(fields, Field{name, v})
			if !v.Equivalent(v) && v.Any() == v.Any() { // but NaN
				t.Fatalf("%v is not itself", v)
			}
		}
		if again := NewTable(fields...); again != table || string(wire) != table.text {
			t.Fatalf("%q became %q", table.text, again.text)
		}
		made, err := TableOf(table.Map())
		if err != nil {
			t.Fatal(err)
		}
		if again, err := TableOf(made.Map()); err != nil || again != made {
			t.Fatalf("%v became %v, %v", made, again, err)
		}
		if s := table.String(); len(s) > len(wire)*40+100 {
			t.Fatalf("%d bytes of text for %d", len(s), len(wire))
		}
	})
}
