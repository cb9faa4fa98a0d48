package amqp

import (
	"bufio"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	wire "github.com/narumq/naru/internal/wire/amqp091"
)

// peer speaks frames, right or wrong.
type peer struct {
	t  testing.TB
	nc net.Conn
	in input
}

// raw opens a connection, up to open-ok.
func (w *world) raw() *peer {
	w.t.Helper()
	p := newPeer(w.t, must[net.Conn](w.t)(net.Dial("tcp", w.addr)))
	p.open(0)
	return p
}

func newPeer(t testing.TB, nc net.Conn) *peer {
	t.Cleanup(func() { nc.Close() })
	p := &peer{t: t, nc: nc}
	p.in = input{r: nc, before: func(bool) error { return nc.SetReadDeadline(time.Now().Add(10 * time.Minute)) }}
	return p
}

func (p *peer) open(heartbeat uint16) {
	p.t.Helper()
	p.send([]byte(wire.ProtocolHeader))
	want[*wire.ConnectionStart](p)
	p.method(0, &wire.ConnectionStartOk{Mechanism: "PLAIN", Response: "\x00guest\x00guest", Locale: "en_US", ClientProperties: capable})
	tune := want[*wire.ConnectionTune](p)
	p.method(0, &wire.ConnectionTuneOk{ChannelMax: tune.ChannelMax, FrameMax: tune.FrameMax, Heartbeat: heartbeat})
	p.method(0, &wire.ConnectionOpen{VirtualHost: "/"})
	want[*wire.ConnectionOpenOk](p)
}

var capable = wire.NewTable(wire.Field{Name: "capabilities", Value: wire.NewTable(
	wire.Field{Name: "consumer_cancel_notify", Value: wire.Bool(true)},
	wire.Field{Name: "connection.blocked", Value: wire.Bool(true)}).Value()})

func (p *peer) send(b []byte) {
	p.t.Helper()
	if _, err := p.nc.Write(b); err != nil {
		p.t.Fatal(err)
	}
}

func (p *peer) method(channel uint16, m wire.Method) { p.send(wire.AppendMethodFrame(nil, channel, m)) }

// next is the next method, whatever the channel. Heartbeats do not count.
func (p *peer) next() (uint16, wire.Method) {
	p.t.Helper()
	for {
		head, payload, err := p.in.frame(1 << 20)
		if err != nil {
			p.t.Fatal(err)
		}
		if head.Type == wire.FrameMethod {
			m, err := wire.DecodeMethod(payload)
			if err != nil {
				p.t.Fatal(err)
			}
			return head.Channel, m
		}
	}
}

func want[M wire.Method](p *peer) M {
	p.t.Helper()
	_, m := p.next()
	got, ok := m.(M)
	if !ok {
		p.t.Fatalf("got %T %+v, want %T", m, m, got)
	}
	return got
}

func (p *peer) channel(n uint16) {
	p.t.Helper()
	p.method(n, &wire.ChannelOpen{})
	want[*wire.ChannelOpenOk](p)
}

