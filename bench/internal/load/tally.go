package load

import (
	"fmt"
	"hash/crc32"
	"math/bits"

	"github.com/twmb/franz-go/pkg/kgo"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Tally counts records and sums their checksums: two tallies are equal when
// they saw the same records, in any order.
type Tally struct {
	Records int64
	Bytes   int64 // keys and values
	Sum     uint64
}

// Add counts one record. CRC32C is used because hardware computes it, so that
// checking costs the load generator next to nothing.
func (t *Tally) Add(r *kgo.Record) {
	t.Records++
	t.Bytes += int64(len(r.Key) + len(r.Value))
	mixed := uint64(crc32.Checksum(r.Key, castagnoli))<<32 | uint64(crc32.Checksum(r.Value, castagnoli))
	// Multiply and rotate, so that swapped or doubled halves do not cancel out.
	t.Sum += bits.RotateLeft64(mixed*0x9e3779b97f4a7c15, 31)
}

// Merge adds the records that other counted.
func (t *Tally) Merge(other Tally) {
	t.Records += other.Records
	t.Bytes += other.Bytes
	t.Sum += other.Sum
}

// mustEqual explains how consumed differs from acked.
func mustEqual(acked, consumed Tally) error {
	if acked == consumed {
		return nil
	}
	if acked.Records != consumed.Records {
		return fmt.Errorf("%d records acknowledged but %d consumed", acked.Records, consumed.Records)
	}
	return fmt.Errorf("%d records consumed as acknowledged, but their content differs (checksum %016x, want %016x)",
		consumed.Records, consumed.Sum, acked.Sum)
}
