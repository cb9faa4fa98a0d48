package record

import "fmt"

// Record is one entry of a log. Nil is null; an empty slice is empty.
type Record struct {
	Offset     Offset
	Timestamp  int64 // milliseconds since 1970, NoTimestamp if none
	Key, Value []byte
	Headers    []HeaderField
}

// HeaderField is one header of a record. Keys may repeat.
type HeaderField struct {
	Key   string
	Value []byte // nil is null
}

// Reader iterates over the records of one batch.
type Reader struct {
	h     Header
	body  []byte // uncompressed records
	next  int    // index in body
	seen  int32  // records returned
	delta int32  // last offset delta returned
	lim   Limits
	err   error
}

// NewReader returns a reader of b, which is exactly one batch. It decompresses
// but does not verify the checksum: run Check first on bytes from elsewhere.
// The records it returns share memory with b where b is not compressed.
//
// Errors: those of ParseHeader; ErrCorrupt for a wrong length; ErrTooLarge if
// the records exceed their limits; ErrInvalidRecord if they do not decompress.
func NewReader(b []byte, lim Limits) (*Reader, error) {
	lim = lim.withDefaults()
	h, err := ParseHeader(b)
	if err != nil {
		return nil, err
	}
	if h.Bytes() != len(b) {
		return nil, fmt.Errorf("%w: length field says %d bytes, there are %d", ErrCorrupt, h.Bytes(), len(b))
	}
	if h.Count < 0 || h.LastOffsetDelta < 0 {
		return nil, fmt.Errorf("%w: %d records with a last offset delta of %d",
			ErrInvalidRecord, h.Count, h.LastOffsetDelta)
	}
	if int(h.Count) > lim.RecordsMax {
		return nil, fmt.Errorf("%w: %d records, at most %d are allowed", ErrTooLarge, h.Count, lim.RecordsMax)
	}
	body := b[HeaderBytes:]
	if h.Codec() != None {
		if body, err = decompress(h.Codec(), body, lim.DecompressedBytesMax); err != nil {
			return nil, err
		}
	}
	return &Reader{h: h, body: body, delta: -1, lim: lim}, nil
}

// Header returns the batch's header.
func (r *Reader) Header() Header { return r.h }

// Next returns the next record, or false at the end or at the first error.
func (r *Reader) Next() (Record, bool) {
	if r.err != nil {
		return Record{}, false
	}
	if r.seen == r.h.Count {
		if r.next != len(r.body) {
			r.err = fmt.Errorf("%w: %d bytes after the last of %d records",
				ErrInvalidRecord, len(r.body)-r.next, r.h.Count)
		}
		return Record{}, false
	}
	rec, err := r.read()
	if err != nil {
		r.err = fmt.Errorf("record %d of %d: %w", r.seen, r.h.Count, err)
		return Record{}, false
	}
	r.seen++
	return rec, true
}

// Err returns what ended the iteration early, or nil.
func (r *Reader) Err() error { return r.err }

func (r *Reader) read() (Record, error) {
	size, start := varint32(r.body, r.next)
	if start < 0 || size < 0 || int(size) > len(r.body)-start {
		return Record{}, fmt.Errorf("%w: length does not fit in the batch", ErrInvalidRecord)
	}
	b := r.body[start : start+int(size)]
	stamp, i := varint64(b, 1)
	if i < 0 {
		return Record{}, errShort
	}
	delta, i := varint32(b, i)
	if i < 0 {
		return Record{}, errShort
	}
	// A compacted batch has gaps, so only the order can be asked for.
	if delta <= r.delta || delta > r.h.LastOffsetDelta {
		return Record{}, fmt.Errorf("%w: offset delta %d after %d, the last is %d",
			ErrInvalidRecord, delta, r.delta, r.h.LastOffsetDelta)
	}
	rec := Record{Offset: r.h.BaseOffset + Offset(delta), Timestamp: r.h.BaseTimestamp + stamp}
	if r.h.LogAppendTime() {
		rec.Timestamp = r.h.MaxTimestamp
	}
	if rec.Key, i = takeBytes(b, i); i < 0 {
		return Record{}, fmt.Errorf("%w: key does not fit", ErrInvalidRecord)
	}
	if rec.Value, i = takeBytes(b, i); i < 0 {
		return Record{}, fmt.Errorf("%w: value does not fit", ErrInvalidRecord)
	}
	var err error
	if rec.Headers, i, err = r.readHeaders(b, i); err != nil {
		return Record{}, err
	}
	if i != len(b) {
		return Record{}, fmt.Errorf("%w: %d bytes too many", ErrInvalidRecord, len(b)-i)
	}
	r.next, r.delta = start+int(size), delta
	return rec, nil
}

func (r *Reader) readHeaders(b []byte, i int) ([]HeaderField, int, error) {
	n, i := varint32(b, i)
	if i < 0 || n < 0 || int(n) > (len(b)-i)/2 {
		return nil, -1, fmt.Errorf("%w: header count does not fit", ErrInvalidRecord)
	}
	if int(n) > r.lim.HeadersMax {
		return nil, -1, fmt.Errorf("%w: %d headers, at most %d are allowed", ErrTooLarge, n, r.lim.HeadersMax)
	}
	if n == 0 {
		return nil, i, nil
	}
	fields := make([]HeaderField, n)
	for k := range fields {
		var key []byte
		if key, i = takeBytes(b, i); i < 0 || key == nil {
			return nil, -1, fmt.Errorf("%w: key of header %d does not fit", ErrInvalidRecord, k)
		}
		fields[k].Key = string(key)
		if fields[k].Value, i = takeBytes(b, i); i < 0 {
			return nil, -1, fmt.Errorf("%w: value of header %d does not fit", ErrInvalidRecord, k)
		}
	}
	return fields, i, nil
}

// takeBytes returns the length-prefixed bytes at b[i:], nil for null, and the
// index behind them, or -1.
func takeBytes(b []byte, i int) ([]byte, int) {
	n, i := varint32(b, i)
	if i < 0 || n < -1 || int(n) > len(b)-i {
		return nil, -1
	}
	if n < 0 {
		return nil, i
	}
	end := i + int(n)
	return b[i:end:end], end
}
