package kafka

import (
	"bytes"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// TestRequestFrames compares whole frames with those of kmsg's formatter, for header 1 and header 2.
func TestRequestFrames(t *testing.T) {
	for _, id := range []string{"", "naru"} {
		opts := []kmsg.RequestFormatterOpt{}
		var client *string
		if id != "" {
			opts, client = append(opts, kmsg.FormatterClientID(id)), &id
		}
		formatter := kmsg.NewRequestFormatter(opts...)
		for _, key := range Keys() {
			for v := APIs[key].Min; v <= APIs[key].Max; v++ {
				if notInKmsg[key][v] != "" {
					continue
				}
				var w Writer
				h := RequestHeader{RequestApiKey: key, RequestApiVersion: v, CorrelationId: 42, ClientId: client}
				req := NewRequest(key)
				req.Default()
				if err := AppendRequest(&w, &h, req); err != nil {
					t.Fatal(err)
				}
				peer := kmsg.RequestForKey(int16(key))
				peer.SetVersion(v)
				if err := peer.ReadFrom(encode(t, req, v)); err != nil {
					t.Fatal(err)
				}
				frame := w.AppendTo(nil)
				if want := formatter.AppendRequest(nil, peer, 42); !bytes.Equal(frame, want) {
					t.Errorf("%v %d:\n%x\n%x", key, v, frame, want)
				}
				checkHeader(t, frame[4:], h, encode(t, req, v))
			}
		}
	}
}

func checkHeader(t *testing.T, b []byte, want RequestHeader, body []byte) {
	t.Helper()
	var h RequestHeader
	r := NewReader(b)
	h.Decode(r)
	if r.Err() != nil || h.RequestApiKey != want.RequestApiKey || h.RequestApiVersion != want.RequestApiVersion || h.CorrelationId != want.CorrelationId {
		t.Fatalf("%+v, %v", h, r.Err())
	}
	if (h.ClientId == nil) != (want.ClientId == nil) || h.ClientId != nil && *h.ClientId != *want.ClientId {
		t.Fatalf("client id %v", h.ClientId)
	}
	if !bytes.Equal(b[r.pos:], body) || r.Remaining() != len(body) {
		t.Fatalf("%d bytes left, want %d", r.Remaining(), len(body))
	}
}

// TestHeaderOfTheUnknown: what cannot be served can still be answered.
func TestHeaderOfTheUnknown(t *testing.T) {
	for name, c := range map[string]struct {
		in   string
		ok   bool
		left int
	}{
		"unknown key":               {"\x03\xe8\x00\x01\x00\x00\x00\x07\x00\x01a\x00rest", true, 5},
		"ApiVersions of tomorrow":   {"\x00\x12\x00\x63\x00\x00\x00\x07\x00\x01a\x00rest", true, 4},
		"Produce of tomorrow":       {"\x00\x00\x00\x63\x00\x00\x00\x07\x00\x01a\x01\x05\x01zrest", true, 4},
		"a version below zero":      {"\x00\x00\xff\xff\x00\x00\x00\x07\xff\xffrest", true, 4},
		"no client id":              {"\x00\x12\x00\x00\x00\x00\x00\x07", false, 0},
		"client id with no end":     {"\x00\x12\x00\x00\x00\x00\x00\x07\x7f\xffabc", false, 3},
		"client id of length -2":    {"\x00\x12\x00\x00\x00\x00\x00\x07\xff\xfe", false, 0},
		"tagged fields with no end": {"\x00\x12\x00\x03\x00\x00\x00\x07\xff\xff\x02", false, 0},
	} {
		var h RequestHeader
		r := NewReader([]byte(c.in))
		h.Decode(r)
		if h.CorrelationId != 7 || (r.Err() == nil) != c.ok || r.Remaining() != c.left {
			t.Errorf("%s: %+v, %d left, %v", name, h, r.Remaining(), r.Err())
		}
	}
}

func TestHeaderReuseAllocatesNothing(t *testing.T) {
	id := "a client id longer than one letter"
	var w Writer
	h := RequestHeader{RequestApiKey: KeyFetch, RequestApiVersion: 12, ClientId: &id}
	h.Append(&w)
	b, r := w.AppendTo(nil), new(Reader)
	var got RequestHeader
	if n := testing.AllocsPerRun(100, func() { r.Reset(b); got.Decode(r) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
	if *got.ClientId != id {
		t.Errorf("%+v", got)
	}
}

// TestResponseHeaders: tagged fields follow the correlation id in flexible versions, but never for ApiVersions.
func TestResponseHeaders(t *testing.T) {
	for _, c := range []struct {
		key     APIKey
		version int16
		want    string
	}{
		{KeyHeartbeat, 3, "\x00\x00\x00\x0a\x01\x02\x03\x04\x00\x00\x00\x00\x00\x00"},
		{KeyHeartbeat, 4, "\x00\x00\x00\x0c\x01\x02\x03\x04\x00\x00\x00\x00\x00\x00\x00\x00"},
		{KeyApiVersions, 0, "\x00\x00\x00\x0a\x01\x02\x03\x04\x00\x00\x00\x00\x00\x00"},
		{KeyApiVersions, 3, "\x00\x00\x00\x0c\x01\x02\x03\x04\x00\x00\x01\x00\x00\x00\x00\x00"},
	} {
		var w Writer
		m := NewResponse(c.key)
		m.Default()
		if err := AppendResponse(&w, c.key, c.version, 0x01020304, m); err != nil {
			t.Fatal(err)
		}
		if got := string(w.AppendTo(nil)); got != c.want {
			t.Errorf("%v %d: %x, want %x", c.key, c.version, got, c.want)
		}
	}
}
