package broker

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/narumq/naru/internal/catalog"
	"github.com/narumq/naru/internal/exchange"
)

// Nothing stays in a queue that may hold nothing, not even a byte; but who waits gets what comes.
func TestBoundNothing(t *testing.T) {
	w := newQueueWorld(t)
	if err := w.b.DeclareExchange("/", exchange.Spec{Name: "dlx", Kind: exchange.Fanout, Durable: true}); err != nil {
		t.Fatal(err)
	}
	dead := routed(t, w.b, "dead", nil)
	bind(t, w.b, "dlx", "dead", "")
	q := routed(t, w.b, "nothing", func(s *catalog.QueueSettings) {
		s.LengthMax, s.DeadLetterRoute = catalog.BoundNothing, &catalog.DeadLetterRoute{Namespace: "/", Exchange: "dlx"}
	})
	values := []string{"", "1"}
	for _, value := range values {
		publish(t, w.b, "", "nothing", value)
	}
	var got []string
	for len(got) < len(values) {
		for _, d := range waitFor(t, dead) {
			got = append(got, string(d.Record.Value))
		}
	}
	if slices.Sort(got); !slices.Equal(got, values) {
		t.Errorf("dead letters %q", got)
	}
	if got := takeAll(t, q); len(got) > 0 {
		t.Errorf("left %q", got)
	}

	received := make(chan []Delivery)
	go func() {
		list, err := q.Receive(context.Background(), ReceiveRequest{Max: 1, Wait: 10 * time.Second})
		if err != nil {
			t.Error(err)
		}
		received <- list
	}()
	for waiting := false; !waiting; runtime.Gosched() {
		q.local().mu.Lock()
		waiting = len(q.local().receives) > 0
		q.local().mu.Unlock()
	}
	publish(t, w.b, "", "nothing", "awaited")
	if list := <-received; len(list) != 1 || string(list[0].Record.Value) != "awaited" {
		t.Errorf("received %+v", list)
	}

	full := routed(t, w.b, "full", func(s *catalog.QueueSettings) {
		s.LengthMax, s.Overflow = catalog.BoundNothing, catalog.OverflowReject
	})
	if p := publish(t, w.b, "", "full", ""); !errors.Is(p.Err, ErrQueueFull) {
		t.Errorf("%+v", p)
	}
	if got := takeAll(t, full); len(got) > 0 {
		t.Errorf("%q", got)
	}
}

// What comes while a receive is about to come is for it, as if it waited already: neither too much, nor what nobody waits for.
func TestExpectedReceive(t *testing.T) {
	w := newQueueWorld(t)
	for name, set := range map[string]func(*catalog.QueueSettings){
		"short":     func(s *catalog.QueueSettings) { s.LengthMax = 1 },
		"unwaited":  func(s *catalog.QueueSettings) { s.Retention, s.ExpireUnwaited = time.Hour, true },
		"unbounded": nil,
	} {
		q := routed(t, w.b, name, set)
		one, two := q.Expect(), q.Expect()
		for _, value := range []string{"1", "2", "3"} {
			publish(t, w.b, "", name, value)
		}
		one()
		q.local().poke()
		if list, err := q.Receive(context.Background(), ReceiveRequest{Max: 1}); err != nil || len(list) != 1 || string(list[0].Record.Value) != "1" {
			t.Errorf("%s: received %+v, %v", name, list, err)
		}
		two()
		want := map[string][]string{"short": {"3"}, "unbounded": {"2", "3"}}[name]
		if got := takeAll(t, q); !slices.Equal(got, want) {
			t.Errorf("%s: left %q, want %q", name, got, want)
		}
	}
}

// A receive that is about to come, and does not for long, lets a queue hold only so much more than it may.
func TestExpectedReceiveIsNotAwaitedForEver(t *testing.T) {
	w := newQueueWorld(t)
	for name, set := range map[string]func(*catalog.QueueSettings){
		"short":    func(s *catalog.QueueSettings) { s.LengthMax = 1 },
		"unwaited": func(s *catalog.QueueSettings) { s.Retention, s.ExpireUnwaited = time.Hour, true },
	} {
		q := routed(t, w.b, name, set)
		defer q.Expect()()
		sendTo(t, q, slices.Repeat([]string{"m"}, wantedMax+10)...)
		q.local().poke()
		if held := q.Stats().Ready; held > wantedMax {
			t.Errorf("%s holds %d messages", name, held)
		}
	}
}

// Who waits for dead letters waits for those before, and for none that come later.
func TestBurials(t *testing.T) {
	q := &openQueue{}
	var told []int
	wait := func(n int) { q.AfterBurials(func() { told = append(told, n) }) }
	step := func(what string, want ...int) {
		t.Helper()
		if !slices.Equal(told, want) {
			t.Errorf("%s: told %v, want %v", what, told, want)
		}
	}
	wait(0)
	step("nothing is on its way", 0)
	first := q.setsOut()
	wait(1)
	second := q.setsOut()
	wait(2)
	third := q.setsOut()
	q.arrives(second).run()
	step("the second before the first", 0)
	q.arrives(third).run()
	q.arrives(first).run()
	step("all", 0, 1, 2)
	if q.burial != nil {
		t.Error("something is on its way")
	}
	wait(3)
	step("nothing again", 0, 1, 2, 3)
}
