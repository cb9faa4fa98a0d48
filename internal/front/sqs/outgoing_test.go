package sqs

import (
	"bytes"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/narumq/naru/internal/record"
)

func text1(name, value string) attribute { return attribute{name, typeString, []byte(value)} }

func ptr[T any](v T) *T { return &v }

func showHeaders(headers []record.HeaderField) string {
	var parts []string
	for _, h := range headers {
		if h.Value == nil {
			parts = append(parts, fmt.Sprintf("%q=null", h.Key))
		} else {
			parts = append(parts, fmt.Sprintf("%q=%q", h.Key, h.Value))
		}
	}
	return strings.Join(parts, " ")
}

func TestMessageToRecord(t *testing.T) {
	korean := `{"text":"주문-1"}`
	for _, test := range []struct {
		name string
		in   outgoing
		q    queueRules
		want string // or the error
	}{
		{"plain", outgoing{body: []byte("hello")}, queueRules{}, `key="" null value="hello" null=false `},
		{"Korean", outgoing{body: []byte("안녕"), group: ptr("g"), attributes: []attribute{text1("city", "부산")}}, queueRules{},
			`key="g" value="안녕" null=false "city"="부산"`},
		{"types", outgoing{body: []byte("x"), attributes: []attribute{
			{"b", "Binary", []byte{0, 0xFF}}, {"n", "Number.int", []byte("7")}, {"s", "String.x", []byte("y")}}}, queueRules{},
			`key="" null value="x" null=false "b"="\x00\xff" "naru.type:b"="Binary" "n"="7" "naru.type:n"="Number.int" "s"="y" "naru.type:s"="String.x"`},
		{"trace", outgoing{body: []byte("x"), system: []attribute{text1("AWSTraceHeader", "Root=1")}, trace: "other"}, queueRules{},
			`key="" null value="x" null=false "naru.trace"="Root=1"`},
		{"trace of the request", outgoing{body: []byte("x"), trace: "Root=2"}, queueRules{}, `key="" null value="x" null=false "naru.trace"="Root=2"`},
		{"binary body", outgoing{body: []byte("AAH/"), attributes: []attribute{text1("naru.encoding", "base64")}}, queueRules{},
			`key="" null value="\x00\x01\xff" null=false `},
		{"null body", outgoing{attributes: []attribute{text1("naru.encoding", "null")}}, queueRules{}, `key="" null value="" null=true `},
		{"empty body", outgoing{attributes: []attribute{text1("naru.encoding", "empty")}}, queueRules{}, `key="" null value="" null=false `},
		{"key", outgoing{body: []byte("x"), attributes: []attribute{text1("naru.key", korean)}}, queueRules{}, `key="주문-1" value="x" null=false `},
		{"key and its group", outgoing{body: []byte("x"), group: ptr(groupOfKey([]byte("주문-1"))), attributes: []attribute{text1("naru.key", korean)}},
			queueRules{ordered: true}, `key="주문-1" value="x" null=false `},
		{"key and another group", outgoing{body: []byte("x"), group: ptr("g"), attributes: []attribute{text1("naru.key", korean)}},
			queueRules{}, `key="주문-1" value="x" null=false "naru.group"="g"`},
		{"headers", outgoing{body: []byte("x"), attributes: []attribute{
			text1("a", "1"), text1("naru.headers", `[{"name":"이름","text":"나루"},{"name":"null"},{"name64":"/w==","base64":"/g=="}]`)}}, queueRules{},
			`key="" null value="x" null=false "이름"="나루" "null"=null "\xff"="\xfe" "a"="1"`},

		{"no body", outgoing{}, queueRules{}, "MissingParameter: The request must contain the parameter MessageBody."},
		{"control character", outgoing{body: []byte("\x01")}, queueRules{}, "InvalidMessageContents: Invalid characters found."},
		{"not UTF-8", outgoing{body: []byte("\xff")}, queueRules{}, "InvalidMessageContents: Invalid characters found."},
		{"encoding", outgoing{body: []byte("x"), attributes: []attribute{text1("naru.encoding", "rot13")}}, queueRules{}, "InvalidParameterValue: Message (user) attribute 'naru.encoding' must be one of"},
		{"not base64", outgoing{body: []byte("x"), attributes: []attribute{text1("naru.encoding", "base64")}}, queueRules{}, "InvalidParameterValue: The body is not base64"},
		{"sloppy base64", outgoing{body: []byte("AAH/\n"), attributes: []attribute{text1("naru.encoding", "base64")}}, queueRules{}, "InvalidParameterValue: The body is not base64"},
		{"no body of base64", outgoing{attributes: []attribute{text1("naru.encoding", "base64")}}, queueRules{}, "MissingParameter: The request must"},
		{"a body that is null", outgoing{body: []byte("x"), attributes: []attribute{text1("naru.encoding", "null")}}, queueRules{}, "InvalidParameterValue: A body whose"},
		{"encoding as bytes", outgoing{body: []byte("x"), attributes: []attribute{{"naru.encoding", "Binary", []byte("null")}}}, queueRules{}, "InvalidParameterValue: Message (user) attribute 'naru.encoding' must be of type"},
		{"a key with a name", outgoing{body: []byte("x"), attributes: []attribute{text1("naru.key", `{"name":"a","text":"b"}`)}}, queueRules{}, "InvalidParameterValue: Message (user) attribute 'naru.key' cannot be read: a key has"},
		{"two keys", outgoing{body: []byte("x"), attributes: []attribute{text1("naru.key", `{"text":"b","base64":"AA=="}`)}}, queueRules{}, "InvalidParameterValue: Message (user) attribute 'naru.key' cannot be read: both"},
		{"a key of another group", outgoing{body: []byte("x"), group: ptr("g"), attributes: []attribute{text1("naru.key", korean)}}, queueRules{ordered: true}, "InvalidParameterValue: Value g for parameter MessageGroupId is invalid."},
		{"no array", outgoing{body: []byte("x"), attributes: []attribute{text1("naru.headers", `{}`)}}, queueRules{}, "InvalidParameterValue: Message (user) attribute 'naru.headers' cannot be read: an array"},
		{"no name", outgoing{body: []byte("x"), attributes: []attribute{text1("naru.headers", `[{"text":"x"}]`)}}, queueRules{}, "InvalidParameterValue: Message (user) attribute 'naru.headers' cannot be read: a header has"},
		{"a reserved header", outgoing{body: []byte("x"), attributes: []attribute{text1("naru.headers", `[{"name":"naru.due","text":"5"}]`)}}, queueRules{}, "InvalidParameterValue: Message (user) attribute 'naru.headers' cannot be read: header"},
		{"more", outgoing{body: []byte("x"), attributes: []attribute{text1("naru.headers", `[] 1`)}}, queueRules{}, "InvalidParameterValue: Message (user) attribute 'naru.headers' cannot be read: more follows"},
		{"too many headers", outgoing{body: []byte("x"), attributes: []attribute{text1("naru.headers", `[`+strings.Repeat(`{"name":""},`, piecesMax)+`{"name":""}]`)}}, queueRules{}, "InvalidParameterValue: Message (user) attribute 'naru.headers' cannot be read: more than 4096"},
		{"system attribute", outgoing{body: []byte("x"), system: []attribute{text1("SenderId", "me")}}, queueRules{}, "InvalidParameterValue: Value SenderId for parameter MessageSystemAttributeName is invalid."},
		{"trace as a number", outgoing{body: []byte("x"), system: []attribute{{"AWSTraceHeader", "Number", []byte("1")}}}, queueRules{}, "InvalidParameterValue: The type of message system attribute"},
	} {
		var got string
		err := test.in.checkSystem()
		if err == nil {
			var s stored
			if s, err = test.in.store(test.q); err == nil {
				null := ""
				if s.key == nil {
					null = " null"
				}
				got = fmt.Sprintf("key=%q%s value=%q null=%v %s", s.key, null, s.value, s.value == nil, showHeaders(s.headers))
			}
		}
		if err != nil {
			got = err.Error()[:min(len(test.want), len(err.Error()))]
		}
		if got != test.want {
			t.Errorf("%s:\n got %s\nwant %s", test.name, got, test.want)
		}
	}
}

