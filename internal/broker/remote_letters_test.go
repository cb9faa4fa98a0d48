package broker

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/narumq/naru/internal/catalog"
	"github.com/narumq/naru/internal/exchange"
	"github.com/narumq/naru/internal/peer"
	"github.com/narumq/naru/internal/queue"
	"github.com/narumq/naru/internal/record"
)

// A queue's dead letters go to an exchange, though the exchanges are at another broker.
func TestDeadLettersToExchangesElsewhere(t *testing.T) {
	w, a, b := newPair(t)
	name := w.outside("q", HomeSlot)
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
	w.give(q.home(), b)
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

// deadElsewhere has a queue whose dead letters go to one in another slot. All is at a.
func deadElsewhere(t *testing.T, max waits) (w *pair, a, b *pairNode, q, dead *Queue) {
	w, a, b = newPairWith(t, max)
	dead = w.queue("dead", nil)
	q = w.queue(w.outside("q", dead.home()), func(s *catalog.QueueSettings) { s.AttemptsMax, s.DeadLetter = 1, "dead" })
	return w, a, b, q, dead
}

// crashedWithALetter is deadElsewhere with messages that are all to be dead letters, of which the first has been sent there already;
// only its own queue does not know.
func crashedWithALetter(t *testing.T, max waits, messages ...string) (w *pair, a, b *pairNode, q, dead *Queue) {
	w, a, b, q, dead = deadElsewhere(t, max)
	for _, m := range messages {
		sendAll(t, q, text("%s", m))
	}
	list := mustReceive(t, q, ReceiveRequest{Max: len(messages), Lease: -1})
	wantValues(t, list, messages...)
	old, err := a.Queue(q.Meta().Name)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan Sent, 1)
	letter := old.local().deadLetter(&list[0].Record, &queue.DeadLetter{Tag: list[0].Tag, Reason: queue.ReasonAttempts})
	dead.backend().Forward(&letter, 0, func(s Sent) { done <- s })
	if s := <-done; s.Err != nil {
		t.Fatal(s.Err)
	}
	return w, a, b, q, dead
}

