package record

import "math/bits"

// varint32 reads a zigzag varint of at most 5 bytes at b[i:]. next is -1 if
// there is none. Longer encodings of small numbers are refused as Kafka's own
// readers refuse them.
func varint32(b []byte, i int) (v int32, next int) {
	if uint(i) >= uint(len(b)) {
		return 0, -1
	}
	c := b[i]
	if c < 0x80 {
		return int32(c>>1) ^ -int32(c&1), i + 1
	}
	u := uint32(c & 0x7f)
	if uint(i+1) < uint(len(b)) && b[i+1] < 0x80 {
		// Two bytes are the usual size of lengths and offsets.
		u |= uint32(b[i+1]) << 7
		return int32(u>>1) ^ -int32(u&1), i + 2
	}
	for k := 1; k < 5; k++ {
		if i+k >= len(b) {
			return 0, -1
		}
		c := b[i+k]
		if k == 4 && c > 0x0f {
			return 0, -1
		}
		u |= uint32(c&0x7f) << (7 * k)
		if c < 0x80 {
			return int32(u>>1) ^ -int32(u&1), i + k + 1
		}
	}
	return 0, -1
}

// varint64 reads a zigzag varint of at most 10 bytes at b[i:]. next is -1 if
// there is none.
func varint64(b []byte, i int) (v int64, next int) {
	var u uint64
	for k := range 10 {
		if uint(i+k) >= uint(len(b)) {
			return 0, -1
		}
		c := b[i+k]
		if k == 9 && c > 1 {
			return 0, -1
		}
		u |= uint64(c&0x7f) << (7 * k)
		if c < 0x80 {
			return int64(u>>1) ^ -int64(u&1), i + k + 1
		}
	}
	return 0, -1
}

// appendVarint appends v as a zigzag varint. An int32 takes the same bytes as
// varint and as varlong.
func appendVarint(b []byte, v int64) []byte {
	u := uint64(v)<<1 ^ uint64(v>>63)
	for u >= 0x80 {
		b = append(b, byte(u)|0x80)
		u >>= 7
	}
	return append(b, byte(u))
}

// varintBytes is how many bytes appendVarint appends.
func varintBytes(v int64) int {
	u := uint64(v)<<1 ^ uint64(v>>63)
	return (bits.Len64(u|1) + 6) / 7
}
