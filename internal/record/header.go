package record

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"strconv"
)

// Offset is a record's position in its partition: dense at append, from 0.
type Offset int64

// String returns the offset in decimal.
func (o Offset) String() string { return strconv.FormatInt(int64(o), 10) }

// HeaderBytes is the size of a batch before its first record.
const HeaderBytes = 61

// SummedFrom is where the bytes begin that a batch's CRC-32C covers; they end with
// the batch.
const SummedFrom = posAttributes

// Magic is the version of the format that this package knows.
const Magic = 2

// NoTimestamp is the timestamp of a record that has none.
const NoTimestamp = -1

// On disk and on the wire: never renumber.
const (
	posBaseOffset      = 0
	posLength          = 8
	posLeaderEpoch     = 12
	posMagic           = 16
	posCRC             = 17
	posAttributes      = 21
	posLastOffsetDelta = 23
	posBaseTimestamp   = 27
	posMaxTimestamp    = 35
	posProducerID      = 43
	posProducerEpoch   = 51
	posBaseSequence    = 53
	posCount           = 57

	// prefixBytes are before what the length field counts.
	prefixBytes = 12

	attrCodecMask     = 0x07
	attrLogAppendTime = 0x08
	attrTransactional = 0x10
	attrControl       = 0x20
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Header is the fixed part of a batch.
type Header struct {
	BaseOffset      Offset
	Length          int32 // bytes after the length field
	LeaderEpoch     int32
	Magic           int8
	CRC             uint32 // CRC-32C from the attributes to the end
	Attributes      int16
	LastOffsetDelta int32
	BaseTimestamp   int64 // milliseconds since 1970, NoTimestamp if none
	MaxTimestamp    int64
	ProducerID      int64 // -1 if the producer is not idempotent
	ProducerEpoch   int16
	BaseSequence    int32
	Count           int32
}

// Codec returns how the records are compressed.
func (h *Header) Codec() Codec { return Codec(h.Attributes & attrCodecMask) }

// LogAppendTime reports whether MaxTimestamp is the broker's clock at append
// and stands for every record.
func (h *Header) LogAppendTime() bool { return h.Attributes&attrLogAppendTime != 0 }

// Transactional reports whether the batch belongs to a transaction.
func (h *Header) Transactional() bool { return h.Attributes&attrTransactional != 0 }

// Control reports whether the batch holds a transaction marker, which only a
// broker may write.
func (h *Header) Control() bool { return h.Attributes&attrControl != 0 }

// LastOffset returns the offset of the last record.
func (h *Header) LastOffset() Offset { return h.BaseOffset + Offset(h.LastOffsetDelta) }

// Bytes returns the size of the whole batch.
func (h *Header) Bytes() int { return prefixBytes + int(h.Length) }

// ParseHeader reads the header at the start of b, which may hold less than the
// batch or more. It checks bounds and the magic number, and nothing else.
//
// Errors: ErrCorrupt if b is shorter than a header or the length field cannot
// be; ErrUnsupportedMagic.
func ParseHeader(b []byte) (Header, error) {
	if len(b) <= posMagic {
		return Header{}, fmt.Errorf("%w: %d bytes, a header has %d", ErrCorrupt, len(b), HeaderBytes)
	}
	// The magic number comes first: formats 0 and 1 have it at the same place
	// and may be shorter than a header of format 2.
	if b[posMagic] != Magic {
		return Header{}, fmt.Errorf("%w: magic %d, only %d is (message format v2)",
			ErrUnsupportedMagic, int8(b[posMagic]), Magic)
	}
	if len(b) < HeaderBytes {
		return Header{}, fmt.Errorf("%w: %d bytes, a header has %d", ErrCorrupt, len(b), HeaderBytes)
	}
	be := binary.BigEndian
	h := Header{
		BaseOffset:      Offset(be.Uint64(b[posBaseOffset:])),
		Length:          int32(be.Uint32(b[posLength:])),
		LeaderEpoch:     int32(be.Uint32(b[posLeaderEpoch:])),
		Magic:           int8(b[posMagic]),
		CRC:             be.Uint32(b[posCRC:]),
		Attributes:      int16(be.Uint16(b[posAttributes:])),
		LastOffsetDelta: int32(be.Uint32(b[posLastOffsetDelta:])),
		BaseTimestamp:   int64(be.Uint64(b[posBaseTimestamp:])),
		MaxTimestamp:    int64(be.Uint64(b[posMaxTimestamp:])),
		ProducerID:      int64(be.Uint64(b[posProducerID:])),
		ProducerEpoch:   int16(be.Uint16(b[posProducerEpoch:])),
		BaseSequence:    int32(be.Uint32(b[posBaseSequence:])),
		Count:           int32(be.Uint32(b[posCount:])),
	}
	if h.Length < HeaderBytes-prefixBytes {
		return Header{}, fmt.Errorf("%w: length field %d, the header alone needs %d",
			ErrCorrupt, h.Length, HeaderBytes-prefixBytes)
	}
	return h, nil
}

// Split cuts the first batch off b, a run of whole batches. It trusts the
// length field as far as b reaches and checks nothing else but the magic.
func Split(b []byte) (first, rest []byte, err error) {
	h, err := ParseHeader(b)
	if err != nil {
		return nil, b, err
	}
	if h.Bytes() > len(b) {
		return nil, b, fmt.Errorf("%w: batch of %d bytes cut off after %d", ErrCorrupt, h.Bytes(), len(b))
	}
	return b[:h.Bytes():h.Bytes()], b[h.Bytes():], nil
}

// The setters patch a batch in place. b must be a batch that Check or
// ParseHeader accepted: they panic on less than a header.

// SetBaseOffset gives the batch its place in the log. The checksum does not
// cover it.
func SetBaseOffset(b []byte, o Offset) {
	_ = b[HeaderBytes-1]
	binary.BigEndian.PutUint64(b[posBaseOffset:], uint64(o))
}

// SetProducer makes the batch that of an idempotent producer (KIP-98) and
// recomputes the checksum.
func SetProducer(b []byte, id int64, epoch int16, sequence int32) {
	binary.BigEndian.PutUint64(b[posProducerID:], uint64(id))
	binary.BigEndian.PutUint16(b[posProducerEpoch:], uint16(epoch))
	binary.BigEndian.PutUint32(b[posBaseSequence:], uint32(sequence))
	seal(b)
}

// SetLeaderEpoch sets the partition leader epoch. The checksum does not cover it.
func SetLeaderEpoch(b []byte, e int32) {
	_ = b[HeaderBytes-1]
	binary.BigEndian.PutUint32(b[posLeaderEpoch:], uint32(e))
}

// StampLogAppendTime marks the batch as stamped by the broker: ms, milliseconds
// since 1970, stands for the timestamp of each of its records. Recomputes the
// checksum.
func StampLogAppendTime(b []byte, ms int64) {
	b[posAttributes+1] |= attrLogAppendTime
	SetMaxTimestamp(b, ms)
}

// SetMaxTimestamp sets the greatest timestamp of the batch and recomputes the
// checksum. It is for producers that fill the field wrongly: see Inspect.
func SetMaxTimestamp(b []byte, ms int64) {
	binary.BigEndian.PutUint64(b[posMaxTimestamp:], uint64(ms))
	seal(b)
}

// seal computes the checksum of b, which ends where the batch ends.
func seal(b []byte) {
	binary.BigEndian.PutUint32(b[posCRC:], crc32.Checksum(b[posAttributes:], castagnoli))
}
