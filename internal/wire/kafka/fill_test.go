package kafka

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

// filler sets every field to something random, nulls and empties included.
type filler struct{ *rand.Rand }

var piecesType = reflect.TypeFor[Pieces]()

// fill sets all that v points to. Fields that belong to kmsg's bookkeeping stay as they are.
func (f filler) fill(v reflect.Value) {
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(f.IntN(2) == 0)
	case reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		// Never a default: a tagged field that has its default may be sent or left out.
		v.SetInt(int64(1 + f.IntN(100)))
	case reflect.Uint8:
		v.SetUint(uint64(1 + f.IntN(255)))
	case reflect.String:
		v.SetString(string(f.bytes(20)))
	case reflect.Pointer:
		if f.IntN(4) > 0 {
			v.Set(reflect.New(v.Type().Elem()))
			f.fill(v.Elem())
		}
	case reflect.Struct:
		for i := range v.NumField() {
			switch v.Type().Field(i).Name {
			case "Version", "UnknownTags":
			default:
				f.fill(v.Field(i))
			}
		}
	case reflect.Array:
		for i := range v.Len() {
			f.fill(v.Index(i))
		}
	case reflect.Slice:
		f.fillSlice(v)
	default:
		panic(v.Type())
	}
}

func (f filler) fillSlice(v reflect.Value) {
	switch {
	case f.IntN(6) == 0: // nil
	case v.Type() == piecesType:
		p := Pieces{}
		for range f.IntN(4) {
			p = append(p, f.bytes(2*pieceBytesMin))
		}
		v.Set(reflect.ValueOf(p))
	case v.Type().Elem().Kind() == reflect.Uint8:
		v.SetBytes(f.bytes(300))
	default:
		v.Set(reflect.MakeSlice(v.Type(), f.IntN(4), 4))
		for i := range v.Len() {
			f.fill(v.Index(i))
		}
	}
}

func (f filler) bytes(most int) []byte {
	b := make([]byte, f.IntN(most))
	for i := range b {
		b[i] = byte('a' + f.IntN(26))
	}
	return b
}
