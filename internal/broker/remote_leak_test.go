package broker

import (
	"fmt"
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

// Deliveries that a peer had of queues that are gone, or elsewhere by now, are not remembered for as long as the peer is there.
func TestDeliveriesOfDeletedQueuesAreForgotten(t *testing.T) {
	w, a, b := newPair(t)
	const queues = 20
	for i := range queues {
		name := fmt.Sprint("q", i)
		q := w.queue(name, nil)
		sendTo(t, q, "m")
		mustReceive(t, q, ReceiveRequest{Max: 1, Lease: -1})
		if err := b.DeleteQueue(name); err != nil {
			t.Fatal(err)
		}
		w.known(func(b *Broker) bool { _, err := b.queue(name); return err != nil })
	}
	a.Broker.peers.mu.Lock()
	defer a.Broker.peers.mu.Unlock()
	for _, s := range a.Broker.peers.list {
		s.leases.mu.Lock()
		if n := len(s.leases.by); n > 1 {
			t.Errorf("deliveries of %d queues are remembered", n)
		}
		s.leases.mu.Unlock()
	}
}
