package amqp

import (
	"context"
	"errors"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	client "github.com/rabbitmq/amqp091-go"

	"github.com/narumq/naru/internal/broker"
	"github.com/narumq/naru/internal/catalog"
)

// patience is how long a test waits for what has to come.
const patience = 30 * time.Second

// world is a server with a listener.
type world struct {
	t      testing.TB
	b      *broker.Broker
	s      *Server
	addr   string
	config broker.Config
	front  Config
}

func newWorld(t testing.TB, change ...func(*Config)) *world {
	t.Helper()
	w := &world{t: t, config: broker.Config{Dir: t.TempDir(), Store: catalog.NewMem(), RetentionEvery: -1, PasswordRounds: 1}}
	for _, f := range change {
		f(&w.front)
	}
	w.start()
	t.Cleanup(func() {
		w.stop()
	})
	return w
}

func (w *world) start() {
	w.t.Helper()
	b, err := broker.Open(w.config)
	if err != nil {
		w.t.Fatal(err)
	}
	w.front.Broker, w.front.Version = b, "test"
	s, err := NewServer(w.front)
	if err != nil {
		w.t.Fatal(err)
	}
	if err := s.CleanUp(); err != nil {
		w.t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		w.t.Fatal(err)
	}
	w.b, w.s, w.addr = b, s, ln.Addr().String()
	go s.Serve(ln)
}

func (w *world) stop() {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := w.s.Shutdown(ctx); err != nil {
		w.t.Errorf("shutdown: %v", err)
	}
	if err := w.b.Close(); err != nil {
		w.t.Errorf("close: %v", err)
	}
}

func (w *world) dial() *client.Connection {
	w.t.Helper()
	c, err := client.DialConfig("amqp://guest:guest@"+w.addr+"/", client.Config{Heartbeat: time.Minute, Locale: "en_US"})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { c.Close() })
	return c
}

func (w *world) channel(c ...*client.Connection) *client.Channel {
	w.t.Helper()
	if len(c) == 0 {
		c = append(c, w.dial())
	}
	ch, err := c[0].Channel()
	if err != nil {
		w.t.Fatal(err)
	}
	return ch
}

func must[T any](t testing.TB) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// refused wants an error of that code, whose text contains what is given.
func refused(t testing.TB, err error, code int, text string) {
	t.Helper()
	var e *client.Error
	if !errors.As(err, &e) || e.Code != code || !strings.Contains(e.Reason, text) {
		t.Errorf("error is %v, want %d with %q", err, code, text)
	}
}

func queueOf(t testing.TB, ch *client.Channel, name string, args client.Table) client.Queue {
	t.Helper()
	return must[client.Queue](t)(ch.QueueDeclare(name, true, false, false, false, args))
}

func publish(t testing.TB, ch *client.Channel, exchange, key, body string) {
	t.Helper()
	ok(t, ch.PublishWithContext(context.Background(), exchange, key, false, false, client.Publishing{Body: []byte(body)}))
}

// confirmed publishes and waits for the confirm.
func confirmed(t testing.TB, ch *client.Channel, exchange, key string, m client.Publishing) bool {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	d := must[*client.DeferredConfirmation](t)(ch.PublishWithDeferredConfirmWithContext(ctx, exchange, key, false, false, m))
	return must[bool](t)(d.WaitContext(ctx))
}

// confirming is a channel in confirm mode.
func (w *world) confirming() *client.Channel {
	w.t.Helper()
	ch := w.channel()
	ok(w.t, ch.Confirm(false))
	return ch
}

func next[T any](t testing.TB, c <-chan T) (v T) {
	t.Helper()
	select {
	case v, open := <-c:
		if !open {
			t.Fatal("nothing comes any more")
		}
		return v
	case <-time.After(patience):
		t.Fatal("nothing came")
	}
	return v
}

func consume(t testing.TB, ch *client.Channel, queue, tag string, args client.Table) <-chan client.Delivery {
	t.Helper()
	return must[<-chan client.Delivery](t)(ch.Consume(queue, tag, false, false, false, false, args))
}

// got gets a message, which has to be there.
func got(t testing.TB, ch *client.Channel, queue string) client.Delivery {
	t.Helper()
	d, there, err := ch.Get(queue, false)
	if err != nil || !there {
		t.Fatalf("get %s: %v, %v", queue, there, err)
	}
	return d
}

// eventually waits until f holds.
func eventually(t testing.TB, f func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !f(); runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatal("it does not come to hold")
		}
	}
}

// inFlight waits until so many messages are.
func (w *world) inFlight(queue string, n int64) {
	w.t.Helper()
	q, err := w.b.NamespaceQueue("/", queue)
	ok(w.t, err)
	eventually(w.t, func() bool { return q.Stats().InFlight == n })
}
