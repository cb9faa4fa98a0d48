package amqp

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	wire "github.com/narumq/naru/internal/wire/amqp091"
)

// fieldText is a field's value as text; with its kind it says all that there is to say. What has parts is JSON:
//
//	string  "text", or {"S":"base64"} if it is not text    array  [ ... ]
//	int64   123                                            table  {"F":[["name", value], ...]}
//	bool    true                                           void   null
//	others  {"T":"1700000000"}: the kind, and the text
func fieldText(v wire.Value) string {
	switch v.Kind() {
	case wire.KindVoid:
		return ""
	case wire.KindBool:
		b, _ := v.Bool()
		return strconv.FormatBool(b)
	case wire.KindFloat32:
		f, _ := v.Float()
		return strconv.FormatFloat(f, 'g', -1, 32)
	case wire.KindFloat64:
		f, _ := v.Float()
		return strconv.FormatFloat(f, 'g', -1, 64)
	case wire.KindDecimal:
		d, _ := v.Decimal()
		return strconv.FormatUint(uint64(d.Digits), 10) + "e-" + strconv.Itoa(int(d.Scale))
	case wire.KindString:
		s, _ := v.Text()
		return s
	case wire.KindBytes:
		b, _ := v.Bytes()
		return string(b)
	case wire.KindTimestamp:
		t, _ := v.Timestamp()
		return strconv.FormatUint(uint64(t), 10)
	case wire.KindArray, wire.KindTable:
		return string(appendPart(nil, v))
	case wire.KindInt64, wire.KindInt64L:
		i, _ := v.Int()
		return strconv.FormatInt(i, 10)
	}
	i, _ := v.Int()
	return strconv.FormatInt(i, 10)
}

// appendPart adds a value as a part of JSON.
func appendPart(b []byte, v wire.Value) []byte {
	switch k := v.Kind(); k {
	case wire.KindVoid:
		return append(b, "null"...)
	case wire.KindBool, wire.KindInt64:
		return append(b, fieldText(v)...)
	case wire.KindString:
		if s, _ := v.Text(); utf8.ValidString(s) {
			return appendJSON(b, s)
		}
		return appendTagged(b, k, base64.StdEncoding.EncodeToString([]byte(fieldText(v))))
	case wire.KindBytes:
		return appendTagged(b, k, base64.StdEncoding.EncodeToString([]byte(fieldText(v))))
	case wire.KindArray:
		a, _ := v.Array()
		b = append(b, '[')
		sep := ""
		for e := range a.All() {
			b = appendPart(append(b, sep...), e)
			sep = ","
		}
		return append(b, ']')
	case wire.KindTable:
		t, _ := v.Table()
		b = append(b, `{"F":[`...)
		sep := ""
		for name, e := range t.All() {
			b = appendJSON(append(append(b, sep...), '['), name)
			b = append(appendPart(append(b, ','), e), ']')
			sep = ","
		}
		return append(b, "]}"...)
	default:
		return appendTagged(b, k, fieldText(v))
	}
}

func appendTagged(b []byte, k wire.Kind, text string) []byte {
	b = append(append(append(b, `{"`...), byte(k)), `":`...)
	return append(appendJSON(b, text), '}')
}

func appendJSON(b []byte, s string) []byte {
	j, _ := json.Marshal(s) // a string always can
	return append(b, j...)
}

// appendField adds the value of a field, kind and bytes, as they stand on the wire; the reverse of fieldText. If the text is
// none of its kind, b stays as it was.
func appendField(b []byte, k wire.Kind, text []byte) ([]byte, bool) {
	was := len(b)
	b, ok := appendValue(append(b, byte(k)), k, text)
	if !ok {
		return b[:was], false
	}
	return b, true
}

