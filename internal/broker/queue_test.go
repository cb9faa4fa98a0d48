package broker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/narumq/naru/internal/catalog"
	"github.com/narumq/naru/internal/queue"
	"github.com/narumq/naru/internal/record"
)

// sendAll sends and waits.
func sendAll(t *testing.T, q *Queue, msgs ...Message) []Sent {
	t.Helper()
	out := make(chan []Sent, 1)
	q.Send(context.Background(), msgs, func(s []Sent) { out <- s })
	list := <-out
	for i := range list {
		if list[i].Err != nil {
			t.Fatalf("send: %v", list[i].Err)
		}
	}
	return list
}

// store appends a batch and waits.
func store(t *testing.T, p *Partition, batch []byte) {
	t.Helper()
	done := make(chan error, 1)
	p.Append(t.Context(), batch, func(_ Appended, err error) { done <- err })
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

func ackAll(t *testing.T, q *Queue, list []Delivery) {
	t.Helper()
	var tags []queue.Tag
	for _, d := range list {
		tags = append(tags, d.Tag)
	}
	out := make(chan []error, 1)
	q.Ack(tags, func(errs []error) { out <- errs })
	if err := errors.Join(<-out...); err != nil {
		t.Fatalf("ack: %v", err)
	}
}

func mustReceive(t *testing.T, q *Queue, req ReceiveRequest) []Delivery {
	t.Helper()
	list, err := q.Receive(context.Background(), req)
	if err != nil {
		t.Fatalf("receive: %v", err)
	}
	return list
}

func values(list []Delivery) (out []string) {
	for _, d := range list {
		out = append(out, string(d.Record.Value))
	}
	return out
}

func text(format string, args ...any) Message {
	return Message{Value: fmt.Appendf(nil, format, args...), Delay: -1}
}

func wantValues(t *testing.T, list []Delivery, want ...string) {
	t.Helper()
	if got := values(list); !slices.Equal(got, want) {
		t.Fatalf("got %q, want %q", got, want)
	}
}

func makeQueue(t *testing.T, b *Broker, name string, change func(*catalog.QueueSettings)) *Queue {
	t.Helper()
	spec := catalog.QueueSpec{Name: name, Settings: catalog.DefaultQueueSettings()}
	if change != nil {
		change(&spec.Settings)
	}
	if _, err := b.CreateQueue(spec); err != nil {
		t.Fatal(err)
	}
	q, err := b.Queue(name)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

func TestQueueLife(t *testing.T) {
	w := newQueueWorld(t)
	q := makeQueue(t, w.b, "mails", func(s *catalog.QueueSettings) { s.Lease = 10 * time.Second })
	sendAll(t, q, text("a"), text("b"), text("c"))
	first := mustReceive(t, q, ReceiveRequest{Max: 2})
	wantValues(t, first, "a", "b")
	wantValues(t, mustReceive(t, q, ReceiveRequest{Max: 10}), "c")
	ackAll(t, q, first[:1])
	w.add(11 * time.Second)
	again := mustReceive(t, q, ReceiveRequest{Max: 10})
	wantValues(t, again, "b", "c")
	if again[0].Attempts != 2 {
		t.Fatalf("attempt %d, want 2", again[0].Attempts)
	}
	w.restart()
	q = w.queue("mails")
	if list := mustReceive(t, q, ReceiveRequest{Max: 10}); len(list) > 0 {
		t.Fatalf("leases did not hold across a restart: %q", values(list))
	}
	ackAll(t, q, again[:1])
	w.add(time.Minute)
	last := mustReceive(t, q, ReceiveRequest{Max: 10})
	wantValues(t, last, "c")
	if last[0].Attempts != 3 {
		t.Fatalf("attempt %d, want 3", last[0].Attempts)
	}
	if st := q.Stats(); st.InFlight != 1 || st.Ready != 0 {
		t.Fatalf("%+v", st)
	}
}

func TestQueueWaits(t *testing.T) {
	w := newQueueWorld(t)
	q := makeQueue(t, w.b, "mails", nil)
	got := make(chan []Delivery, 1)
	go func() {
		list, err := q.Receive(context.Background(), ReceiveRequest{Max: 1, Wait: time.Minute})
		if err != nil {
			t.Error(err)
		}
		got <- list
	}()
	sendAll(t, q, text("late"))
	wantValues(t, <-got, "late")
}

func TestOrderedQueue(t *testing.T) {
	w := newQueueWorld(t)
	q := makeQueue(t, w.b, "orders.fifo", func(s *catalog.QueueSettings) {
		s.Ordered, s.Dedup, s.DedupByContent = true, catalog.DedupQueue, true
	})
	group := func(g, v string) Message { return Message{Key: []byte(g), Value: []byte(v), Delay: -1} }
	sendAll(t, q, group("x", "x1"), group("x", "x2"), group("y", "y1"))
	one := mustReceive(t, q, ReceiveRequest{Max: 1})
	wantValues(t, one, "x1")
	wantValues(t, mustReceive(t, q, ReceiveRequest{Max: 10}), "y1")
	ackAll(t, q, one)
	wantValues(t, mustReceive(t, q, ReceiveRequest{Max: 10}), "x2")

	dup := sendAll(t, q, group("x", "x1"))
	if !dup[0].Duplicate || dup[0].Offset != 0 {
		t.Fatalf("%+v, want a duplicate of offset 0", dup[0])
	}
	w.restart()
	q = w.queue("orders.fifo")
	if dup = sendAll(t, q, group("x", "x1")); !dup[0].Duplicate {
		t.Fatal("a duplicate was taken after a restart")
	}
	w.add(6 * time.Minute)
	if dup = sendAll(t, q, group("x", "x1")); dup[0].Duplicate {
		t.Fatal("an id was remembered for more than five minutes")
	}
}

func TestDeadLettersAndRedrive(t *testing.T) {
	w := newQueueWorld(t)
	dead := makeQueue(t, w.b, "dead", nil)
	q := makeQueue(t, w.b, "work", func(s *catalog.QueueSettings) {
		s.AttemptsMax, s.DeadLetter, s.Lease = 2, "dead", time.Second
	})
	sent := sendAll(t, q, text("poison"))
	for range 2 {
		wantValues(t, mustReceive(t, q, ReceiveRequest{Max: 1}), "poison")
		w.add(2 * time.Second)
	}
	if list := mustReceive(t, q, ReceiveRequest{Max: 1}); len(list) > 0 {
		t.Fatalf("delivered a third time: %q", values(list))
	}
	list := mustReceive(t, dead, ReceiveRequest{Max: 1, Wait: time.Minute})
	wantValues(t, list, "poison")
	if list[0].ID != sent[0].ID {
		t.Fatalf("id %s, was %s", list[0].ID, sent[0].ID)
	}
	for key, want := range map[string]string{HeaderDeadQueue: "work", HeaderDeadAttempts: "2", HeaderDeadReason: "attempts", HeaderDeadOffset: "0"} {
		if got, _ := headerValue(list[0].Record.Headers, key); string(got) != want {
			t.Errorf("%s is %q, want %q", key, got, want)
		}
	}
	dead.GiveBack(list)
	if got := w.b.DeadLetterSources("dead"); !slices.Equal(got, []string{"work"}) {
		t.Fatalf("sources %q", got)
	}
	if _, err := w.b.StartRedrive(RedriveSpec{From: "dead"}); err != nil {
		t.Fatal(err)
	}
	list = mustReceive(t, q, ReceiveRequest{Max: 1, Wait: time.Minute})
	wantValues(t, list, "poison")
	if list[0].Attempts != 1 || list[0].ID != sent[0].ID {
		t.Fatalf("attempt %d of %s, want the first of %s", list[0].Attempts, list[0].ID, sent[0].ID)
	}
}

func TestQueueView(t *testing.T) {
	w := newQueueWorld(t)
	if _, err := w.b.CreateTopic(catalog.TopicSpec{Name: "orders", Partitions: 3}, false); err != nil {
		t.Fatal(err)
	}
	for i := range 30 {
		b := record.NewBuilder(record.Gzip)
		b.Append(w.clock().UnixMilli(), nil, fmt.Appendf(nil, "%d", i), []record.HeaderField{{Key: "type", Value: []byte{'a' + byte(i%2)}}})
		batch, err := b.Build()
		if err != nil {
			t.Fatal(err)
		}
		p, err := w.b.Partition("orders", int32(i%3))
		if err != nil {
			t.Fatal(err)
		}
		store(t, p, batch)
	}
	view := func(name, filter string) *Queue {
		spec := catalog.QueueSpec{Name: name, Topic: "orders", Settings: catalog.DefaultQueueSettings()}
		spec.Settings.Filter = filter
		if _, err := w.b.CreateQueue(spec); err != nil {
			t.Fatal(err)
		}
		return w.queue(name)
	}
	if n := len(mustReceive(t, view("all", ""), ReceiveRequest{Max: 100})); n != 30 {
		t.Fatalf("%d messages, want 30", n)
	}
	some := mustReceive(t, view("some", "type=a"), ReceiveRequest{Max: 100})
	if len(some) != 15 {
		t.Fatalf("%d messages, want 15", len(some))
	}
	ackAll(t, w.queue("some"), some)
	if st := w.queue("some").Stats(); st.Ready+st.InFlight != 0 {
		t.Fatalf("%+v", st)
	}
	if err := w.b.DeleteTopic("orders"); !errors.Is(err, catalog.ErrTopicInUse) {
		t.Fatalf("deleting a topic in use: %v", err)
	}
}

func TestLanes(t *testing.T) {
	w := newQueueWorld(t)
	q := makeQueue(t, w.b, "p", func(s *catalog.QueueSettings) { s.Lanes = 3 })
	for i, lane := range []int32{0, 2, 1, 0, 2} {
		m := text("%d-%d", lane, i)
		m.Lane = lane
		sendAll(t, q, m)
	}
	wantValues(t, mustReceive(t, q, ReceiveRequest{Max: 10}), "2-1", "2-4", "1-2", "0-0", "0-3")
}

func TestDelayPurgePeek(t *testing.T) {
	w := newQueueWorld(t)
	q := makeQueue(t, w.b, "d", nil)
	late := text("late")
	late.Delay = 20 * time.Second
	sendAll(t, q, late, text("now"))
	if st := q.Stats(); st.Ready != 1 || st.Delayed != 1 {
		t.Fatalf("%+v", st)
	}
	wantValues(t, mustReceive(t, q, ReceiveRequest{Max: 10}), "now")
	peeked, err := q.Peek(10, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	wantValues(t, peeked, "late", "now")
	w.add(21 * time.Second)
	wantValues(t, mustReceive(t, q, ReceiveRequest{Max: 10}), "late")
	if err := q.Purge(); err != nil {
		t.Fatal(err)
	}
	w.add(time.Hour)
	if list := mustReceive(t, q, ReceiveRequest{Max: 10}); len(list) > 0 {
		t.Fatalf("after a purge: %q", values(list))
	}
	if err := w.b.Retain(w.clock().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	p, err := w.b.Partition("d", 0)
	if err != nil {
		t.Fatal(err)
	}
	if p.LogStart() != 2 {
		t.Fatalf("log start %d, want 2: what is done is not given back", p.LogStart())
	}
}

// queueWorld is a machine whose clock the test moves.
type queueWorld struct{ *machine }

func newQueueWorld(t *testing.T) queueWorld { return queueWorld{newMachine(t)} }

func (w queueWorld) add(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

func (w queueWorld) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w queueWorld) restart() {
	w.t.Helper()
	if err := w.b.Close(); err != nil {
		w.t.Fatal(err)
	}
	w.start()
}

func (w queueWorld) queue(name string) *Queue {
	w.t.Helper()
	q, err := w.b.Queue(name)
	if err != nil {
		w.t.Fatal(err)
	}
	return q
}

// More delayed messages than may be in memory are parked, come when they are due,
// and are not read again at a start.
func TestParkedMessages(t *testing.T) {
	w := newQueueWorld(t)
	q := makeQueue(t, w.b, "later", nil)
	limit := func() {
		q := q.local()
		q.mu.Lock()
		defer q.mu.Unlock()
		cfg := q.config()
		cfg.DelayedMax = 100
		q.t.log.Read(func() { q.core.Configure(cfg) })
	}
	limit()
	const n = 5_000
	for i := 0; i < n; i += 500 {
		var msgs []Message
		for j := i; j < i+500; j++ {
			m := text("%d", j)
			m.Delay = time.Duration(20+(j*7)%600) * time.Second
			msgs = append(msgs, m)
		}
		sendAll(t, q, msgs...)
	}
	sendAll(t, q, text("now"))
	// Parking goes on in the background: what is ready behind it comes.
	wantValues(t, waitFor(t, q), "now")
	w.restart()
	q = w.queue("later")
	limit()
	mustReceive(t, q, ReceiveRequest{Max: 1}) // a long queue is looked at when somebody receives
	if st := q.Stats(); st.Delayed != n {
		t.Fatalf("%d delayed after a restart, want %d", st.Delayed, n)
	}
	seen := make(map[string]bool)
	for range 70 {
		w.add(10 * time.Second)
		for {
			list := mustReceive(t, q, ReceiveRequest{Max: 500})
			if len(list) == 0 {
				break
			}
			for _, d := range list {
				if v := string(d.Record.Value); v != "now" {
					if seen[v] {
						t.Fatalf("%s came twice", v)
					}
					seen[v] = true
				}
			}
			ackAll(t, q, list)
		}
	}
	if len(seen) != n {
		t.Fatalf("%d messages came, want %d", len(seen), n)
	}
	if err := w.b.Retain(w.clock()); err != nil {
		t.Fatal(err)
	}
	p, err := w.b.Partition(delaysTopic, 0)
	if err != nil {
		t.Fatal(err)
	}
	q.Stats() // looks whether runs are used up
	if err := w.b.slot(0).queues.log.Snapshot(); err != nil {
		t.Fatal(err)
	}
	if err := w.b.Retain(w.clock()); err != nil {
		t.Fatal(err)
	}
	if p.LogStart() != p.HighWatermark() {
		t.Errorf("the delay log keeps %d blocks", p.HighWatermark()-p.LogStart())
	}
}

// waitFor receives as soon as there is something: what the broker does in the
// background has to come first.
func waitFor(t *testing.T, q *Queue) []Delivery {
	t.Helper()
	for range 1_000 {
		if list := mustReceive(t, q, ReceiveRequest{Max: 10, Wait: 10 * time.Millisecond}); len(list) > 0 {
			return list
		}
	}
	t.Fatal("nothing came")
	return nil
}
