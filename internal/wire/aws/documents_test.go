package aws

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"math"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

type base struct {
	StreamName *string `json:",omitempty"`
}

type inner struct {
	Data []byte
	Key  string `json:"PartitionKey"`
}

type outer struct {
	base
	Records []inner           `json:",omitempty"`
	Tags    map[string]string `json:",omitempty"`
	At      *Time             `json:",omitempty"`
	Limit   *int32            `json:",omitempty"`
	Big     int64             `json:",omitempty"`
	Ratio   float64           `json:",omitempty"`
	On      bool              `json:",omitempty"`

	Skipped int `json:"-"`
}

func ptr[T any](v T) *T { return &v }

func full() outer {
	return outer{
		base:    base{ptr("나루 \"\\\n")},
		Records: []inner{{[]byte{0, 1, 255}, "a"}, {[]byte{}, strings.Repeat("k", 300)}},
		Tags:    map[string]string{"b": "2", "a": "1"},
		At:      &Time{time.UnixMilli(1_441_215_410_867)},
		Limit:   ptr(int32(-7)), Big: math.MaxInt64, Ratio: 0.5, On: true,
	}
}

func TestRoundTrip(t *testing.T) {
	want := full()
	opt := cmp.AllowUnexported(outer{}, base{})
	for _, millis := range []bool{false, true} {
		var got outer
		if err := DecodeCBOR(EncodeCBOR(nil, &want, millis), &got, millis); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, got, opt); d != "" {
			t.Errorf("millis %v: %s", millis, d)
		}
	}
	doc, err := json.Marshal(&want)
	if err != nil {
		t.Fatal(err)
	}
	var got outer
	if err := DecodeJSON(doc, &got); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got, opt); d != "" {
		t.Errorf("JSON: %s", d)
	}
}

