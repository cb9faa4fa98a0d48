package peer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/narumq/naru/internal/fault"
)

func (f *frame) encode() []byte { return f.buffer([][]byte{f.payload}).ReadOnlyData() }

func FuzzFrame(f *testing.F) {
	for kind := byte(0); kind <= kindPing+1; kind++ {
		f.Add((&frame{kind: kind, id: 1 << 40, method: 9, confirm: true, payload: []byte("abc")}).encode())
	}
	f.Add((&frame{kind: kindFail, payload: AppendError(nil, fmt.Errorf("%w, %w", ErrRefused, context.Canceled))}).encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := parseFrame(b)
		if err != nil {
			if !errors.Is(err, ErrMalformed) {
				t.Fatal(err)
			}
			return
		}
		again, err := parseFrame(got.encode())
		if err != nil || again.kind != got.kind || again.id != got.id || again.confirm != got.confirm || !bytes.Equal(again.payload, got.payload) ||
			got.kind == kindCall && again.method != got.method {
			t.Fatalf("%+v became %+v, %v", got, again, err)
		}
		if err, ok := ParseError(got.payload); ok {
			if again, ok := ParseError(AppendError(nil, err)); !ok || fault.CodeOf(again) != fault.CodeOf(err) {
				t.Fatalf("%v became %v", err, again)
			}
		}
	})
}

func TestMalformed(t *testing.T) {
	for _, b := range [][]byte{nil, {kindCall}, {kindCall, 0x80}, {kindCall, 1}, {kindAnswer, 1}, {0, 1}, {99, 1}} {
		if f, err := parseFrame(b); !errors.Is(err, ErrMalformed) {
			t.Errorf("%x is %+v, %v", b, f, err)
		}
	}
}
