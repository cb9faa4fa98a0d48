package sqs

import (
	"crypto/md5"
	"encoding/binary"
	"encoding/hex"
	"slices"
	"strings"
)

// hexMD5 is the digest of a body as SQS gives it: lower-case hexadecimal.
func hexMD5(body []byte) string {
	sum := md5.Sum(body)
	var text [2 * md5.Size]byte
	hex.Encode(text[:], sum[:])
	return string(text[:])
}

// Transport types in the digest of attributes.
const (
	digestText  = 1
	digestBytes = 2
)

// attributesMD5 is the digest of a message's attributes, or "" if there are
// none. Clients compute it themselves and compare (SQS Developer Guide,
// "Calculating the MD5 message digest for message attributes"):
//
//	in order of their names, for each attribute
//	    length of the name (4 bytes, big-endian) | name
//	    length of the data type                  | data type, label included
//	    1 text, 2 bytes (1 byte)
//	    length of the value                      | value
//
// The slice is left as it is.
func attributesMD5(attributes []attribute) string {
	if len(attributes) == 0 {
		return ""
	}
	byName := func(a, b attribute) int { return strings.Compare(a.name, b.name) }
	if !slices.IsSortedFunc(attributes, byName) {
		attributes = slices.Clone(attributes)
		slices.SortFunc(attributes, byName)
	}
	size := 0
	for i := range attributes {
		size += attributes[i].bytes() + 13
	}
	in := make([]byte, 0, size)
	for i := range attributes {
		a := &attributes[i]
		in = appendCounted(in, a.name)
		in = appendCounted(in, a.dataType)
		if a.binary() {
			in = append(in, digestBytes)
		} else {
			in = append(in, digestText)
		}
		in = appendCounted(in, a.value)
	}
	return hexMD5(in)
}

func appendCounted[T text](b []byte, s T) []byte {
	return append(binary.BigEndian.AppendUint32(b, uint32(len(s))), s...)
}
