package sqs

import (
	"slices"
	"strings"
)

// attributeValue is a message attribute as it is on the wire.
type attributeValue struct {
	DataType         string
	StringValue      *string  `json:",omitempty"`
	BinaryValue      []byte   `json:",omitempty" query:"BinaryValue,base64"`
	StringListValues []string `json:",omitempty" query:"StringListValue"`
	BinaryListValues [][]byte `json:",omitempty" query:"BinaryListValue,base64"`
}

// attributesOf turns attributes from the wire into ours, in order of their names.
func attributesOf(in map[string]attributeValue) ([]attribute, error) {
	if len(in) == 0 {
		return nil, nil
	}
	out := make([]attribute, 0, len(in))
	for name, v := range in {
		a := attribute{name: name, dataType: v.DataType}
		switch {
		case v.StringListValues != nil || v.BinaryListValues != nil:
			return nil, &problem{"AWS.SimpleQueueService.UnsupportedOperation", "Message attribute list values in SendMessage operation are not supported."}
		case v.StringValue != nil && v.BinaryValue != nil:
			return nil, invalidValue("Message (user) attribute '%s' must have one value, of type '%s'.", clip(name), clip(v.DataType))
		case a.binary():
			a.value = v.BinaryValue
		case v.StringValue != nil:
			a.value = []byte(*v.StringValue)
		}
		out = append(out, a)
	}
	slices.SortFunc(out, func(a, b attribute) int { return strings.Compare(a.name, b.name) })
	return out, nil
}

// readAttributes reads a map of attributes.
func readAttributes(r *jsonIn) map[string]attributeValue {
	var out map[string]attributeValue
	r.object(func(name []byte) {
		var v attributeValue
		key := string(name)
		r.object(func(name []byte) {
			switch string(name) {
			case "DataType":
				v.DataType = string(r.text())
			case "StringValue":
				v.StringValue = r.optionalString()
			case "BinaryValue":
				v.BinaryValue = r.bytes()
			case "StringListValues":
				v.StringListValues = r.strings()
			case "BinaryListValues":
				r.array(func() { v.BinaryListValues = append(v.BinaryListValues, r.bytes()) })
			default:
				r.skip()
			}
		})
		if out == nil {
			out = make(map[string]attributeValue)
		}
		out[key] = v
	})
	return out
}

// appendAttributes appends the members of a message that hold attributes.
func appendAttributes(b []byte, attributes []attribute, md5 string) []byte {
	if len(attributes) == 0 {
		return b // an empty map would be taken for a message with attributes
	}
	b = append(append(append(b, `,"MD5OfMessageAttributes":"`...), md5...), `","MessageAttributes":{`...)
	for i := range attributes {
		a := &attributes[i]
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendString(b, a.name), `:{"DataType":`...)
		b = appendString(b, a.dataType)
		if a.binary() {
			b = append(appendBase64(append(b, `,"BinaryValue":"`...), a.value), `"}`...)
		} else {
			b = append(appendString(append(b, `,"StringValue":`...), a.value), '}')
		}
	}
	return append(b, '}')
}
