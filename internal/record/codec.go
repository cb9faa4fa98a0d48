package record

import (
	"fmt"
	"strconv"
	"strings"
)

// Codec is how the records of a batch are compressed.
type Codec int8

// The codecs, as in bits 0-2 of a batch's attributes. On disk: never renumber.
const (
	None Codec = iota
	Gzip
	Snappy
	LZ4
	Zstd
	codecCount
)

var codecNames = [codecCount]string{"none", "gzip", "snappy", "lz4", "zstd"}

// String returns the codec's name as Kafka writes it.
func (c Codec) String() string {
	if c.Known() {
		return codecNames[c]
	}
	return "codec(" + strconv.Itoa(int(c)) + ")"
}

// Known reports whether c is a codec that exists.
func (c Codec) Known() bool { return c >= 0 && c < codecCount }

// ParseCodec returns the codec of that name.
func ParseCodec(name string) (Codec, error) {
	for c, n := range codecNames {
		if n == name {
			return Codec(c), nil
		}
	}
	return None, fmt.Errorf("%w: compression %q, known are %s",
		ErrInvalidRecord, name, strings.Join(codecNames[:], ", "))
}
