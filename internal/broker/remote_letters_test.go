package broker

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"github.com/narumq/naru/internal/catalog"
	"github.com/narumq/naru/internal/exchange"
	"github.com/narumq/naru/internal/queue"
)

// A queue's dead letters go to an exchange, though the exchanges are at another broker.
func TestDeadLettersToExchangesElsewhere(t *testing.T) {
	w, a, b := newPair(t)
	name := "q"
	for i := 0; a.homeOf(name) == HomeSlot; i++ {
		name = fmt.Sprint("q", i)
	}
	if err := a.DeclareExchange(DefaultNamespace, exchange.Spec{Name: "x", Kind: exchange.Direct, Durable: true}); err != nil {
		t.Fatal(err)
	}
	w.queue("dead", nil)
	for _, key := range []string{"k", "more"} {
		err := a.Bind(DefaultNamespace, exchange.Binding{Source: "x", Destination: "dead", DestinationKind: exchange.ToQueue, Key: key})
		if err != nil {
			t.Fatal(err)
		}
	}
	key := "k"
	q := w.queue(name, func(s *catalog.QueueSettings) {
		s.DeadLetterRoute = &catalog.DeadLetterRoute{Namespace: DefaultNamespace, Exchange: "x", Key: &key}
	})
	w.give(a.homeOf(name), b)
	sendAll(t, q, text("first"), text("second"))
	list := mustReceive(t, q, ReceiveRequest{Max: 2})
	wantValues(t, list, "first", "second")
	q.Reject([]queue.Tag{list[0].Tag, list[1].Tag}, func([]error) {})
	dead, err := b.Queue("dead")
	if err != nil {
		t.Fatal(err)
	}
	var got []Delivery
	for len(got) < 2 {
		some := mustReceive(t, dead, ReceiveRequest{Max: 2, Wait: 10 * time.Second})
		if len(some) == 0 {
			t.Fatal("the letters did not come")
		}
		got = append(got, some...)
	}
	wantValues(t, got, "first", "second")
	if history, ok := headerValue(got[0].Record.Headers, HeaderDeaths); !ok || !bytes.Contains(history, []byte(name)) {
		t.Errorf("history: %s", history)
	}
}

// A dead letter that was durable in a queue of another slot when its old queue's owner
// ended, and not done there, is there once.
func TestDeadLetterOfACrashIsElsewhereOnce(t *testing.T) {
	w, a, b := newPair(t)
	name := "q"
	for i := 0; a.homeOf(name) == a.homeOf("dead"); i++ {
		name = fmt.Sprint("q", i)
	}
	dead := w.queue("dead", nil)
	q := w.queue(name, func(s *catalog.QueueSettings) { s.AttemptsMax, s.DeadLetter = 1, "dead" })
	sendAll(t, q, text("moved"), text("not yet"))
	list := mustReceive(t, q, ReceiveRequest{Max: 2, Lease: -1})
	wantValues(t, list, "moved", "not yet")
	old, err := a.Queue(name)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan Sent, 1)
	letter := old.local().deadLetter(&list[0].Record, &queue.DeadLetter{Tag: list[0].Tag, Reason: queue.ReasonAttempts})
	dead.backend().Forward(&letter, 0, func(s Sent) { done <- s })
	if s := <-done; s.Err != nil {
		t.Fatal(s.Err)
	}
	w.give(a.homeOf(name), b)
	if got := mustReceive(t, q, ReceiveRequest{Max: 2}); len(got) != 0 { // which makes them dead letters
		t.Fatalf("received %q", values(got))
	}
	wantValues(t, mustReceive(t, dead, ReceiveRequest{Max: 1, Wait: 10 * time.Second}), "moved")
	wantValues(t, mustReceive(t, dead, ReceiveRequest{Max: 1, Wait: 10 * time.Second}), "not yet")
	until(t, func() bool {
		st := q.Stats()
		return st.Ready+st.InFlight+st.Delayed == 0
	})
	if got := mustReceive(t, dead, ReceiveRequest{Max: 1}); len(got) != 0 {
		t.Errorf("once more: %q", values(got))
	}
}
