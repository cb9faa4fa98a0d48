package broker

import (
	"context"
	"crypto/sha256"
	"errors"
	"testing"

	"github.com/narumq/naru/internal/catalog"
	"github.com/narumq/naru/internal/record"
)

// The values are those of Kafka's own test (UtilsTest.testMurmur2).
func TestMurmur2(t *testing.T) {
	for text, want := range map[string]int32{
		"21":                         -973932308,
		"foobar":                     -790332482,
		"a-little-bit-long-string":   -985981536,
		"a-little-bit-longer-string": -1486304829,
		"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
		"abc": 479470107,
	} {
		if got := int32(murmur2([]byte(text))); got != want {
			t.Errorf("%s: %d, want %d", text, got, want)
		}
	}
}

func produce(t *testing.T, b *Broker, topic string, once *Once, list ...NewRecord) []Sent {
	t.Helper()
	done := make(chan []Sent, 1)
	if err := b.Produce(context.Background(), topic, once, list, func(s []Sent) { done <- s }); err != nil {
		t.Fatal(err)
	}
	return <-done
}

func TestProduce(t *testing.T) {
	w := newQueueWorld(t)
	if _, err := w.b.CreateTopic(catalog.TopicSpec{Name: "t", Partitions: 3}, false); err != nil {
		t.Fatal(err)
	}
	at := w.clock().UnixMilli() - 5
	list := []NewRecord{
		{Partition: 2, Timestamp: -1, Value: []byte("in two")},
		{Partition: -1, Timestamp: at, Key: []byte("foobar"), Value: []byte("by key"), Headers: []record.HeaderField{{Key: "h", Value: []byte("v")}}},
		{Partition: -1, Timestamp: -1},
		{Partition: 3, Timestamp: -1},
	}
	sent := produce(t, w.b, "t", nil, list...)
	if sent[0].Err != nil || sent[0].Partition != 2 || sent[1].Timestamp != at || sent[1].Partition != int32(partitionOf([]byte("foobar"), 3)) {
		t.Errorf("%+v", sent)
	}
	if sent[2].Err != nil || !errors.Is(sent[3].Err, ErrUnknownPartition) {
		t.Errorf("%+v", sent)
	}
	if err := w.b.Produce(context.Background(), "none", nil, list, nil); !errors.Is(err, catalog.ErrUnknownTopic) {
		t.Error(err)
	}
}

// What was produced once is there once, also after a restart, and another request
// under the key is refused.
func TestProduceOnce(t *testing.T) {
	w := newQueueWorld(t)
	if _, err := w.b.CreateTopic(catalog.TopicSpec{Name: "t", Partitions: 2}, false); err != nil {
		t.Fatal(err)
	}
	makeQueue(t, w.b, "q", nil)
	once := &Once{Key: "a request", Digest: sha256.Sum256([]byte("of this body"))}
	list := []NewRecord{{Partition: -1, Timestamp: -1, Value: []byte("1")}, {Partition: 0, Timestamp: -1, Value: []byte("2")}, {Partition: 1, Timestamp: -1, Value: []byte("3")}}
	send := func() []Sent {
		done := make(chan []Sent, 1)
		w.queue("q").SendOnce(context.Background(), once, []Message{text("a"), text("b")}, func(s []Sent) { done <- s })
		return <-done
	}
	first, queued := produce(t, w.b, "t", once, list...), send()
	for restarts := range 2 {
		again, queuedAgain := produce(t, w.b, "t", once, list...), send()
		for i := range again {
			if again[i].Err != nil || !again[i].Duplicate || again[i].Offset != first[i].Offset || again[i].Partition != first[i].Partition {
				t.Errorf("after %d restarts: %+v, first %+v", restarts, again[i], first[i])
			}
		}
		for i := range queuedAgain {
			if queuedAgain[i].Err != nil || !queuedAgain[i].Duplicate || queuedAgain[i].ID != queued[i].ID {
				t.Errorf("after %d restarts: %+v, first %+v", restarts, queuedAgain[i], queued[i])
			}
		}
		w.restart()
	}
	other := &Once{Key: once.Key, Digest: sha256.Sum256([]byte("of another"))}
	for _, s := range produce(t, w.b, "t", other, list...) {
		if !errors.Is(s.Err, ErrOnceReused) {
			t.Errorf("%+v", s)
		}
	}
	var ends record.Offset
	for i := range int32(2) {
		p, err := w.b.Partition("t", i)
		if err != nil {
			t.Fatal(err)
		}
		ends += p.HighWatermark()
	}
	if ends != 3 {
		t.Errorf("%d records, want 3", ends)
	}
	wantValues(t, mustReceive(t, w.queue("q"), ReceiveRequest{Max: 10}), "a", "b")
}
