package aws

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"unicode/utf8"
)

// Major types of CBOR (RFC 8949, 3.1).
const (
	cborUint = iota
	cborNegative
	cborBytes
	cborText
	cborArray
	cborMap
	cborTag
	cborSimple
)

const (
	cborIndefinite = 31   // as additional information: a break ends it
	cborBreak      = 0xff // (3.2.1)
	cborEpoch      = 1    // tag: a number of seconds since the epoch (3.4.2)
)

// cborSource reads CBOR. A tag is skipped: the member's type says what it means.
type cborSource struct {
	doc    []byte
	at     int
	millis bool
}

func (s *cborSource) time(number float64) (Time, error) {
	if s.millis {
		return timeOf(number)
	}
	return timeOf(number * 1000)
}

func (s *cborSource) end() error {
	if s.at < len(s.doc) {
		return errTrailing
	}
	return nil
}

// head reads a value's type and its argument: a number, or a length. Of an
// indefinite length the argument is -1.
func (s *cborSource) head() (major, info byte, argument uint64, err error) {
	if s.at >= len(s.doc) {
		return 0, 0, 0, errTruncated
	}
	first := s.doc[s.at]
	s.at++
	major, info = first>>5, first&31
	switch {
	case info < 24:
		return major, info, uint64(info), nil
	case info == cborIndefinite && major >= cborBytes && major <= cborMap:
		return major, info, 0, nil
	case info > 27:
		return 0, 0, 0, fmt.Errorf("byte %#x begins nothing in CBOR", first)
	}
	n := 1 << (info - 24)
	if len(s.doc)-s.at < n {
		return 0, 0, 0, errTruncated
	}
	var raw [8]byte
	copy(raw[8-n:], s.doc[s.at:s.at+n])
	s.at += n
	return major, info, binary.BigEndian.Uint64(raw[:]), nil
}

func (s *cborSource) read() (value, error) {
	for range depthMax {
		major, info, argument, err := s.head()
		if err != nil {
			return value{}, err
		}
		switch major {
		case cborUint, cborNegative:
			return cborNumber(major, argument), nil
		case cborBytes, cborText:
			b, err := s.str(major, info, argument)
			k := blob
			if major == cborText {
				k = text
			}
			return value{kind: k, bytes: b}, err
		case cborArray, cborMap:
			return s.open(major, info, argument)
		case cborSimple:
			return cborSimpleValue(info, argument)
		}
	}
	return value{}, errDepth // of tags
}

func cborNumber(major byte, argument uint64) value {
	f := float64(argument)
	if major == cborNegative {
		f = -1 - f
	}
	if argument > math.MaxInt64 {
		return value{kind: float, float: f}
	}
	n := int64(argument)
	if major == cborNegative {
		n = -1 - n
	}
	return value{kind: integer, num: n, float: f}
}

func cborSimpleValue(info byte, argument uint64) (value, error) {
	switch info {
	case 20, 21:
		return value{kind: boolean, num: int64(info - 20)}, nil
	case 22, 23: // null and undefined
		return value{kind: null}, nil
	case 25:
		return value{kind: float, float: float16(uint16(argument))}, nil
	case 26:
		return value{kind: float, float: float64(math.Float32frombits(uint32(argument)))}, nil
	case 27:
		return value{kind: float, float: math.Float64frombits(argument)}, nil
	}
	return value{}, fmt.Errorf("simple value %d is unknown", argument)
}

// float16 is a number in half precision (RFC 8949, Appendix D).
func float16(half uint16) float64 {
	exponent, mantissa := int(half>>10&31), float64(half&1023)
	f := math.Ldexp(mantissa+1024, exponent-25)
	switch {
	case exponent == 0:
		f = math.Ldexp(mantissa, -24)
	case exponent == 31 && mantissa == 0:
		f = math.Inf(1)
	case exponent == 31:
		f = math.NaN()
	}
	if half>>15 == 1 {
		f = -f
	}
	return f
}

// open is the head of an array or a map.
func (s *cborSource) open(major, info byte, argument uint64) (value, error) {
	v := value{kind: list, left: -1}
	if major == cborMap {
		v.kind = object
	}
	if info != cborIndefinite {
		if argument > elementsMax {
			return value{}, errElements
		}
		v.left = int64(argument)
	}
	return v, nil
}

func (s *cborSource) next(of *value) (bool, error) {
	switch {
	case of.left > 0:
		of.left--
		return true, nil
	case of.left == 0:
		return false, nil
	}
	return s.unbroken()
}

// unbroken tells whether something of indefinite length goes on.
func (s *cborSource) unbroken() (bool, error) {
	if s.at >= len(s.doc) {
		return false, errTruncated
	}
	if s.doc[s.at] == cborBreak {
		s.at++
		return false, nil
	}
	return true, nil
}

func (s *cborSource) name() ([]byte, error) {
	major, info, argument, err := s.head()
	if err != nil {
		return nil, err
	}
	if major != cborText {
		return nil, errors.New("a name is not text")
	}
	return s.str(major, info, argument)
}

// str reads a string, or the chunks of one, which are as it is.
func (s *cborSource) str(major, info byte, argument uint64) ([]byte, error) {
	if info != cborIndefinite {
		return s.definite(major, argument)
	}
	whole := []byte{}
	for {
		more, err := s.unbroken()
		if err != nil || !more {
			return whole, err
		}
		m, i, n, err := s.head()
		if err != nil {
			return nil, err
		}
		if m != major || i == cborIndefinite {
			return nil, errors.New("a chunk is not of its string's type")
		}
		chunk, err := s.definite(m, n)
		if err != nil {
			return nil, err
		}
		whole = append(whole, chunk...)
	}
}

func (s *cborSource) definite(major byte, n uint64) ([]byte, error) {
	if n > uint64(len(s.doc)-s.at) {
		return nil, errTruncated
	}
	b := s.doc[s.at : s.at+int(n)]
	s.at += int(n)
	if major == cborText && !utf8.Valid(b) {
		return nil, errors.New("text is not UTF-8")
	}
	return b, nil
}