// Whatever breaks the protocol ends the connection with the specification's code, and the method that did it.
func TestMalformed(t *testing.T) {
	w := newWorld(t, func(c *Config) {
		c.Limits.ContentBytesMax, c.Limits.CloseMax = 1<<20, 50*time.Millisecond
	})
	frame := func(typ byte, channel uint16, payload string) []byte {
		b := wire.AppendFrameHeader(nil, wire.FrameType(typ), channel, uint32(len(payload)))
		return append(append(b, payload...), wire.FrameEnd)
	}
	method := func(channel uint16, m wire.Method) []byte { return wire.AppendMethodFrame(nil, channel, m) }
	header := func(n uint64) []byte {
		return wire.AppendContentHeaderFrame(nil, 1, wire.ContentHeader{Class: 60, BodySize: n}, []byte{0, 0})
	}
	join := func(parts ...[]byte) (all []byte) {
		for _, p := range parts {
			all = append(all, p...)
		}
		return all
	}
	publish := method(1, &wire.BasicPublish{RoutingKey: "q"})
	for _, c := range []struct {
		name          string
		send          []byte
		code          wire.ReplyCode
		class, method uint16
	}{
		{"type of frame", frame(7, 1, ""), wire.FrameError, 0, 0},
		{"end of frame", []byte("\x01\x00\x01\x00\x00\x00\x04\x00\x14\x00\x0a\x00"), wire.FrameError, 0, 0},
		{"size of frame", []byte("\x01\x00\x01\x7f\xff\xff\xff"), wire.FrameError, 0, 0},
		{"heartbeat on a channel", frame(8, 1, ""), wire.UnexpectedFrame, 0, 0},
		{"body on channel 0", frame(3, 0, "x"), wire.UnexpectedFrame, 0, 0},
		{"header without publish", header(1), wire.UnexpectedFrame, 0, 0},
		{"a method's bytes in a header frame", frame(2, 1, "\x00\x3c\x00\x0a"), wire.UnexpectedFrame, 0, 0},
		{"body without header", frame(3, 1, "x"), wire.UnexpectedFrame, 0, 0},
		{"method within content", join(publish, method(1, &wire.BasicQos{})), wire.UnexpectedFrame, 0, 0},
		{"two headers", join(publish, header(4), header(4)), wire.UnexpectedFrame, 0, 0},
		{"body before header", join(publish, frame(3, 1, "x")), wire.UnexpectedFrame, 0, 0},
		{"more body", join(publish, header(1), frame(3, 1, "xy")), wire.FrameError, 0, 0},
		{"class of content", join(publish, wire.AppendContentHeaderFrame(nil, 1, wire.ContentHeader{Class: 10}, []byte{0, 0})), wire.UnexpectedFrame, 0, 0},
		{"properties", join(publish, wire.AppendContentHeaderFrame(nil, 1, wire.ContentHeader{Class: 60}, []byte{0x80, 0, 9})), wire.SyntaxError, 60, 40},
		{"unknown method", frame(1, 1, "\x00\x3c\x03\xe7"), wire.NotImplemented, 60, 999},
		{"arguments", frame(1, 1, "\x00\x32\x00\x0a\x00"), wire.SyntaxError, 50, 10},
		{"the server's method", method(1, &wire.BasicDeliver{}), wire.CommandInvalid, 60, 60},
		{"connection's method", method(1, &wire.ConnectionOpen{VirtualHost: "/"}), wire.CommandInvalid, 10, 40},
		{"second open", method(1, &wire.ChannelOpen{}), wire.ChannelError, 20, 10},
		{"channel not open", method(2, &wire.BasicQos{}), wire.ChannelError, 60, 10},
		{"content of a channel that is not open", frame(3, 2, "x"), wire.ChannelError, 0, 0},
		{"channel past channel_max", method(60_000, &wire.ChannelOpen{}), wire.NotAllowed, 20, 10},
		{"flow", method(1, &wire.ChannelFlow{}), wire.NotImplemented, 20, 20},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := w.raw()
			p.t = t
			p.channel(1)
			p.send(c.send)
			e := want[*wire.ConnectionClose](p)
			if wire.ReplyCode(e.ReplyCode) != c.code || e.ClassID != c.class || e.MethodID != c.method ||
				!strings.HasPrefix(e.ReplyText, c.code.String()+" - ") {
				t.Errorf("%+v, want %d %d.%d", e, c.code, c.class, c.method)
			}
		})
	}
	if !w.s.idle() {
		t.Error("something stays")
	}
}

// idle waits until all connections have ended.
func (s *Server) idle() bool {
	s.work.Wait()
	st := s.Stats()
	return st.Connections == 0 && st.Channels == 0 && st.Consumers == 0
}

// What one connection keeps of messages that do not come in full is bounded, over all its channels.
func TestUnfinishedContent(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Limits.ContentBytesMax, c.Limits.CloseMax = 300_000, 50*time.Millisecond })
	p := w.raw()
	body := make([]byte, 100_000)
	for i := range uint16(4) {
		p.channel(i + 1)
		p.method(i+1, &wire.BasicPublish{})
		p.send(wire.AppendContentHeaderFrame(nil, i+1, wire.ContentHeader{Class: 60, BodySize: 1 << 20}, []byte{0, 0}))
		p.send(wire.AppendBodyFrame(nil, i+1, body))
	}
	if e := want[*wire.ConnectionClose](p); wire.ReplyCode(e.ReplyCode) != wire.ResourceError {
		t.Errorf("%+v", e)
	}
}

// After a channel is closed by the server, what the client had on its way is ignored, and the channel can be opened again.
func TestChannelIsClosedAndOpenedAgain(t *testing.T) {
	w := newWorld(t)
	p := w.raw()
	p.channel(1)
	p.method(1, &wire.QueueDeclare{Queue: "none", Passive: true})
	p.method(1, &wire.QueueDeclare{Queue: "late"})
	p.method(1, &wire.BasicPublish{Exchange: "none"})
	p.send(wire.AppendContentHeaderFrame(nil, 1, wire.ContentHeader{Class: 60, BodySize: 1}, []byte{0, 0}))
	p.send(wire.AppendBodyFrame(nil, 1, []byte("x")))
	e := want[*wire.ChannelClose](p)
	if e.ReplyCode != 404 || e.ClassID != 50 || e.MethodID != 10 || e.ReplyText != "NOT_FOUND - no queue 'none' in vhost '/'" {
		t.Errorf("%+v", e)
	}
	p.method(1, &wire.ChannelCloseOk{})
	p.channel(1)
	p.method(1, &wire.QueueDeclare{Queue: "late", Passive: true})
	if e := want[*wire.ChannelClose](p); e.ReplyCode != 404 {
		t.Error("a method on a closed channel was carried out")
	}
}

