package main

import (
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

func sampleRecord() *kgo.Record {
	return &kgo.Record{
		Topic: "t", Partition: 3, Offset: 42, Timestamp: time.UnixMilli(1_795_249_800_123),
		Key: []byte("k"), Value: []byte("v\x00w"),
		Headers: []kgo.RecordHeader{{Key: "a", Value: []byte("1")}, {Key: "b"}},
	}
}

func TestFormat(t *testing.T) {
	for _, c := range []struct{ format, want string }{
		{``, ""},
		{`%v`, "v\x00w"},
		{`%s\n`, "v\x00w\n"},
		{`%k=%v`, "k=v\x00w"},
		{`%t[%p]@%o`, "t[3]@42"},
		{`%T`, "1795249800123"},
		{`%D`, "2026-11-21T08:30:00.123Z"},
		{`%S/%K`, "3/1"},
		{`%R%v`, "\x00\x00\x00\x03v\x00w"},
		{`%h`, "a=1,b=NULL"},
		{`100%%`, "100%"},
		{`\t\r\0\e\\\x41\u00e9`, "\t\r\x00\x1b\\Aé"},
		{`%%v`, "%v"},
		{`\\n`, `\n`},
	} {
		f, err := parseFormat(c.format, "NULL")
		if err != nil {
			t.Errorf("%q: %v", c.format, err)
			continue
		}
		if got := string(f.append(nil, sampleRecord())); got != c.want {
			t.Errorf("%q gives %q, want %q", c.format, got, c.want)
		}
	}
}

func TestFormatNull(t *testing.T) {
	f, err := parseFormat("%k|%v|%K|%S|%R", "-")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := string(f.append(nil, &kgo.Record{})), "-|-|-1|-1|\xff\xff\xff\xff"; got != want {
		t.Errorf("null gives %q, want %q", got, want)
	}
	if got, want := string(f.append(nil, &kgo.Record{Key: []byte{}, Value: []byte{}})), "||0|0|\x00\x00\x00\x00"; got != want {
		t.Errorf("empty gives %q, want %q", got, want)
	}
}

func TestFormatErrors(t *testing.T) {
	for format, want := range map[string]string{
		`%`:      "% at the end",
		`%q`:     "unknown field %q",
		`%é`:     "unknown field %é",
		`\`:      "backslash at the end",
		`\q`:     `unknown escape \q`,
		`\x4`:    "2 hexadecimal digits",
		`\xzz`:   "2 hexadecimal digits",
		`\u12`:   "4 hexadecimal digits",
		`\x+1`:   "2 hexadecimal digits",
		"%v\\\n": "unknown escape",
	} {
		if _, err := parseFormat(format, ""); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want %q", format, err, want)
		}
	}
}

// FuzzFormat: no format string does harm, text without % and \ is itself, and
// unescape agrees with the format about escapes.
func FuzzFormat(f *testing.F) {
	for _, s := range []string{"", "%v\\n", "%k %h %%", "\\x41", "\\u00e9%", "%R%", "plain", "\xff%v"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		format, err := parseFormat(s, "N")
		if err != nil {
			return
		}
		out := format.append(nil, sampleRecord())
		if !strings.ContainsAny(s, `%\`) && string(out) != s {
			t.Fatalf("text %q became %q", s, out)
		}
		// A field gives at most 30 bytes for the sample record.
		if len(out) > 30*len(s) {
			t.Fatalf("%d bytes from a format of %d", len(out), len(s))
		}
		if !strings.Contains(s, "%") {
			if text, err := unescape(s); err != nil || text != string(out) {
				t.Fatalf("unescape(%q) = %q, %v; the format gives %q", s, text, err, out)
			}
		}
	})
}
