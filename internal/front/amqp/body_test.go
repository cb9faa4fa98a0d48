package amqp

import (
	"bytes"
	"math/rand/v2"
	"testing"
	"time"

	client "github.com/rabbitmq/amqp091-go"

	wire "github.com/narumq/naru/internal/wire/amqp091"
)

const mib = 1 << 20

// begin sends a publish, the header of a body, and the first part of it.
func (p *peer) begin(channel uint16, size, first int) {
	p.t.Helper()
	b := wire.AppendMethodFrame(nil, channel, &wire.BasicPublish{RoutingKey: "q"})
	b = wire.AppendContentHeaderFrame(b, channel, wire.ContentHeader{Class: wire.ClassBasic, BodySize: uint64(size)}, []byte{0, 0})
	p.send(b)
	p.more(channel, first)
}

func (p *peer) more(channel uint16, n int) {
	p.t.Helper()
	p.send(wire.AppendBodyFrames(nil, channel, 131_072, make([]byte, n)))
}

func (s *Server) memoryLeft() int64 {
	s.bodies.mu.Lock()
	defer s.bodies.mu.Unlock()
	return s.bodies.left
}

func (s *Server) memoryWaiters() int {
	s.bodies.mu.Lock()
	defer s.bodies.mu.Unlock()
	return len(s.bodies.waiters)
}

// twoMiB is a server with memory for so much of bodies.
func twoMiB(t *testing.T, bodyMax time.Duration) *world {
	return newWorld(t, func(c *Config) {
		c.Limits.MessageBytesMax, c.Limits.BodyBytesMax, c.Limits.BodyMax = mib, 2*mib, bodyMax
	})
}

// confirmingPeer has a channel in confirm mode.
func (w *world) confirmingPeer() *peer {
	w.t.Helper()
	p := w.raw()
	p.channel(1)
	p.method(1, &wire.ConfirmSelect{})
	want[*wire.ConfirmSelectOk](p)
	return p
}

func TestBodiesOfSixteenMiB(t *testing.T) {
	w := newWorld(t)
	ch := w.confirming()
	queueOf(t, ch, "q", nil)
	queueOf(t, ch, "s", streamArgs())
	ok(t, ch.QueueBind("q", "k", "amq.direct", false, nil))
	ok(t, ch.QueueBind("s", "k", "amq.direct", false, nil))
	body := make([]byte, 16*mib)
	rand.NewChaCha8([32]byte{1}).Read(body)
	headers := client.Table{"filler": string(bytes.Repeat([]byte("h"), 100_000))}
	for range 3 {
		if !confirmed(t, ch, "amq.direct", "k", client.Publishing{Body: body, Headers: headers}) {
			t.Fatal("nacked")
		}
	}
	w.stop()
	w.start()
	_, c := w.reader("s", 1, "first")
	for range 3 {
		d := next(t, c)
		if !bytes.Equal(d.Body, body) {
			t.Fatal("the stream has another body")
		}
		ok(t, d.Ack(false))
	}
	ch = w.confirming()
	for range 3 {
		if d := got(t, ch, "q"); !bytes.Equal(d.Body, body) || d.Headers["filler"] != headers["filler"] {
			t.Fatal("the queue has another body")
		}
	}
	closed := ch.NotifyClose(make(chan *client.Error, 1))
	publish(t, ch, "", "q", string(make([]byte, 16*mib+1)))
	refused(t, next(t, closed), 406, "PRECONDITION_FAILED - message size 16777217 is larger than configured max size 16777216")
	eventually(t, func() bool { return w.s.memoryLeft() == 256*mib })
}

// TestHalfReceivedBodiesShareMemory: who finds none waits, unread, and small messages of others go on.
func TestHalfReceivedBodiesShareMemory(t *testing.T) {
	w := twoMiB(t, time.Minute)
	queueOf(t, w.channel(), "q", nil)
	a, b, late := w.confirmingPeer(), w.confirmingPeer(), w.confirmingPeer()
	a.begin(1, mib, 100)
	b.begin(1, mib, 100)
	eventually(t, func() bool { return w.s.memoryLeft() == 0 })
	late.begin(1, mib/2, 0)
	eventually(t, func() bool { return w.s.memoryWaiters() == 1 })
	if !confirmed(t, w.confirming(), "", "q", client.Publishing{Body: []byte("small")}) {
		t.Error("a small message was refused")
	}
	a.more(1, mib-100)
	want[*wire.BasicAck](a)
	late.more(1, mib/2)
	want[*wire.BasicAck](late)
	b.nc.Close() // in the middle
	eventually(t, func() bool { return w.s.memoryLeft() == 2*mib && w.s.memoryWaiters() == 0 })
}

// TestStalledBodyGivesWay: memory that others wait for is not held for ever.
func TestStalledBodyGivesWay(t *testing.T) {
	w := twoMiB(t, 20*time.Millisecond)
	queueOf(t, w.channel(), "q", nil)
	w.s.bodies.take(t.Context(), mib)
	defer w.s.bodies.give(mib)
	stalled, late := w.confirmingPeer(), w.confirmingPeer()
	stalled.begin(1, 200_000, 131_072) // and three seconds for its size
	eventually(t, func() bool { return w.s.memoryLeft() == mib-200_000 })
	late.begin(1, mib, mib)
	want[*wire.BasicAck](late)
	if _, _, err := stalled.in.frame(1 << 20); err == nil {
		t.Error("the connection that stalled is open")
	}
}

// TestConnectionWaitsForItself: what it has half received stands in the way of more.
func TestConnectionWaitsForItself(t *testing.T) {
	w := twoMiB(t, 20*time.Millisecond)
	queueOf(t, w.channel(), "q", nil)
	w.s.bodies.take(t.Context(), mib)
	defer w.s.bodies.give(mib)
	p := w.confirmingPeer()
	p.channel(2)
	p.begin(1, 200_000, 100)
	p.begin(2, mib, 0)
	if e := want[*wire.ConnectionClose](p); e.ReplyCode != uint16(wire.ResourceError) {
		t.Errorf("%+v", e)
	}
	p.method(0, &wire.ConnectionCloseOk{})
	eventually(t, func() bool { return w.s.memoryLeft() == mib })
}

// TestTransactionsHoldNoSharedMemory: they may take any time, and have a bound of their own.
func TestTransactionsHoldNoSharedMemory(t *testing.T) {
	w := twoMiB(t, time.Minute)
	ch := w.channel()
	queueOf(t, ch, "q", nil)
	ok(t, ch.Tx())
	for range 4 {
		publish(t, ch, "", "q", string(make([]byte, mib)))
	}
	eventually(t, func() bool { return w.s.Stats().Published == 4 && w.s.memoryLeft() == 2*mib })
	ok(t, ch.TxCommit())
}

// TestShutdownEndsTheWaitForMemory does so though nothing comes free.
func TestShutdownEndsTheWaitForMemory(t *testing.T) {
	w := twoMiB(t, time.Minute)
	queueOf(t, w.channel(), "q", nil)
	w.s.bodies.take(t.Context(), 2*mib)
	p := w.confirmingPeer()
	p.begin(1, mib, 0)
	eventually(t, func() bool { return w.s.memoryWaiters() == 1 })
	w.stop()
	if e := want[*wire.ConnectionClose](p); e.ReplyCode != uint16(wire.ConnectionForced) {
		t.Errorf("%+v", e)
	}
	w.start()
}
