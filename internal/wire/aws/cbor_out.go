package aws

import (
	"encoding/binary"
	"math"
	"reflect"
	"slices"
	"strings"
)

// EncodeCBOR appends a struct to b. millis says that timestamps are in
// milliseconds.
func EncodeCBOR(b []byte, out any, millis bool) []byte {
	return cborTo{millis}.value(b, reflect.ValueOf(out))
}

type cborTo struct{ millis bool }

func cborHead(b []byte, major byte, argument uint64) []byte {
	major <<= 5
	switch {
	case argument < 24:
		return append(b, major|byte(argument))
	case argument <= math.MaxUint8:
		return append(b, major|24, byte(argument))
	case argument <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(b, major|25), uint16(argument))
	case argument <= math.MaxUint32:
		return binary.BigEndian.AppendUint32(append(b, major|26), uint32(argument))
	}
	return binary.BigEndian.AppendUint64(append(b, major|27), argument)
}

func cborString(b []byte, s string) []byte {
	// Text must be UTF-8: a reader may refuse the document.
	s = strings.ToValidUTF8(s, "\uFFFD")
	return append(cborHead(b, cborText, uint64(len(s))), s...)
}

func cborInt(b []byte, n int64) []byte {
	if n < 0 {
		return cborHead(b, cborNegative, uint64(-1-n))
	}
	return cborHead(b, cborUint, uint64(n))
}

func cborFloat(b []byte, f float64) []byte {
	return binary.BigEndian.AppendUint64(append(b, cborSimple<<5|27), math.Float64bits(f))
}

func (e cborTo) time(b []byte, t Time) []byte {
	b = cborHead(b, cborTag, cborEpoch)
	millis := t.UnixMilli()
	switch {
	case e.millis:
		return cborInt(b, millis)
	case millis%1000 == 0:
		return cborInt(b, millis/1000)
	}
	return cborFloat(b, float64(millis)/1000)
}

func (e cborTo) value(b []byte, v reflect.Value) []byte {
	switch v.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map:
		if v.IsNil() {
			return append(b, cborSimple<<5|22) // null
		}
	}
	switch {
	case v.Type() == timeType:
		return e.time(b, v.Interface().(Time))
	case v.Kind() == reflect.Pointer:
		return e.value(b, v.Elem())
	case v.Kind() == reflect.Struct:
		return e.structure(b, v)
	case v.Kind() == reflect.Map:
		return e.mapping(b, v)
	case isBlob(v.Type()):
		return append(cborHead(b, cborBytes, uint64(v.Len())), v.Bytes()...)
	case v.Kind() == reflect.Slice:
		b = cborHead(b, cborArray, uint64(v.Len()))
		for i := range v.Len() {
			b = e.value(b, v.Index(i))
		}
		return b
	case v.Kind() == reflect.String:
		return cborString(b, v.String())
	case v.Kind() == reflect.Bool && v.Bool():
		return append(b, cborSimple<<5|21)
	case v.Kind() == reflect.Bool:
		return append(b, cborSimple<<5|20)
	case v.CanInt():
		return cborInt(b, v.Int())
	case v.CanFloat():
		return cborFloat(b, v.Float())
	}
	panic("a type that documents do not know: " + v.Type().String())
}

func (e cborTo) structure(b []byte, v reflect.Value) []byte {
	s := shapeOf(v.Type())
	n := 0
	for i := range s.members {
		if m := &s.members[i]; !m.left(v.FieldByIndex(m.index)) {
			n++
		}
	}
	b = cborHead(b, cborMap, uint64(n))
	for i := range s.members {
		m := &s.members[i]
		if f := v.FieldByIndex(m.index); !m.left(f) {
			b = e.value(cborString(b, m.name), f)
		}
	}
	return b
}

func (e cborTo) mapping(b []byte, v reflect.Value) []byte {
	keys := v.MapKeys()
	slices.SortFunc(keys, func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) })
	b = cborHead(b, cborMap, uint64(len(keys)))
	for _, k := range keys {
		b = e.value(cborString(b, k.String()), v.MapIndex(k))
	}
	return b
}
