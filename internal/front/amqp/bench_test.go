package amqp

import (
	"testing"

	wire "github.com/narumq/naru/internal/wire/amqp091"
)

// rawConfirming is a channel in confirm mode that reads confirms without a client's cost.
func (w *world) rawConfirming() *peer {
	p := w.raw()
	p.channel(1)
	p.method(1, &wire.ConfirmSelect{})
	want[*wire.ConfirmSelectOk](p)
	return p
}

// message is basic.publish with its content.
func message(key string, size int) []byte {
	b := wire.AppendMethodFrame(nil, 1, &wire.BasicPublish{RoutingKey: key})
	props := wire.Properties{Has: wire.HasDeliveryMode | wire.HasContentType, DeliveryMode: 2, ContentType: "application/octet-stream"}
	b = wire.AppendContentHeaderFrame(b, 1, wire.ContentHeader{Class: 60, BodySize: uint64(size)}, props.Append(nil))
	return wire.AppendBodyFrame(b, 1, make([]byte, size))
}

// awaitConfirms reads confirms up to the nth.
func (p *peer) awaitConfirms(n uint64) {
	for {
		_, m := p.next()
		switch m := m.(type) {
		case *wire.BasicAck:
			if m.DeliveryTag >= n {
				return
			}
		default:
			p.t.Fatalf("%T %+v", m, m)
		}
	}
}

func benchPublish(b *testing.B, w *world, n int) {
	p := w.rawConfirming()
	one := message("q", 1024)
	var many []byte
	for range 64 {
		many = append(many, one...)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		p.awaitConfirms(uint64(n))
	}()
	for left := n; left > 0; {
		k := min(left, 64)
		p.send(many[:k*len(one)])
		left -= k
	}
	<-done
}

// BenchmarkPublish publishes 1 KiB with confirms.
func BenchmarkPublish(b *testing.B) {
	w := newWorld(b)
	queueOf(b, w.channel(), "q", nil)
	b.SetBytes(1024)
	b.ReportAllocs()
	b.ResetTimer()
	benchPublish(b, w, b.N)
}

// BenchmarkConsume delivers and acks, with a prefetch of 500.
func BenchmarkConsume(b *testing.B) {
	w := newWorld(b)
	queueOf(b, w.channel(), "q", nil)
	benchPublish(b, w, b.N)
	p := w.raw()
	p.channel(1)
	p.method(1, &wire.BasicQos{PrefetchCount: 500})
	want[*wire.BasicQosOk](p)
	b.SetBytes(1024)
	b.ReportAllocs()
	b.ResetTimer()
	p.method(1, &wire.BasicConsume{Queue: "q"})
	want[*wire.BasicConsumeOk](p)
	var acks []byte
	for i := 0; i < b.N; {
		head, _, err := p.in.frame(1 << 20)
		if err != nil {
			b.Fatal(err)
		}
		if head.Type != wire.FrameBody {
			continue
		}
		i++
		acks = wire.AppendMethodFrame(acks, 1, &wire.BasicAck{DeliveryTag: uint64(i)})
		if p.in.empty() || i == b.N {
			p.send(acks)
			acks = acks[:0]
		}
	}
}
