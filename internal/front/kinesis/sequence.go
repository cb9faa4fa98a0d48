package kinesis

import (
	"math"
	"math/bits"

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

// words are the number in 64 bits each, the least significant first.
type words [3]uint64

func (q sequence) words() words {
	born, shard := uint64(q.born), uint64(uint32(q.shard))
	return words{
		2 | shard<<4 | born<<36,
		born>>28 | q.index<<16,
		q.index>>48 | shard&15<<16 | born<<20 | 2<<56,
	}
}

const (
	sequenceDigits = 56
	tenTo18        = 1_000_000_000_000_000_000
)

// String returns the decimal number.
func (q sequence) String() string {
	w := q.words()
	var b [sequenceDigits]byte
	for end := sequenceDigits; end > 0; end -= 18 {
		var rest uint64
		for i := len(w) - 1; i >= 0; i-- {
			w[i], rest = bits.Div64(rest, w[i], tenTo18)
		}
		for i := end - 1; i >= max(end-18, 0); i-- {
			b[i] = byte('0' + rest%10)
			rest /= 10
		}
	}
	return string(b[:])
}

// parseSequence reads a number that String wrote.
func parseSequence(s string) (sequence, bool) {
	if len(s) != sequenceDigits {
		return sequence{}, false
	}
	var w words
	for i := range len(s) {
		carry := uint64(s[i] - '0')
		if carry > 9 {
			return sequence{}, false
		}
		for j := range w {
			high, low := bits.Mul64(w[j], 10)
			var more uint64
			w[j], more = bits.Add64(low, carry, 0)
			carry = high + more
		}
	}
	q := sequence{
		born:  int64(w[2] >> 20 & bornMax),
		shard: int32(w[0] >> 4 & math.MaxInt32),
		index: w[1]>>16 | w[2]<<48,
	}
	return q, q.index <= indexMax && q.words() == w
}
