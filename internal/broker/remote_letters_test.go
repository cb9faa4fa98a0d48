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
