package aws

import (
	"encoding/base64"
	"encoding/xml"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// EncodeXML writes the fields of a struct as the elements of a Query answer. A
// field's name is its element's, unless a tag says otherwise. Empty text, empty
// lists and nil are left out, zero and false are not:
//
//	`element:"QueueUrl"`             text, int64, bool; []byte in Base64
//	`element:"QueueUrl"`             a list: one element each
//	`element:"Attribute,Name,Value"` a map: <Attribute><Name/><Value/></Attribute> each
func EncodeXML(out any) []byte {
	var b strings.Builder
	if out != nil {
		xmlFields(&b, reflect.Indirect(reflect.ValueOf(out)))
	}
	return []byte(b.String())
}

func xmlFields(b *strings.Builder, v reflect.Value) {
	t := v.Type()
	for i := range t.NumField() {
		f := t.Field(i)
		tag := strings.Split(f.Tag.Get("element"), ",")
		name := tag[0]
		if name == "" {
			name = f.Name
		}
		if name == "-" || !f.IsExported() {
			continue
		}
		xmlField(b, name, tag[1:], v.Field(i))
	}
}

func xmlField(b *strings.Builder, name string, options []string, v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			xmlElement(b, name, v.Elem())
		}
	case reflect.Map:
		keys := v.MapKeys()
		slices.SortFunc(keys, func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) })
		for _, k := range keys {
			b.WriteString("<" + name + ">")
			xmlElement(b, options[0], k)
			xmlElement(b, options[1], v.MapIndex(k))
			b.WriteString("</" + name + ">")
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			if v.Len() > 0 {
				xmlElement(b, name, v)
			}
			return
		}
		for i := range v.Len() {
			xmlElement(b, name, v.Index(i))
		}
	default:
		if v.Kind() != reflect.String || v.Len() > 0 {
			xmlElement(b, name, v)
		}
	}
}

func xmlElement(b *strings.Builder, name string, v reflect.Value) {
	b.WriteString("<" + name + ">")
	switch v.Kind() {
	case reflect.Struct:
		xmlFields(b, v)
	case reflect.String:
		xml.EscapeText(b, []byte(v.String()))
	case reflect.Int64, reflect.Int:
		b.WriteString(strconv.FormatInt(v.Int(), 10))
	case reflect.Bool:
		b.WriteString(strconv.FormatBool(v.Bool()))
	case reflect.Slice:
		b.WriteString(base64.StdEncoding.EncodeToString(v.Bytes()))
	default:
		panic("a type that EncodeXML does not know: " + v.Type().String())
	}
	b.WriteString("</" + name + ">")
}
