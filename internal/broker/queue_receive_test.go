package broker

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/narumq/naru/internal/catalog"
	"github.com/narumq/naru/internal/journal"
	"github.com/narumq/naru/internal/record"
	"github.com/narumq/naru/internal/vfs"
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

// A record that cannot be read holds back what follows it in its group, also what was leased with it.
func TestUnreadableRecordKeepsItsGroupInOrder(t *testing.T) {
	w := newQueueWorld(t)
	w.needsDisk("one read fails")
	q := makeQueue(t, w.b, "orders.fifo", func(s *catalog.QueueSettings) { s.Ordered, s.Lease = true, time.Second })
	other := makeQueue(t, w.b, "other", nil)
	for _, v := range []string{"x1", "x2"} {
		sendAll(t, q, Message{Key: []byte("x"), Value: []byte(v), Delay: -1})
	}
	wantValues(t, mustReceive(t, q, ReceiveRequest{Max: 10}), "x1", "x2")
	for range 3 { // so that they leave the cache
		sendAll(t, other, text("%s", strings.Repeat("-", journal.CacheBytesMin/2)))
	}
	w.add(2 * time.Second)
	var reads atomic.Int64
	w.fs.SetFault(func(op vfs.Op) error {
		if op.Kind == vfs.OpRead && reads.Add(1) == 1 {
			return io.ErrUnexpectedEOF
		}
		return nil
	})
	if list, err := q.Receive(context.Background(), ReceiveRequest{Max: 10}); err == nil || len(list) > 0 || reads.Load() == 0 {
		t.Fatalf("%q after %d reads, %v", values(list), reads.Load(), err)
	}
	w.add(unreadableRetryMS * time.Millisecond)
	wantValues(t, mustReceive(t, q, ReceiveRequest{Max: 10}), "x1", "x2")
}
