package aws

import (
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"reflect"
)

// Bounds of a document. A list of Kinesis has at most 500 elements.
const (
	depthMax    = 16
	elementsMax = 20_000 // of all lists and maps
)

// Errors of documents.
var (
	errTruncated = errors.New("the document ends too early")
	errTrailing  = errors.New("there is more after the document's end")
	errDepth     = fmt.Errorf("more than %d levels", depthMax)
	errElements  = fmt.Errorf("more than %d elements", elementsMax)
)

type kind byte

const (
	null kind = iota
	boolean
	integer
	float
	text
	blob
	list
	object
)

// value is a scalar, or the head of a list or an object.
type value struct {
	kind  kind
	num   int64 // of an integer, or 1 for true
	float float64
	bytes []byte // of text and blobs; may be part of the document
	left  int64  // elements to come, as the encoding counts them
}

// source reads a document, value by value.
type source interface {
	read() (value, error)
	// next tells whether there is another element, and goes to it.
	next(of *value) (bool, error)
	// name reads the name of an object's member.
	name() ([]byte, error)
	// time is what a number means as a timestamp.
	time(number float64) (Time, error)
	// end is an error if anything is left.
	end() error
}

// DecodeJSON fills the struct that in points to. Names must match exactly, members
// that it does not have are skipped, null leaves a field as it is.
func DecodeJSON(doc []byte, in any) error { return decode(&jsonSource{doc: doc}, len(doc), in) }

// DecodeCBOR does so from CBOR. millis says that timestamps are in milliseconds.
// Blobs may be parts of the document, which must not change.
func DecodeCBOR(doc []byte, in any, millis bool) error {
	return decode(&cborSource{doc: doc, millis: millis}, len(doc), in)
}

func decode(s source, size int, in any) error {
	d := decoder{source: s, size: size}
	if err := d.into(reflect.ValueOf(in).Elem(), 0); err != nil {
		return err
	}
	return s.end()
}

type decoder struct {
	source
	elements int
	size     int    // of the document
	room     []byte // for blobs that were Base64: one piece of memory for all
}

func (d *decoder) into(v reflect.Value, depth int) error {
	got, err := d.read()
	if err != nil {
		return err
	}
	if got.kind == null {
		return nil
	}
	for v.Kind() == reflect.Pointer {
		if v.IsNil() {
			v.Set(reflect.New(v.Type().Elem()))
		}
		v = v.Elem()
	}
	if depth > depthMax {
		return errDepth
	}
	switch {
	case isBlob(v.Type()):
		return d.setBlob(&got, v)
	case v.Kind() == reflect.Slice:
		return d.list(&got, v, depth)
	case v.Kind() == reflect.Struct && v.Type() != timeType:
		return d.structure(&got, v, depth)
	case v.Kind() == reflect.Map:
		return d.mapping(&got, v, depth)
	case got.kind == list:
		return phrase("Start of list found where not expected")
	case got.kind == object:
		return phrase("Start of structure or map found where not expected.")
	}
	return d.scalar(&got, v)
}

// each calls f for each element.
func (d *decoder) each(of *value, f func() error) error {
	for {
		more, err := d.next(of)
		if err != nil || !more {
			return err
		}
		if d.elements++; d.elements > elementsMax {
			return errElements
		}
		if err := f(); err != nil {
			return err
		}
	}
}

func (d *decoder) list(got *value, v reflect.Value, depth int) error {
	if got.kind != list {
		return phrase("Expected list or null")
	}
	v.Set(reflect.MakeSlice(v.Type(), 0, 0))
	return d.each(got, func() error {
		n := v.Len()
		v.Grow(1)
		v.SetLen(n + 1)
		return d.into(v.Index(n), depth+1)
	})
}

func (d *decoder) structure(got *value, v reflect.Value, depth int) error {
	if got.kind != object {
		return phrase("Expected structure or null")
	}
	s := shapeOf(v.Type())
	return d.each(got, func() error {
		name, err := d.name()
		if err != nil {
			return err
		}
		m := s.byName[string(name)]
		if m == nil {
			return d.skip(depth + 1)
		}
		return d.into(v.FieldByIndex(m.index), depth+1)
	})
}

