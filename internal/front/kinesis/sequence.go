package kinesis

import (
	"fmt"
	"math/big"
	"strconv"

	"github.com/narumq/naru/internal/catalog"
	"github.com/narumq/naru/internal/record"
)

// sequence is a place in a shard. Written, it is a decimal number of 56 digits, made
// of 186 bits as Kinesis makes its own, in hexadecimal digits:
//
//	0   1           10      11                 27   29          38         46
//	+---+-----------+-------+------------------+----+-----------+----------+---+
//	| 2 | shard     | shard | index            | 00 | shard     | shard    | 2 |
//	|   | born, s   | & 15  |                  |    | born, s   |          |   |
//	+---+-----------+-------+------------------+----+-----------+----------+---+
//
// Kinesis has the time of the record in the place of the second birth. It is not
// there because a number is made of the offset alone, and so is always the same.
// Numbers of a shard grow with its offsets, and those of a child are greater than
// its parents': it was born later.
//
// The record at offset n has index 2n+2. Index 2n+1 is the place before it, and
// after the one at n-1: where a reader goes on, whether it says AT or AFTER.
type sequence struct {
	born  int64 // of the shard, seconds since 1970
	shard int32
	index uint64
}

func bornOf(p *catalog.PartitionMeta) int64 { return max(p.OpenedAt, 0) / 1000 & bornMax }

const (
	bornMax  = 1<<36 - 1
	indexMax = 1<<63 - 1
)

func recordSequence(p *catalog.PartitionMeta, shard int32, o record.Offset) sequence {
	return sequence{bornOf(p), shard, uint64(2*o + 2)}
}

// placeSequence is the place before the record at o.
func placeSequence(p *catalog.PartitionMeta, shard int32, o record.Offset) sequence {
	return sequence{bornOf(p), shard, uint64(2*o + 1)}
}

// firstSequence is below all others of the shard.
func firstSequence(p *catalog.PartitionMeta, shard int32) sequence {
	return sequence{bornOf(p), shard, 0}
}

// at is the first record that is not before the place.
func (q sequence) at() record.Offset {
	if q.index == 0 || q.index%2 == 1 {
		return q.after()
	}
	return q.after() - 1
}

// after is the first record behind the place.
func (q sequence) after() record.Offset { return record.Offset(q.index / 2) }

// String returns the decimal number.
func (q sequence) String() string {
	hex := fmt.Sprintf("2%09x%x%016x00%09x%08x2", q.born, q.shard&15, q.index, q.born, uint32(q.shard))
	n, _ := new(big.Int).SetString(hex, 16)
	return n.String()
}

// parseSequence reads a number that String wrote.
func parseSequence(s string) (sequence, bool) {
	if len(s) != 56 || s[0] < '1' || s[0] > '9' {
		return sequence{}, false
	}
	n, ok := new(big.Int).SetString(s, 10)
	if !ok {
		return sequence{}, false
	}
	hex := n.Text(16)
	if len(hex) != 47 {
		return sequence{}, false
	}
	var q sequence
	born, err1 := strconv.ParseInt(hex[1:10], 16, 64)
	index, err2 := strconv.ParseUint(hex[11:27], 16, 64)
	shard, err3 := strconv.ParseUint(hex[38:46], 16, 31)
	q = sequence{born, int32(shard), index}
	return q, err1 == nil && err2 == nil && err3 == nil && index <= indexMax && q.String() == s
}
