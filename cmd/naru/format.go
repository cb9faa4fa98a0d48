package main

import (
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/twmb/franz-go/pkg/kgo"
)

const formatHelp = `%v or %s value, %k key, %h headers, %t topic, %p partition, %o offset,
%T timestamp in milliseconds, %D timestamp as a date, %S and %K size of value and
key in bytes (-1 if null), %R size of the value as 4 bytes, %% a percent sign;
\n \t \r \0 \\ \xHH \uHHHH`

// recordFormat writes records as a format string says. The letters are those
// of kcat where kcat has one.
type recordFormat struct {
	pieces []formatPiece
	null   string // stands for a null key or value
}

// formatPiece is text, then a field of the record (0 if none).
type formatPiece struct {
	text  string
	field byte
}

const formatFields = "vskhtpoTDSKR"

// parseFormat reads what formatHelp describes.
func parseFormat(s, null string) (*recordFormat, error) {
	return parseFormatOf(formatFields, s, null)
}

// parseFormatOf reads a format with these fields.
func parseFormatOf(fields, s, null string) (*recordFormat, error) {
	f := &recordFormat{null: null}
	var text strings.Builder
	for s != "" {
		i := strings.IndexAny(s, `%\`)
		if i < 0 {
			text.WriteString(s)
			break
		}
		text.WriteString(s[:i])
		if s[i] == '\\' {
			rest, err := unescapeOne(&text, s[i+1:])
			if err != nil {
				return nil, err
			}
			s = rest
			continue
		}
		if i+1 == len(s) {
			return nil, fmt.Errorf("a %% at the end (write %%%% for one)")
		}
		field := s[i+1]
		switch {
		case field == '%':
			text.WriteByte('%')
		case strings.IndexByte(fields, field) >= 0:
			f.pieces = append(f.pieces, formatPiece{text.String(), field})
			text.Reset()
		default:
			r, _ := utf8.DecodeRuneInString(s[i+1:])
			return nil, fmt.Errorf("unknown field %%%c (known: %%%s)", r, strings.Join(strings.Split(fields, ""), " %"))
		}
		s = s[i+2:]
	}
	if text.Len() > 0 {
		f.pieces = append(f.pieces, formatPiece{text: text.String()})
	}
	return f, nil
}

// append adds the record to b as the format says.
func (f *recordFormat) append(b []byte, r *kgo.Record) []byte {
	return f.appendWith(b, r, func(b []byte, _ byte) []byte { return b })
}

// appendWith leaves fields that are no record's to other.
func (f *recordFormat) appendWith(b []byte, r *kgo.Record, other func(b []byte, field byte) []byte) []byte {
	for _, p := range f.pieces {
		b = append(b, p.text...)
		switch p.field {
		case 'v', 's':
			b = f.bytes(b, r.Value)
		case 'k':
			b = f.bytes(b, r.Key)
		case 'h':
			b = f.headers(b, r.Headers)
		case 't':
			b = append(b, r.Topic...)
		case 'p':
			b = strconv.AppendInt(b, int64(r.Partition), 10)
		case 'o':
			b = strconv.AppendInt(b, r.Offset, 10)
		case 'T':
			b = strconv.AppendInt(b, r.Timestamp.UnixMilli(), 10)
		case 'D':
			b = r.Timestamp.UTC().AppendFormat(b, time.RFC3339Nano)
		case 'S':
			b = strconv.AppendInt(b, sizeOf(r.Value), 10)
		case 'K':
			b = strconv.AppendInt(b, sizeOf(r.Key), 10)
		case 'R':
			b = binary.BigEndian.AppendUint32(b, uint32(sizeOf(r.Value)))
		default:
			b = other(b, p.field)
		}
	}
	return b
}

func (f *recordFormat) bytes(b, v []byte) []byte {
	if v == nil {
		return append(b, f.null...)
	}
	return append(b, v...)
}

func (f *recordFormat) headers(b []byte, headers []kgo.RecordHeader) []byte {
	for i, h := range headers {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, h.Key...)
		b = append(b, '=')
		b = f.bytes(b, h.Value)
	}
	return b
}

// sizeOf is -1 for null, as kcat has it.
func sizeOf(b []byte) int64 {
	if b == nil {
		return -1
	}
	return int64(len(b))
}
