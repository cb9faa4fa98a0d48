package amqp091

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

func TestParseFrameHeader(t *testing.T) {
	for _, c := range []struct {
		head, wrong string
		want        Head
	}{
		{head: "\x01\x00\x00\x00\x00\x00\x00", want: Head{Type: FrameMethod}},
		{head: "\x02\xff\xfe\x00\x00\x00\x0e", want: Head{FrameHeader, 0xfffe, 14}},
		{head: "\x03\x00\x01\x00\x00\x0f\xf8", want: Head{FrameBody, 1, FrameMin - FrameOverheadBytes}},
		{head: "\x03\x00\x01\x00\x00\x0f\xf9", wrong: "a body frame of 4097 bytes, at most 4096"},
		{head: "\x03\x00\x01\xff\xff\xff\xff", wrong: "a body frame of 4294967303 bytes"},
		{head: "\x08\x00\x00\x00\x00\x00\x00", want: Head{Type: FrameHeartbeat}},
		{head: "\x08\x00\x00\x00\x00\x00\x01", wrong: "a heartbeat of 1 bytes"},
		{head: "\x00\x00\x00\x00\x00\x00\x00", wrong: "no frame has type 0"},
		{head: "\x04\x00\x00\x00\x00\x00\x00", wrong: "no frame has type 4"},
		{head: "AMQP\x00\x00\x09", wrong: "no frame has type 65"},
		{head: "\x01\x00\x00\x00\x00\x00", wrong: "6 bytes of a frame's header"},
	} {
		got, err := ParseFrameHeader([]byte(c.head), FrameMin)
		if c.wrong == "" {
			if err != nil || got != c.want {
				t.Errorf("%x: %+v, %v", c.head, got, err)
			}
			if wire := AppendFrameHeader(nil, got.Type, got.Channel, got.Size); string(wire) != c.head {
				t.Errorf("%x became %x", c.head, wire)
			}
			continue
		}
		var e *Error
		if !errors.As(err, &e) || e.Code != FrameError || !strings.Contains(e.Text, c.wrong) {
			t.Errorf("%x: %+v, %v, want %q", c.head, got, err, c.wrong)
		}
	}
	if err := CheckFrameEnd(FrameEnd); err != nil {
		t.Error(err)
	}
	if err := CheckFrameEnd(0); err == nil || err.Error() != "501 FRAME_ERROR - a frame ends in 0x00, not in 0xce" {
		t.Error(err)
	}
}

// TestBodyFrames: a body is divided into the fewest frames.
func TestBodyFrames(t *testing.T) {
	const most = FrameMin - FrameOverheadBytes
	for n, frames := range map[int]int{0: 0, 1: 1, most: 1, most + 1: 2, 3 * most: 3} {
		body := bytes.Repeat([]byte("x"), n)
		wire := AppendBodyFrames(nil, 9, FrameMin, body)
		if len(wire) != n+frames*FrameOverheadBytes {
			t.Errorf("%d bytes of body in %d", n, len(wire))
		}
		var got []byte
		for len(wire) > 0 {
			h, err := ParseFrameHeader(wire, FrameMin)
			if err != nil || h.Type != FrameBody || h.Channel != 9 || CheckFrameEnd(wire[FrameHeaderBytes+h.Size]) != nil {
				t.Fatalf("%+v, %v", h, err)
			}
			got = append(got, wire[FrameHeaderBytes:FrameHeaderBytes+h.Size]...)
			wire = wire[FrameOverheadBytes+h.Size:]
			frames--
		}
		if frames != 0 || !bytes.Equal(got, body) {
			t.Errorf("%d bytes: %d frames too few, %d bytes", n, frames, len(got))
		}
	}
	if BodyFrameMax(0) != most { // no frame maximum would make no progress
		t.Error(BodyFrameMax(0))
	}
}

func TestProtocolHeader(t *testing.T) {
	for b, want := range map[string]Protocol{
		ProtocolHeader: Protocol091, "AMQP\x00\x01\x00\x00": Protocol10, "AMQP\x03\x01\x00\x00": Protocol10SASL,
		"AMQP\x02\x01\x00\x00": Protocol10TLS, "AMQP\x01\x01\x00\x09": ProtocolOther, "AMQP\x00\x00\x09\x02": ProtocolOther,
		"GET / HT": ProtocolUnknown, "amqp\x00\x00\x09\x01": ProtocolUnknown,
	} {
		if got := ParseProtocolHeader([8]byte([]byte(b))); got != want {
			t.Errorf("%q: %v, want %v", b, got, want)
		}
	}
}

func TestFrameTypeNames(t *testing.T) {
	for f, want := range map[FrameType]string{FrameMethod: "method", FrameHeader: "header", FrameBody: "body", FrameHeartbeat: "heartbeat", 7: "type 7"} {
		if f.String() != want {
			t.Error(f)
		}
	}
}
