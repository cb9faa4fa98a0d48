package broker

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/narumq/naru/internal/catalog"
	"github.com/narumq/naru/internal/exchange"
	"github.com/narumq/naru/internal/queue"
	"github.com/narumq/naru/internal/record"
)

// linked is a broker with the topic orders and a queue q that is bound to it.
func linked(t *testing.T, cfg Config) *Broker {
	t.Helper()
	b := reopen(t, cfg)
	if _, err := b.CreateTopic(catalog.TopicSpec{Name: "orders", Partitions: 2}, false); err != nil {
		t.Fatal(err)
	}
	appendOrder(t, b, "before")
	plainQueue(t, b, "q")
	bindOrders(t, b, "q")
	return b
}

func reopen(t *testing.T, cfg Config) *Broker {
	t.Helper()
	b, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

func plainQueue(t *testing.T, b *Broker, name string) *Queue {
	t.Helper()
	s := catalog.DefaultQueueSettings()
	s.Retention = 0
	q, err := b.CreateNamespaceQueue(DefaultNamespace, name, catalog.QueueSpec{Settings: s})
	if err != nil {
		t.Fatal(err)
	}
	return q
}

func bindOrders(t *testing.T, b *Broker, name string) {
	t.Helper()
	if err := b.Bind(DefaultNamespace, exchange.Binding{Source: "orders", Destination: name, Key: "#"}); err != nil {
		t.Fatal(err)
	}
}

// appendOrder writes to the topic as other protocols do.
func appendOrder(t *testing.T, b *Broker, values ...string) {
	t.Helper()
	var list []NewRecord
	for _, v := range values {
		list = append(list, NewRecord{Partition: -1, Timestamp: -1, Key: []byte("k-" + v), Value: []byte(v)})
	}
	done := make(chan error, 1)
	if err := b.Produce(context.Background(), "orders", nil, list, func(s []Sent) { done <- s[0].Err }); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

// takeOrders receives and acks n messages, and counts them by value and key.
func takeOrders(t *testing.T, b *Broker, name string, n int) map[string]int {
	t.Helper()
	q, err := b.NamespaceQueue(DefaultNamespace, name)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]int{}
	for n > 0 {
		list, err := q.Receive(context.Background(), ReceiveRequest{Max: n, Wait: 10 * time.Second})
		if err != nil || len(list) == 0 {
			t.Fatalf("%d of %d are missing, got %v: %v", n, n+len(got), got, err)
		}
		for _, d := range list {
			key, _ := headerValue(d.Record.Headers, HeaderRoutingKey)
			got[string(d.Record.Value)+"/"+string(key)]++
			ackOne(t, q, d)
		}
		n -= len(list)
	}
	return got
}

func ackOne(t *testing.T, q *Queue, d Delivery) {
	t.Helper()
	done := make(chan []error, 1)
	q.Ack([]queue.Tag{d.Tag}, func(errs []error) { done <- errs })
	if err := (<-done)[0]; err != nil {
		t.Fatal(err)
	}
}

func TestTopicIsAnExchange(t *testing.T) {
	b := linked(t, Config{Dir: t.TempDir(), Store: catalog.NewMem(), RetentionEvery: -1})
	done := make(chan Published, 1)
	b.Publish(context.Background(), DefaultNamespace, "orders", &exchange.Message{Key: "k-published"}, Message{Value: []byte("published"), Delay: -1}, func(p Published) { done <- p })
	if p := <-done; p.Err != nil || p.Queues != 1 {
		t.Fatalf("%+v", p)
	}
	appendOrder(t, b, "a", "b")
	if got := takeOrders(t, b, "q", 3); fmt.Sprint(got) != "map[a/k-a:1 b/k-b:1 published/k-published:1]" {
		t.Errorf("got %v", got)
	}
	if _, err := b.Exchange("/", "orders"); err != nil {
		t.Error("the topic is no exchange")
	}
	for _, name := range []string{"q", "__naru_routing", "none"} {
		if _, err := b.Exchange("/", name); !errors.Is(err, exchange.ErrNotFound) {
			t.Errorf("%s is an exchange", name)
		}
	}
	err := b.Bind("/", exchange.Binding{Source: "amq.topic", DestinationKind: exchange.ToExchange, Destination: "orders"})
	if !errors.Is(err, ErrTopicExchange) {
		t.Errorf("exchange to topic: %v", err)
	}
	if err := b.Unbind("/", exchange.Binding{Source: "orders", Destination: "q", Key: "any"}); err != nil {
		t.Fatal(err)
	}
	appendOrder(t, b, "after")
	bindOrders(t, b, "q")
	appendOrder(t, b, "again")
	if got := takeOrders(t, b, "q", 1); got["again/k-again"] != 1 {
		t.Errorf("got %v", got)
	}
}

func TestDeclaredExchangeHidesATopic(t *testing.T) {
	b := linked(t, Config{Dir: t.TempDir(), Store: catalog.NewMem(), RetentionEvery: -1})
	if err := b.DeclareExchange("/", exchange.Spec{Name: "orders", Kind: exchange.Direct, Durable: true}); err != nil {
		t.Fatal(err)
	}
	if x, _ := b.Exchange("/", "orders"); x.Kind != exchange.Direct {
		t.Errorf("%+v", x)
	}
	done := make(chan Published, 1)
	b.Publish(context.Background(), "/", "orders", &exchange.Message{Key: "nobody"}, Message{}, func(p Published) { done <- p })
	if p := <-done; p.Queues != 0 || p.Err != nil {
		t.Errorf("%+v", p)
	}
	appendOrder(t, b, "still bound")
	takeOrders(t, b, "q", 1)
}

// TestLinksOutliveTheProcess: each record comes once, also those that were written while nothing was copied, or whose progress
// was forgotten.
func TestLinksOutliveTheProcess(t *testing.T) {
	cfg := Config{Dir: t.TempDir(), Store: catalog.NewMem(), RetentionEvery: -1}
	b := linked(t, cfg)
	appendOrder(t, b, "1", "2", "3")
	takeOrders(t, b, "q", 3)
	b.Close()
	b = reopen(t, cfg)
	for _, l := range b.routing().allLinks() { // as if a crash had kept the progress from the log
		l.stop()
		l2 := newLink(l.s, l.name, linkState{topic: l.state.topic, queue: l.state.queue, next: []record.Offset{0, 0}})
		if err := b.AddPartitions("orders", 3, false); err != nil {
			t.Fatal(err)
		}
		b.routing().mu.Lock()
		b.routing().links[l.name] = l2
		b.routing().mu.Unlock()
		l2.start(b)
	}
	appendOrder(t, b, "4", "5", "6", "7", "8", "9")
	got := takeOrders(t, b, "q", 7) // and the one from before the binding
	for _, v := range []string{"before", "4", "5", "6", "7", "8", "9"} {
		if got[v+"/k-"+v] != 1 {
			t.Errorf("got %v, want %s once", got, v)
		}
	}
	b.Close()
	b = reopen(t, cfg)
	appendOrder(t, b, "last")
	if got := takeOrders(t, b, "q", 1); got["last/k-last"] != 1 {
		t.Errorf("got %v", got)
	}
}

func TestLinksEndWithTopicAndQueue(t *testing.T) {
	cfg := Config{Dir: t.TempDir(), Store: catalog.NewMem(), RetentionEvery: -1}
	b := linked(t, cfg)
	if err := b.DeleteNamespaceQueue("/", "q"); err != nil {
		t.Fatal(err)
	}
	if n := b.routing().linkCount(); n != 0 {
		t.Errorf("%d bindings of a queue that is gone", n)
	}
	plainQueue(t, b, "q")
	bindOrders(t, b, "q")
	if err := b.DeleteTopic("orders"); err != nil {
		t.Fatal(err)
	}
	until(t, func() bool { return b.routing().linkCount() == 0 })
	if _, err := b.CreateTopic(catalog.TopicSpec{Name: "orders", Partitions: 1}, false); err != nil {
		t.Fatal(err)
	}
	bindOrders(t, b, "q")
	appendOrder(t, b, "new")
	if got := takeOrders(t, b, "q", 1); got["new/k-new"] != 1 {
		t.Errorf("got %v", got)
	}
}

func FuzzLinkState(f *testing.F) {
	s := linkState{topic: catalog.UUID{1}, queue: 7, next: []record.Offset{0, 5, 1 << 40}}
	f.Add(s.encode(linkMade))
	f.Add([]byte{linkProgress})
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := parseLinkState(b)
		if err != nil {
			return
		}
		again, err := parseLinkState(s.encode(b[0]))
		if err != nil || fmt.Sprint(again) != fmt.Sprint(s) {
			t.Errorf("%v became %v, %v", s, again, err)
		}
	})
}

func until(t *testing.T, f func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !f(); runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatal("it does not come to hold")
		}
	}
}