func TestOutgoingRules(t *testing.T) {
	fifo, byContent := queueRules{ordered: true}, queueRules{ordered: true, dedupByContent: true}
	long := strings.Repeat("x", 129)
	for _, test := range []struct {
		in   outgoing
		q    queueRules
		want string
	}{
		{outgoing{}, queueRules{}, ""},
		{outgoing{group: ptr("g!~")}, queueRules{}, ""},
		{outgoing{group: ptr("g")}, byContent, ""},
		{outgoing{group: ptr("g"), dedup: ptr("d"), delay: ptr(int64(0))}, fifo, ""},
		{outgoing{delay: ptr(int64(900))}, queueRules{}, ""},
		{outgoing{delay: ptr(int64(901))}, queueRules{}, "InvalidParameterValue: Value 901 for parameter DelaySeconds is invalid. Reason: DelaySeconds must be >= 0 and <= 900."},
		{outgoing{delay: ptr(int64(-1))}, queueRules{}, "InvalidParameterValue: Value -1 for parameter DelaySeconds is invalid. Reason: DelaySeconds must be >= 0 and <= 900."},
		{outgoing{group: ptr("g"), dedup: ptr("d"), delay: ptr(int64(2))}, fifo, "InvalidParameterValue: Value 2 for parameter DelaySeconds is invalid. Reason: The request include parameter that is not valid for this queue type."},
		{outgoing{group: ptr("")}, queueRules{}, "InvalidParameterValue: Value  for parameter MessageGroupId is invalid. Reason: MessageGroupId can only include alphanumeric and punctuation characters. 1 to 128 in length."},
		{outgoing{group: ptr("a b")}, queueRules{}, "InvalidParameterValue: Value a b for parameter MessageGroupId is invalid. Reason: MessageGroupId can only include alphanumeric and punctuation characters. 1 to 128 in length."},
		{outgoing{group: &long}, fifo, "InvalidParameterValue: Value " + long + " for parameter MessageGroupId is invalid. Reason: MessageGroupId can only include alphanumeric and punctuation characters. 1 to 128 in length."},
		{outgoing{group: ptr("g"), dedup: ptr("가")}, fifo, "InvalidParameterValue: Value 가 for parameter MessageDeduplicationId is invalid. Reason: MessageDeduplicationId can only include alphanumeric and punctuation characters. 1 to 128 in length."},
		{outgoing{dedup: ptr("d")}, queueRules{}, "InvalidParameterValue: Value d for parameter MessageDeduplicationId is invalid. Reason: The request include parameter that is not valid for this queue type."},
		{outgoing{dedup: ptr("d")}, fifo, "MissingParameter: The request must contain the parameter MessageGroupId."},
		{outgoing{group: ptr("g")}, fifo, "InvalidParameterValue: The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly"},
	} {
		err := test.in.check(test.q)
		if err == nil {
			err = test.in.missing(test.q)
		}
		if got := fmt.Sprint(err); got != test.want && (err != nil || test.want != "") {
			t.Errorf("%+v:\n got %s\nwant %s", test.in, got, test.want)
		}
	}
	o := outgoing{body: []byte("abc"), attributes: []attribute{{"name", "Number.x", []byte("12")}}, system: []attribute{text1("AWSTraceHeader", "x")}}
	if o.bytes() != 3+4+8+2 {
		t.Errorf("%d bytes", o.bytes())
	}
	if got := o.dedupID(byContent); got != "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" {
		t.Error(got)
	}
	if o.dedupID(fifo) != "" || o.dedupID(queueRules{}) != "" {
		t.Error("deduplicated by content")
	}
	if o.dedup = ptr("mine"); o.dedupID(byContent) != "mine" {
		t.Error("the id that was given does not count")
	}
}

