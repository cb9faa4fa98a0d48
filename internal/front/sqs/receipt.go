package sqs

import (
	"encoding/base64"
	"encoding/binary"

	"github.com/cespare/xxhash/v2"

	"github.com/narumq/naru/internal/record"
)

// receipt names one delivery of one message.
//
// A receipt handle is its URL-safe base64, 52 characters for 39 bytes,
// integers big-endian:
//
//	0         1          9        13       21        25           31      39
//	+---------+----------+--------+--------+---------+------------+-------+
//	| version | queue id | source | offset | attempt | received at| check |
//	| = 1     |          |        |        |         | ms, 48 bits|       |
//	+---------+----------+--------+--------+---------+------------+-------+
//
// The check is XXH64 of all before it, seeded by the broker's cluster id: a
// handle of another broker, a mangled one, or another string altogether is
// not taken for a delivery. It is no secret. Who may call DeleteMessage on a queue may
// delete any message of it, with a handle that was given or one that was made up.
type receipt struct {
	queue      uint64 // the catalog's id, which no later queue of the same name has
	source     int32
	offset     record.Offset
	attempt    int32
	receivedAt int64 // ms since 1970; the 12 hours of a visibility timeout count from it
}

const (
	receiptVersion = 1
	receiptChecked = 31
	receiptBytes   = receiptChecked + 8
	receiptText    = (receiptBytes*8 + 5) / 6
)

// receipts makes and reads the handles of one broker.
type receipts struct{ seed uint64 }

func newReceipts(clusterID string) receipts { return receipts{xxhash.Sum64String(clusterID)} }

func (rs receipts) check(b []byte) uint64 {
	var d xxhash.Digest
	d.ResetWithSeed(rs.seed)
	d.Write(b)
	return d.Sum64()
}

// appendHandle appends the handle of r to b.
func (rs receipts) appendHandle(b []byte, r receipt) []byte {
	var raw [receiptBytes]byte
	be := binary.BigEndian
	be.PutUint64(raw[23:], uint64(r.receivedAt)) // its upper 16 bits are written over
	raw[0] = receiptVersion
	be.PutUint64(raw[1:], r.queue)
	be.PutUint32(raw[9:], uint32(r.source))
	be.PutUint64(raw[13:], uint64(r.offset))
	be.PutUint32(raw[21:], uint32(r.attempt))
	be.PutUint64(raw[receiptChecked:], rs.check(raw[:receiptChecked]))
	return base64.RawURLEncoding.AppendEncode(b, raw[:])
}

// parse reads a handle, and reports whether it is one of this broker.
func (rs receipts) parse(handle []byte) (r receipt, ok bool) {
	var raw [receiptBytes]byte
	if len(handle) != receiptText {
		return receipt{}, false
	}
	if n, err := base64.RawURLEncoding.Strict().Decode(raw[:], handle); n != receiptBytes || err != nil {
		return receipt{}, false
	}
	be := binary.BigEndian
	if raw[0] != receiptVersion || be.Uint64(raw[receiptChecked:]) != rs.check(raw[:receiptChecked]) {
		return receipt{}, false
	}
	return receipt{
		queue:      be.Uint64(raw[1:]),
		source:     int32(be.Uint32(raw[9:])),
		offset:     record.Offset(be.Uint64(raw[13:])),
		attempt:    int32(be.Uint32(raw[21:])),
		receivedAt: int64(be.Uint64(raw[23:]) & (1<<48 - 1)),
	}, true
}
