package aws

import (
	"encoding/binary"
	"hash/crc32"
)

// EventStream is the media type of a sequence of messages.
const EventStream = "application/vnd.amazon.eventstream"

// Header is a header of a message. All values that services send are text.
type Header struct{ Name, Value string }

const headerText = 7 // the type of a value that is text

// AppendMessage appends a message of an event stream: its length and that of its
// headers, their CRC-32; the headers; the payload; the CRC-32 of it all. A name
// has at most 255 bytes, a value 32,767.
func AppendMessage(b []byte, headers []Header, payload []byte) []byte {
	begin := len(b)
	b = append(b, make([]byte, 12)...)
	for _, h := range headers {
		b = append(append(b, byte(len(h.Name))), h.Name...)
		b = binary.BigEndian.AppendUint16(append(b, headerText), uint16(len(h.Value)))
		b = append(b, h.Value...)
	}
	prelude := b[begin : begin+12]
	binary.BigEndian.PutUint32(prelude[4:], uint32(len(b)-begin-12))
	b = append(b, payload...)
	prelude = b[begin : begin+12]
	binary.BigEndian.PutUint32(prelude, uint32(len(b)-begin+4))
	binary.BigEndian.PutUint32(prelude[8:], crc32.ChecksumIEEE(prelude[:8]))
	return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b[begin:]))
}
