package amqp

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	client "github.com/rabbitmq/amqp091-go"
)

// Those who look after the broker see what clients have open.
func TestListSessions(t *testing.T) {
	w := newWorld(t)
	c := w.dial()
	ch, other := w.channel(c), w.channel(c)
	ok(t, other.Confirm(false))
	ok(t, ch.Qos(7, 0, false))
	must[client.Queue](t)(ch.QueueDeclare("work", true, false, false, false, client.Table{"x-single-active-consumer": true}))
	arguments := client.Table{"x-priority": int32(1), "list": []any{"a", int64(1), client.Table{"deep": true}}}
	must[<-chan client.Delivery](t)(ch.Consume("work", "first", false, false, false, false, arguments))
	must[<-chan client.Delivery](t)(other.Consume("work", "second", true, false, false, false, nil))

	list := w.s.ConnectionList()
	if len(list) != 1 {
		t.Fatalf("%d connections", len(list))
	}
	x := list[0]
	name := c.LocalAddr().String() + " -> " + w.addr
	if x.Name != name || x.User != "guest" || x.VHost != "/" || x.Mechanism != "PLAIN" || x.Channels != 2 || x.Received == 0 || x.Sent == 0 ||
		x.ClientProperties["product"] == nil || x.HeartbeatSeconds != 60 {
		t.Errorf("connection %+v", x)
	}
	_, port := hostPort(c.LocalAddr())
	one := ChannelInfo{Connection: name, User: "guest", VHost: "/", PeerHost: "127.0.0.1", PeerPort: port, Number: 1, Consumers: 1, Prefetch: 7}
	two := one
	two.Number, two.Prefetch, two.Confirms = 2, 0, true
	if diff := cmp.Diff([]ChannelInfo{one, two}, w.s.ChannelList()); diff != "" {
		t.Error(diff)
	}
	first := ConsumerInfo{
		Connection: name, User: "guest", VHost: "/", Queue: "work", Tag: "first", PeerHost: "127.0.0.1", PeerPort: port, Channel: 1,
		Prefetch: 7, AckRequired: true, Active: true,
		Arguments: map[string]any{"x-priority": int64(1), "list": []any{"a", int64(1), map[string]any{"deep": true}}},
	}
	second := first
	second.Tag, second.Channel, second.Prefetch, second.AckRequired, second.Active, second.Arguments = "second", 2, 0, false, false, map[string]any{}
	if diff := cmp.Diff([]ConsumerInfo{first, second}, w.s.ConsumerList()); diff != "" {
		t.Error(diff)
	}
}

func TestCloseConnection(t *testing.T) {
	w := newWorld(t)
	c := w.dial()
	ch := w.channel(c)
	queueOf(t, ch, "q", nil)
	consume(t, ch, "q", "c", nil)
	closed := c.NotifyClose(make(chan *client.Error, 1))
	name := w.s.ConnectionList()[0].Name
	if w.s.CloseConnection("nobody", "test") {
		t.Error("closed a connection that is not there")
	}
	w.s.mail.Lock() // no consumer can go
	if !w.s.CloseConnection(name, "told so") {
		t.Error("no connection")
	}
	select {
	case <-closed:
		t.Error("it is told while its consumer is in its way when it comes again")
	case <-time.After(50 * time.Millisecond):
	}
	w.s.mail.Unlock()
	e := next(t, closed)
	if e == nil || e.Code != 320 || e.Reason != "CONNECTION_FORCED - broker forced connection closure with reason 'told so'" {
		t.Errorf("closed with %v", e)
	}
}
