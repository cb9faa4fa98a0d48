package aws

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"unicode/utf8"
)

// jsonSource reads JSON (RFC 8259). The standard library's decoder copies each
// blob three times, and a list of many empty objects costs it many times the
// document's length.
type jsonSource struct {
	doc []byte
	at  int
}

func (s *jsonSource) time(number float64) (Time, error) { return timeOf(number * 1000) }

func (s *jsonSource) peek() byte {
	for s.at < len(s.doc) {
		switch c := s.doc[s.at]; c {
		case ' ', '\t', '\r', '\n':
			s.at++
		default:
			return c
		}
	}
	return 0
}

func (s *jsonSource) end() error {
	if s.peek(); s.at < len(s.doc) {
		return errTrailing
	}
	return nil
}

func (s *jsonSource) read() (value, error) {
	switch c := s.peek(); {
	case c == '"':
		b, err := s.str()
		return value{kind: text, bytes: b}, err
	case c == '{':
		s.at++
		return value{kind: object}, nil
	case c == '[':
		s.at++
		return value{kind: list}, nil
	case c == '-' || '0' <= c && c <= '9':
		return s.number()
	}
	for _, word := range [...]struct {
		text string
		is   value
	}{{"true", value{kind: boolean, num: 1}}, {"false", value{kind: boolean}}, {"null", value{}}} {
		if bytes.HasPrefix(s.doc[s.at:], []byte(word.text)) {
			s.at += len(word.text)
			return word.is, nil
		}
	}
	return value{}, s.unexpected()
}

func (s *jsonSource) unexpected() error {
	if s.at >= len(s.doc) {
		return errTruncated
	}
	return fmt.Errorf("unexpected %q at byte %d", s.doc[s.at], s.at)
}

// next uses left to know the first element, which no comma precedes.
func (s *jsonSource) next(of *value) (bool, error) {
	closing := byte(']')
	if of.kind == object {
		closing = '}'
	}
	c := s.peek()
	if c == closing {
		s.at++
		return false, nil
	}
	if of.left++; of.left == 1 {
		return true, nil
	}
	if c != ',' {
		return false, s.unexpected()
	}
	s.at++
	if s.peek() == closing {
		return false, s.unexpected()
	}
	return true, nil
}

func (s *jsonSource) name() ([]byte, error) {
	if s.peek() != '"' {
		return nil, s.unexpected()
	}
	b, err := s.str()
	if err != nil {
		return nil, err
	}
	if s.peek() != ':' {
		return nil, s.unexpected()
	}
	s.at++
	return b, nil
}

// str reads a string, whose text is part of the document unless there are escapes
// in it.
func (s *jsonSource) str() ([]byte, error) {
	begin, plain := s.at, true
	s.at++
	for {
		i := bytes.IndexByte(s.doc[s.at:], '"')
		if i < 0 {
			return nil, errTruncated
		}
		escapes := bytes.IndexByte(s.doc[s.at:s.at+i], '\\')
		if escapes < 0 {
			s.at += i + 1
			break
		}
		plain = false
		if s.at += escapes + 2; s.at > len(s.doc) {
			return nil, errTruncated
		}
	}
	inner := s.doc[begin+1 : s.at-1]
	if plain && legible(inner) {
		return inner, nil
	}
	var out string
	if err := json.Unmarshal(s.doc[begin:s.at], &out); err != nil {
		return nil, err
	}
	return []byte(out), nil
}

// legible tells whether b is UTF-8 without control characters, which must be
// escaped. It takes eight characters of ASCII at once, as blobs are.
func legible(b []byte) bool {
	const spaces, tops = 0x2020202020202020, 0x8080808080808080
	for len(b) >= 8 {
		if x := binary.LittleEndian.Uint64(b); (x|(x-spaces))&tops != 0 {
			break
		}
		b = b[8:]
	}
	for _, c := range b {
		if c < ' ' {
			return false
		}
	}
	return utf8.Valid(b)
}

func (s *jsonSource) number() (value, error) {
	begin := s.at
	for s.at < len(s.doc) && bytes.IndexByte([]byte("+-.eE0123456789"), s.doc[s.at]) >= 0 {
		s.at++
	}
	digits := s.doc[begin:s.at]
	if !json.Valid(digits) {
		return value{}, fmt.Errorf("%q is no number", clip(digits))
	}
	f, err := strconv.ParseFloat(string(digits), 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		return value{}, err
	}
	if n, err := strconv.ParseInt(string(digits), 10, 64); err == nil {
		return value{kind: integer, num: n, float: f}, nil
	}
	return value{kind: float, float: f}, nil
}
