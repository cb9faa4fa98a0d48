package amqp

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"regexp"
	"strconv"
	"strings"

	wire "github.com/narumq/naru/internal/wire/amqp091"
)

// words parts a line at spaces outside of quotes and braces.
func words(line string) (list []string) {
	quoted, depth, from := false, 0, 0
	for i := 0; i <= len(line); i++ {
		if i == len(line) || line[i] == ' ' && !quoted && depth == 0 {
			if i > from {
				list = append(list, line[from:i])
			}
			from = i + 1
			continue
		}
		switch c := line[i]; {
		case c == '\\' && quoted:
			i++
		case c == '"':
			quoted = !quoted
		case c == '{' && !quoted:
			depth++
		case c == '}' && !quoted:
			depth--
		}
	}
	return list
}

func unquoted(word string) ([]byte, error) {
	s, err := strconv.Unquote(word)
	return []byte(s), err
}

// methodNamed is a method of that name, like queue.declare.
func methodNamed(name string) wire.Method {
	for class := uint16(10); class <= 90; class += 5 {
		for method := range uint16(200) {
			id := wire.MakeMethodID(class, method)
			if m := wire.NewMethod(id); m != nil && id.String() == name {
				return m
			}
		}
	}
	return nil
}

var hump = regexp.MustCompile(`([a-z])([A-Z])`)

// wordOf is a field's name as the specification writes it: DeliveryTag is delivery-tag.
func wordOf(field string) string { return strings.ToLower(hump.ReplaceAllString(field, "$1-$2")) }

// setFields sets fields of *to, which is a struct. A flag has no value.
func setFields(to any, words []string) error {
	v := reflect.ValueOf(to).Elem()
	for _, word := range words {
		name, text, _ := strings.Cut(word, "=")
		f := v.FieldByNameFunc(func(field string) bool { return wordOf(field) == name })
		if !f.IsValid() {
			return fmt.Errorf("no field %q", name)
		}
		if err := setField(f, text); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

func setField(f reflect.Value, text string) error {
	if strings.HasPrefix(text, `"`) {
		b, err := unquoted(text)
		if err != nil {
			return err
		}
		text = string(b)
	}
	switch {
	case f.Type() == reflect.TypeFor[wire.Table]():
		t, err := jsonTable(text)
		f.Set(reflect.ValueOf(t))
		return err
	case f.Kind() == reflect.Bool:
		f.SetBool(true)
	case f.Kind() == reflect.String:
		f.SetString(text)
	default:
		n, err := strconv.ParseUint(text, 10, 64)
		f.SetUint(n)
		return err
	}
	return nil
}

// jsonTable is a table of JSON: names in any order come in the one that they have there.
func jsonTable(text string) (t wire.Table, err error) {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	if _, err := d.Token(); err != nil {
		return t, err
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return t, err
		}
		var v json.RawMessage
		if err := d.Decode(&v); err != nil {
			return t, err
		}
		field, err := valueOfJSON(v)
		if err != nil {
			return t, err
		}
		t = t.With(name.(string), field)
	}
	return t, nil
}

func valueOfJSON(text json.RawMessage) (wire.Value, error) {
	if text[0] == '{' {
		t, err := jsonTable(string(text))
		return t.Value(), err
	}
	var v any
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		return wire.Value{}, err
	}
	switch v := v.(type) {
	case string:
		return wire.String(v), nil
	case bool:
		return wire.Bool(v), nil
	case json.Number:
		n, err := v.Int64()
		return wire.Int64(n), err
	case []any:
		var list []wire.Value
		for _, e := range v {
			part, _ := json.Marshal(e)
			x, err := valueOfJSON(part)
			if err != nil {
				return x, err
			}
			list = append(list, x)
		}
		return wire.NewArray(list...).Value(), nil
	}
	return wire.Value{}, nil
}

// made matches what is another name, or time, in each run.
var made = regexp.MustCompile(`amq\.(gen|ctag)-[-\w]+`)

// fieldsOf is all fields of *of that are not zero, or of a message's properties those that are there.
func fieldsOf(of any) string {
	var b strings.Builder
	v := reflect.ValueOf(of).Elem()
	p, isContent := of.(*wire.Properties)
	for i := range v.NumField() {
		name, f := wordOf(v.Type().Field(i).Name), v.Field(i)
		there := !f.IsZero()
		if isContent {
			there = p.Has&propertyFlags[name] != 0
		}
		if !there || !v.Type().Field(i).IsExported() {
			continue
		}
		switch x := f.Interface().(type) {
		case bool:
			fmt.Fprintf(&b, " %s", name)
		case string:
			fmt.Fprintf(&b, " %s=%s", name, shown(x))
		case wire.Table:
			fmt.Fprintf(&b, " %s=%s", name, jsonOf(x.Value()))
		default:
			fmt.Fprintf(&b, " %s=%d", name, x)
		}
	}
	return b.String()
}

func shown(s string) string {
	s = made.ReplaceAllString(s, "amq.$1-*")
	if s == "" || strings.ContainsAny(s, " \"\\{}\n\x00") {
		return strconv.Quote(s)
	}
	return s
}

func jsonOf(v wire.Value) string {
	var parts []string
	if t, is := v.Table(); is {
		for name, e := range t.All() {
			parts = append(parts, fmt.Sprintf("%q: %s", name, jsonOf(e)))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	}
	if a, is := v.Array(); is {
		for e := range a.All() {
			parts = append(parts, jsonOf(e))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	}
	switch v.Kind() {
	case wire.KindString:
		return strconv.Quote(fieldText(v))
	case wire.KindTimestamp:
		return "time"
	}
	return fieldText(v)
}
