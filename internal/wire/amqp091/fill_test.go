package amqp091

import (
	"math/rand/v2"
	"os"
	"reflect"
	"strconv"
	"testing"
	"time"
)

// newRand returns a source seeded by NARU_SEED or the clock, and prints the seed.
func newRand(t testing.TB) *rand.Rand {
	seed := uint64(time.Now().UnixNano())
	if s := os.Getenv("NARU_SEED"); s != "" {
		n, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		seed = n
	}
	t.Logf("NARU_SEED=%d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

// filler makes random values, empty ones included.
type filler struct{ *rand.Rand }

var tableType = reflect.TypeFor[Table]()

// fill sets every field of a method or of properties.
func (f filler) fill(v reflect.Value) {
	switch {
	case v.Type() == tableType:
		v.Set(reflect.ValueOf(f.table(3)))
	case v.Kind() == reflect.Struct:
		for i := range v.NumField() {
			f.fill(v.Field(i))
		}
	case v.Kind() == reflect.Bool:
		v.SetBool(f.IntN(2) == 0)
	case v.Kind() == reflect.String:
		v.SetString(f.text(f.most()))
	case v.CanUint():
		v.SetUint(f.Uint64() >> f.IntN(64) & (1<<v.Type().Bits() - 1))
	default:
		panic(v.Type())
	}
}

// method returns a method of that id with random arguments.
func (f filler) method(id MethodID) Method {
	m := NewMethod(id)
	f.fill(reflect.ValueOf(m).Elem())
	return m
}

// most is the length of a short string at most: sometimes the longest there is.
func (f filler) most() int {
	if f.IntN(10) == 0 {
		return ShortStringMax
	}
	return 20
}

func (f filler) text(most int) string {
	b := make([]byte, f.IntN(most+1))
	for i := range b {
		b[i] = byte(f.IntN(256))
	}
	return string(b)
}

func (f filler) table(depth int) Table {
	var fields []Field
	for range f.IntN(4) {
		fields = append(fields, Field{f.text(f.most()), f.value(depth - 1)})
	}
	return NewTable(fields...)
}

func (f filler) array(depth int) Array {
	var values []Value
	for range f.IntN(4) {
		values = append(values, f.value(depth-1))
	}
	return NewArray(values...)
}

var kinds = []Kind{
	KindBool, KindInt8, KindUint8, KindInt16, KindUint16, KindInt32, KindUint32, KindInt64, KindInt64L, KindFloat32,
	KindFloat64, KindDecimal, KindString, KindTimestamp, KindVoid, KindBytes, KindArray, KindTable,
}

func (f filler) value(depth int) Value {
	n := len(kinds)
	if depth == 0 {
		n -= 2
	}
	switch k := kinds[f.IntN(n)]; k {
	case KindTable:
		return f.table(depth).Value()
	case KindArray:
		return f.array(depth).Value()
	case KindString, KindBytes:
		return Value{k, f.text(300)}
	default:
		return number(k, f.Uint64())
	}
}
