package sqs

import (
	"bytes"
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/narumq/naru/internal/record"
)

func header(key, value string) record.HeaderField {
	return record.HeaderField{Key: key, Value: []byte(value)}
}

// show writes a message in a line, attributes in their order.
func show(m *message) string {
	var b strings.Builder
	fmt.Fprintf(&b, "body=%s", m.body)
	for _, f := range []struct{ name, value string }{
		{"group", m.group}, {"dedup", m.dedup}, {"trace", m.trace}, {"dead", m.deadQueue},
	} {
		if f.value != "" {
			fmt.Fprintf(&b, " %s=%s", f.name, f.value)
		}
	}
	for _, a := range m.attributes {
		if a.binary() {
			fmt.Fprintf(&b, " | %s:%s=%x", a.name, a.dataType, a.value)
		} else {
			fmt.Fprintf(&b, " | %s:%s=%s", a.name, a.dataType, a.value)
		}
	}
	return b.String()
}

func TestRecordToMessage(t *testing.T) {
	many := func(n int) (headers []record.HeaderField) {
		for i := range n {
			headers = append(headers, header(fmt.Sprintf("h%02d", i), "v"))
		}
		return headers
	}
	for _, test := range []struct {
		name       string
		key, value []byte
		headers    []record.HeaderField
		want       string
	}{
		{"plain", nil, []byte("hello"), nil, "body=hello"},
		{"Korean", []byte("order-1"), []byte("안녕하세요 🚢"), []record.HeaderField{header("city", "부산")},
			"body=안녕하세요 🚢 group=order-1 | city:String=부산"},
		{"binary value", nil, []byte{0, 1, 0xFF}, nil, "body=AAH/ | naru.encoding:String=base64"},
		{"a character that XML has not", nil, []byte("a\x01"), nil, "body=YQE= | naru.encoding:String=base64"},
		{"null value", []byte("k"), nil, nil, "body= group=k | naru.encoding:String=null"},
		{"empty value", nil, []byte{}, nil, "body= | naru.encoding:String=empty"},
		{"binary header", nil, []byte("x"), []record.HeaderField{header("b", "\xFF\x00")}, "body=x | b:Binary=ff00"},
		{"types", nil, []byte("x"), []record.HeaderField{
			header("n", "12.5"), header("naru.type:n", "Number.float"), header("bin", "text"), header("naru.type:bin", "Binary.raw"),
			header("s", "a"), header("naru.type:s", "String.label"),
		}, "body=x | n:Number.float=12.5 | bin:Binary.raw=74657874 | s:String.label=a"},
		{"types that the values deny", nil, []byte("x"), []record.HeaderField{
			header("n", "twelve"), header("naru.type:n", "Number"), header("s", "\x00"), header("naru.type:s", "String"),
			header("o", "o"), header("naru.type:o", "Other"), header("naru.type:gone", "Number"),
		}, "body=x | n:String=twelve | s:Binary=00 | o:String=o"},
		{"Korean key", []byte("주문-1"), []byte("x"), nil,
			`body=x group=naru.e4 | naru.key:String={"text":"주문-1"}`},
		{"binary key", []byte{0, 0xFF}, []byte("x"), nil,
			`body=x group=naru.06 | naru.key:String={"base64":"AP8="}`},
		{"empty key", []byte{}, []byte("x"), nil, `body=x group=naru.e3 | naru.key:String={"text":""}`},
		{"group beside the key", []byte("k"), []byte("x"), []record.HeaderField{header("naru.group", "g")},
			`body=x group=g | naru.key:String={"text":"k"}`},
		{"reserved", nil, []byte("x"), []record.HeaderField{
			header("naru.due", "5"), header("naru.dedup", "d"), header("naru.trace", "Root=1"), header("naru.dead.queue", "q"),
			header("naru.dead.reason", "attempts"), header("naru.unheard.of", "1"),
		}, "body=x dedup=d trace=Root=1 dead=q"},
		{"names that no attribute has", nil, []byte("x"), []record.HeaderField{
			header("이름", "나루"), header("a b", "1"), header("AWS.x", "1"), header("amazon.x", "1"), header("a..b", "1"),
			header(".a", "1"), header("", "1"), header("\xFF", "\xFE"), header("ok", "1"),
		}, `body=x | ok:String=1 | naru.headers:String=[{"name":"이름","text":"나루"},{"name":"a b","text":"1"},{"name":"AWS.x","text":"1"},` +
			`{"name":"amazon.x","text":"1"},{"name":"a..b","text":"1"},{"name":".a","text":"1"},{"name":"","text":"1"},{"name64":"/w==","base64":"/g=="}]`},
		{"null and empty headers", nil, []byte("x"), []record.HeaderField{{Key: "null"}, header("empty", "")},
			`body=x | naru.headers:String=[{"name":"null"},{"name":"empty","text":""}]`},
		{"repeated headers", nil, []byte("x"), []record.HeaderField{header("a", "1"), header("b", "2"), header("a", "3")},
			`body=x | b:String=2 | a:String=3 | naru.headers:String=[{"name":"a","text":"1"}]`},
		{"ten headers", nil, []byte("x"), many(10), "body=x | h00:String=v | h01:String=v | h02:String=v | h03:String=v | h04:String=v" +
			" | h05:String=v | h06:String=v | h07:String=v | h08:String=v | h09:String=v"},
		{"eleven headers", nil, []byte("x"), many(11), "body=x | h00:String=v | h01:String=v | h02:String=v | h03:String=v | h04:String=v" +
			` | h05:String=v | h06:String=v | h07:String=v | h08:String=v | naru.headers:String=[{"name":"h09","text":"v"},{"name":"h10","text":"v"}]`},
	} {
		m := messageOf(&record.Record{Key: test.key, Value: test.value, Headers: test.headers})
		if strings.HasPrefix(m.group, "naru.") {
			m.group = m.group[:7]
		}
		if got := show(&m); got != test.want {
			t.Errorf("%s:\n got %s\nwant %s", test.name, got, test.want)
		}
	}
}