func appendValue(b []byte, k wire.Kind, text []byte) ([]byte, bool) {
	switch k {
	case wire.KindVoid:
		return b, len(text) == 0
	case wire.KindBool:
		if string(text) == "true" {
			return append(b, 1), true
		}
		return append(b, 0), string(text) == "false"
	case wire.KindString, wire.KindBytes:
		return append(binary.BigEndian.AppendUint32(b, uint32(len(text))), text...), true
	case wire.KindFloat32, wire.KindFloat64:
		f, err := strconv.ParseFloat(string(text), 64)
		if k == wire.KindFloat32 {
			return binary.BigEndian.AppendUint32(b, math.Float32bits(float32(f))), err == nil
		}
		return binary.BigEndian.AppendUint64(b, math.Float64bits(f)), err == nil
	case wire.KindDecimal:
		digits, scale, _ := strings.Cut(string(text), "e-")
		n, err := strconv.ParseUint(digits, 10, 32)
		s, bad := strconv.ParseUint(scale, 10, 8)
		return binary.BigEndian.AppendUint32(append(b, byte(s)), uint32(n)), err == nil && bad == nil
	case wire.KindTimestamp:
		n, err := strconv.ParseUint(string(text), 10, 64)
		return binary.BigEndian.AppendUint64(b, n), err == nil
	case wire.KindArray, wire.KindTable:
		d := json.NewDecoder(bytes.NewReader(text))
		d.UseNumber()
		var part any
		if d.Decode(&part) != nil || d.More() {
			return b, false
		}
		return appendParts(b, k, part, 1)
	}
	return appendInteger(b, k, text)
}

var integerBits = map[wire.Kind]int{
	wire.KindInt8: 8, wire.KindUint8: 8, wire.KindInt16: 16, wire.KindUint16: 16, wire.KindInt32: 32, wire.KindUint32: 32,
	wire.KindInt64: 64, wire.KindInt64L: 64,
}

func appendInteger(b []byte, k wire.Kind, text []byte) ([]byte, bool) {
	bits, ok := integerBits[k]
	if !ok {
		return b, false
	}
	n, err := strconv.ParseInt(string(text), 10, 64)
	signed := k == wire.KindInt8 || k == wire.KindInt16 || k == wire.KindInt32 || bits == 64
	least, most := int64(0), int64(1)<<min(bits, 62)-1
	if signed {
		least, most = int64(-1)<<(bits-1), int64(1)<<(bits-1)-1
	}
	if err != nil || n < least || n > most {
		return b, false
	}
	var all [8]byte
	binary.BigEndian.PutUint64(all[:], uint64(n))
	return append(b, all[8-bits/8:]...), true
}

// appendParts adds an array, or a table, with its length.
func appendParts(b []byte, k wire.Kind, part any, depth int) (_ []byte, ok bool) {
	if object, is := part.(map[string]any); is && k == wire.KindTable {
		part = object["F"]
	}
	list, ok := part.([]any)
	if !ok || depth > wire.TableDepthMax {
		return b, false
	}
	at := len(b)
	b = append(b, 0, 0, 0, 0)
	for _, e := range list {
		if k == wire.KindTable {
			pair, _ := e.([]any)
			if len(pair) != 2 {
				return b, false
			}
			name, isText := pair[0].(string)
			if !isText || len(name) > wire.ShortStringMax {
				return b, false
			}
			b, e = append(append(b, byte(len(name))), name...), pair[1]
		}
		if b, ok = appendElement(b, e, depth); !ok {
			return b, false
		}
	}
	binary.BigEndian.PutUint32(b[at:], uint32(len(b)-at-4))
	return b, true
}

// appendElement adds a part of JSON as a value, with its kind.
func appendElement(b []byte, e any, depth int) ([]byte, bool) {
	switch e := e.(type) {
	case nil:
		return appendField(b, wire.KindVoid, nil)
	case bool:
		return appendField(b, wire.KindBool, strconv.AppendBool(nil, e))
	case json.Number:
		return appendField(b, wire.KindInt64, []byte(e))
	case string:
		return appendField(b, wire.KindString, []byte(e))
	case []any:
		return appendParts(append(b, byte(wire.KindArray)), wire.KindArray, e, depth+1)
	case map[string]any:
		for kind, v := range e {
			if len(kind) != 1 || len(e) != 1 {
				return b, false
			}
			k := wire.Kind(kind[0])
			if k == wire.KindTable {
				return appendParts(append(b, byte(k)), k, v, depth+1)
			}
			text, ok := v.(string)
			if !ok || k == wire.KindArray {
				return b, false
			}
			if k == wire.KindString || k == wire.KindBytes {
				raw, err := base64.StdEncoding.DecodeString(text)
				if err != nil {
					return b, false
				}
				return appendField(b, k, raw)
			}
			return appendField(b, k, []byte(text))
		}
	}
	return b, false
}
