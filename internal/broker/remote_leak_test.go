package broker

import (
	"runtime"
	"testing"
	"time"

	"github.com/narumq/naru/internal/catalog"
	"github.com/narumq/naru/internal/journal"
)

func TestMovesLeaveNothingBehind(t *testing.T) {
	w, a, b := newPair(t)
	w.topic("t", 8)
	q := w.queue("q", func(s *catalog.QueueSettings) { s.Ordered = true })
	if _, err := a.CreateQueue(catalog.QueueSpec{Name: "view", Topic: "t", Settings: catalog.DefaultQueueSettings()}); err != nil {
		t.Fatal(err)
	}
	news := NewWaiter()
	for i := range int32(8) {
		p, err := b.Partition("t", i)
		if err != nil {
			t.Fatal(err)
		}
		p.Watch(news, int(i))
	}
	both := [2]*pairNode{b, a}
	move := func(n int) {
		for i := range n {
			for slot := range int32(pairSlots) {
				w.give(journal.SlotID(slot), both[i%2])
			}
			produceTo(t, both[(i+1)%2].Broker, "t", "v")
			sent := make(chan []Sent, 1)
			q.Send(t.Context(), []Message{{Key: []byte("g"), Value: []byte("m"), DedupID: time.Now().String()}}, func(s []Sent) { sent <- s })
			if s := <-sent; s[0].Err != nil {
				t.Fatal(s[0].Err)
			}
			list := receiveFrom(t, q, ReceiveRequest{Max: 1, Wait: 5 * time.Second})
			ackAll(t, q, list)
		}
	}
	move(2)
	had := runtime.NumGoroutine()
	move(50)
	end := time.After(10 * time.Second)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for runtime.NumGoroutine() > had+5 {
		select {
		case <-tick.C:
		case <-end:
			buf := make([]byte, 1<<20)
			t.Fatalf("%d goroutines, there were %d\n%s", runtime.NumGoroutine(), had, buf[:runtime.Stack(buf, true)])
		}
	}
}

// What a broker had leased without end is not remembered once it is settled by a purge, or the queue is deleted, or elsewhere.
func TestLeasesOfAPeerEndWithTheirQueue(t *testing.T) {
	w, a, b := newPair(t)
	held := func() (n int) {
		a.Broker.peers.mu.Lock()
		defer a.Broker.peers.mu.Unlock()
		for _, s := range a.Broker.peers.list {
			s.leases.mu.Lock()
			n += len(s.leases.by)
			s.leases.mu.Unlock()
		}
		return n
	}
	for name, end := range map[string]func(q *Queue){
		"purged": func(q *Queue) {
			if err := q.Purge(); err != nil {
				t.Error(err)
			}
		},
		"deleted": func(q *Queue) {
			if err := b.DeleteQueue("deleted"); err != nil {
				t.Error(err)
			}
			w.known(func(b *Broker) bool { return b.queues.find("deleted") == nil })
		},
		"moved": func(q *Queue) { w.give(q.home(), b) },
	} {
		q := w.queue(name, nil)
		if home := q.home(); a.Owner(home) != a.node {
			w.give(home, a)
		}
		sendTo(t, q, "m")
		list := receiveFrom(t, q, ReceiveRequest{Max: 1, Lease: -1})
		if held() != 1 {
			t.Fatalf("%s: nothing is remembered", name)
		}
		end(q)
		acked := make(chan []error, 1)
		q.Ack(tagsOf(list), func(errs []error) { acked <- errs })
		<-acked
		if n := held(); n != 0 {
			t.Fatalf("%s: deliveries of %d queues are remembered", name, n)
		}
	}
}
