package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

func TestRecordJSON(t *testing.T) {
	r := sampleRecord()
	r.Value = []byte("a <b> & \u2028 \"\xff")
	got := string(appendJSON(nil, r))
	want := `{"topic":"t","partition":3,"offset":42,"timestamp_ms":1795249800123,"key":"k",` +
		`"value_base64":"YSA8Yj4gJiDigKggIv8=","headers":[{"key":"a","value":"1"},{"key":"b","value":null}]}` + "\n"
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestParseJSONErrors(t *testing.T) {
	for line, want := range map[string]string{
		``:                                "not a record",
		`[]`:                              "not a record",
		`{"value":"a"}{"value":"b"}`:      "more than one",
		`{"value":"a","value_base64":""}`: "both value and value_base64",
		`{"key":1}`:                       "not a record",
		`{"value_base64":"%"}`:            "not a record",
		`{"headers":[{"value":"a","value_base64":"YQ=="}]}`: "both value",
	} {
		if _, err := parseJSON([]byte(line)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %q", line, err, want)
		}
	}
}

// FuzzRecordJSON: what appendJSON writes is JSON, and parseJSON reads back the
// same bytes, null apart from empty.
func FuzzRecordJSON(f *testing.F) {
	f.Add([]byte("k"), []byte("v"), "h", []byte("x"), byte(0), int64(0))
	f.Add([]byte{0xff}, []byte{}, "", []byte(nil), byte(7), int64(-1))
	f.Add([]byte("\u2028<&>\""), []byte("\x00\x1f"), "\x7f", []byte("é"), byte(2), int64(1<<40))
	f.Fuzz(func(t *testing.T, key, value []byte, header string, headerValue []byte, nulls byte, ms int64) {
		r := &kgo.Record{Topic: "t", Timestamp: time.UnixMilli(ms % (1 << 50)),
			Key: orNull(key, nulls&1), Value: orNull(value, nulls&2)}
		if json.Valid([]byte(`"` + header + `"`)) { // header names are text
			r.Headers = []kgo.RecordHeader{{Key: header, Value: orNull(headerValue, nulls&4)}}
		}
		line := appendJSON(nil, r)
		if !json.Valid(line) {
			t.Fatalf("not JSON: %s", line)
		}
		back, err := parseJSON(line)
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		if !same(r.Key, back.Key) || !same(r.Value, back.Value) || !r.Timestamp.Equal(back.Timestamp) {
			t.Fatalf("%s became %+v", line, back)
		}
		for i, h := range r.Headers {
			if !same(h.Value, back.Headers[i].Value) {
				t.Fatalf("%s: header became %+v", line, back.Headers[i])
			}
		}
	})
}

// FuzzParseJSON: no line does harm.
func FuzzParseJSON(f *testing.F) {
	f.Add([]byte(`{"value":"v","headers":[{}],"timestamp_ms":-9223372036854775808}`))
	f.Add([]byte(`{"key_base64":"/w==","headers":null}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		if r, err := parseJSON(line); err == nil {
			appendJSON(nil, r)
		}
	})
}

func orNull(b []byte, null byte) []byte {
	if null != 0 {
		return nil
	}
	if b == nil {
		return []byte{}
	}
	return b
}

func same(a, b []byte) bool { return bytes.Equal(a, b) && (a == nil) == (b == nil) }
