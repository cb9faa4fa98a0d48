package api

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	naruv1 "github.com/narumq/naru/api/naru/v1"
)

// What a layout writes is what protojson writes, of messages of every type that has one.
func TestAnswersAreWrittenAsProtojsonDoes(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	written := map[protoreflect.Name]bool{}
	for _, file := range []protoreflect.FileDescriptor{naruv1.File_naru_v1_records_proto, naruv1.File_naru_v1_topics_proto, naruv1.File_naru_v1_queues_proto} {
		for i := range file.Messages().Len() {
			d := file.Messages().Get(i)
			l := layoutOf(d)
			if l == nil {
				continue
			}
			written[d.Name()] = true
			of, err := protoregistry.GlobalTypes.FindMessageByName(d.FullName())
			if err != nil {
				t.Fatal(err)
			}
			for range 300 {
				m := of.New()
				fill(random, m, 0)
				var want bytes.Buffer
				if b, err := asJSON.Marshal(m.Interface()); err != nil {
					t.Fatal(err)
				} else if err := json.Compact(&want, b); err != nil {
					t.Fatal(err)
				}
				got, err := l.marshal(nil, m.Interface())
				if err != nil || !bytes.Equal(got, want.Bytes()) {
					t.Fatalf("%s: %v\ngot  %s\nwant %s", d.Name(), err, got, want.Bytes())
				}
			}
		}
	}
	for _, name := range []protoreflect.Name{"ProduceResponse", "ReadResponse", "SendResponse", "ReceiveResponse", "SettleResponse"} {
		if !written[name] {
			t.Errorf("%s is left to protojson", name)
		}
	}
}

func TestAnswerThatIsNotUTF8IsRefused(t *testing.T) {
	m := &naruv1.Produced{Id: "\xff"}
	if b, err := layoutOf(m.ProtoReflect().Descriptor()).marshal(nil, m); err == nil {
		t.Errorf("written: %s", b)
	}
}

// fill sets fields of m, or leaves them.
func fill(random *rand.Rand, m protoreflect.Message, depth int) {
	if t, ok := m.Interface().(*timestamppb.Timestamp); ok {
		t.Seconds, t.Nanos = random.Int64N(4e9), []int32{0, 789_000_000, 789_123_000, 1}[random.IntN(4)]
		return
	}
	if d, ok := m.Interface().(*durationpb.Duration); ok {
		d.Seconds = random.Int64N(1e9)
		return
	}
	for i := range m.Descriptor().Fields().Len() {
		f := m.Descriptor().Fields().Get(i)
		switch {
		case f.IsMap() || random.IntN(3) == 0 || f.Message() != nil && depth > 4:
		case f.IsList():
			list := m.Mutable(f).List()
			for range random.IntN(3) {
				if f.Message() != nil {
					fill(random, list.AppendMutable().Message(), depth+1)
				} else {
					list.Append(scalar(random, f.Kind()))
				}
			}
		case f.Message() != nil:
			fill(random, m.Mutable(f).Message(), depth+1)
		default:
			m.Set(f, scalar(random, f.Kind()))
		}
	}
}

func scalar(random *rand.Rand, k protoreflect.Kind) protoreflect.Value {
	texts := []string{"", "plain", "호수 \u2028 \U0001f600 \ufffd", "\"quoted\" \\ / <&> \x00\x01\b\f\n\r\t\x1f\x7f"}
	switch k {
	case protoreflect.BoolKind:
		return protoreflect.ValueOfBool(random.IntN(2) == 0)
	case protoreflect.Int32Kind:
		return protoreflect.ValueOfInt32(random.Int32() - 1<<30)
	case protoreflect.Int64Kind:
		return protoreflect.ValueOfInt64(random.Int64() - 1<<62)
	case protoreflect.StringKind:
		return protoreflect.ValueOfString(texts[random.IntN(len(texts))])
	case protoreflect.BytesKind:
		return protoreflect.ValueOfBytes([]byte("\x00\xff\xfe bytes")[:random.IntN(9)])
	}
	panic("a kind that no layout has: " + k.String())
}
