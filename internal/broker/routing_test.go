package broker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/narumq/naru/internal/catalog"
	"github.com/narumq/naru/internal/exchange"
	"github.com/narumq/naru/internal/record"
)

func publish(t *testing.T, b *Broker, name, key, value string, cc ...string) Published {
	t.Helper()
	done := make(chan Published, 1)
	m := &exchange.Message{Key: key, CC: cc, Header: func(string) (exchange.Value, bool) { return exchange.Value{}, false }}
	headers := []record.HeaderField{{Key: HeaderExchange, Value: []byte(name)}, {Key: HeaderRoutingKey, Value: []byte(key)}}
	b.Publish(context.Background(), DefaultNamespace, name, m, Message{Value: []byte(value), Headers: headers, Delay: -1}, func(p Published) { done <- p })
	return <-done
}

func routed(t *testing.T, b *Broker, name string, change func(*catalog.QueueSettings)) *Queue {
	t.Helper()
	spec := catalog.QueueSpec{Settings: catalog.DefaultQueueSettings()}
	if change != nil {
		change(&spec.Settings)
	}
	q, err := b.CreateNamespaceQueue(DefaultNamespace, name, spec)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

func bind(t *testing.T, b *Broker, from, queue, key string) {
	t.Helper()
	if err := b.Bind(DefaultNamespace, exchange.Binding{Source: from, Destination: queue, Key: key}); err != nil {
		t.Fatal(err)
	}
}

func takeAll(t *testing.T, q *Queue) (out []string) {
	t.Helper()
	list := mustReceive(t, q, ReceiveRequest{Max: 100})
	for _, d := range list {
		out = append(out, string(d.Record.Value))
	}
	ackAll(t, q, list)
	return out
}

// What is durable routes as before after a restart, and what is not is gone.
func TestRouting(t *testing.T) {
	w := newQueueWorld(t)
	if err := w.b.DeclareExchange(DefaultNamespace, exchange.Spec{Name: "logs", Kind: exchange.Topic, Durable: true}); err != nil {
		t.Fatal(err)
	}
	if err := w.b.DeclareExchange(DefaultNamespace, exchange.Spec{Name: "passing", Kind: exchange.Fanout}); err != nil {
		t.Fatal(err)
	}
	const odd = "주문 / 접수"
	routed(t, w.b, "errors", nil)
	routed(t, w.b, odd, nil)
	bind(t, w.b, "logs", "errors", "*.error")
	bind(t, w.b, "logs", odd, "#")
	bind(t, w.b, "passing", "errors", "")
	if err := w.b.Bind(DefaultNamespace, exchange.Binding{Source: "logs", Destination: "none"}); !errors.Is(err, catalog.ErrUnknownQueue) {
		t.Error(err)
	}
	if p := publish(t, w.b, "passing", "", "0"); p.Queues != 1 || p.Err != nil {
		t.Errorf("%+v", p)
	}
	w.restart()
	if _, err := w.b.Exchange(DefaultNamespace, "passing"); err == nil {
		t.Error("an exchange that is not durable is there after a restart")
	}
	for i, key := range []string{"app.error", "app.info"} {
		if p := publish(t, w.b, "logs", key, key); p.Queues != 2-i || p.Err != nil {
			t.Errorf("%s: %+v", key, p)
		}
	}
	if p := publish(t, w.b, "", odd, "direct"); p.Queues != 1 {
		t.Errorf("%+v", p)
	}
	if p := publish(t, w.b, "logs2", "x", "x"); !errors.Is(p.Err, exchange.ErrNotFound) {
		t.Errorf("%+v", p)
	}
	q, err := w.b.NamespaceQueue(DefaultNamespace, odd)
	if err != nil {
		t.Fatal(err)
	}
	if got := takeAll(t, q); !slices.Equal(got, []string{"app.error", "app.info", "direct"}) {
		t.Errorf("%q", got)
	}
	if got := takeAll(t, w.queue("errors")); !slices.Equal(got, []string{"0", "app.error"}) {
		t.Errorf("%q", got)
	}
	var names []string
	for _, n := range w.b.NamespaceQueues(DefaultNamespace) {
		names = append(names, n.Name)
	}
	if !slices.Contains(names, odd) || !slices.Contains(names, "errors") {
		t.Errorf("%q", names)
	}
	if err := w.b.DeleteNamespaceQueue(DefaultNamespace, odd); err != nil {
		t.Fatal(err)
	}
	if list := w.b.Bindings(DefaultNamespace); len(list) != 1 {
		t.Errorf("%v", list)
	}
}

func TestNamespaces(t *testing.T) {
	w := newQueueWorld(t)
	if err := w.b.CreateNamespace("dev"); err != nil {
		t.Fatal(err)
	}
	spec := catalog.QueueSpec{Settings: catalog.DefaultQueueSettings()}
	for _, ns := range []string{"/", "dev"} {
		if _, err := w.b.CreateNamespaceQueue(ns, "q", spec); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.b.CreateNamespaceQueue("none", "q", spec); !errors.Is(err, ErrUnknownNamespace) {
		t.Error(err)
	}
	w.restart()
	if got := w.b.Namespaces(); !slices.Equal(got, []string{"/", "dev"}) {
		t.Errorf("%q", got)
	}
	if err := w.b.DeleteNamespace("dev"); err != nil {
		t.Fatal(err)
	}
	if _, err := w.b.NamespaceQueue("dev", "q"); !errors.Is(err, catalog.ErrUnknownQueue) {
		t.Error(err)
	}
	if _, err := w.b.NamespaceQueue("/", "q"); err != nil {
		t.Error(err)
	}
	if err := w.b.DeleteNamespace("/"); err == nil {
		t.Error("the default namespace was deleted")
	}
}

// A queue that is too long gives up its head, or refuses, nobody receiving.
func TestQueueLength(t *testing.T) {
	w := newQueueWorld(t)
	if err := w.b.DeclareExchange("/", exchange.Spec{Name: "dlx", Kind: exchange.Fanout, Durable: true}); err != nil {
		t.Fatal(err)
	}
	dead := routed(t, w.b, "dead", nil)
	bind(t, w.b, "dlx", "dead", "")
	route := &catalog.DeadLetterRoute{Namespace: "/", Exchange: "dlx"}
	q := routed(t, w.b, "short", func(s *catalog.QueueSettings) { s.LengthMax, s.DeadLetterRoute = 2, route })
	for i := range 5 {
		if p := publish(t, w.b, "", "short", fmt.Sprint(i)); p.Err != nil {
			t.Fatal(p.Err)
		}
	}
	var got []string
	for len(got) < 3 {
		for _, d := range waitFor(t, dead) {
			got = append(got, string(d.Record.Value))
			deaths := DeathsOf(d.Record.Headers)
			if len(deaths.List) != 1 || deaths.List[0].Reason != exchange.MaxLength || deaths.List[0].Queue != "short" || deaths.List[0].RoutingKeys[0] != "short" {
				t.Errorf("%+v", deaths)
			}
		}
	}
	slices.Sort(got)
	if strings.Join(got, "") != "012" {
		t.Errorf("dead letters %q", got)
	}
	if got := takeAll(t, q); !slices.Equal(got, []string{"3", "4"}) {
		t.Errorf("%q", got)
	}
	full := routed(t, w.b, "full", func(s *catalog.QueueSettings) { s.LengthMax, s.Overflow = 1, catalog.OverflowReject })
	publish(t, w.b, "", "full", "1")
	if p := publish(t, w.b, "", "full", "2"); !errors.Is(p.Err, ErrQueueFull) {
		t.Errorf("%+v", p)
	}
	if got := takeAll(t, full); !slices.Equal(got, []string{"1"}) {
		t.Errorf("%q", got)
	}
}

// Expired messages go to the exchange for dead letters, count their deaths, and stop
// when they go round in a circle.
func TestExpiredAreRouted(t *testing.T) {
	w := newQueueWorld(t)
	later := routed(t, w.b, "later", func(s *catalog.QueueSettings) {
		key := "work"
		s.Retention, s.DeadLetterExpired, s.DeadLetterRoute = 10*time.Second, true, &catalog.DeadLetterRoute{Namespace: "/", Key: &key}
	})
	work := routed(t, w.b, "work", nil)
	publish(t, w.b, "", "later", "m")
	if n := later.Stats().Ready; n != 1 {
		t.Fatalf("%d ready", n)
	}
	w.add(11 * time.Second)
	later.local().poke() // what its timer does
	got := waitFor(t, work)
	if len(got) != 1 || string(got[0].Record.Value) != "m" {
		t.Fatalf("%v", got)
	}
	if d := DeathsOf(got[0].Record.Headers); len(d.List) != 1 || d.List[0].Reason != exchange.Expired {
		t.Errorf("%+v", d)
	}
	key, _ := headerValue(got[0].Record.Headers, HeaderRoutingKey)
	if string(key) != "work" {
		t.Errorf("routing key %q", key)
	}
	// A queue that expires into itself would keep the message for ever.
	self := routed(t, w.b, "self", func(s *catalog.QueueSettings) {
		key := "self"
		s.Retention, s.DeadLetterExpired, s.DeadLetterRoute = time.Second, true, &catalog.DeadLetterRoute{Namespace: "/", Key: &key}
	})
	publish(t, w.b, "", "self", "round")
	w.add(2 * time.Second)
	self.local().poke()
	for end := time.Now().Add(20 * time.Second); self.Stats().Ready+self.Stats().InFlight > 0; {
		if time.Now().After(end) {
			t.Fatalf("%+v", self.Stats())
		}
	}
}
