package broker

import (
	"context"
	"testing"
	"time"

	"github.com/narumq/naru/internal/peer"
	"github.com/narumq/naru/internal/queue"
)

// A view of a topic holds its lock while it reads a partition of another broker. That broker's
// calls about it wait, and no others: two such queues could wait for each other's broker.
func TestABusyQueueHoldsUpNoOtherCall(t *testing.T) {
	w, a, b := newPair(t)
	q, other := w.queue("busy", nil), w.queue("other", nil)
	here, err := a.Queue("busy")
	if err != nil {
		t.Fatal(err)
	}
	client, err := b.Peer(a.node)
	if err != nil {
		t.Fatal(err)
	}
	mu := &here.local().mu
	mu.Lock()
	settled := make(chan error, 1)
	body := newRemoteQueue(q).body(func(e *encoder) {
		e.tags([]queue.Tag{{Offset: 1}})
		e.flag(false)
	})
	client.Start(t.Context(), peer.Request{Method: askAck, Payload: body}, func(_ []byte, err error) { settled <- err })
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if _, err := client.Do(ctx, askStats, newRemoteQueue(other).body(nil)...); err != nil {
		t.Errorf("a call about another queue: %v", err)
	}
	mu.Unlock()
	if err := <-settled; err != nil {
		t.Error(err)
	}
}