// A dead letter that was durable in a queue of another slot when its old queue's owner
// ended, and not done there, is there once.
func TestDeadLetterOfACrashIsElsewhereOnce(t *testing.T) {
	w, _, b, q, dead := crashedWithALetter(t, waits{}, "moved", "not yet")
	w.give(q.home(), b)
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

// Where the dead-letter queue cannot be seen, nobody says that a letter is not there.
func TestDeadLetterOfACrashIsElsewhereOnceThoughNobodyHasThatForAWhile(t *testing.T) {
	w, a, b, q, dead := crashedWithALetter(t, waits{owner: time.Millisecond}, "moved")
	w.give(q.home(), b)
	w.take(a.homeOf("dead"))
	p := mustPartition(t, b.Broker, "dead")
	bounds, asked := &unseen{partitionBackend: p.backend()}, &asking{queueBackend: dead.backend()}
	p.move(bounds)
	dead.move(asked)
	if got := mustReceive(t, q, ReceiveRequest{Max: 2}); len(got) != 0 { // which makes it a dead letter
		t.Fatalf("received %q", values(got))
	}
	until(t, func() bool { return bounds.times.Load()+asked.forwards.Load() > 0 })
	w.give(a.homeOf("dead"), a)
	buried(t, q)
	if got := mustReceive(t, dead, ReceiveRequest{Max: 2}); len(got) != 1 || asked.forwards.Load() > 0 {
		t.Errorf("there is %q, sent %d times more", values(got), asked.forwards.Load())
	}
}

// buried waits until a queue has nothing any more, all of which is dead letters.
func buried(t *testing.T, q *Queue) {
	t.Helper()
	until(t, func() bool {
		mustReceive(t, q, ReceiveRequest{Max: 1, Wait: 50 * time.Millisecond}) // it tries again when somebody waits
		st := q.Stats()
		return st.Ready+st.InFlight+st.Delayed == 0
	})
}

// asking counts what a queue of another broker is asked.
type asking struct {
	queueBackend
	forwards atomic.Int64
}

func (a *asking) Forward(rec *record.Record, lane int32, done func(Sent)) {
	a.forwards.Add(1)
	a.queueBackend.Forward(rec, lane, done)
}

// unseen counts how often nobody told the bounds of a partition.
type unseen struct {
	partitionBackend
	times atomic.Int64
}

func (u *unseen) Bounds() (start, high record.Offset, err error) {
	start, high, err = u.partitionBackend.Bounds()
	if err != nil {
		u.times.Add(1)
	}
	return start, high, err
}

// unsure is a queue of another broker whose answer to the first letter is lost.
type unsure struct {
	queueBackend
	asked atomic.Bool
}

func (u *unsure) Forward(rec *record.Record, lane int32, done func(Sent)) {
	u.queueBackend.Forward(rec, lane, func(s Sent) {
		if u.asked.CompareAndSwap(false, true) {
			s = Sent{Err: peer.ErrUnknownOutcome}
		}
		done(s)
	})
}

// A letter of which nobody said whether it arrived is looked for before it is sent again.
func TestDeadLetterOfUnknownOutcomeIsThereOnce(t *testing.T) {
	w, _, b, q, dead := deadElsewhere(t, waits{})
	w.give(q.home(), b)
	lossy := &unsure{queueBackend: dead.backend()}
	dead.move(lossy)
	sendAll(t, q, text("moved"))
	list := mustReceive(t, q, ReceiveRequest{Max: 1})
	q.GiveBack(list)
	if got := mustReceive(t, q, ReceiveRequest{Max: 1}); len(got) != 0 { // which makes it a dead letter
		t.Fatalf("received %q", values(got))
	}
	buried(t, q)
	if got := mustReceive(t, dead, ReceiveRequest{Max: 2}); len(got) != 1 || !lossy.asked.Load() {
		t.Errorf("there is %q", values(got))
	}
}

// halting is a queue whose owner stops.
type halting struct {
	queueBackend
	asked atomic.Int32
}

func (h *halting) SendOnce(ctx context.Context, once *Once, msgs []Message, done func([]Sent)) {
	if h.asked.Add(1) == 1 {
		done(slices.Repeat([]Sent{{Err: ErrQueueClosed}}, len(msgs)))
		return
	}
	h.queueBackend.SendOnce(ctx, once, msgs, done)
}

// Another broker that stops does not end the binding of a topic to a queue that it has.
func TestBindingToATopicOutlivesTheQueuesOwner(t *testing.T) {
	w, a, _ := newPair(t)
	w.topic("orders", 1)
	plainQueue(t, a.Broker, "q")
	q, err := a.Queue("q")
	if err != nil {
		t.Fatal(err)
	}
	h := &halting{queueBackend: q.backend()}
	q.move(h)
	bindOrders(t, a.Broker, "q")
	produceTo(t, a.Broker, "orders", "one")
	got := mustReceive(t, q, ReceiveRequest{Max: 1, Wait: 10 * time.Second})
	if len(got) != 1 || h.asked.Load() < 2 {
		t.Errorf("%q came, asked %d times", values(got), h.asked.Load())
	}
}

// A letter that waits for the exchanges stays before the next one, also when they come here.
func TestDeadLettersStayInOrderWhenTheExchangesComeHere(t *testing.T) {
	w, a, b := newPair(t)
	name := w.outside("dead", HomeSlot)
	plainQueue(t, a.Broker, name)
	w.known(func(b *Broker) bool { _, err := b.Queue(name); return err == nil })
	dead, err := b.Queue(name)
	if err != nil {
		t.Fatal(err)
	}
	for range 10 {
		w.strand(HomeSlot, a)
		done := make(chan error, 2)
		send := func(value string) {
			b.publishLetter(letter{namespace: DefaultNamespace, key: name, Message: Message{Value: []byte(value), Delay: -1}}, func(err error) { done <- err })
		}
		send("first")
		until(t, func() bool {
			b.letters.mu.Lock()
			defer b.letters.mu.Unlock()
			return len(b.letters.stalled) > 0 // it was refused
		})
		w.give(HomeSlot, b)
		send("second")
		if err := errors.Join(<-done, <-done); err != nil {
			t.Fatal(err)
		}
		list := mustReceive(t, dead, ReceiveRequest{Max: 2, Lease: -1})
		wantValues(t, list, "first", "second")
		settled(t, func(done func([]error)) { dead.Ack(tagsOf(list), done) })
	}
}

// A letter of which a part arrived, because nobody had one of its queues, was published: whoever asked for that is told so, and
// does not ask again.
func TestLetterThatArrivedInPartIsNotPublishedTwice(t *testing.T) {
	w, a, b := newPair(t)
	there := w.outside("there", HomeSlot)
	away := w.outside("away", HomeSlot, a.homeOf(there))
	for _, name := range []string{there, away} {
		plainQueue(t, a.Broker, name)
		w.known(func(b *Broker) bool { _, err := b.Queue(name); return err == nil })
	}
	q, err := b.Queue(there)
	if err != nil {
		t.Fatal(err)
	}
	w.strand(a.homeOf(away), b)
	done := make(chan error, 1)
	l := letter{namespace: DefaultNamespace, key: there, more: []string{away}, Message: Message{Value: []byte("x"), Delay: -1}}
	b.publishLetter(l, func(err error) { done <- err })
	if err := <-done; !errors.Is(err, ErrNotOwner) {
		t.Errorf("it was published: %v", err)
	}
	if list := mustReceive(t, q, ReceiveRequest{Max: 10}); len(list) != 1 {
		t.Errorf("it came %d times", len(list))
	}
}
