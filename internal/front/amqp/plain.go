package amqp

import (
	"encoding/base64"
	"encoding/binary"
	"math"
	"strconv"
	"unicode/utf8"

	"github.com/narumq/naru/internal/catalog"
	"github.com/narumq/naru/internal/exchange"
	wire "github.com/narumq/naru/internal/wire/amqp091"
)

// Plain is a table as JSON can say it: nil, bool, int64, float64, string, []any and map[string]any. Bytes that are no UTF-8
// are base64; decimals and floats that JSON does not know are text.
func Plain(t wire.Table) map[string]any {
	m := t.Map()
	for name, v := range m {
		m[name] = plain(v)
	}
	return m
}

func plain(v any) any {
	switch v := v.(type) {
	case string:
		return plainText(v)
	case []byte:
		return plainText(string(v))
	case wire.Timestamp:
		return int64(v)
	case wire.Decimal:
		return strconv.FormatUint(uint64(v.Digits), 10) + "e-" + strconv.Itoa(int(v.Scale))
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return strconv.FormatFloat(v, 'g', -1, 64)
		}
	case []any:
		for i := range v {
			v[i] = plain(v[i])
		}
	case map[string]any:
		for name := range v {
			v[name] = plain(v[name])
		}
	}
	return v
}

func plainText(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	return base64.StdEncoding.EncodeToString([]byte(s))
}

// tableOf reads the fields of a table, as they stand on the wire without the length. What is none is an empty table.
func tableOf(fields []byte) wire.Table {
	// start-ok begins with a table; what follows it is three empty texts.
	payload := binary.BigEndian.AppendUint32(nil, uint32(len(fields)))
	payload = append(append(payload, fields...), make([]byte, 1+4+1)...)
	var r wire.Reader
	var m wire.ConnectionStartOk
	if r.Arguments(&m, payload) != nil {
		return wire.Table{}
	}
	return m.ClientProperties
}

// PlainArguments are those that a queue was declared with, as Plain has them.
func PlainArguments(meta *catalog.Queue) map[string]any { return Plain(argumentTable(meta)) }

func argumentTable(meta *catalog.Queue) wire.Table {
	var b []byte
	for _, a := range ArgumentsOf(meta) {
		b = appendNamed(b, a.Name, a.Kind, []byte(a.Text))
	}
	return tableOf(b)
}

// PlainValues are the arguments of an exchange or a binding, as Plain has them.
func PlainValues(list exchange.Arguments) map[string]any {
	m := map[string]any{}
	for _, a := range list {
		if _, twice := m[a.Name]; !twice {
			m[a.Name] = plain(anyOf(a.Value))
		}
	}
	return m
}

// anyOf undoes valueOf, as far as the value's kind is known.
func anyOf(v exchange.Value) any {
	switch v.Kind() {
	case exchange.BoolKind:
		return v.Bool()
	case exchange.IntKind:
		return v.Int()
	case exchange.FloatKind:
		return v.Float()
	case exchange.TextKind:
		return v.Text()
	case exchange.OpaqueKind:
		if text := v.Text(); text != "" {
			const name = "v"
			parts, _ := tableOf(appendNamed(nil, name, wire.Kind(text[0]), []byte(text[1:]))).Get(name)
			return parts.Any()
		}
	}
	return nil
}
