package api

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// asJSON writes zeros too, so that a reader need not know what is left out.
var asJSON = protojson.MarshalOptions{EmitDefaultValues: true}

// layout is how messages of a type are written, found out once: package protojson
// sorts the fields and escapes their names for each message anew, which was a third
// of what an answer cost. The bytes are the same, without its random spaces.
type layout []layoutField

type layoutField struct {
	protoreflect.FieldDescriptor
	name string // as it is written, with quotes and colon
	of   layout // of a message
}

// layoutOf is nil if there is something in messages of the type that only protojson
// writes.
func layoutOf(d protoreflect.MessageDescriptor) layout {
	out := layout{}
	for i := range d.Fields().Len() {
		f := layoutField{FieldDescriptor: d.Fields().Get(i)}
		f.name = `"` + f.JSONName() + `":`
		switch f.Kind() {
		case protoreflect.BoolKind, protoreflect.Int32Kind, protoreflect.Int64Kind, protoreflect.StringKind, protoreflect.BytesKind:
		case protoreflect.MessageKind:
			if f.IsMap() || f.Message() == d {
				return nil
			}
			if wellKnown(f.Message()) {
				break
			}
			if f.of = layoutOf(f.Message()); f.of == nil {
				return nil
			}
		default:
			return nil
		}
		out = append(out, f)
	}
	return out
}

func wellKnown(d protoreflect.MessageDescriptor) bool {
	return d.ParentFile().Package() == "google.protobuf"
}

// marshal writes m after b.
func (l layout) marshal(b []byte, m proto.Message) ([]byte, error) {
	if l == nil {
		return asJSON.MarshalAppend(b, m)
	}
	return l.append(b, m.ProtoReflect())
}

func (l layout) append(b []byte, m protoreflect.Message) (_ []byte, err error) {
	b = append(b, '{')
	for i := range l {
		f := &l[i]
		if f.HasPresence() && !m.Has(f.FieldDescriptor) {
			continue
		}
		if b[len(b)-1] != '{' {
			b = append(b, ',')
		}
		b = append(b, f.name...)
		v := m.Get(f.FieldDescriptor)
		if !f.IsList() {
			if b, err = f.value(b, v); err != nil {
				return b, err
			}
			continue
		}
		b = append(b, '[')
		for j := range v.List().Len() {
			if j > 0 {
				b = append(b, ',')
			}
			if b, err = f.value(b, v.List().Get(j)); err != nil {
				return b, err
			}
		}
		b = append(b, ']')
	}
	return append(b, '}'), nil
}

func (f *layoutField) value(b []byte, v protoreflect.Value) ([]byte, error) {
	switch f.Kind() {
	case protoreflect.BoolKind:
		return strconv.AppendBool(b, v.Bool()), nil
	case protoreflect.Int32Kind:
		return strconv.AppendInt(b, v.Int(), 10), nil
	case protoreflect.Int64Kind: // a string: JavaScript's numbers are too short
		return append(strconv.AppendInt(append(b, '"'), v.Int(), 10), '"'), nil
	case protoreflect.StringKind:
		return appendText(b, v.String())
	case protoreflect.BytesKind:
		return append(base64.StdEncoding.AppendEncode(append(b, '"'), v.Bytes()), '"'), nil
	}
	if f.of != nil {
		return f.of.append(b, v.Message())
	}
	if t, ok := v.Message().Interface().(*timestamppb.Timestamp); ok && t.IsValid() {
		return appendTime(b, t), nil
	}
	return asJSON.MarshalAppend(b, v.Message().Interface())
}

// appendTime writes 0, 3, 6 or 9 digits of the second, as the JSON of protobuf has it.
func appendTime(b []byte, t *timestamppb.Timestamp) []byte {
	b = t.AsTime().AppendFormat(append(b, '"'), "2006-01-02T15:04:05.000000000")
	for _, zeros := range [...]string{"000", "000", ".000"} {
		b = bytes.TrimSuffix(b, []byte(zeros))
	}
	return append(b, `Z"`...)
}

func appendText(b []byte, s string) ([]byte, error) {
	if !utf8.ValidString(s) {
		return b, fmt.Errorf("%.100q is not UTF-8", s)
	}
	b = append(b, '"')
	from := 0
	for i := range len(s) {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' {
			continue
		}
		b = append(append(b, s[from:i]...), '\\')
		from = i + 1
		if at := strings.IndexByte(escaped, c); at >= 0 {
			b = append(b, escapes[at])
		} else {
			b = fmt.Appendf(b, "u%04x", c)
		}
	}
	return append(append(b, s[from:]...), '"'), nil
}

// RFC 8259, section 7: those that have a short form, and that form.
const (
	escaped = "\"\\\b\f\n\r\t"
	escapes = `"\bfnrt`
)
