package broker

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/narumq/naru/internal/catalog"
	"github.com/narumq/naru/internal/record"
)

// What is wrong with one record must not stop those that were gathered with it.
func TestGatheredRecordsFailAlone(t *testing.T) {
	w := newQueueWorld(t)
	for name, settings := range map[string]map[string]string{
		"plain":  nil,
		"gzip":   {"compression.type": "gzip", "max.message.bytes": "500000"},
		"snappy": {"compression.type": "snappy", "max.message.bytes": "500000"},
		"lz4":    {"compression.type": "lz4", "max.message.bytes": "500000"},
		"zstd":   {"compression.type": "zstd", "max.message.bytes": "500000"},
		"stamps": {"message.timestamp.before.max.ms": "1000"},
	} {
		if _, err := w.b.CreateTopic(catalog.TopicSpec{Name: name, Partitions: 1, Settings: settings}, false); err != nil {
			t.Fatal(err)
		}
	}
	now := w.clock().UnixMilli()
	tooLate := now + (24 * time.Hour).Milliseconds()
	sent := produce(t, w.b, "plain", nil,
		NewRecord{Partition: -1, Timestamp: -1, Value: []byte("a")},
		NewRecord{Partition: -1, Timestamp: tooLate, Value: []byte("b")},
		NewRecord{Partition: -1, Timestamp: -1, Value: []byte("c")},
		NewRecord{Partition: -1, Timestamp: -1, Value: make([]byte, 2<<20)},
		NewRecord{Partition: -1, Timestamp: -1, Value: []byte("d")})
	if sent[0].Err != nil || !errors.Is(sent[1].Err, record.ErrInvalidTimestamp) || sent[2].Err != nil || !errors.Is(sent[3].Err, record.ErrTooLarge) || sent[4].Err != nil {
		t.Errorf("%+v", sent)
	}
	sent = produce(t, w.b, "stamps", nil,
		NewRecord{Partition: -1, Timestamp: -1, Value: []byte("a")},
		NewRecord{Partition: -1, Timestamp: 1, Value: []byte("b")})
	if sent[0].Err != nil || !errors.Is(sent[1].Err, record.ErrInvalidTimestamp) {
		t.Errorf("%+v", sent)
	}
	// Bytes that do not compress grow a little.
	random := rand.NewChaCha8([32]byte{1})
	var list []NewRecord
	for range 100 {
		v := make([]byte, 5_000)
		random.Read(v)
		list = append(list, NewRecord{Partition: -1, Timestamp: -1, Value: v})
	}
	for _, topic := range []string{"gzip", "snappy", "lz4", "zstd"} {
		for i, s := range produce(t, w.b, topic, nil, list...) {
			if s.Err != nil {
				t.Fatal(topic, i, s.Err)
			}
		}
	}
}

// A request with a key may be larger than a batch.
func TestOnceInSeveralBatches(t *testing.T) {
	w := newQueueWorld(t)
	if _, err := w.b.CreateTopic(catalog.TopicSpec{Name: "t", Partitions: 1, Settings: map[string]string{"max.message.bytes": "10000"}}, false); err != nil {
		t.Fatal(err)
	}
	var list []NewRecord
	for i := range 30 {
		list = append(list, NewRecord{Partition: -1, Timestamp: -1, Value: bytes.Repeat([]byte{byte(i)}, 3000)})
	}
	once := &Once{Key: "k", Digest: sha256.Sum256([]byte("one"))}
	first := produce(t, w.b, "t", once, list...)
	again := produce(t, w.b, "t", once, list...)
	for i := range list {
		if first[i].Err != nil || first[i].Duplicate || first[i].Offset != record.Offset(i) || again[i].Err != nil || !again[i].Duplicate || again[i].Offset != record.Offset(i) {
			t.Fatalf("%d: %+v, again %+v", i, first[i], again[i])
		}
	}
	other := &Once{Key: "k", Digest: sha256.Sum256([]byte("two"))}
	for _, n := range []int{1, 30} {
		for i, s := range produce(t, w.b, "t", other, list[:n]...) {
			if !errors.Is(s.Err, ErrOnceReused) {
				t.Errorf("%d of %d: %+v", i, n, s)
			}
		}
	}
}

