package broker

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/narumq/naru/internal/catalog"
	"github.com/narumq/naru/internal/coord"
	"github.com/narumq/naru/internal/exchange"
)

// unheardOf lets a do something for which it has to know what was done elsewhere, and which it takes up only when it asks. Its catalog may
// hear of it before.
func unheardOf[T any](t *testing.T, a *pairNode, elsewhere func() error, do func() T) T {
	t.Helper()
	a.following.mu.Lock() // it does not take up what others do
	if err := elsewhere(); err != nil {
		a.following.mu.Unlock()
		t.Fatal(err)
	}
	asked, done := a.following.begun.Load(), make(chan T, 1)
	go func() { done <- do() }()
	until(t, func() bool { return len(done) > 0 || a.following.begun.Load() > asked })
	a.following.mu.Unlock()
	return <-done
}

// making is an unheard-of queue's.
func making(b *pairNode, name string) func() error {
	return func() error {
		_, err := b.CreateQueue(catalog.QueueSpec{Name: name, Settings: catalog.DefaultQueueSettings()})
		return err
	}
}

// makingTopic is making of a topic.
func makingTopic(b *pairNode, name string) func() error {
	return func() error {
		_, err := b.CreateTopic(catalog.TopicSpec{Name: name, Partitions: 1}, false)
		return err
	}
}

// heardOf waits until a broker's catalog has a topic, and the broker itself may not.
func heardOf(t *testing.T, a *pairNode, name string) {
	t.Helper()
	until(t, func() bool { _, err := a.catalog.Topic(name); return err == nil })
}

func TestRedriveFindsAQueueThatAnotherBrokerMade(t *testing.T) {
	w, a, b := newPair(t)
	w.queue("from", nil)
	from, err := a.Queue("from")
	if err != nil {
		t.Fatal(err)
	}
	err = unheardOf(t, a, making(b, "to"), func() error {
		_, err := from.local().redriveTarget(&RedriveTask{To: "to"}, nil)
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// publishByName publishes to queues by their names.
func publishByName(t *testing.T, b *pairNode, name string, more ...string) Published {
	t.Helper()
	return publish(t, b.Broker, exchange.Default, name, "m", more...)
}

func TestPublishFindsAQueueThatAnotherBrokerMade(t *testing.T) {
	w, a, b := newPair(t)
	w.queue("known", nil)
	p := unheardOf(t, a, making(b, "new"), func() Published { return publishByName(t, a, "known", "new") })
	if p.Err != nil || p.Queues != 2 {
		t.Errorf("routed to %d queues, %v", p.Queues, p.Err)
	}
}

func TestATopicThatAnotherBrokerMadeIsAnExchange(t *testing.T) {
	_, a, b := newPair(t)
	p := unheardOf(t, a, makingTopic(b, "t"), func() Published { return publish(t, a.Broker, "t", "key", "m") })
	if p.Err != nil || p.Queues != 1 {
		t.Errorf("published to %d, %v", p.Queues, p.Err)
	}
	if err := unheardOf(t, a, makingTopic(b, "t2"), func() error { _, err := a.Exchange(DefaultNamespace, "t2"); return err }); err != nil {
		t.Error(err)
	}
	if p := publish(t, a.Broker, "none", "key", "m"); !errors.Is(p.Err, exchange.ErrNotFound) {
		t.Errorf("published to an exchange that is not there: %v", p.Err)
	}
}

// Names that are not there are published to at any rate, and etcd is not asked at that.
func TestPublishDoesNotLookUpAMissingQueueEachTime(t *testing.T) {
	_, a, b := newPair(t)
	asked, began := a.following.begun.Load(), time.Now()
	for range 200 {
		if p := publishByName(t, a, "q"); p.Err != nil || p.Queues != 0 {
			t.Fatalf("routed to %d queues, %v", p.Queues, p.Err)
		}
	}
	if n, most := a.following.begun.Load()-asked, 1+int64(time.Since(began)/vainFor); n > most {
		t.Errorf("looked up %d times, at most %d", n, most)
	}
	for i := range 2 * vainMax { // directly: each look-up takes a while
		a.following.vain.add(namespaceName{DefaultNamespace, fmt.Sprint(i)}, began)
	}
	if n := len(a.following.vain.began); n > vainMax {
		t.Errorf("%d names are remembered", n)
	}
	if last := (namespaceName{DefaultNamespace, fmt.Sprint(2*vainMax - 1)}); !a.following.vain.has(last, began) || a.following.vain.has(last, began.Add(vainFor)) {
		t.Error("it is not looked up again, or at once")
	}
	if _, err := b.CreateQueue(catalog.QueueSpec{Name: "q", Settings: catalog.DefaultQueueSettings()}); err != nil {
		t.Fatal(err)
	}
	until(t, func() bool { return publishByName(t, a, "q").Queues == 1 })
}

// The catalog hears of a topic before the broker has partitions of it, and an exchange is there from then on.
func TestBindToATopicThatIsBeingTakenUp(t *testing.T) {
	w, a, b := newPair(t)
	w.queue("q", nil)
	making := func() error { defer heardOf(t, a, "t"); return makingTopic(b, "t")() }
	err := unheardOf(t, a, making, func() error {
		if _, err := a.Exchange(DefaultNamespace, "t"); err != nil {
			return err
		}
		return a.Bind(DefaultNamespace, exchange.Binding{Source: "t", Destination: "q"})
	})
	if err != nil {
		t.Error(err)
	}
}

// While etcd is away nobody says that such an exchange does not exist.
func TestPublishToATopicThatCannotBeTakenUp(t *testing.T) {
	w, a, b := newPairWith(t, waits{lookUp: 50 * time.Millisecond})
	a.following.mu.Lock() // it does not take up what others do
	defer a.following.mu.Unlock()
	if err := makingTopic(b, "t")(); err != nil {
		t.Fatal(err)
	}
	heardOf(t, a, "t")
	w.quorum.SetRates(coord.Rates{coord.FateBroken: 1})
	defer w.quorum.SetRates(coord.Rates{})
	if p := publish(t, a.Broker, "t", "key", "m"); !errors.Is(p.Err, errCannotTell) {
		t.Errorf("published: %v", p.Err)
	}
}

// What is bound to a queue that another broker made anew stays bound, though here it is heard only then that the one before is gone.
func TestWhatIsBoundToAQueueMadeAnewStaysBound(t *testing.T) {
	w, a, b := newPair(t)
	w.queue("q", nil)
	declare := func(name string) {
		if err := a.DeclareExchange(DefaultNamespace, exchange.Spec{Name: name, Kind: exchange.Direct, Durable: true}); err != nil {
			t.Fatal(err)
		}
	}
	declare("x")
	bind(t, a.Broker, "x", "q", "of the one before")
	err := unheardOf(t, a, func() error { return errors.Join(b.DeleteQueue("q"), making(b, "q")()) }, func() error {
		return a.Bind(DefaultNamespace, exchange.Binding{Source: "x", Destination: "q", Key: "k"})
	})
	if err != nil {
		t.Fatal(err)
	}
	w.known(func(*Broker) bool { return true })
	declare("y") // after what was to be unbound
	if list := a.Bindings(DefaultNamespace); len(list) != 1 || list[0].Key != "k" {
		t.Errorf("bound: %+v", list)
	}
	if p := publish(t, a.Broker, "x", "k", "m"); p.Err != nil || p.Queues != 1 {
		t.Errorf("published to %d queues, %v", p.Queues, p.Err)
	}
}
