package amqp091

import (
	"bytes"
	"errors"
	"runtime"
	"strings"
	"testing"
	"time"
)

// allocBytesMax is what decoding n bytes may allocate: each byte once, half again for the allocator's size classes, and a
// constant for the method itself, an error, and what the test binary does meanwhile.
func allocBytesMax(n int) uint64 { return uint64(n)*3/2 + 16<<10 }

// decodeTimeMax is what decoding n bytes may take on a busy machine: a second, and then 1 MiB a second.
func decodeTimeMax(n int) time.Duration { return time.Second + time.Duration(n)*time.Microsecond }

// bounded runs decode on b and fails the test if that takes too much memory or time, or fails with anything but an *Error.
func bounded(t testing.TB, b []byte, decode func(b []byte) error) error {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start := time.Now()
	err := decode(b)
	took := time.Since(start)
	runtime.ReadMemStats(&after)
	if got, most := after.TotalAlloc-before.TotalAlloc, allocBytesMax(len(b)); got > most {
		t.Fatalf("%d bytes allocated for %d, want %d at most (%v)\n%.200x", got, len(b), most, err, b)
	}
	if most := decodeTimeMax(len(b)); took > most {
		t.Fatalf("%v for %d bytes, want %v at most (%v)\n%.200x", took, len(b), most, err, b)
	}
	if e := (*Error)(nil); err != nil && !errors.As(err, &e) {
		t.Fatalf("%v is not an *Error", err)
	}
	return err
}

func decodeMethod(b []byte) error {
	_, err := DecodeMethod(b)
	return err
}

func decodeContent(b []byte) error {
	_, raw, err := SplitContentHeader(b)
	if err == nil {
		err = new(Properties).Parse(raw)
	}
	return err
}

// TestTruncated: no proper prefix of a method or a content header is one, and nothing may follow it.
func TestTruncated(t *testing.T) {
	f := filler{newRand(t)}
	check := func(name any, wire []byte, decode func([]byte) error) {
		for n := range wire {
			if decode(wire[:n]) == nil {
				t.Fatalf("%v: %d of %d bytes decode\n%x", name, n, len(wire), wire)
			}
		}
		if err := decode(wire); err != nil {
			t.Fatalf("%v: %v\n%x", name, err, wire)
		}
		if decode(append(wire, 0)) == nil {
			t.Fatalf("%v: a byte after it goes unnoticed", name)
		}
	}
	for range 5 {
		for _, id := range MethodIDs() {
			check(id, AppendMethod(nil, f.method(id)), decodeMethod)
		}
		p := randomProperties(f)
		check("properties", AppendContentHeader(nil, ContentHeader{ClassBasic, 1}, p.Append(nil)), decodeContent)
	}
}

// lies are lengths that no frame can keep, and types of fields.
var lies = []string{
	"\xff\xff\xff\xff", "\x7f\xff\xff\xff", "\x80\x00\x00\x00", "\x00\xff\xff\xff", "\x00\x00\xff\xff", "\xff\xff", "\xff",
	"F\x00\x00\x10\x00", "A\xff\xff\xff\xff", "\x00F", "U",
}

// TestLies writes a lie over every place of real payloads, followed by much or little.
func TestLies(t *testing.T) {
	f := filler{newRand(t)}
	spoil := func(wire []byte, decode func([]byte) error) {
		for at := range wire {
			b := append(append([]byte(nil), wire[:at]...), lies[f.IntN(len(lies))]...)
			b = append(b, bytes.Repeat([]byte{byte(f.IntN(3))}, []int{0, 10, 5000}[f.IntN(3)])...)
			_ = bounded(t, b, decode)
		}
	}
	for _, id := range MethodIDs() {
		wire := AppendMethod(nil, f.method(id))
		spoil(wire[:min(len(wire), 200)], decodeMethod)
	}
	p := randomProperties(f)
	spoil(AppendContentHeader(nil, ContentHeader{ClassBasic, 1}, p.Append(nil)), decodeContent)
}

// TestHostileTables are the largest frames that peers usually agree on, full of what costs most.
func TestHostileTables(t *testing.T) {
	const size = 128 << 10
	deep := func(kind string, sizeOf func(left int) []byte) string {
		var b []byte
		for left := size; left > 0; {
			b = append(append(b, kind...), sizeOf(left)...)
			left = size - len(b)
		}
		return string(b)
	}
	truth := func(overhead int) func(int) []byte {
		return func(left int) []byte { return appendLong(nil, uint32(max(0, left-overhead))) }
	}
	for name, table := range map[string]string{
		"fields":            strings.Repeat("\x00V", size/2),
		"strings":           strings.Repeat("\x01aS\x00\x00\x00\x00", size/7),
		"names":             strings.Repeat("\xff"+strings.Repeat("n", 255)+"V", size/257),
		"tables in tables":  deep("\x00F", truth(6)),
		"arrays in arrays":  "\x00A" + string(appendLong(nil, size)) + deep("A", truth(5)),
		"lies in tables":    strings.Repeat("\x00F\x7f\xff\xff\xff", size/6),
		"tables, one empty": strings.Repeat("\x00F\x00\x00\x00\x00", size/6),
		"one long string":   "\x00S" + string(appendLong(nil, size)) + strings.Repeat("s", size),
	} {
		method := AppendMethod(nil, &QueueDeclare{Arguments: Table{table}})
		content := AppendContentHeader(nil, ContentHeader{Class: ClassBasic}, (&Properties{Has: HasHeaders, Headers: Table{table}}).Append(nil))
		for _, err := range []error{bounded(t, method, decodeMethod), bounded(t, content, decodeContent)} {
			if ok := name == "names" || name == "one long string"; ok != (err == nil) {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

// TestLargeTable: a thousand deaths are far below the limits.
func TestLargeTable(t *testing.T) {
	var fields []Field
	for range 1000 {
		fields = append(fields, Field{"x-death", NewArray(NewTable(Field{"count", Int64(1)}, Field{"reason", String("expired")}).Value()).Value()})
	}
	if err := bounded(t, AppendMethod(nil, &QueueDeclare{Arguments: NewTable(fields...)}), decodeMethod); err != nil {
		t.Error(err)
	}
}
