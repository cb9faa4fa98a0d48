package amqp

import (
	"io"
	"net"
	"runtime"
	"testing"
	"time"

	wire "github.com/narumq/naru/internal/wire/amqp091"
)

// session is a connection's bytes up to open-ok, and a channel.
func session() []byte {
	b := []byte(wire.ProtocolHeader)
	for _, m := range []wire.Method{
		&wire.ConnectionStartOk{Mechanism: "PLAIN", Response: "\x00u\x00p"},
		&wire.ConnectionTuneOk{ChannelMax: 10, FrameMax: 4096}, &wire.ConnectionOpen{VirtualHost: "/"},
	} {
		b = wire.AppendMethodFrame(b, 0, m)
	}
	return wire.AppendMethodFrame(b, 1, &wire.ChannelOpen{})
}

func seeds() (list [][]byte) {
	var all []byte
	for _, m := range []wire.Method{
		&wire.QueueDeclare{Queue: "q", Arguments: wire.NewTable(wire.Field{Name: "x-max-length", Value: wire.Int64(10)})},
		&wire.ExchangeDeclare{Exchange: "x", Type: "topic"}, &wire.QueueBind{Queue: "q", Exchange: "x", RoutingKey: "#"},
		&wire.ConfirmSelect{}, &wire.BasicPublish{Exchange: "x", RoutingKey: "a.b", Mandatory: true},
	} {
		all = wire.AppendMethodFrame(all, 1, m)
	}
	p := wire.Properties{Has: wire.HasHeaders | wire.HasPriority, Priority: 3, Headers: wire.NewTable(
		wire.Field{Name: "CC", Value: wire.NewArray(wire.String("q")).Value()}, wire.Field{Name: "n", Value: wire.Float64(1)})}
	all = wire.AppendContentHeaderFrame(all, 1, wire.ContentHeader{Class: 60, BodySize: 5}, p.Append(nil))
	all = wire.AppendBodyFrame(all, 1, []byte("hello"))
	for _, m := range []wire.Method{
		&wire.BasicConsume{Queue: "q", ConsumerTag: "c"}, &wire.BasicAck{Multiple: true}, &wire.BasicNack{DeliveryTag: 1, Requeue: true},
		&wire.BasicGet{Queue: "q"}, &wire.BasicRecover{Requeue: true}, &wire.BasicQos{PrefetchCount: 1, Global: true},
		&wire.QueuePurge{Queue: "q"}, &wire.BasicCancel{ConsumerTag: "c"}, &wire.QueueDelete{Queue: "q"},
	} {
		all = wire.AppendMethodFrame(all, 1, m)
	}
	list = append(list, all, nil)
	list = append(list, wire.AppendMethodFrame(wire.AppendMethodFrame(nil, 1, &wire.TxSelect{}), 1, &wire.TxCommit{}))
	list = append(list, wire.AppendFrameHeader(nil, wire.FrameMethod, 1, 1<<31), []byte("\x08\x00\x00\x00\x00\x00\x00\xce"))
	return list
}

// Whatever a peer sends, its connection ends soon after it does, nothing stays, and it costs no more than what was sent.
func FuzzConnection(f *testing.F) {
	w := newWorld(f, func(c *Config) {
		c.Limits.HandshakeMax, c.Limits.FrameMax, c.Limits.CloseMax = time.Second, time.Second, 10*time.Millisecond
	})
	for _, b := range seeds() {
		f.Add(b, true)
		f.Add(b, false)
	}
	f.Fuzz(func(t *testing.T, b []byte, opened bool) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		ours, theirs := net.Pipe()
		w.s.accept(theirs)
		gone := make(chan struct{})
		go func() {
			io.Copy(io.Discard, ours)
			close(gone)
		}()
		if opened {
			b = append(session(), b...)
		}
		ours.SetDeadline(time.Now().Add(patience))
		ours.Write(b)
		ours.Close()
		select {
		case <-gone:
		case <-time.After(patience):
			t.Fatal("the connection stays")
		}
		if !w.s.idle() {
			t.Errorf("something stays: %+v", w.s.Stats())
		}
		runtime.ReadMemStats(&after)
		if used := int64(after.TotalAlloc - before.TotalAlloc); used > 64<<20+100*int64(len(b)) {
			t.Errorf("%d bytes were allocated for %d", used, len(b))
		}
	})
}
