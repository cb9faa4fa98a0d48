package amqp091

import (
	"strings"
	"testing"
)

// TestReaderLatches: the first error stays, and nothing is read after it.
func TestReaderLatches(t *testing.T) {
	r := NewReader([]byte("\x01\xff\x00\x00\x00\x07"))
	if got := r.octet(); got != 1 || r.Err() != nil || r.Remaining() != 5 {
		t.Fatalf("%d, %v, %d bytes left", got, r.Err(), r.Remaining())
	}
	if s := r.shortstr(); s != "" || r.Err() == nil {
		t.Fatalf("%q, %v", s, r.Err())
	}
	first := r.Err()
	r.fail("another")
	if r.octet() != 0 || r.short() != 0 || r.long() != 0 || r.longlong() != 0 || r.longstr() != "" || !r.table().Empty() {
		t.Error("something was read after an error")
	}
	if r.Err() != first || r.Finish() != first || !strings.Contains(first.Error(), "255 bytes wanted, 4 left") {
		t.Errorf("%v became %v", first, r.Err())
	}
}

// TestReaderReset: nothing of a failed method is left for the next.
func TestReaderReset(t *testing.T) {
	in := new(Interner)
	r := Reader{Intern: in}
	full := strings.Repeat("\x00V", TableEntriesMax)
	good := AppendMethod(nil, &QueueDeclare{Queue: "q", Arguments: Table{full}})
	bad := AppendMethod(nil, &QueueDeclare{Queue: "q", Arguments: Table{full + "\x00V"}})
	for range 2 {
		if _, err := r.DecodeMethod(bad); err == nil {
			t.Fatal("too many fields")
		}
		if _, err := r.DecodeMethod(good); err != nil || r.Intern != in {
			t.Fatal(err)
		}
	}
}
