package broker

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/narumq/naru/internal/catalog"
	"github.com/narumq/naru/internal/record"
)

// Who has gone gets nothing: the messages are there for others at once.
func TestReceiveOfWhoHasGone(t *testing.T) {
	w := newQueueWorld(t)
	makeQueue(t, w.b, "q", nil)
	q := w.queue("q")
	sendAll(t, q, text("a"))
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for _, wait := range []time.Duration{0, time.Minute} {
		if list, err := q.Receive(ctx, ReceiveRequest{Max: 1, Wait: wait}); len(list) > 0 || !errors.Is(err, context.Canceled) {
			t.Errorf("%v, %v", list, err)
		}
	}
	if list := mustReceive(t, q, ReceiveRequest{Max: 1}); len(list) != 1 || list[0].Attempts != 1 {
		t.Errorf("%+v", list)
	}
}

// Headers and keys count, whoever wrote them.
func TestReceiveBoundsHeaders(t *testing.T) {
	w := newQueueWorld(t)
	if _, err := w.b.CreateTopic(catalog.TopicSpec{Name: "t", Partitions: 1}, false); err != nil {
		t.Fatal(err)
	}
	spec := catalog.QueueSpec{Name: "q", Topic: "t", Settings: catalog.DefaultQueueSettings()}
	if _, err := w.b.CreateQueue(spec); err != nil {
		t.Fatal(err)
	}
	for range 10 {
		produce(t, w.b, "t", nil, NewRecord{Partition: -1, Timestamp: -1, Key: make([]byte, 10_000), Headers: []record.HeaderField{{Key: "h", Value: make([]byte, 10_000)}}})
	}
	q := w.queue("q")
	if list := mustReceive(t, q, ReceiveRequest{Max: 10, BytesMax: 50_000}); len(list) != 3 {
		t.Errorf("%d messages", len(list))
	}
	list, err := q.Peek(10, 50_000)
	if err != nil || len(list) != 3 {
		t.Errorf("%d messages, %v", len(list), err)
	}
}
