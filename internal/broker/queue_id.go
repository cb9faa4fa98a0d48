package broker

import (
	"encoding/binary"
	"encoding/hex"

	"github.com/narumq/naru/internal/catalog"
	"github.com/narumq/naru/internal/record"
)

// MessageID names a message: in the form of a UUID, made from where it is, so that
// nothing has to be stored for it.
type MessageID [16]byte

// newMessageID is one to one for partitions below 2^32 and offsets below 2^62 of
// one topic.
func newMessageID(topic catalog.UUID, partition int32, o record.Offset) MessageID {
	id := MessageID(topic)
	binary.BigEndian.PutUint32(id[0:], binary.BigEndian.Uint32(id[0:])^uint32(partition))
	binary.BigEndian.PutUint64(id[8:], binary.BigEndian.Uint64(id[8:])^uint64(o))
	id[6] = id[6]&0x0f | 0x80 // version 8 and variant 10: RFC 9562, section 5.8
	id[8] = id[8]&0x3f | 0x80
	return id
}

// String is the UUID's text form.
func (m MessageID) String() string {
	var b [36]byte
	hex.Encode(b[0:], m[0:4])
	hex.Encode(b[9:], m[4:6])
	hex.Encode(b[14:], m[6:8])
	hex.Encode(b[19:], m[8:10])
	hex.Encode(b[24:], m[10:16])
	b[8], b[13], b[18], b[23] = '-', '-', '-', '-'
	return string(b[:])
}

// parseMessageID reads what String wrote.
func parseMessageID(b []byte) (m MessageID, ok bool) {
	if len(b) != 36 {
		return m, false
	}
	plain := make([]byte, 0, 32)
	for _, c := range b {
		if c != '-' {
			plain = append(plain, c)
		}
	}
	n, err := hex.Decode(m[:], plain[:min(len(plain), 32)])
	return m, err == nil && n == 16
}
