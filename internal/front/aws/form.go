package aws

import (
	"encoding/base64"
	"fmt"
	"net/url"
	"reflect"
	"strconv"
	"strings"
)

// DecodeForm fills the struct that in points to from the parameters of a Query
// call. A field's name is its parameter's, unless a tag says otherwise:
//
//	`query:"QueueName"`           text, *int64, bool, []byte (its text as it is)
//	`query:"AttributeName"`       a list: AttributeName.1, AttributeName.2 …
//	`query:"Entry"`               a list of structs: Entry.1.Id …
//	`query:"Attribute,Name,Value"` a map: Attribute.1.Name, Attribute.1.Value …; a
//	                              struct as value: Attribute.1.Value.DataType …; one
//	                              entry may lack the number, as boto 2 writes it
//	`query:"BinaryValue,base64"`  []byte in Base64
//
// Errors: *Error MalformedInput, for a number or Base64 that is none.
func DecodeForm(form url.Values, in any) error {
	d := formDecoder{form}
	return d.fields("", reflect.ValueOf(in).Elem())
}

// listMax is more than any list of an action.
const listMax = 100

type formDecoder struct{ form url.Values }

func (d *formDecoder) has(prefix string) bool {
	if _, ok := d.form[prefix]; ok {
		return true
	}
	for k := range d.form {
		if strings.HasPrefix(k, prefix+".") {
			return true
		}
	}
	return false
}

func malformed(name, value, want string) error {
	return &Error{Shape: "SerializationException", Code: "MalformedInput", Message: fmt.Sprintf("%s: %s is not %s", name, clip(value), want), Common: true}
}

func (d *formDecoder) fields(prefix string, v reflect.Value) error {
	t := v.Type()
	for i := range t.NumField() {
		f := t.Field(i)
		tag := strings.Split(f.Tag.Get("query"), ",")
		name := tag[0]
		if name == "" {
			name = f.Name
		}
		if name == "-" || !f.IsExported() {
			continue
		}
		if err := d.field(prefix+name, tag[1:], v.Field(i)); err != nil {
			return err
		}
	}
	return nil
}

func (d *formDecoder) field(name string, options []string, v reflect.Value) error {
	switch v.Kind() {
	case reflect.Map:
		return d.mapping(name, options, v)
	case reflect.Slice:
		if v.Type().Elem().Kind() != reflect.Uint8 {
			return d.list(name, options, v)
		}
	case reflect.Struct:
		return d.fields(name+".", v)
	}
	if values, ok := d.form[name]; ok {
		return setScalar(name, values[0], options, v)
	}
	return nil
}

// list reads name.1, name.2 and so on; old clients put "member" in between.
func (d *formDecoder) list(name string, options []string, v reflect.Value) error {
	if d.has(name + ".member") {
		name += ".member"
	}
	for n := 1; n <= listMax; n++ {
		item := name + "." + strconv.Itoa(n)
		if !d.has(item) {
			return nil
		}
		e := reflect.New(v.Type().Elem()).Elem()
		if err := d.field(item, options, e); err != nil {
			return err
		}
		v.Set(reflect.Append(v, e))
	}
	return &Error{Shape: "SerializationException", Code: "MalformedInput", Message: fmt.Sprintf("more than %d of %s", listMax, name), Common: true}
}

func (d *formDecoder) mapping(name string, options []string, v reflect.Value) error {
	for n := 0; n <= listMax; n++ {
		item := name + "."
		if n > 0 {
			item += strconv.Itoa(n) + "."
		}
		key, ok := d.form[item+options[0]]
		switch {
		case !ok && n == 0:
			continue
		case !ok:
			return nil
		}
		e := reflect.New(v.Type().Elem()).Elem()
		if err := d.field(item+options[1], nil, e); err != nil {
			return err
		}
		if v.IsNil() {
			v.Set(reflect.MakeMap(v.Type()))
		}
		v.SetMapIndex(reflect.ValueOf(key[0]), e)
	}
	return &Error{Shape: "SerializationException", Code: "MalformedInput", Message: fmt.Sprintf("more than %d of %s", listMax, name), Common: true}
}

func setScalar(name, value string, options []string, v reflect.Value) error {
	if v.Kind() == reflect.Pointer {
		e := reflect.New(v.Type().Elem())
		if err := setScalar(name, value, options, e.Elem()); err != nil {
			return err
		}
		v.Set(e)
		return nil
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(value)
	case reflect.Int64:
		n, err := strconv.ParseInt(value, 10, 64)
		if err != nil {
			return malformed(name, value, "a number")
		}
		v.SetInt(n)
	case reflect.Bool:
		v.SetBool(value == "true")
	case reflect.Slice: // of bytes
		b := []byte(value)
		if len(options) > 0 && options[0] == "base64" {
			var err error
			if b, err = base64.StdEncoding.DecodeString(value); err != nil {
				return malformed(name, value, "Base64")
			}
		}
		v.SetBytes(b)
	default:
		panic("a type that DecodeForm does not know: " + v.Type().String())
	}
	return nil
}
