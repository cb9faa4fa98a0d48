package amqp091

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
)

// Any returns the value as Go has it: nil, bool, int64, float64, Decimal, Timestamp, string, []byte, []any or
// map[string]any. Of names that occur twice the first counts, as in Get.
func (v Value) Any() any {
	switch v.kind {
	case KindBool:
		b, _ := v.Bool()
		return b
	case KindFloat32, KindFloat64:
		f, _ := v.Float()
		return f
	case KindDecimal:
		d, _ := v.Decimal()
		return d
	case KindTimestamp:
		return Timestamp(v.bits())
	case KindString:
		return v.text
	case KindBytes:
		return []byte(v.text)
	case KindTable:
		return Table{v.text}.Map()
	case KindArray:
		list := []any{}
		for e := range (Array{v.text}).All() {
			list = append(list, e.Any())
		}
		return list
	}
	if i, ok := v.Int(); ok {
		return i
	}
	return nil
}

// Map returns the fields by name, each as Any has it.
func (t Table) Map() map[string]any {
	m := map[string]any{}
	for name, v := range t.All() {
		if _, twice := m[name]; !twice {
			m[name] = v.Any()
		}
	}
	return m
}

// TableOf returns a map as a table, its names in order. It takes what ValueOf takes.
func TableOf(m map[string]any) (Table, error) {
	return tableOf(m, 1)
}

// ValueOf returns a value of what Any returns and of what encoding/json decodes into, with UseNumber: integers become
// 64-bit integers, as RabbitMQ makes them of JSON. Other types, and tables deeper than TableDepthMax, are errors.
func ValueOf(x any) (Value, error) { return valueOf(x, 0) }

func valueOf(x any, depth int) (Value, error) {
	switch x := x.(type) {
	case nil:
		return Value{}, nil
	case Value:
		return x, nil
	case Table:
		return x.Value(), nil
	case Array:
		return x.Value(), nil
	case bool:
		return Bool(x), nil
	case int:
		return Int64(int64(x)), nil
	case int64:
		return Int64(x), nil
	case float64:
		return Float64(x), nil
	case json.Number:
		return numberOf(x)
	case Decimal:
		return x.Value(), nil
	case Timestamp:
		return x.Value(), nil
	case string:
		return String(x), nil
	case []byte:
		return Bytes(x), nil
	case []any:
		a, err := arrayOf(x, depth+1)
		return a.Value(), err
	case map[string]any:
		t, err := tableOf(x, depth+1)
		return t.Value(), err
	}
	return Value{}, fmt.Errorf("no field of a table holds a %T", x)
}

func numberOf(n json.Number) (Value, error) {
	if i, err := strconv.ParseInt(n.String(), 10, 64); err == nil {
		return Int64(i), nil
	}
	f, err := n.Float64()
	return Float64(f), err
}

func tableOf(m map[string]any, depth int) (Table, error) {
	if depth > TableDepthMax {
		return Table{}, fmt.Errorf("tables nested deeper than %d", TableDepthMax)
	}
	var b []byte
	for _, name := range slices.Sorted(maps.Keys(m)) {
		if len(name) > ShortStringMax {
			return Table{}, fmt.Errorf("a field's name of %d bytes, at most %d fit", len(name), ShortStringMax)
		}
		v, err := valueOf(m[name], depth)
		if err != nil {
			return Table{}, fmt.Errorf("%s: %w", name, err)
		}
		b = appendField(b, name, v)
	}
	return Table{string(b)}, nil
}

func arrayOf(list []any, depth int) (Array, error) {
	if depth > TableDepthMax {
		return Array{}, fmt.Errorf("tables nested deeper than %d", TableDepthMax)
	}
	var b []byte
	for _, x := range list {
		v, err := valueOf(x, depth)
		if err != nil {
			return Array{}, err
		}
		b = appendValue(b, v)
	}
	return Array{string(b)}, nil
}

// String writes the table for logs.
func (t Table) String() string { return string(t.appendString(nil)) }

// String writes the array for logs.
func (a Array) String() string { return string(a.appendString(nil)) }

// String writes the value for logs.
func (v Value) String() string { return string(v.appendString(nil)) }

// stringBytesMax is where the text for logs ends.
const stringBytesMax = 1024

func (t Table) appendString(b []byte) []byte {
	b = append(b, '{')
	for name, v := range t.All() {
		if len(b) > stringBytesMax {
			b = append(b, "..."...)
			break
		}
		b = v.appendString(append(append(b, name...), ": "...))
		b = append(b, ", "...)
	}
	return append(trimComma(b), '}')
}

func (a Array) appendString(b []byte) []byte {
	b = append(b, '[')
	for v := range a.All() {
		if len(b) > stringBytesMax {
			b = append(b, "..."...)
			break
		}
		b = append(v.appendString(b), ", "...)
	}
	return append(trimComma(b), ']')
}

func trimComma(b []byte) []byte {
	if n := len(b); n > 2 && string(b[n-2:]) == ", " {
		return b[:n-2]
	}
	return b
}

func (v Value) appendString(b []byte) []byte {
	switch v.kind {
	case KindTable:
		return Table{v.text}.appendString(b)
	case KindArray:
		return Array{v.text}.appendString(b)
	case KindString, KindBytes:
		return strconv.AppendQuote(b, cut(v.text, stringBytesMax))
	case KindDecimal:
		d, _ := v.Decimal()
		return fmt.Appendf(b, "%de-%d", d.Digits, d.Scale)
	}
	return fmt.Append(b, v.Any())
}
