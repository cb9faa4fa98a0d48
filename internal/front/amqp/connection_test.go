package amqp

import (
	"context"
	"net"
	"testing"
	"time"

	client "github.com/rabbitmq/amqp091-go"
)

func TestConnection(t *testing.T) {
	w := newWorld(t)
	c := w.dial()
	if c.Config.ChannelMax != 2047 || c.Config.FrameSize != 131072 || c.Config.Heartbeat != time.Minute {
		t.Errorf("tuned to %+v", c.Config)
	}
	if c.Properties["product"] != "RabbitMQ" || c.Properties["version"] != "3.10.8" || c.Properties["platform"] != "Naru test" || c.Properties["capabilities"].(client.Table)["publisher_confirms"] != true {
		t.Errorf("properties: %v", c.Properties)
	}
	ch := w.channel(c)
	ok(t, ch.Close())
	w.channel(c)
	if st := w.s.Stats(); st.Connections != 1 || st.Channels != 1 {
		t.Errorf("%+v", st)
	}
	ok(t, c.Close())
}

func TestVirtualHosts(t *testing.T) {
	w := newWorld(t)
	_, err := client.Dial("amqp://guest:guest@" + w.addr + "/nowhere")
	refused(t, err, 530, "NOT_ALLOWED - vhost nowhere not found")
	ok(t, w.b.CreateNamespace("nowhere"))
	c, err := client.Dial("amqp://guest:guest@" + w.addr + "/nowhere")
	ok(t, err)
	ch := w.channel(c)
	queueOf(t, ch, "q", nil)
	_, err = ch.QueueDeclarePassive("other", true, false, false, false, nil)
	refused(t, err, 404, "NOT_FOUND - no queue 'other' in vhost 'nowhere'")
	if _, err := w.b.NamespaceQueue("/", "q"); err == nil {
		t.Error("a queue of another virtual host is in /")
	}
	c.Close()
}

func TestAMQPlain(t *testing.T) {
	w := newWorld(t)
	for auth, code := range map[client.Authentication]int{
		&client.AMQPlainAuth{Username: "u", Password: "p"}: 0,
		&client.ExternalAuth{}:                             503,
	} {
		c, err := client.DialConfig("amqp://"+w.addr+"/", client.Config{SASL: []client.Authentication{auth}})
		if code == 0 {
			ok(t, err)
			c.Close()
		} else if err == nil {
			t.Errorf("%s was accepted", auth.Mechanism())
		}
	}
}

func TestProtocolHeader(t *testing.T) {
	w := newWorld(t)
	for sent, want := range map[string]string{
		"AMQP\x00\x00\x08\x00": "AMQP\x00\x00\x09\x01", "AMQP\x00\x01\x00\x00": "AMQP\x00\x00\x09\x01", "GET / HT": "AMQP\x00\x00\x09\x01",
	} {
		nc := must[net.Conn](t)(net.Dial("tcp", w.addr))
		nc.Write([]byte(sent))
		nc.SetReadDeadline(time.Now().Add(patience))
		b := make([]byte, 64)
		n := 0
		for {
			k, err := nc.Read(b[n:])
			if n += k; err != nil {
				break
			}
		}
		if string(b[:n]) != want {
			t.Errorf("%q is answered with %q", sent, b[:n])
		}
		nc.Close()
	}
}

func TestShutdownTellsClients(t *testing.T) {
	w := newWorld(t)
	c := w.dial()
	ch := w.channel(c)
	ok(t, ch.Confirm(false))
	queueOf(t, ch, "q", nil)
	d := must[*client.DeferredConfirmation](t)(ch.PublishWithDeferredConfirm("", "q", false, false, client.Publishing{Body: []byte("x")}))
	queueOf(t, ch, "q", nil) // it was read
	closed := c.NotifyClose(make(chan *client.Error, 1))
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	ok(t, w.s.Shutdown(ctx))
	refused(t, next(t, closed), 320, "CONNECTION_FORCED")
	if !d.Acked() && !must[bool](t)(d.WaitContext(ctx)) {
		t.Error("what was published before is not confirmed")
	}
}

func TestConnectionsMax(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.ConnectionsMax = 1 })
	w.dial()
	if _, err := client.Dial("amqp://" + w.addr + "/"); err == nil {
		t.Error("a second connection is served")
	}
}

func TestChannelMax(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Limits.ChannelsMax = 2 })
	c := w.dial()
	w.channel(c)
	w.channel(c)
	if _, err := c.Channel(); err == nil {
		t.Error("a third channel is open")
	}
}

func TestBlocked(t *testing.T) {
	w := newWorld(t)
	c := w.dial()
	blocked := c.NotifyBlocked(make(chan client.Blocking, 4))
	ch := w.channel(c)
	ok(t, ch.Confirm(false))
	queueOf(t, ch, "q", nil)
	w.s.Block("low on disk")
	d := must[*client.DeferredConfirmation](t)(ch.PublishWithDeferredConfirm("", "q", false, false, client.Publishing{}))
	if b := next(t, blocked); !b.Active || b.Reason != "low on disk" {
		t.Errorf("%+v", b)
	}
	queueOf(t, w.channel(), "others", nil) // who does not publish is served
	if d.Acked() {
		t.Error("a blocked message was confirmed")
	}
	w.s.Unblock()
	if b := next(t, blocked); b.Active {
		t.Errorf("%+v", b)
	}
	<-d.Done()
}
