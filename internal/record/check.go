package record

import (
	"fmt"
	"hash/crc32"
)

// Times are the least and the greatest timestamp among a batch's records.
// Records without a timestamp count as NoTimestamp.
type Times struct{ Min, Max int64 }

// Check verifies that b is exactly one whole, well-formed batch, as a producer
// may send it or a log may hold it: magic 2, length equal to len(b), CRC-32C,
// at least one record, dense offset deltas, a known codec, possible timestamps,
// and a producer id that comes with its epoch and sequence. Records that are
// not compressed are walked: their lengths must fill the batch exactly.
// Compressed records are not looked at (see the package comment).
//
// Whether the batch is transactional, a control batch or already stamped with
// log append time is for the caller to judge by the header.
//
// Errors: ErrCorrupt, ErrTooLarge, ErrUnsupportedMagic, ErrInvalidRecord,
// ErrInvalidTimestamp. Allocates nothing unless it fails.
func Check(b []byte, lim Limits) (Header, error) {
	h, _, err := Inspect(b, lim)
	return h, err
}

// Inspect is Check, and tells the true range of the records' timestamps. Some
// producers put another value in the header's MaxTimestamp than the greatest
// one; a log that finds records by time sets it right with SetMaxTimestamp, as
// Kafka's broker does. For a compressed batch, and for one that is stamped with
// log append time, the range is what the header says.
func Inspect(b []byte, lim Limits) (Header, Times, error) {
	lim = lim.withDefaults()
	h, err := checkHeader(b, lim)
	if err != nil {
		return Header{}, Times{}, err
	}
	if h.Codec() != None {
		return h, Times{min(h.BaseTimestamp, h.MaxTimestamp), h.MaxTimestamp}, nil
	}
	t, err := walk(b[HeaderBytes:], &h, lim.HeadersMax)
	if err != nil {
		return Header{}, Times{}, err
	}
	if h.LogAppendTime() {
		t = Times{h.MaxTimestamp, h.MaxTimestamp}
	}
	return h, t, nil
}

// checkHeader verifies everything but the records.
func checkHeader(b []byte, lim Limits) (Header, error) {
	h, err := ParseHeader(b)
	if err != nil {
		return h, err
	}
	if h.Bytes() != len(b) {
		return h, fmt.Errorf("%w: length field says %d bytes, there are %d", ErrCorrupt, h.Bytes(), len(b))
	}
	if len(b) > lim.BatchBytesMax {
		return h, fmt.Errorf("%w: %d bytes, at most %d are allowed", ErrTooLarge, len(b), lim.BatchBytesMax)
	}
	if sum := crc32.Checksum(b[posAttributes:], castagnoli); sum != h.CRC {
		return h, fmt.Errorf("%w: checksum %08x, computed %08x", ErrCorrupt, h.CRC, sum)
	}
	switch {
	case !h.Codec().Known():
		err = fmt.Errorf("%w: unknown compression codec %d", ErrInvalidRecord, int(h.Codec()))
	case h.Count < 1 || int64(h.LastOffsetDelta) != int64(h.Count)-1:
		err = fmt.Errorf("%w: %d records with a last offset delta of %d",
			ErrInvalidRecord, h.Count, h.LastOffsetDelta)
	case int(h.Count) > lim.RecordsMax:
		err = fmt.Errorf("%w: %d records, at most %d are allowed", ErrTooLarge, h.Count, lim.RecordsMax)
	case h.MaxTimestamp < NoTimestamp || h.BaseTimestamp < NoTimestamp:
		err = fmt.Errorf("%w: base %d, max %d; neither may be less than %d",
			ErrInvalidTimestamp, h.BaseTimestamp, h.MaxTimestamp, NoTimestamp)
	default:
		err = checkProducer(&h)
	}
	return h, err
}

