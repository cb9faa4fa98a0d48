package api

import (
	"net/http"
	"net/url"
	"strconv"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	naruv1 "github.com/narumq/naru/api/naru/v1"
)

// setQuery sets fields from parameters, which have the fields' names in JSON or in
// the definition.
func setQuery(m protoreflect.Message, query url.Values) error {
	fields := m.Descriptor().Fields()
	for name, values := range query {
		f := fields.ByJSONName(name)
		if f == nil {
			f = fields.ByName(protoreflect.Name(name))
		}
		if f == nil {
			return invalid("unknown parameter %q", name)
		}
		if len(values) > itemsMax || len(values) > 1 && !f.IsList() {
			return invalid("parameter %s is there %d times", name, len(values))
		}
		for _, v := range values {
			if err := setField(m, f, v); err != nil {
				return err
			}
		}
	}
	return nil
}

// setField sets a field from text, or adds to it if it is a list.
func setField(m protoreflect.Message, f protoreflect.FieldDescriptor, text string) error {
	v, err := valueOf(m, f, text)
	if err != nil {
		return err
	}
	if f.IsList() {
		m.Mutable(f).List().Append(v)
		return nil
	}
	m.Set(f, v)
	return nil
}

func valueOf(m protoreflect.Message, f protoreflect.FieldDescriptor, text string) (v protoreflect.Value, err error) {
	if !utf8.ValidString(text) {
		return v, invalid("%s is not UTF-8", f.JSONName())
	}
	switch f.Kind() {
	case protoreflect.StringKind:
		return protoreflect.ValueOfString(text), nil
	case protoreflect.BoolKind:
		b, err := strconv.ParseBool(text)
		if err != nil {
			return v, invalid("%s is %q, want true or false", f.JSONName(), text)
		}
		return protoreflect.ValueOfBool(b), nil
	case protoreflect.Int32Kind:
		n, err := strconv.ParseInt(text, 10, 32)
		if err != nil {
			return v, invalid("%s is %q, want a number", f.JSONName(), text)
		}
		return protoreflect.ValueOfInt32(int32(n)), nil
	case protoreflect.Int64Kind:
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return v, invalid("%s is %q, want a number", f.JSONName(), text)
		}
		return protoreflect.ValueOfInt64(n), nil
	case protoreflect.MessageKind: // a time or a duration
		if f.IsMap() || f.IsList() {
			break
		}
		sub := m.NewField(f).Message()
		if err := protojson.Unmarshal([]byte(strconv.Quote(text)), sub.Interface()); err != nil {
			return v, invalid("%s is %q", f.JSONName(), text)
		}
		return protoreflect.ValueOfMessage(sub), nil
	}
	return v, invalid("%s cannot be a parameter", f.JSONName())
}

// takesRaw tells whether a request may be the bare value of one record.
func takesRaw(in proto.Message) bool {
	switch in.(type) {
	case *naruv1.ProduceRequest, *naruv1.SendRequest:
		return true
	}
	return false
}

// setRaw makes of a bare body the one record of the request, which keeps its media
// type. Parameters are the record's other fields, and key.
func setRaw(in proto.Message, body []byte, r *http.Request) error {
	query := r.URL.Query()
	key, hasKey := []byte(query.Get("key")), query.Has("key")
	delete(query, "key")
	mediaType := r.Header.Get("Content-Type")
	switch in := in.(type) {
	case *naruv1.ProduceRequest:
		rec := &naruv1.NewRecord{ContentType: mediaType}
		if hasKey {
			rec.Key = &naruv1.NewRecord_KeyBytes{KeyBytes: key}
		}
		in.Records = []*naruv1.NewRecord{rec}
		err := setQuery(rec.ProtoReflect(), query)
		rec.Value = &naruv1.NewRecord_Bytes{Bytes: body}
		return err
	case *naruv1.SendRequest:
		m := &naruv1.NewMessage{ContentType: mediaType}
		if hasKey {
			m.Key = &naruv1.NewMessage_KeyBytes{KeyBytes: key}
		}
		in.Messages = []*naruv1.NewMessage{m}
		err := setQuery(m.ProtoReflect(), query)
		m.Value = &naruv1.NewMessage_Bytes{Bytes: body}
		return err
	}
	return nil
}