func TestAttributeRules(t *testing.T) {
	eleven := make([]attribute, 11)
	for i := range eleven {
		eleven[i] = text1(fmt.Sprint("a", i), "x")
	}
	for _, test := range []struct {
		in   []attribute
		want string
	}{
		{nil, ""}, {eleven[:10], ""}, {[]attribute{text1("naru.key", "x"), {"n", "Number", []byte("1e3")}, {"b", "Binary.png", []byte{0}}}, ""},
		{eleven, "Number of message attributes [11] exceeds the allowed maximum [10]."},
		{[]attribute{text1("ErrorDetails", "")}, "Message (user) attribute 'ErrorDetails' must contain a non-empty value of type 'String'."},
		{[]attribute{{"a", "Binary", nil}}, "Message (user) attribute 'a' must contain a non-empty value of type 'Binary'."},
		{[]attribute{{"a", "", []byte("x")}}, "The type of message (user) attribute 'a' is invalid. You must use only the following supported type prefixes: Binary, Number, String."},
		{[]attribute{{"a", "string", []byte("x")}}, "The type of message (user) attribute 'a' is invalid."},
		{[]attribute{{"a", "Number", []byte("x")}}, "Can't cast the value of message (user) attribute 'a' to a number."},
		{[]attribute{text1("a", "\x08")}, invalidCharacters},
		{[]attribute{text1("a b", "x")}, "Message (user) attribute name 'a b' is invalid."},
		{[]attribute{text1("naru.due", "x")}, "Message (user) attribute name 'naru.due' is invalid. Names that begin"},
		{[]attribute{text1("a", "x"), text1("b", "x"), text1("a", "y")}, "Message (user) attribute name 'a' appears more than once."},
	} {
		err := checkAttributes(test.in)
		switch {
		case err == nil && test.want == "":
		case err == nil || test.want == "" || !strings.HasPrefix(err.Error(), "InvalidParameterValue: "+test.want):
			t.Errorf("%v:\n got %v\nwant %s", test.in, err, test.want)
		}
	}
}

