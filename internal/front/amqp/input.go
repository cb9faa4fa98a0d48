package amqp

import (
	"errors"
	"io"

	wire "github.com/narumq/naru/internal/wire/amqp091"
)

// Sizes of an input's buffer: it grows while reads fill it, to inputBytesMax, and shrinks when they have not for long.
const (
	inputBytesMin = 4 << 10
	inputBytesMax = 64 << 10
	inputCalm     = 256 // reads
)

// input reads frames. What it returns is good until the next call.
type input struct {
	r      io.Reader
	before func(begun bool) error // called before a read that may wait; begun: in the middle of a frame
	buf    []byte
	at     int // read up to here
	end    int // filled up to here
	calm   int // reads in a row that came nowhere near the buffer's size
	full   bool
}

func (in *input) empty() bool { return in.at == in.end }

// frame returns the next frame.
func (in *input) frame(bytesMax uint32) (wire.Head, []byte, error) {
	b, err := in.take(wire.FrameHeaderBytes, 0)
	if err != nil {
		return wire.Head{}, nil, err
	}
	h, err := wire.ParseFrameHeader(b, bytesMax)
	if err != nil {
		return h, nil, err
	}
	n := int(h.Size)
	if b, err = in.take(wire.FrameHeaderBytes+n+1, wire.FrameHeaderBytes); err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return h, nil, err
	}
	in.at += len(b)
	return h, b[wire.FrameHeaderBytes : len(b)-1], wire.CheckFrameEnd(b[len(b)-1])
}

// take makes n bytes available and returns them; had of them are there already.
func (in *input) take(n, had int) ([]byte, error) {
	for in.end-in.at < n {
		if err := in.fill(in.end-in.at > 0 || had > 0); err != nil {
			return nil, err
		}
	}
	return in.buf[in.at : in.at+n], nil
}

// fill reads once.
func (in *input) fill(begun bool) error {
	if in.empty() {
		in.at, in.end = 0, 0
		in.resize()
	}
	if in.end == len(in.buf) { // part of a frame fills the buffer, or stands at its end
		b := in.buf
		if in.at < len(in.buf)/2 {
			b = make([]byte, max(inputBytesMin, 2*len(in.buf))) // no more than twice of what came
		}
		in.end = copy(b, in.buf[in.at:in.end])
		in.at, in.buf = 0, b
	}
	if err := in.before(begun); err != nil {
		return err
	}
	n, err := in.r.Read(in.buf[in.end:])
	in.end += n
	in.full = in.end == len(in.buf)
	if n >= len(in.buf)/8 {
		in.calm = 0
	} else {
		in.calm++
	}
	if n > 0 {
		return nil
	}
	return err
}

// resize changes the buffer while nothing is in it.
func (in *input) resize() {
	switch n := len(in.buf); {
	case n == 0:
		in.buf = make([]byte, inputBytesMin)
	case in.full && n < inputBytesMax:
		in.buf, in.full = make([]byte, 2*n), false
	case in.calm > inputCalm && n > inputBytesMin:
		in.buf, in.calm = make([]byte, inputBytesMin), 0
	}
}
