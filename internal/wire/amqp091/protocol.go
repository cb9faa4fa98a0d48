package amqp091

import "encoding/binary"

// ProtocolHeader is what a client sends first. It is also the answer to a header of any other version, after which the
// server closes the connection (4.2.2).
const ProtocolHeader = "AMQP\x00\x00\x09\x01"

// Protocol is what a connection's first eight bytes ask for.
type Protocol uint8

// The protocols that begin with "AMQP", as far as the answer differs.
const (
	ProtocolUnknown Protocol = iota // not AMQP at all: close without a word
	ProtocolOther                   // another version: answer ProtocolHeader and close
	Protocol091
	Protocol10
	Protocol10SASL
	Protocol10TLS
)

// ParseProtocolHeader reads the first eight bytes of a connection.
func ParseProtocolHeader(b [8]byte) Protocol {
	if string(b[:4]) != "AMQP" {
		return ProtocolUnknown
	}
	switch binary.BigEndian.Uint32(b[4:]) {
	case 0x00000901:
		return Protocol091
	case 0x00010000:
		return Protocol10
	case 0x02010000:
		return Protocol10TLS
	case 0x03010000:
		return Protocol10SASL
	}
	return ProtocolOther
}