// recordFrom makes a record of arbitrary bytes: each header takes a name and a
// value off the front.
func recordFrom(b []byte) (r record.Record) {
	take := func() []byte {
		if len(b) == 0 {
			return nil
		}
		n := int(b[0]) % 48
		if b = b[1:]; n == 47 {
			return nil
		}
		n = min(n, len(b))
		out := b[:n:n]
		b = b[n:]
		return out
	}
	r.Key, r.Value = take(), take()
	for len(b) > 0 {
		name := strings.TrimLeft(string(take()), ".")
		for strings.HasPrefix(name, reservedPrefix) {
			name = name[1:]
		}
		r.Headers = append(r.Headers, record.HeaderField{Key: name, Value: take()})
	}
	return r
}

// FuzzMapping sends each message that was received: the record must come back,
// its headers in the same order for each name.
func FuzzMapping(f *testing.F) {
	f.Add([]byte(nil))
	f.Add([]byte("\x03key\x05value\x01a\x012\x01b\x2f"))
	f.Add([]byte("\x06주문\x06나루\x06이름\x06값\x00\x01a\x00\x01a\x01\xff\x01a\x03abc"))
	f.Add([]byte("\x2f\x2f" + strings.Repeat("\x01h\x01v\x02hh\x01w\x03AWS\x01x", 5)))
	f.Add([]byte("\x00\x00\x05a..b \x02\x00\xff\x08Amazon.x\x01y"))
	f.Add([]byte("\x02\x00\xff\x03\x00\x01\x02" + strings.Repeat("\x02\xef\xbf\x03\xed\xa0\x80", 4)))
	f.Fuzz(func(t *testing.T, b []byte) {
		r := recordFrom(b)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		m := messageOf(&r)
		runtime.ReadMemStats(&after)
		if grown := after.TotalAlloc - before.TotalAlloc; grown > 64<<10+uint64(len(b))*400 {
			t.Errorf("%d bytes allocated for %d", grown, len(b))
		}
		if err := checkAttributes(m.attributes); err != nil {
			t.Fatalf("%s cannot be sent: %v", show(&m), err)
		}
		o := outgoing{body: m.body, attributes: m.attributes}
		if m.group != "" {
			o.group = &m.group
		}
		for _, q := range []queueRules{{}, {ordered: true}} {
			if err := o.check(q); err != nil {
				t.Fatalf("%s cannot be sent: %v", show(&m), err)
			}
			s, err := o.store(q)
			if err != nil {
				t.Fatalf("%s cannot be sent: %v", show(&m), err)
			}
			compareRecords(t, r, s)
			again := messageOf(&record.Record{Key: s.key, Value: s.value, Headers: s.headers})
			byName := func(a, b attribute) int { return strings.Compare(a.name, b.name) }
			if o := again; len(r.Headers) <= 7 { // with more, which of them are attributes may change
				slices.SortFunc(o.attributes, byName)
				sorted := m
				sorted.attributes = slices.Clone(m.attributes)
				slices.SortFunc(sorted.attributes, byName)
				if show(&o) != show(&sorted) {
					t.Errorf("%s\nbecame %s", show(&sorted), show(&o))
				}
			}
		}
	})
}

func compareRecords(t *testing.T, r record.Record, s stored) {
	t.Helper()
	same := func(a, b []byte) bool { return bytes.Equal(a, b) && (a == nil) == (b == nil) }
	if !same(r.Key, s.key) || !same(r.Value, s.value) {
		t.Errorf("key %q, value %q became %q, %q", r.Key, r.Value, s.key, s.value)
	}
	got := slices.DeleteFunc(slices.Clone(s.headers), func(h record.HeaderField) bool { return strings.HasPrefix(h.Key, reservedPrefix) })
	want := slices.Clone(r.Headers)
	byName := func(a, b record.HeaderField) int { return strings.Compare(a.Key, b.Key) }
	slices.SortStableFunc(got, byName)
	slices.SortStableFunc(want, byName)
	if showHeaders(got) != showHeaders(want) {
		t.Errorf("headers\n%s became\n%s", showHeaders(want), showHeaders(got))
	}
}