// checkProducer is lenient to a batch without a producer id: some clients leave
// epoch and sequence 0 there instead of -1. A transaction marker carries its
// producer but no sequence.
func checkProducer(h *Header) error {
	switch {
	case h.ProducerID < -1:
		return fmt.Errorf("%w: producer id %d", ErrInvalidRecord, h.ProducerID)
	case h.ProducerID >= 0 && (h.ProducerEpoch < 0 || h.BaseSequence < 0 && !h.Control()):
		return fmt.Errorf("%w: producer id %d with epoch %d and sequence %d",
			ErrInvalidRecord, h.ProducerID, h.ProducerEpoch, h.BaseSequence)
	case h.ProducerID < 0 && h.Transactional():
		return fmt.Errorf("%w: transactional without a producer id", ErrInvalidRecord)
	}
	return nil
}

// walk verifies that body is h.Count records and nothing else.
func walk(body []byte, h *Header, headersMax int) (Times, error) {
	t := Times{Min: 1<<63 - 1, Max: -1 << 63}
	i := 0
	for k := int32(0); k < h.Count; k++ {
		size, start := varint32(body, i)
		if start < 0 || size < 0 || int(size) > len(body)-start {
			return t, fmt.Errorf("%w: record %d of %d: length does not fit in the batch", ErrInvalidRecord, k, h.Count)
		}
		end := start + int(size)
		delta, err := walkRecord(body[start:end], k, headersMax)
		if err != nil {
			return t, fmt.Errorf("record %d of %d: %w", k, h.Count, err)
		}
		stamp := h.BaseTimestamp + delta
		t.Min, t.Max = min(t.Min, stamp), max(t.Max, stamp)
		i = end
	}
	if i != len(body) {
		return t, fmt.Errorf("%w: %d bytes after the last of %d records", ErrInvalidRecord, len(body)-i, h.Count)
	}
	if t.Min < NoTimestamp {
		return t, fmt.Errorf("%w: a record's timestamp is %d", ErrInvalidTimestamp, t.Min)
	}
	return t, nil
}

// walkRecord verifies one record without its length, and returns its timestamp
// delta.
func walkRecord(b []byte, offsetDelta int32, headersMax int) (delta int64, err error) {
	delta, i := varint64(b, 1)
	if i < 0 {
		return 0, errShort
	}
	od, i := varint32(b, i)
	if i < 0 {
		return 0, errShort
	}
	if od != offsetDelta {
		return 0, fmt.Errorf("%w: offset delta %d", ErrInvalidRecord, od)
	}
	if i = skipBytes(b, i, -1); i < 0 {
		return 0, fmt.Errorf("%w: key does not fit", ErrInvalidRecord)
	}
	if i = skipBytes(b, i, -1); i < 0 {
		return 0, fmt.Errorf("%w: value does not fit", ErrInvalidRecord)
	}
	n, i := varint32(b, i)
	// A header is at least two bytes long.
	if i < 0 || n < 0 || int(n) > (len(b)-i)/2 {
		return 0, fmt.Errorf("%w: header count does not fit", ErrInvalidRecord)
	}
	if int(n) > headersMax {
		return 0, fmt.Errorf("%w: %d headers, at most %d are allowed", ErrTooLarge, n, headersMax)
	}
	for range n {
		if i = skipBytes(b, i, 0); i >= 0 {
			i = skipBytes(b, i, -1)
		}
		if i < 0 {
			return 0, fmt.Errorf("%w: header does not fit", ErrInvalidRecord)
		}
	}
	if i != len(b) {
		return 0, fmt.Errorf("%w: %d bytes too many", ErrInvalidRecord, len(b)-i)
	}
	return delta, nil
}

var errShort = fmt.Errorf("%w: cut off", ErrInvalidRecord)

// skipBytes returns the index behind the length-prefixed bytes at b[i:], or -1.
// A length below lenMin (-1 where null is allowed) is refused.
func skipBytes(b []byte, i int, lenMin int32) int {
	n, i := varint32(b, i)
	if i < 0 || n < lenMin || int(n) > len(b)-i {
		return -1
	}
	return i + int(max(n, 0))
}