func (d *decoder) mapping(got *value, v reflect.Value, depth int) error {
	if got.kind != object {
		return phrase("Expected map or null")
	}
	v.Set(reflect.MakeMap(v.Type()))
	return d.each(got, func() error {
		name, err := d.name()
		if err != nil {
			return err
		}
		key := reflect.ValueOf(string(name)).Convert(v.Type().Key())
		element := reflect.New(v.Type().Elem()).Elem()
		if err := d.into(element, depth+1); err != nil {
			return err
		}
		v.SetMapIndex(key, element)
		return nil
	})
}

func (d *decoder) skip(depth int) error {
	got, err := d.read()
	if err != nil || got.kind < list {
		return err
	}
	if depth > depthMax {
		return errDepth
	}
	return d.each(&got, func() error {
		if got.kind == object {
			if _, err := d.name(); err != nil {
				return err
			}
		}
		return d.skip(depth + 1)
	})
}

func (d *decoder) setBlob(got *value, v reflect.Value) error {
	switch got.kind {
	case blob:
		v.SetBytes(got.bytes[:len(got.bytes):len(got.bytes)])
		return nil
	case text:
		if d.room == nil {
			d.room = make([]byte, base64.StdEncoding.DecodedLen(d.size))
		}
		n, err := base64.StdEncoding.Decode(d.room, got.bytes)
		if err != nil {
			return fmt.Errorf("'%s' can not be converted to a Blob: %v", clip(got.bytes), err)
		}
		v.SetBytes(d.room[:n:n])
		d.room = d.room[n:]
		return nil
	}
	return mismatch(got, "a Blob")
}

func (d *decoder) scalar(got *value, v reflect.Value) error {
	number := got.kind == integer || got.kind == float
	switch {
	case v.Type() == timeType:
		if !number {
			return mismatch(got, "a Timestamp")
		}
		t, err := d.time(got.float)
		if err != nil {
			return err
		}
		v.Set(reflect.ValueOf(t))
	case v.Kind() == reflect.String:
		if got.kind != text {
			return mismatch(got, "a String")
		}
		v.SetString(string(got.bytes))
	case v.Kind() == reflect.Bool:
		if got.kind != boolean {
			return mismatch(got, "a Boolean")
		}
		v.SetBool(got.num == 1)
	case v.CanInt():
		return setInt(got, v)
	case v.CanFloat():
		if !number {
			return mismatch(got, "a Double")
		}
		v.SetFloat(got.float)
	default:
		panic("a type that documents do not know: " + v.Type().String())
	}
	return nil
}

func setInt(got *value, v reflect.Value) error {
	n := got.num
	switch got.kind {
	case integer:
	case float: // a fraction is dropped, as AWS does
		if got.float < math.MinInt64 || got.float >= math.MaxInt64 || math.IsNaN(got.float) {
			return mismatch(got, "an Integer")
		}
		n = int64(got.float)
	default:
		return mismatch(got, "an Integer")
	}
	if v.OverflowInt(n) {
		return mismatch(got, "an Integer")
	}
	v.SetInt(n)
	return nil
}

// phrase is an error in the very words of AWS, which clients show.
type phrase string

func (p phrase) Error() string { return string(p) }

// mismatch is what AWS says of a value of the wrong kind.
func mismatch(got *value, want string) error {
	what := "NUMBER_VALUE"
	switch {
	case got.kind == list:
		return phrase("Start of list found where not expected")
	case got.kind == object:
		return phrase("Start of structure or map found where not expected.")
	case got.kind == boolean && got.num == 1:
		what = "TRUE_VALUE"
	case got.kind == boolean:
		what = "FALSE_VALUE"
	case got.kind == text, got.kind == blob:
		what = "STRING_VALUE"
	}
	return fmt.Errorf("%s can not be converted to %s", what, want)
}

// clip shortens what an error quotes.
func clip(b []byte) []byte { return b[:min(len(b), 100)] }
