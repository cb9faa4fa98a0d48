package catalog

import (
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"math/big"
	"math/bits"
)

// HashKey is a number of 128 bits: a place among the partitions of a topic.
type HashKey struct{ Hi, Lo uint64 }

// HashKeyMax is the greatest hash key.
var HashKeyMax = HashKey{^uint64(0), ^uint64(0)}

// HashKeyOf reads the 16 bytes of a digest, the most significant first.
func HashKeyOf(digest [16]byte) HashKey {
	var k HashKey
	for i := range 8 {
		k.Hi = k.Hi<<8 | uint64(digest[i])
		k.Lo = k.Lo<<8 | uint64(digest[8+i])
	}
	return k
}

// HashKeyOfKey is the hash key of a record's key: its MD5 (RFC 1321), which spreads
// and is no secret.
func HashKeyOfKey(key []byte) HashKey { return HashKeyOf(md5.Sum(key)) }

// ParseHashKey reads a decimal number without a sign or leading zeros.
func ParseHashKey(s string) (HashKey, error) {
	if s == "" || len(s) > 39 || s[0] == '0' && s != "0" {
		return HashKey{}, fmt.Errorf("hash key %.40q is no decimal number below 2^128", s)
	}
	var k HashKey
	for i := range len(s) {
		d := s[i] - '0'
		over, lo := bits.Mul64(k.Lo, 10)
		more, hi := bits.Mul64(k.Hi, 10)
		lo, carry := bits.Add64(lo, uint64(d), 0)
		hi, carry = bits.Add64(hi, over, carry)
		if d > 9 || more != 0 || carry != 0 {
			return HashKey{}, fmt.Errorf("hash key %.40q is no decimal number below 2^128", s)
		}
		k = HashKey{hi, lo}
	}
	return k, nil
}

func (k HashKey) big() *big.Int {
	n := new(big.Int).SetUint64(k.Hi)
	return n.Or(n.Lsh(n, 64), new(big.Int).SetUint64(k.Lo))
}

// String returns the number in decimal.
func (k HashKey) String() string { return k.big().String() }

// Compare is negative, 0 or positive as k is below, at or above o.
func (k HashKey) Compare(o HashKey) int {
	switch {
	case k == o:
		return 0
	case k.Hi < o.Hi || k.Hi == o.Hi && k.Lo < o.Lo:
		return -1
	}
	return 1
}

// Next is the key after k; 0 after the last.
func (k HashKey) Next() HashKey {
	lo, carry := bits.Add64(k.Lo, 1, 0)
	return HashKey{k.Hi + carry, lo}
}

func (k HashKey) before() HashKey {
	lo, borrow := bits.Sub64(k.Lo, 1, 0)
	return HashKey{k.Hi - borrow, lo}
}

// hexadecimal is how a key is stored: 32 digits.
func (k HashKey) hexadecimal() string { return fmt.Sprintf("%016x%016x", k.Hi, k.Lo) }

func parseHexadecimal(s string) (HashKey, bool) {
	var b [16]byte
	if len(s) != 32 {
		return HashKey{}, false
	}
	_, err := hex.Decode(b[:], []byte(s))
	return HashKeyOf(b), err == nil
}

// KeyRange is the hash keys from First to Last, both included.
type KeyRange struct{ First, Last HashKey }

// Has tells whether the key is one of the range.
func (r KeyRange) Has(k HashKey) bool { return k.Compare(r.First) >= 0 && k.Compare(r.Last) <= 0 }

// equalShare is the range of part i of n: all are floor(2^128/n) wide, but for the
// last, which ends at the end.
func equalShare(i, n int) KeyRange {
	if n == 1 {
		return KeyRange{Last: HashKeyMax}
	}
	r := KeyRange{First: shareStart(i, n), Last: HashKeyMax}
	if i < n-1 {
		r.Last = shareStart(i+1, n).before()
	}
	return r
}

// shareStart is where part i of n begins. n is at least 2.
func shareStart(i, n int) HashKey {
	// floor(2^128/n) in two digits of 64 bits.
	hi, rest := bits.Div64(1, 0, uint64(n))
	lo, _ := bits.Div64(rest, 0, uint64(n))
	over, low := bits.Mul64(lo, uint64(i))
	return HashKey{hi*uint64(i) + over, low}
}
