package amqp091

import (
	"encoding/binary"
	"unicode/utf8"
)

// ShortStringMax is the length in bytes of the longest short string (4.2.5.3). What is read from a peer cannot be longer;
// what is written is cut there, so that no caller can make a frame that says something else than it means.
const ShortStringMax = 255

func appendOctet(b []byte, v uint8) []byte      { return append(b, v) }
func appendShort(b []byte, v uint16) []byte     { return binary.BigEndian.AppendUint16(b, v) }
func appendLong(b []byte, v uint32) []byte      { return binary.BigEndian.AppendUint32(b, v) }
func appendLonglong(b []byte, v uint64) []byte  { return binary.BigEndian.AppendUint64(b, v) }
func appendTimestamp(b []byte, v uint64) []byte { return binary.BigEndian.AppendUint64(b, v) }

func appendShortstr(b []byte, s string) []byte {
	if len(s) > ShortStringMax {
		s = cut(s, ShortStringMax)
	}
	return append(append(b, byte(len(s))), s...)
}

func appendLongstr(b []byte, s string) []byte { return append(appendLong(b, uint32(len(s))), s...) }

func appendTable(b []byte, t Table) []byte { return appendLongstr(b, t.text) }

// appendBits packs up to eight bits into one octet, the first in the lowest place.
func appendBits(b []byte, bits ...bool) []byte {
	var octet byte
	for i, set := range bits {
		if set {
			octet |= 1 << i
		}
	}
	return append(b, octet)
}

// cut returns the first n bytes of s, or a few less so as not to end within a character.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for i := n; i > n-utf8.UTFMax; i-- {
		if utf8.RuneStart(s[i]) {
			return s[:i]
		}
	}
	return s[:n]
}