func TestValidText(t *testing.T) {
	for s, want := range map[string]bool{
		"": true, "plain": true, "\t\n\r": true, "가나다 🚢 \u007f\u0085": true, "\ud7ff\ue000\ufffd\U00010000\U0010ffff": true,
		"\x00": false, "a\x0b": false, "\x1f": false, "\ufffe": false, "a\uffff": false, "\xff": false, "가\x80": false,
		"\xed\xa0\x80": false, "\xc0\x80": false, "\xea\xb0": false,
	} {
		if validText(s) != want || validText([]byte(s)) != want {
			t.Errorf("%q: not %v", s, want)
		}
	}
}

func TestValidAttributeName(t *testing.T) {
	for name, want := range map[string]bool{
		"a": true, "A-Z_0.9": true, strings.Repeat("n", 256): true, "awsome": true, "x.aws.y": true,
		"": false, strings.Repeat("n", 257): false, ".a": false, "a.": false, "a..b": false, "a b": false, "이름": false,
		"aws.x": false, "AwS.x": false, "Amazon.x": false, "a:b": false,
	} {
		if validAttributeName(name) != want {
			t.Errorf("%q: not %v", name, want)
		}
	}
}

func TestBasicType(t *testing.T) {
	for dataType, want := range map[string]string{
		"String": "String", "Number": "Number", "Binary": "Binary", "Number.int": "Number", "String.a.b-c_d": "String",
		"": "", "string": "", "Strings": "", "Other": "", "Number.": "", "Number.a b": "", "Binary.": "",
		"String." + strings.Repeat("x", 249): "String", "String." + strings.Repeat("x", 250): "",
	} {
		if got := basicType(dataType); got != want {
			t.Errorf("%q: %q, want %q", dataType, got, want)
		}
	}
}

func TestValidNumber(t *testing.T) {
	for s, want := range map[string]bool{
		"0": true, "-1": true, "+1.5": true, ".5": true, "5.": true, "1e10": true, "1E-128": true, "9e125": true, "000": true,
		"0.000": true, "12345678901234567890123456789012345678": true, "230.000000000000000001": true, "0e99999": true,
		"": false, "-": false, ".": false, "abc": false, "1e": false, "1e126": false, "1e-129": false, "1_000": false, "0x1": false,
		"1e1_0": false, "--1": false, "+-1": false, "1.2.3": false, " 1": false, "1 ": false, "NaN": false, "Infinity": false,
		"123456789012345678901234567890123456789": false, "1e999999999999": false, "١": false,
	} {
		if validNumber(s) != want {
			t.Errorf("%q: not %v", s, want)
		}
	}
}

func TestAttributeFilter(t *testing.T) {
	for _, test := range []struct {
		asked []string
		name  string
		want  bool
	}{
		{nil, "a", false}, {[]string{"All"}, "a", true}, {[]string{".*"}, "a", true}, {[]string{"*"}, "a", true}, {[]string{"a"}, "a", true},
		{[]string{"a"}, "A", false}, {[]string{"a"}, "ab", false}, {[]string{"b", "a.*"}, "a.b", true},
		{[]string{"a.*"}, "ab", true}, {[]string{"a.*"}, "ba", false}, {[]string{"all"}, "a", false},
	} {
		if f := newAttributeFilter(test.asked); f.wants(test.name) != test.want {
			t.Errorf("%q of %q: not %v", test.name, test.asked, test.want)
		}
	}
}

// All but the last digest are ones that AWS gave.
func TestDigests(t *testing.T) {
	if got := hexMD5([]byte("This is a test message")); got != "fafb00f5732ab283681e124bf8747ed1" {
		t.Error(got)
	}
	for _, test := range []struct {
		attributes []attribute
		want       string
	}{
		{nil, ""},
		{[]attribute{{"timestamp", "Number", []byte("1493147359900")}}, "235c5c510d26fb653d073faed50ae77c"},
		{[]attribute{{"Hello", "String", []byte("There")}, {"General", "String", []byte("Kenobi")}}, "fca026605781cb4126a1e9044df24232"},
		{[]attribute{{"AWSTraceHeader", "String", []byte("Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1")}},
			"5ae4d5d7636402d80f4eb6d213245a88"},
	} {
		if got := attributesMD5(test.attributes); got != test.want {
			t.Errorf("%v: %s, want %s", test.attributes, got, test.want)
		}
	}
	in := "\x00\x00\x00\x01a\x00\x00\x00\x0aBinary.raw\x02\x00\x00\x00\x03\x00\xFF\x01" +
		"\x00\x00\x00\x01b\x00\x00\x00\x06Number\x01\x00\x00\x00\x021\x32" +
		"\x00\x00\x00\x01c\x00\x00\x00\x06String\x01\x00\x00\x00\x06나루"
	sum := md5.Sum([]byte(in))
	attributes := []attribute{{"c", "String", []byte("나루")}, {"a", "Binary.raw", []byte{0, 0xFF, 1}}, {"b", "Number", []byte("12")}}
	before := slices.Clone(attributes)
	if got := attributesMD5(attributes); got != hex.EncodeToString(sum[:]) {
		t.Error(got)
	}
	for i := range before {
		if before[i].name != attributes[i].name || !bytes.Equal(before[i].value, attributes[i].value) {
			t.Error("the attributes were changed")
		}
	}
}