// Equal requests at the same time are one.
func TestOnceAtTheSameTime(t *testing.T) {
	w := newQueueWorld(t)
	if _, err := w.b.CreateTopic(catalog.TopicSpec{Name: "t", Partitions: 3}, false); err != nil {
		t.Fatal(err)
	}
	for round := range 20 {
		once := &Once{Key: fmt.Sprint(round), Digest: sha256.Sum256([]byte{byte(round)})}
		var list []NewRecord
		for i := range 9 {
			list = append(list, NewRecord{Partition: int32(i % 3), Timestamp: -1, Value: []byte{byte(i)}})
		}
		var work sync.WaitGroup
		fresh := make([]int, 8)
		for i := range fresh {
			work.Go(func() {
				for _, s := range produce(t, w.b, "t", once, list...) {
					if s.Err != nil {
						t.Error(s.Err)
					} else if !s.Duplicate {
						fresh[i]++
					}
				}
			})
		}
		work.Wait()
		n := 0
		for _, f := range fresh {
			n += f
		}
		if n != len(list) {
			t.Fatalf("%d records, appended %d", len(list), n)
		}
	}
	for i := range int32(3) {
		p, err := w.b.Partition("t", i)
		if err != nil || p.HighWatermark() != 60 {
			t.Error(i, p.HighWatermark(), err)
		}
	}
}

// A refused request leaves its key unused.
func TestOnceRefusedIsForgotten(t *testing.T) {
	w := newQueueWorld(t)
	if _, err := w.b.CreateTopic(catalog.TopicSpec{Name: "t", Partitions: 1}, false); err != nil {
		t.Fatal(err)
	}
	once := &Once{Key: "k", Digest: sha256.Sum256([]byte("one"))}
	bad := NewRecord{Partition: -1, Timestamp: w.clock().UnixMilli() + 1e12, Value: []byte("a")}
	if sent := produce(t, w.b, "t", once, bad); sent[0].Err == nil {
		t.Fatalf("%+v", sent)
	}
	good := NewRecord{Partition: -1, Timestamp: -1, Value: []byte("a")}
	if sent := produce(t, w.b, "t", &Once{Key: "k", Digest: sha256.Sum256([]byte("two"))}, good); sent[0].Err != nil {
		t.Fatalf("%+v", sent)
	}
}

// What a sender writes into the queue's own headers does not stand before what the
// queue notes there.
func TestDedupIDIsTheSendersOnly(t *testing.T) {
	w := newQueueWorld(t)
	makeQueue(t, w.b, "q", func(s *catalog.QueueSettings) { s.Dedup = "queue" })
	m := Message{Value: []byte("a"), DedupID: "mine", Delay: -1, Headers: []record.HeaderField{{Key: HeaderDedup, Value: []byte("other")}, {Key: "h"}}}
	q := w.queue("q")
	sendAll(t, q, m)
	list := mustReceive(t, q, ReceiveRequest{Max: 1})
	if n := len(list[0].Record.Headers); n != 2 {
		t.Errorf("%d headers: %v", n, list[0].Record.Headers)
	}
	ids, err := q.local().readSentIDs(q.local().partitions()[0], 0) // as after a crash
	if err != nil || len(ids) != 1 || ids[0].Hash != q.local().dedupHash(nil, "mine") {
		t.Errorf("%+v, %v", ids, err)
	}
}

// A request with a key whose messages have ids: both make it once.
func TestOnceWithDedupIDs(t *testing.T) {
	w := newQueueWorld(t)
	makeQueue(t, w.b, "q", func(s *catalog.QueueSettings) { s.Dedup = "queue" })
	once := &Once{Key: "k", Digest: sha256.Sum256([]byte("one"))}
	msgs := []Message{{Value: []byte("a"), DedupID: "1", Delay: -1}, {Value: []byte("b"), DedupID: "2", Delay: -1}}
	send := func() []Sent {
		done := make(chan []Sent, 1)
		w.queue("q").SendOnce(context.Background(), once, msgs, func(s []Sent) { done <- s })
		return <-done
	}
	first := send()
	for _, after := range []time.Duration{0, time.Minute, time.Hour} {
		w.add(after)
		for range 2 {
			for i, s := range send() {
				if s.Err != nil || !s.Duplicate || s.ID != first[i].ID {
					t.Errorf("after %v: %+v, first %+v", after, s, first[i])
				}
			}
			w.restart()
		}
	}
	if list := mustReceive(t, w.queue("q"), ReceiveRequest{Max: 10}); len(list) != 2 {
		t.Errorf("%d messages", len(list))
	}
}
