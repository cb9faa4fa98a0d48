package aws

import (
	"testing"
	"unicode/utf8"
)

// Every byte at every place among eight that are fine.
func TestLegible(t *testing.T) {
	for place := range 9 {
		for c := range 256 {
			b := []byte("nine fine")
			b[place] = byte(c)
			if want := c >= ' ' && utf8.Valid(b); legible(b) != want {
				t.Errorf("%q: legible is %v", b, !want)
			}
		}
	}
	if b := []byte("열여덟 글자는 된다, 아마도"); !legible(b) {
		t.Errorf("%q is not legible", b)
	}
}
