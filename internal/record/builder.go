package record

import (
	"encoding/binary"
	"fmt"
	"math"
)

// Builder gathers records into a batch. The zero Builder is not usable.
type Builder struct {
	codec Codec
	buf   []byte // header, then the records uncompressed
	count int32
	base  int64 // timestamp of the first record
	max   int64
	err   error // the first one; Build returns it
}

// NewBuilder returns an empty builder whose batch will be compressed by c.
func NewBuilder(c Codec) *Builder {
	b := &Builder{codec: c}
	b.Reset()
	return b
}

// Reset drops what was appended, and any error, and keeps the memory.
func (b *Builder) Reset() {
	if cap(b.buf) < HeaderBytes {
		b.buf = make([]byte, HeaderBytes, 1024)
	}
	b.buf = b.buf[:HeaderBytes]
	clear(b.buf)
	b.count, b.base, b.max, b.err = 0, 0, NoTimestamp, nil
}

// Len returns how many records were appended.
func (b *Builder) Len() int { return int(b.count) }

// Bytes returns the size of the batch so far, uncompressed.
func (b *Builder) Bytes() int { return len(b.buf) }

// Use gives an empty builder memory to build in, which nobody else uses.
func (b *Builder) Use(buf []byte) {
	if b.count == 0 && cap(buf) > cap(b.buf) {
		b.buf = buf
		b.Reset()
	}
}

// Check tells what Append would find wrong with a record.
func (b *Builder) Check(ts int64, key, value []byte, headers []HeaderField) error {
	_, err := b.recordBytes(ts, key, value, headers)
	return err
}

// Append adds a record with a timestamp in milliseconds since 1970 or
// NoTimestamp. A nil key or value is null. The bytes are copied. What is wrong
// with a record, Build tells.
func (b *Builder) Append(ts int64, key, value []byte, headers []HeaderField) {
	if b.err != nil {
		return
	}
	size, err := b.recordBytes(ts, key, value, headers)
	if err != nil {
		b.err = err
		return
	}
	if b.count == 0 {
		b.base = ts
	}
	body := appendVarint(b.buf, size)
	body = append(body, 0) // attributes: none are defined
	body = appendVarint(body, ts-b.base)
	body = appendVarint(body, int64(b.count))
	body = appendBytes(body, key, key == nil)
	body = appendBytes(body, value, value == nil)
	body = appendVarint(body, int64(len(headers)))
	for i := range headers {
		body = appendVarint(body, int64(len(headers[i].Key)))
		body = append(body, headers[i].Key...)
		body = appendBytes(body, headers[i].Value, headers[i].Value == nil)
	}
	b.buf = body
	b.count++
	b.max = max(b.max, ts)
}

// recordBytes returns the size of the record without its own length.
func (b *Builder) recordBytes(ts int64, key, value []byte, headers []HeaderField) (int64, error) {
	base := b.base
	if b.count == 0 {
		base = ts
	}
	if ts < NoTimestamp {
		return 0, fmt.Errorf("%w: %d", ErrInvalidTimestamp, ts)
	}
	if int(b.count) >= DefaultRecordsMax {
		return 0, fmt.Errorf("%w: more than %d records", ErrTooLarge, DefaultRecordsMax)
	}
	if len(headers) > DefaultHeadersMax {
		return 0, fmt.Errorf("%w: %d headers, at most %d are allowed", ErrTooLarge, len(headers), DefaultHeadersMax)
	}
	n := 1 + varintBytes(ts-base) + varintBytes(int64(b.count)) +
		bytesBytes(key) + bytesBytes(value) + varintBytes(int64(len(headers)))
	for i := range headers {
		n += varintBytes(int64(len(headers[i].Key))) + len(headers[i].Key) + bytesBytes(headers[i].Value)
	}
	if total := len(b.buf) + n + varintBytes(int64(n)); total > DefaultDecompressedBytesMax {
		return 0, fmt.Errorf("%w: %d bytes uncompressed, at most %d are allowed",
			ErrTooLarge, total, DefaultDecompressedBytesMax)
	}
	return int64(n), nil
}

// Build returns the batch and leaves the builder empty. Its base offset is 0,
// it has no leader epoch and no producer (-1).
//
// Errors: ErrInvalidRecord if there are no records; what Append met.
func (b *Builder) Build() ([]byte, error) {
	defer b.Reset()
	if b.err != nil {
		return nil, b.err
	}
	if b.count == 0 {
		return nil, fmt.Errorf("%w: a batch needs a record", ErrInvalidRecord)
	}
	b.putHeader()
	out := b.buf
	if b.codec == None {
		b.buf = nil // the caller's now
	} else {
		var err error
		head := append(make([]byte, 0, HeaderBytes+len(b.buf)/2), b.buf[:HeaderBytes]...)
		if out, err = compress(b.codec, head, b.buf[HeaderBytes:]); err != nil {
			return nil, err
		}
	}
	putLength(out)
	seal(out)
	return out, nil
}

func (b *Builder) putHeader() {
	be, h := binary.BigEndian, b.buf
	be.PutUint32(h[posLeaderEpoch:], math.MaxUint32)
	h[posMagic] = Magic
	be.PutUint16(h[posAttributes:], uint16(b.codec))
	be.PutUint32(h[posLastOffsetDelta:], uint32(b.count-1))
	be.PutUint64(h[posBaseTimestamp:], uint64(b.base))
	be.PutUint64(h[posMaxTimestamp:], uint64(b.max))
	be.PutUint64(h[posProducerID:], math.MaxUint64)
	be.PutUint16(h[posProducerEpoch:], math.MaxUint16)
	be.PutUint32(h[posBaseSequence:], math.MaxUint32)
	be.PutUint32(h[posCount:], uint32(b.count))
}

// putLength sets the length field of b, which ends where the batch ends.
func putLength(b []byte) {
	binary.BigEndian.PutUint32(b[posLength:], uint32(len(b)-prefixBytes))
}

func appendBytes(b, v []byte, null bool) []byte {
	if null {
		return appendVarint(b, -1)
	}
	return append(appendVarint(b, int64(len(v))), v...)
}

func bytesBytes(v []byte) int {
	if v == nil {
		return 1
	}
	return varintBytes(int64(len(v))) + len(v)
}