// Nothing comes for what is asked without waiting, and a publish without a confirm is not answered.
func TestNoWait(t *testing.T) {
	w := newWorld(t)
	p := w.raw()
	p.channel(1)
	for _, m := range []wire.Method{
		&wire.ExchangeDeclare{Exchange: "x", Type: "fanout", NoWait: true}, &wire.QueueDeclare{Queue: "q", NoWait: true},
		&wire.QueueBind{Queue: "q", Exchange: "x", NoWait: true}, &wire.BasicConsume{Queue: "q", ConsumerTag: "c", NoWait: true},
		&wire.BasicCancel{ConsumerTag: "c", NoWait: true}, &wire.ConfirmSelect{NoWait: true},
		&wire.QueuePurge{Queue: "q", NoWait: true}, &wire.QueueDelete{Queue: "q", NoWait: true}, &wire.ExchangeDelete{Exchange: "x", NoWait: true},
	} {
		p.method(1, m)
	}
	p.method(1, &wire.BasicQos{})
	want[*wire.BasicQosOk](p)
}

// Two heartbeats that are missed end a connection; those that come keep it.
func TestHeartbeats(t *testing.T) {
	w := newWorld(t)
	t.Cleanup(func() {})
	synctest.Test(t, func(t *testing.T) {
		s := must[*Server](t)(NewServer(Config{Broker: w.b}))
		ours, theirs := net.Pipe()
		s.accept(theirs)
		p := newPeer(t, ours)
		p.open(10)
		var beats int
		done := make(chan struct{})
		go func() {
			defer close(done)
			for {
				head, _, err := p.in.frame(1 << 20)
				if err != nil {
					return
				}
				if head.Type == wire.FrameHeartbeat {
					beats++
				}
			}
		}()
		for range 5 {
			time.Sleep(15 * time.Second)
			p.send(wire.AppendHeartbeat(nil))
		}
		if s.Connections() != 1 {
			t.Fatal("it ended while heartbeats came")
		}
		began := time.Now()
		<-done
		if took := time.Since(began); took != 20*time.Second {
			t.Errorf("it ended after %v", took)
		}
		if beats < 15 {
			t.Errorf("%d heartbeats were sent in 95 s", beats)
		}
		ok(t, s.Shutdown(t.Context()))
	})
}

// Who says nothing, or too little, does not stay.
func TestSlowHandshake(t *testing.T) {
	w := newWorld(t)
	synctest.Test(t, func(t *testing.T) {
		s := must[*Server](t)(NewServer(Config{Broker: w.b}))
		for _, sent := range []string{"", "AMQP", wire.ProtocolHeader, wire.ProtocolHeader + "\x01\x00\x00\x00\x00\x00\x10"} {
			ours, theirs := net.Pipe()
			s.accept(theirs)
			began := time.Now()
			go io.WriteString(ours, sent)
			io.Copy(io.Discard, bufio.NewReader(ours))
			if took := time.Since(began); took != 10*time.Second {
				t.Errorf("%q: it ended after %v", sent, took)
			}
		}
		ok(t, s.Shutdown(t.Context()))
	})
}

// A peer that does not read is not sent more than the output holds.
func TestPeerThatDoesNotRead(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Limits.OutputBytesMax = 100_000 })
	queueOf(t, w.channel(), "q", nil)
	big := w.confirming()
	body := strings.Repeat("x", 10_000)
	for range 300 {
		publish(t, big, "", "q", body)
	}
	queueOf(t, big, "q", nil)
	ours, theirs := net.Pipe() // holds nothing
	w.s.accept(theirs)
	p := newPeer(t, ours)
	p.open(0)
	p.channel(1)
	p.method(1, &wire.BasicConsume{Queue: "q"})
	want[*wire.BasicConsumeOk](p)
	q, err := w.b.NamespaceQueue("/", "q")
	ok(t, err)
	eventually(t, func() bool { return q.Stats().InFlight >= 10 })
	w.s.mu.Lock()
	for c := range w.s.conns {
		c.out.mu.Lock()
		if n := c.out.waiting(); n > 100_000+batchBytesMax+20_000 {
			t.Errorf("%d bytes wait", n)
		}
		c.out.mu.Unlock()
	}
	w.s.mu.Unlock()
	if n := q.Stats().InFlight; n > 150 {
		t.Errorf("%d messages were taken for a peer that does not read", n)
	}
	for range 300 { // and when it reads, all come
		want[*wire.BasicDeliver](p)
	}
}

// Some clients send on after their close, which went past what waited to be sent.
func TestSendsAfterClose(t *testing.T) {
	w := newWorld(t)
	p := w.raw()
	p.channel(1)
	p.method(0, &wire.ConnectionClose{})
	want[*wire.ConnectionCloseOk](p)
	for range 100 {
		p.send(slices.Repeat(wire.AppendMethodFrame(nil, 1, &wire.BasicPublish{RoutingKey: "q"}), 1_000))
	}
}