// Documents as others write them: indefinite lengths and chunks (Jackson), tags,
// every width of number, members that nobody knows.
func TestDecode(t *testing.T) {
	name := &outer{base: base{ptr("ab")}}
	for _, test := range []struct {
		doc  string // JSON, or CBOR in hex
		want *outer
		err  string
	}{
		{`{"StreamName":"ab"}`, name, ""},
		{` { "Other" : [ {}, [1, null ], "x" ], "StreamName" : "\u0061b" } `, name, ""},
		{`{"StreamName":null}`, &outer{}, ""},
		{`{"Limit":2.9}`, &outer{Limit: ptr(int32(2))}, ""},
		{`{"At":1441215410.867}`, &outer{At: &Time{time.UnixMilli(1_441_215_410_867)}}, ""},
		{`{"At":1e300}`, nil, "NUMBER_VALUE can not be converted to a Timestamp"},
		{`{"StreamName":1}`, nil, "NUMBER_VALUE can not be converted to a String"},
		{`{"StreamName":true}`, nil, "TRUE_VALUE can not be converted to a String"},
		{`{"StreamName":[]}`, nil, "Start of list found where not expected"},
		{`{"StreamName":{}}`, nil, "Start of structure or map found where not expected."},
		{`{"Limit":"1"}`, nil, "STRING_VALUE can not be converted to an Integer"},
		{`{"Limit":2147483648}`, nil, "NUMBER_VALUE can not be converted to an Integer"},
		{`{"Records":1}`, nil, "Expected list or null"},
		{`{"Records":[{"Data":"A"}]}`, nil, "'A' can not be converted to a Blob: illegal base64 data at input byte 0"},
		{`{"StreamName":"ab"} x`, nil, errTrailing.Error()},
		{`{"StreamName":"ab"`, nil, errTruncated.Error()},
		{`{"StreamName":"ab\"`, nil, errTruncated.Error()},
		{`{"StreamName":"ab\`, nil, errTruncated.Error()},
		{`{"StreamName" "ab"}`, nil, `unexpected '"' at byte 14`},
		{`{"On":true,}`, nil, `unexpected '}' at byte 11`},
		{"{\"StreamName\":\"abcdefgh\u001f\"}", nil, "invalid character '\\x1f' in string literal"},
		{"{\"StreamName\":\"abcdefg\tabcdefgh\"}", nil, "invalid character '\\t' in string literal"},
		{"{\"StreamName\":\"abcdefghi\xff\"}", &outer{base: base{ptr("abcdefghi\ufffd")}}, ""},
		{`{"StreamName":"abcdefgh나루abcdefgh"}`, &outer{base: base{ptr("abcdefgh나루abcdefgh")}}, ""},
		{`{"Big":01}`, nil, `"01" is no number`},
		{`{"X":` + strings.Repeat("[", 50), nil, errDepth.Error()},
		{`{"Records":[` + strings.Repeat("{},", elementsMax) + `{}]}`, nil, errElements.Error()},

		{"a1 6a 53747265616d4e616d65 62 6162", name, ""},
		{"bf 7f 66 53747265616d 64 4e616d65 ff 7f 61 61 61 62 ff ff", name, ""},
		{"a2 61 78 9f 82 01 f6 a0 ff 6a 53747265616d4e616d65 62 6162", name, ""},
		{"a1 6a 53747265616d4e616d65 f7", &outer{}, ""},
		{"a1 65 4c696d6974 26", &outer{Limit: ptr(int32(-7))}, ""},
		{"a1 65 526174696f f9 3800", &outer{Ratio: 0.5}, ""},
		{"a1 65 526174696f fa 3f000000", &outer{Ratio: 0.5}, ""},
		{"a1 65 526174696f fb 3fe0000000000000", &outer{Ratio: 0.5}, ""},
		{"a1 62 4174 c1 1a 55e6ff00", &outer{At: &Time{time.Unix(1_441_201_920, 0)}}, ""},
		{"a1 62 4174 fb 7ff8000000000000", nil, "NUMBER_VALUE can not be converted to a Timestamp"},
		{"a1 6a 53747265616d4e616d65 61 ff", nil, "text is not UTF-8"},
		{"a1 6a 53747265616d4e616d65 7a ffffffff", nil, errTruncated.Error()},
		{"a1 67 5265636f726473 9b 00000000ffffffff", nil, errElements.Error()},
		{"a1 61 78 " + strings.Repeat("81 ", 50), nil, errDepth.Error()},
		{"a1 61 78 " + strings.Repeat("c1 ", 50), nil, errDepth.Error()},
		{"a1 61 78", nil, errTruncated.Error()},
		{"a1 01 01", nil, "a name is not text"},
		{"a0 00", nil, errTrailing.Error()},
		{"1c", nil, "byte 0x1c begins nothing in CBOR"},
	} {
		var got outer
		var err error
		if doc, hexErr := hex.DecodeString(strings.ReplaceAll(test.doc, " ", "")); hexErr == nil {
			err = DecodeCBOR(doc, &got, false)
		} else {
			err = DecodeJSON([]byte(test.doc), &got)
		}
		if err != nil || test.err != "" {
			if err == nil || err.Error() != test.err {
				t.Errorf("%.60s: %v, want %s", test.doc, err, test.err)
			}
			continue
		}
		if d := cmp.Diff(*test.want, got, cmp.AllowUnexported(outer{}, base{})); d != "" {
			t.Errorf("%.60s: %s", test.doc, d)
		}
	}
}

func TestEncodeCBOR(t *testing.T) {
	out := outer{Records: []inner{{Data: nil, Key: "\xff"}}, At: &Time{time.UnixMilli(1500)}}
	got := hex.EncodeToString(EncodeCBOR(nil, &out, false))
	want := strings.ReplaceAll("a2 67 5265636f726473 81 a2 64 44617461 f6 6c 506172746974696f6e4b6579 63 efbfbd 62 4174 c1 fb 3ff8000000000000", " ", "")
	if got != want {
		t.Errorf("\n got %s\nwant %s", got, want)
	}
	if got := EncodeCBOR(nil, &out, true); !bytes.HasSuffix(got, []byte{0xc1, 0x19, 0x05, 0xdc}) {
		t.Errorf("milliseconds: %x", got)
	}
}

// AWS's SDK for Python reads this message: its lengths, its checksums and its header.
func TestMessage(t *testing.T) {
	got := AppendMessage([]byte("before"), []Header{{":event-type", "a"}}, []byte("{}"))
	if want := "6265666f7265" + "0000002200000010c394b3690b3a6576656e742d74797065070001617b7de3688202"; hex.EncodeToString(got) != want {
		t.Errorf("\n got %x\nwant %s", got, want)
	}
}

// FuzzDecode looks for documents that panic, or cost much more than they are long.
func FuzzDecode(f *testing.F) {
	doc := full()
	asJSON, _ := json.Marshal(&doc)
	f.Add(asJSON)
	f.Add(EncodeCBOR(nil, &doc, true))
	f.Add([]byte("\xbf\x67Records\x9f\xbf\x64Data\x5f\x41a\x41b\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, doc []byte) {
		limit := uint64(1<<20 + 400*elementsMax + 64*len(doc))
		for _, decode := range []func(*outer) error{
			func(o *outer) error { return DecodeJSON(doc, o) },
			func(o *outer) error { return DecodeCBOR(doc, o, true) },
		} {
			var got, again outer
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			err := decode(&got)
			runtime.ReadMemStats(&after)
			if n := after.TotalAlloc - before.TotalAlloc; n > limit {
				t.Fatalf("%d bytes cost %d", len(doc), n)
			}
			if err != nil {
				continue
			}
			b := EncodeCBOR(nil, &got, false)
			if err := DecodeCBOR(b, &again, false); err != nil {
				t.Fatalf("%x: %v", b, err)
			}
			if c := EncodeCBOR(nil, &again, false); !bytes.Equal(b, c) {
				t.Fatalf("%x is %x the second time", b, c)
			}
		}
	})
}
