package amqp091

import (
	"encoding/binary"
	"fmt"
)

// Sizes of frames, in bytes.
const (
	// FrameHeaderBytes is the length of type, channel and size.
	FrameHeaderBytes = 7
	// FrameOverheadBytes is what a frame has besides its payload.
	FrameOverheadBytes = FrameHeaderBytes + 1
	// FrameMin is the least maximum that peers may agree on, and what every peer accepts before they did (4.2.3,
	// frame-min-size). RabbitMQ 4 asks for 8192, which FrameUntuned follows.
	FrameMin = 4096
	// FrameUntuned is the maximum before tune-ok: enough for the long tokens that some send as passwords.
	FrameUntuned = 8192
)

// FrameEnd is the last octet of each frame.
const FrameEnd = 0xCE

// FrameType says what the payload is.
type FrameType uint8

// The types of frames (4.2.3).
const (
	FrameMethod    FrameType = 1
	FrameHeader    FrameType = 2
	FrameBody      FrameType = 3
	FrameHeartbeat FrameType = 8
)

func (t FrameType) String() string {
	switch t {
	case FrameMethod:
		return "method"
	case FrameHeader:
		return "header"
	case FrameBody:
		return "body"
	case FrameHeartbeat:
		return "heartbeat"
	}
	return fmt.Sprintf("type %d", uint8(t))
}

// Head is the head of a frame. The payload of Size bytes and the end octet follow.
type Head struct {
	Type    FrameType
	Channel uint16
	Size    uint32
}

// ParseFrameHeader reads the first FrameHeaderBytes of a frame, whose whole length may be frameMax. The error's code is
// FrameError: nothing can be made of what follows.
func ParseFrameHeader(b []byte, frameMax uint32) (Head, error) {
	if len(b) < FrameHeaderBytes {
		return Head{}, frameError("%d bytes of a frame's header", len(b))
	}
	h := Head{FrameType(b[0]), binary.BigEndian.Uint16(b[1:]), binary.BigEndian.Uint32(b[3:])}
	switch {
	case h.Type != FrameMethod && h.Type != FrameHeader && h.Type != FrameBody && h.Type != FrameHeartbeat:
		return Head{}, frameError("no frame has %v", h.Type)
	case uint64(h.Size)+FrameOverheadBytes > uint64(frameMax):
		return Head{}, frameError("a %v frame of %d bytes, at most %d were agreed on", h.Type, uint64(h.Size)+FrameOverheadBytes, frameMax)
	case h.Type == FrameHeartbeat && h.Size != 0:
		return Head{}, frameError("a heartbeat of %d bytes", h.Size)
	}
	return h, nil
}

// CheckFrameEnd looks at the octet after the payload.
func CheckFrameEnd(octet byte) error {
	if octet != FrameEnd {
		return frameError("a frame ends in %#02x, not in %#02x", octet, FrameEnd)
	}
	return nil
}

func frameError(format string, args ...any) error {
	return &Error{Code: FrameError, Text: fmt.Sprintf(format, args...)}
}

// AppendFrameHeader adds the head of a frame. The caller adds the payload and FrameEnd.
func AppendFrameHeader(b []byte, t FrameType, channel uint16, size uint32) []byte {
	return appendLong(appendShort(append(b, byte(t)), channel), size)
}

// openFrame adds a head without a size, which closeFrame fills in.
func openFrame(b []byte, t FrameType, channel uint16) (frame []byte, at int) {
	b = AppendFrameHeader(b, t, channel, 0)
	return b, len(b)
}

func closeFrame(b []byte, at int) []byte {
	binary.BigEndian.PutUint32(b[at-4:], uint32(len(b)-at))
	return append(b, FrameEnd)
}

// AppendMethodFrame adds a whole frame.
func AppendMethodFrame(b []byte, channel uint16, m Method) []byte {
	b, at := openFrame(b, FrameMethod, channel)
	return closeFrame(AppendMethod(b, m), at)
}

// AppendBodyFrame adds a whole frame. A body that is longer than frameMax allows goes into several: BodyFrameMax bytes each.
func AppendBodyFrame(b []byte, channel uint16, body []byte) []byte {
	b = AppendFrameHeader(b, FrameBody, channel, uint32(len(body)))
	return append(append(b, body...), FrameEnd)
}

// AppendBodyFrames adds as many frames as a body needs; an empty one needs none. frameMax is FrameMin at least.
func AppendBodyFrames(b []byte, channel uint16, frameMax uint32, body []byte) []byte {
	for most := BodyFrameMax(frameMax); len(body) > 0; {
		n := min(most, len(body))
		b = AppendBodyFrame(b, channel, body[:n])
		body = body[n:]
	}
	return b
}

// BodyFrameMax is how much of a body fits into a frame. A frameMax of less than FrameMin counts as that.
func BodyFrameMax(frameMax uint32) int { return int(max(frameMax, FrameMin) - FrameOverheadBytes) }

// AppendHeartbeat adds a heartbeat frame.
func AppendHeartbeat(b []byte) []byte {
	return append(AppendFrameHeader(b, FrameHeartbeat, 0, 0), FrameEnd)
}
