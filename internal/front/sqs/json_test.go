package sqs

import (
	"bytes"
	"encoding/json"
	"testing"
	"unicode/utf8"
)

// FuzzJSON compares the reader with encoding/json: they must agree on what is
// JSON and on what its strings are.
func FuzzJSON(f *testing.F) {
	for _, s := range []string{
		``, `{}`, `[]`, `null`, `{"a":1,"b":[true,false,null],"c":{"d":"e\n\u00e9\ud83d\udea2"}}`, `"\ud800"`, `"\ud800\u0041"`, `"\ud800\ud800\udc00"`,
		`[1,]`, `{"a"}`, `{,}`, `01`, `-`, `-0.5e+7`, `1.`, `1e`, "\"\x01\"", `"\x"`, `"\u12"`, `[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]`, `{"a":1}x`, ` 1 `, `tru`, `nul`, `"나루"`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		if !utf8.Valid(in) {
			return
		}
		r := jsonIn{b: bytes.Clone(in)}
		r.skip()
		if got, want := r.end(), json.Valid(in); got != want && (got || nesting(in) <= jsonDepthMax) {
			t.Fatalf("%q: %v, want %v", in, got, want)
		}
		var want string
		if json.Unmarshal(in, &want) != nil || string(in) == "null" {
			return
		}
		r = jsonIn{b: bytes.Clone(in)}
		if r.null(); string(r.str()) != want && !r.err {
			t.Errorf("%q was read wrongly", in)
		}
		r = jsonIn{b: appendString(nil, want)}
		if got := string(r.str()); got != want || !r.end() {
			t.Errorf("%q was written as %s", want, r.b)
		}
	})
}

// nesting is at least how deep the text nests.
func nesting(in []byte) (n int) {
	for _, c := range in {
		if c == '[' || c == '{' {
			n++
		}
	}
	return n
}
