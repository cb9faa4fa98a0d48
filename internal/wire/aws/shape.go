package aws

import (
	"errors"
	"math"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Time is a timestamp, in milliseconds. In JSON and in Smithy's RPC v2 CBOR it is
// a number of seconds since 1970, in application/x-amz-cbor-1.1 of milliseconds.
type Time struct{ time.Time }

// MarshalJSON implements json.Marshaler.
func (t Time) MarshalJSON() ([]byte, error) {
	return strconv.AppendFloat(nil, float64(t.UnixMilli())/1000, 'f', -1, 64), nil
}

var timeType = reflect.TypeFor[Time]()

// millisMax is the year 33,658: what is past it is no timestamp.
const millisMax = 1e15

// timeOf turns a number of milliseconds into a Time.
func timeOf(millis float64) (Time, error) {
	if !(math.Abs(millis) <= millisMax) { // NaN neither
		return Time{}, errors.New("NUMBER_VALUE can not be converted to a Timestamp")
	}
	return Time{time.UnixMilli(int64(math.Round(millis)))}, nil
}

// member is a field of a struct as documents name it.
type member struct {
	name      string
	index     []int
	omitEmpty bool // as encoding/json has it
	omitZero  bool
}

// shape is what documents of a struct look like.
type shape struct {
	members []member
	byName  map[string]*member
}

var shapes sync.Map // of *shape by reflect.Type

func shapeOf(t reflect.Type) *shape {
	if s, ok := shapes.Load(t); ok {
		return s.(*shape)
	}
	s := &shape{byName: make(map[string]*member)}
	for _, f := range reflect.VisibleFields(t) {
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if f.Anonymous || !f.IsExported() || name == "-" {
			continue
		}
		if name == "" {
			name = f.Name
		}
		s.members = append(s.members, member{name, f.Index, strings.Contains(options, "omitempty"), strings.Contains(options, "omitzero")})
	}
	for i := range s.members {
		s.byName[s.members[i].name] = &s.members[i]
	}
	was, _ := shapes.LoadOrStore(t, s)
	return was.(*shape)
}

// left tells whether a member is left out of a document.
func (m *member) left(v reflect.Value) bool {
	if m.omitZero && v.IsZero() {
		return true
	}
	if !m.omitEmpty {
		return false
	}
	switch v.Kind() {
	case reflect.Slice, reflect.Map, reflect.String:
		return v.Len() == 0
	case reflect.Struct:
		return false
	}
	return v.IsZero()
}

func isBlob(t reflect.Type) bool {
	return t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Uint8
}
