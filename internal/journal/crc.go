package journal

import "hash/crc32"

// combineBytesMin is from which length on it is cheaper to combine two
// checksums than to read the bytes again.
const combineBytesMin = 8 << 10

// payloadCRC is the checksum of e's payload. What the caller has already summed
// is not read again: on large batches that is a third of all checksumming.
func (e *Entry) payloadCRC() uint32 {
	if e.Summed < combineBytesMin {
		return checksum(e.Payload)
	}
	head := checksum(e.Payload[:len(e.Payload)-e.Summed])
	return combineCRC(head, e.SummedCRC, e.Summed)
}

// combineCRC returns the CRC-32C of two byte strings, one behind the other, of
// which the second is n bytes long. A CRC is a polynomial over GF(2) modulo P;
// n more bytes multiply it by x^8n, and the second string's is added. Initial and
// final inversion cancel out (Mark Adler, crc32_combine).
func combineCRC(first, second uint32, n int) uint32 {
	return mulModP(xPow8(n), first) ^ second
}

// xPow8 is x^8n mod P.
func xPow8(n int) uint32 {
	p := uint32(1 << 31) // x^0: bits are reversed
	for i := 0; n > 0; i, n = i+1, n>>1 {
		if n&1 != 0 {
			p = mulModP(xPow8Pow2[i], p)
		}
	}
	return p
}

// xPow8Pow2[i] is x^(8*2^i) mod P.
var xPow8Pow2 = func() (t [63]uint32) {
	p := uint32(1 << (31 - 8))
	for i := range t {
		t[i] = p
		p = mulModP(p, p)
	}
	return t
}()

// mulModP multiplies two polynomials modulo P, bits reversed.
func mulModP(a, b uint32) uint32 {
	var p uint32
	for m := uint32(1 << 31); a != 0; m >>= 1 {
		if a&m != 0 {
			p ^= b
			a &^= m
		}
		carry := b & 1
		b >>= 1
		if carry != 0 {
			b ^= crc32.Castagnoli
		}
	}
	return p
}
