package main

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// unescape reads the escapes that separators, delimiters and formats may
// have: \n \r \t \0 \e \\ \xHH \uHHHH. Anything else after a backslash is an
// error, so that a typing mistake does not pass for text.
func unescape(s string) (string, error) {
	var b strings.Builder
	for {
		i := strings.IndexByte(s, '\\')
		if i < 0 {
			b.WriteString(s)
			return b.String(), nil
		}
		b.WriteString(s[:i])
		rest, err := unescapeOne(&b, s[i+1:])
		if err != nil {
			return "", err
		}
		s = rest
	}
}

// unescapeOne writes what the escape at the start of s stands for; the
// backslash is gone already.
func unescapeOne(b *strings.Builder, s string) (rest string, err error) {
	if s == "" {
		return "", fmt.Errorf(`a backslash at the end (write \\ for one)`)
	}
	switch s[0] {
	case 'n':
		b.WriteByte('\n')
	case 'r':
		b.WriteByte('\r')
	case 't':
		b.WriteByte('\t')
	case '0':
		b.WriteByte(0)
	case 'e':
		b.WriteByte(0x1b)
	case '\\':
		b.WriteByte('\\')
	case 'x':
		v, err := hex(s[1:], 2)
		if err != nil {
			return "", err
		}
		b.WriteByte(byte(v))
		return s[3:], nil
	case 'u':
		v, err := hex(s[1:], 4)
		if err != nil {
			return "", err
		}
		b.WriteRune(rune(v))
		return s[5:], nil
	default:
		r, _ := utf8.DecodeRuneInString(s)
		return "", fmt.Errorf(`unknown escape \%c (known: \n \r \t \0 \e \\ \xHH \uHHHH)`, r)
	}
	return s[1:], nil
}

func hex(s string, digits int) (uint64, error) {
	if len(s) >= digits {
		if v, err := strconv.ParseUint(s[:digits], 16, 32); err == nil {
			return v, nil
		}
	}
	return 0, fmt.Errorf("want %d hexadecimal digits after the backslash and its letter", digits)
}
