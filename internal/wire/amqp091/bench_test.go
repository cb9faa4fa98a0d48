package amqp091

import "testing"

var (
	hotPublish = &BasicPublish{Exchange: "orders", RoutingKey: "placed.eu.west", Mandatory: true}
	hotDeliver = &BasicDeliver{ConsumerTag: "ctag-1", DeliveryTag: 7, Exchange: "orders", RoutingKey: "placed.eu.west"}
	hotAck     = &BasicAck{DeliveryTag: 7, Multiple: true}
)

func hotProperties() *Properties {
	p := new(Properties)
	p.SetContentType("application/json")
	p.SetHeaders(NewTable(Field{"tenant", String("t-17")}, Field{"attempt", Int64(1)}))
	p.SetDeliveryMode(2)
	p.SetCorrelationID("2f0c6b1e-6f0b-4d53-9c57-0d8f4cbd1a01")
	p.SetMessageID("e7f2a1c0-11aa-4e4c-b0f7-6c0a7e1d2f3b")
	p.SetTimestamp(1704067200)
	return p
}

// TestHotPathAllocations: what comes and goes with every message allocates nothing; its properties once.
func TestHotPathAllocations(t *testing.T) {
	r := Reader{Intern: new(Interner)}
	for _, c := range []struct{ m, into Method }{
		{hotPublish, new(BasicPublish)}, {hotDeliver, new(BasicDeliver)}, {hotAck, new(BasicAck)},
	} {
		payload, b := AppendMethod(nil, c.m), make([]byte, 0, 512)
		if n := testing.AllocsPerRun(100, func() {
			id, arguments, err := SplitMethod(payload)
			if err != nil || id != c.m.ID() || r.Arguments(c.into, arguments) != nil {
				t.Fatal(id, err)
			}
			b = AppendMethodFrame(b[:0], 1, c.into)
		}); n != 0 {
			t.Errorf("%v: %v allocations", c.m.ID(), n)
		}
	}
	p, raw := new(Properties), hotProperties().Append(nil)
	if n := testing.AllocsPerRun(100, func() {
		if err := p.Parse(raw); err != nil {
			t.Fatal(err)
		}
		if _, ok := p.Headers.Get("attempt"); !ok {
			t.Fatal(p)
		}
	}); n != 1 {
		t.Errorf("parsing properties: %v allocations", n)
	}
	b := make([]byte, 0, 512)
	if n := testing.AllocsPerRun(100, func() {
		b = AppendContentHeaderFrame(b[:0], 1, ContentHeader{ClassBasic, 1024}, raw)
		b = p.Append(b)
	}); n != 0 {
		t.Errorf("writing properties: %v allocations", n)
	}
}

func benchmarkDecode(b *testing.B, m, into Method, r *Reader) {
	payload := AppendMethod(nil, m)
	b.SetBytes(int64(len(payload)))
	b.ReportAllocs()
	for b.Loop() {
		_, arguments, err := SplitMethod(payload)
		if err != nil || r.Arguments(into, arguments) != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkPublishDecode(b *testing.B) {
	b.Run("interned", func(b *testing.B) { benchmarkDecode(b, hotPublish, new(BasicPublish), &Reader{Intern: new(Interner)}) })
	b.Run("copied", func(b *testing.B) { benchmarkDecode(b, hotPublish, new(BasicPublish), new(Reader)) })
	b.Run("new", func(b *testing.B) {
		payload := AppendMethod(nil, hotPublish)
		b.ReportAllocs()
		for b.Loop() {
			if _, err := DecodeMethod(payload); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkDeliverDecode(b *testing.B) {
	benchmarkDecode(b, hotDeliver, new(BasicDeliver), &Reader{Intern: new(Interner)})
}

func BenchmarkAckDecode(b *testing.B) { benchmarkDecode(b, hotAck, new(BasicAck), new(Reader)) }

func benchmarkAppend(b *testing.B, m Method) {
	buf := AppendMethodFrame(nil, 1, m)
	b.SetBytes(int64(len(buf)))
	b.ReportAllocs()
	for b.Loop() {
		buf = AppendMethodFrame(buf[:0], 1, m)
	}
}

func BenchmarkPublishAppend(b *testing.B) { benchmarkAppend(b, hotPublish) }
func BenchmarkDeliverAppend(b *testing.B) { benchmarkAppend(b, hotDeliver) }
func BenchmarkAckAppend(b *testing.B)     { benchmarkAppend(b, hotAck) }

func BenchmarkPropertiesParse(b *testing.B) {
	p, raw := new(Properties), hotProperties().Append(nil)
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		if err := p.Parse(raw); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkPropertiesAppend(b *testing.B) {
	p := hotProperties()
	buf := p.Append(nil)
	b.SetBytes(int64(len(buf)))
	b.ReportAllocs()
	for b.Loop() {
		buf = p.Append(buf[:0])
	}
}
