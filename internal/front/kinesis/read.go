package kinesis

import (
	"crypto/md5"
	"encoding/hex"
	"errors"
	"time"
	"unicode/utf8"

	"github.com/narumq/naru/internal/broker"
	"github.com/narumq/naru/internal/catalog"
	"github.com/narumq/naru/internal/commitlog"
	"github.com/narumq/naru/internal/front/aws"
	"github.com/narumq/naru/internal/record"
)

// Names in the place of partition keys that Kinesis does not have.
const (
	keyNone  = "naru.null"
	keyEmpty = "naru.empty"
	keyMade  = "naru." // and 32 hexadecimal digits made of the key
	keyMax   = 256     // characters
)

// recordOut is a record as clients see it.
type recordOut struct {
	SequenceNumber              string
	ApproximateArrivalTimestamp aws.Time
	Data                        []byte
	PartitionKey                string
	EncryptionType              string `json:",omitempty"`
}

// partitionKey is a record's key as Kinesis has it: text of 1 to 256 characters.
func partitionKey(key []byte) string {
	switch {
	case key == nil:
		return keyNone
	case len(key) == 0:
		return keyEmpty
	case !utf8.Valid(key) || utf8.RuneCount(key) > keyMax:
		sum := md5.Sum(key)
		return keyMade + hex.EncodeToString(sum[:])
	}
	return string(key)
}

// reading reads a shard from a place on.
type reading struct {
	part    *broker.Partition
	topic   *catalog.Topic
	shard   int32
	next    record.Offset
	limits  record.Limits
	encrypt string

	records []recordOut
	bytes   int   // of data and partition keys
	last    int64 // the timestamp of the last record, ms
}

func (s *Server) newReading(t *catalog.Topic, shard int32, from record.Offset) (*reading, error) {
	p, err := s.b.PartitionByID(t.ID, shard)
	if err != nil {
		return nil, noShard(shard, t.Name)
	}
	tr, err := traitsOf(t)
	if err != nil {
		return nil, err
	}
	return &reading{part: p, topic: t, shard: shard, next: from, limits: s.b.Limits(), encrypt: tr.encryption()}, nil
}

func noShard(shard int32, stream string) error {
	return notFound("Shard %s in stream %s under account %s does not exist", shardID(shard), stream, Account)
}

// readBytes is how much of the log is read at once.
const readBytes = 1 << 20

// fill reads up to so many records and bytes; the first record comes whatever its
// size.
func (r *reading) fill(recordsMax, bytesMax int) error {
	r.records, r.bytes, r.last = []recordOut{}, 0, 0
	r.next = max(r.next, r.part.LogStart()) // what is gone is passed over
	for len(r.records) < recordsMax && r.bytes < bytesMax {
		slice, err := r.part.Read(r.next, min(readBytes, bytesMax), true)
		switch {
		case errors.Is(err, commitlog.ErrOffsetOutOfRange) && r.next < r.part.LogStart():
			r.next = r.part.LogStart()
			continue
		case errors.Is(err, commitlog.ErrOffsetOutOfRange):
			return nil // made up, or of a log that lost its end: wait for it
		case err != nil:
			return err
		}
		more, err := r.take(slice.Payloads, recordsMax, bytesMax)
		if err == nil && more {
			more = len(slice.Payloads) > 0 // else it is the end
			r.next = max(r.next, slice.Next)
		}
		slice.Release()
		if err != nil || !more {
			return err
		}
	}
	return nil
}

// take takes the records of batches, and tells whether there is room for more.
func (r *reading) take(batches [][]byte, recordsMax, bytesMax int) (more bool, err error) {
	meta := &r.topic.Partitions[r.shard]
	for _, b := range batches {
		in, err := record.NewReader(b, r.limits)
		if err != nil {
			return false, err
		}
		for rec, ok := in.Next(); ok; rec, ok = in.Next() {
			if rec.Offset < r.next {
				continue
			}
			key := partitionKey(rec.Key)
			size := len(rec.Value) + len(key)
			if len(r.records) == recordsMax || len(r.records) > 0 && r.bytes+size > bytesMax {
				return false, nil
			}
			r.records = append(r.records, recordOut{
				SequenceNumber:              recordSequence(meta, r.shard, rec.Offset).String(),
				ApproximateArrivalTimestamp: aws.Time{Time: time.UnixMilli(rec.Timestamp)},
				Data:                        append([]byte{}, rec.Value...),
				PartitionKey:                key,
				EncryptionType:              r.encrypt,
			})
			r.bytes += size
			r.next, r.last = rec.Offset+1, rec.Timestamp
		}
		if err := in.Err(); err != nil {
			return false, err
		}
	}
	return true, nil
}

// ended tells whether the shard has no more records and never will.
func (r *reading) ended() bool { return r.part.Drained(r.next) }

// behind is how many milliseconds the last record that was read is older than now;
// 0 if nothing comes after it.
func (r *reading) behind(now time.Time) int64 {
	if r.next >= r.part.HighWatermark() || len(r.records) == 0 {
		return 0
	}
	return max(now.UnixMilli()-r.last, 0)
}
