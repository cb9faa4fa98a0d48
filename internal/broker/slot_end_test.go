package broker

import (
	"errors"
	"testing"
	"time"

	"github.com/narumq/naru/internal/catalog"
	"github.com/narumq/naru/internal/journal"
	"github.com/narumq/naru/internal/queue"
)

// A queue whose slot ends reads no more of it. It would ask the next owner, which waits for this one, which waits for the queue.
// Who waits for messages that have come back is told so, instead of being looked for the same ones again and again.
func TestQueueOfASlotThatEndsDoesNotWaitForTheNextOwner(t *testing.T) {
	w, a, _ := newPair(t)
	w.queue("work", nil)
	handle, err := a.Queue("work")
	if err != nil {
		t.Fatal(err)
	}
	sendAll(t, handle, text("one"), text("two"))
	given := mustReceive(t, handle, ReceiveRequest{Max: 2}) // they are no longer in memory
	q, slot := handle.local(), journal.SlotID(catalog.SlotOfName("work", pairSlots))
	q.mu.Lock()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		w.take(slot)
	}()
	<-q.t.s.ctx.Done()
	began := time.Now()
	for range 3 {
		if _, err := q.payload(0, 0); !errors.Is(err, ErrNotOwner) {
			t.Errorf("read: %v", err)
		}
	}
	if took := time.Since(began); took >= ownerWaitMax {
		t.Errorf("it waited %v", took)
	}
	for _, d := range given {
		q.core.Release(a.nowMS(), []queue.Tag{d.Tag}, 0, nil)
	}
	if list, err := q.receiveNow(&ReceiveRequest{Max: 2}); !errors.Is(err, ErrNotOwner) || len(list) != 0 {
		t.Errorf("receive: %v, %v", list, err)
	}
	q.mu.Unlock()
	<-ended
}

// A slot that ends does not wait for what others say of a name that is sought for a trigger: nothing has come of that yet.
func TestSlotEndsWhileANameIsSought(t *testing.T) {
	w, a, _ := newPair(t)
	const name = "name"
	home := a.homeOf(name)
	queue := w.outside("q", home)
	w.queue(queue, nil)
	w.take((home + 1) % pairSlots) // whose triggers are waited for
	named := make(chan error, 1)
	go func() {
		_, err := a.CreateTrigger(t.Context(), onFirst(name, queue))
		named <- err
	}()
	naming := a.slot(home).triggers.naming
	until(t, func() bool { return len(naming) > 0 })
	began := time.Now()
	w.take(home)
	if took := time.Since(began); took >= ownerWaitMax/2 {
		t.Errorf("it waited %v", took)
	}
	if err := <-named; !errors.Is(err, ErrNotOwner) {
		t.Errorf("named: %v", err)
	}
}
