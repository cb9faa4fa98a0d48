package kafka

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math/bits"
	"sync"
	"sync/atomic"

	wire "github.com/narumq/naru/internal/wire/kafka"
)

const (
	frameSizeBytes = 4
	frameKeyBytes  = 2
	// frameBytesMin is the shortest header: key, version, correlation id, client id.
	frameBytesMin = 10
	// frameStepBytes is how much is allocated for a frame before its first byte
	// came; past that, a buffer doubles as it fills. Nearly all producers' frames
	// are smaller: to copy them over and over would cost more than it saves, and
	// the server's request memory bounds what liars can hold.
	frameStepBytes = 16 << 20
)

// errFrame is the reason to close a connection whose frames make no sense.
var errFrame = errors.New("malformed frame")

// frame is the buffer of one request. Its bytes are taken from a budget until
// the last reference is released.
type frame struct {
	b        []byte
	box      *[]byte // b's place in its pool
	charge   int64   // taken from the server's request memory
	refs     atomic.Int32
	released func(*frame) // gives the bytes back to the connection and the server
}

func (f *frame) retain() { f.refs.Add(1) }

func (f *frame) release() {
	if f.refs.Add(-1) == 0 {
		f.released(f)
		f.released = nil
		putBuffer(f.box)
		f.b, f.box = nil, nil
		frames.Put(f)
	}
}

var frames = sync.Pool{New: func() any { return new(frame) }}

// Buffers of 4 KiB to 512 KiB are pooled by powers of two.
const (
	bufferBitsMin = 12
	bufferBitsMax = 19
)

var buffers [bufferBitsMax + 1]sync.Pool

// bufferBits is the power of two that holds n bytes.
func bufferBits(n int) int { return max(bufferBitsMin, bits.Len(uint(n-1))) }

// getBuffer returns a buffer with room for n bytes, for putBuffer.
func getBuffer(n int) *[]byte {
	k := bufferBits(n)
	if k > bufferBitsMax {
		return largeBuffers.get(n)
	}
	if box, ok := buffers[k].Get().(*[]byte); ok {
		return box
	}
	b := make([]byte, 1<<k)
	return &b
}

func putBuffer(box *[]byte) {
	if k := bufferBits(len(*box)); k <= bufferBitsMax {
		buffers[k].Put(box)
	} else {
		largeBuffers.put(box)
	}
}

// frameHead reads the length of the next frame, and the key of its request,
// without consuming them.
func frameHead(r *bufio.Reader, l *Limits) (int, wire.APIKey, error) {
	n, err := frameSize(r, l.RequestBytesMax)
	if err != nil {
		return 0, 0, err
	}
	head, err := r.Peek(frameSizeBytes + frameKeyBytes)
	if err != nil {
		return 0, 0, err
	}
	key := wire.APIKey(int16(head[frameSizeBytes])<<8 | int16(head[frameSizeBytes+1]))
	if key != wire.KeyProduce && n > l.ControlBytesMax {
		return 0, 0, fmt.Errorf("%w: %v of %d bytes, at most %d are allowed", errFrame, key, n, l.ControlBytesMax)
	}
	return n, key, nil
}

func frameSize(r *bufio.Reader, bytesMax int) (int, error) {
	head, err := r.Peek(frameSizeBytes)
	if err != nil {
		return 0, err
	}
	n := int32(uint32(head[0])<<24 | uint32(head[1])<<16 | uint32(head[2])<<8 | uint32(head[3]))
	switch {
	case n < frameBytesMin:
		return 0, fmt.Errorf("%w: length %d is shorter than any request", errFrame, n)
	case int(n) > bytesMax:
		return 0, fmt.Errorf("%w: length %d, at most %d are allowed (request-bytes-max)%s", errFrame, n, bytesMax, hint(head))
	}
	return int(n), nil
}

// hint guesses what else speaks to this port.
func hint(head []byte) string {
	switch string(head) {
	case "GET ", "POST", "PUT ", "HEAD", "OPTI":
		return "; this looks like HTTP"
	}
	if head[0] == 0x16 && head[1] == 3 {
		return "; this looks like TLS, which this port does not speak"
	}
	return ""
}

// readFrame reads the n bytes after the length that was peeked at.
func readFrame(r *bufio.Reader, n int) (*frame, error) {
	if _, err := r.Discard(frameSizeBytes); err != nil {
		return nil, err
	}
	room := min(n, frameStepBytes)
	box := getBuffer(room)
	for got := 0; ; {
		m, err := io.ReadFull(r, (*box)[got:room])
		got += m
		if err != nil {
			putBuffer(box)
			return nil, err
		}
		if got == n {
			break
		}
		room = min(n, 2*got)
		more := getBuffer(room)
		copy(*more, (*box)[:got])
		putBuffer(box)
		box = more
	}
	f := frames.Get().(*frame)
	f.b, f.box = (*box)[:n:n], box
	f.refs.Store(1)
	return f, nil
}
