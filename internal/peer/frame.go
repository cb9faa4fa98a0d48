package peer

import (
	"encoding/binary"
	"fmt"

	"google.golang.org/grpc/mem"

	"github.com/narumq/naru/internal/fault"
)

// Method says what is asked for. The numbers are the broker's own.
type Method uint8

// On the wire: never renumber.
const (
	kindCall    = 1
	kindCancel  = 2
	kindConfirm = 3
	kindPush    = 4
	kindAnswer  = 5
	kindFail    = 6
	kindPing    = 7
)

// frame is a message on the stream of calls.
type frame struct {
	kind    byte
	id      uint64
	method  Method // of a call
	confirm bool   // of an answer
	payload []byte // aliases what it was parsed from
}

// parseFrame reads a message.
func parseFrame(b []byte) (f frame, err error) {
	if len(b) == 0 {
		return f, fmt.Errorf("%w: empty", ErrMalformed)
	}
	f.kind = b[0]
	id, n := binary.Uvarint(b[1:])
	if n <= 0 {
		return f, fmt.Errorf("%w: no id", ErrMalformed)
	}
	f.id, f.payload = id, b[1+n:]
	switch f.kind {
	case kindCall, kindAnswer:
		if len(f.payload) == 0 {
			return f, fmt.Errorf("%w: kind %d ends early", ErrMalformed, f.kind)
		}
		f.method, f.confirm, f.payload = Method(f.payload[0]), f.payload[0] != 0, f.payload[1:]
	case kindCancel, kindConfirm, kindPush, kindFail, kindPing:
	default:
		return f, fmt.Errorf("%w: kind %d", ErrMalformed, f.kind)
	}
	return f, nil
}

// buffer makes a message of a header and the parts of its payload. It is the one copy
// of them on this side: they may change as soon as it returns.
func (f *frame) buffer(parts [][]byte) mem.Buffer {
	var head [12]byte
	h := binary.AppendUvarint(append(head[:0], f.kind), f.id)
	switch f.kind {
	case kindCall:
		h = append(h, byte(f.method))
	case kindAnswer:
		h = append(h, flag(f.confirm))
	}
	pool := mem.DefaultBufferPool()
	p := pool.Get(len(h) + size(parts))
	n := copy(*p, h)
	for _, part := range parts {
		n += copy((*p)[n:], part)
	}
	return mem.NewBuffer(p, pool)
}

func flag(b bool) byte {
	if b {
		return 1
	}
	return 0
}

func size(parts [][]byte) (n int) {
	for _, p := range parts {
		n += len(p)
	}
	return n
}

// textMax bounds an error's text on the wire.
const textMax = 4096

// AppendError encodes an error, for payloads that hold some.
func AppendError(b []byte, err error) []byte {
	text := err.Error()
	b = appendText(b, text[:min(len(text), textMax)])
	for _, s := range fault.Sentinels(err) {
		b = appendText(b, s.Code)
		b = appendText(b, s.Text)
	}
	return b
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// ParseError is what AppendError encoded; ok is false if it is nothing of the kind.
func ParseError(b []byte) (error, bool) {
	text, b, ok := cutText(b)
	if !ok {
		return nil, false
	}
	var list []fault.Sentinel
	for len(b) > 0 && len(list) < fault.SentinelsMax {
		var s fault.Sentinel
		if s.Code, b, ok = cutText(b); !ok {
			return nil, false
		}
		if s.Text, b, ok = cutText(b); !ok {
			return nil, false
		}
		list = append(list, s)
	}
	return fault.Rebuild(text, list), true
}

func cutText(b []byte) (s string, rest []byte, ok bool) {
	n, used := binary.Uvarint(b)
	if used <= 0 || n > uint64(len(b)-used) {
		return "", nil, false
	}
	b = b[used:]
	return string(b[:n]), b[n:], true
}

// codec hands messages to gRPC and takes them as they are.
type codec struct{}

func (codec) Name() string { return "naru-peer" }

func (codec) Marshal(v any) (mem.BufferSlice, error) { return mem.BufferSlice{v.(mem.Buffer)}, nil }

func (codec) Unmarshal(data mem.BufferSlice, v any) error {
	*v.(*[]byte) = data.Materialize()
	return nil
}
