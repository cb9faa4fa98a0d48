package broker

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/narumq/naru/internal/catalog"
	"github.com/narumq/naru/internal/commitlog"
	"github.com/narumq/naru/internal/coord"
)

// halves splits partition 0 of a topic.
func halves(t *catalog.Topic) (catalog.Reshard, error) {
	return t.PlanSplit(0, catalog.HashKey{Hi: 1 << 63})
}

// appendTo is what an append to partition 0 meets.
func appendTo(t *testing.T, b *Broker, topic string) error {
	t.Helper()
	done := make(chan []Sent, 1)
	if err := b.Produce(t.Context(), topic, nil, []NewRecord{{Timestamp: -1, Value: []byte("v")}}, func(s []Sent) { done <- s }); err != nil {
		t.Fatal(err)
	}
	return (<-done)[0].Err
}

// splitOf is partition 0 of a topic as a broker has it, and what splits it.
func splitOf(t *testing.T, n *pairNode, topic string) (*Partition, catalog.Reshard) {
	t.Helper()
	p, err := n.Partition(topic, 0)
	if err != nil {
		t.Fatal(err)
	}
	what, err := halves(p.Topic())
	if err != nil {
		t.Fatal(err)
	}
	return p, what
}

// closeFor closes a partition for its split, of which the catalog does not know yet.
func closeFor(t *testing.T, p *Partition, what *catalog.Reshard) {
	t.Helper()
	var err error
	if what.Close[0].End, err = p.backend().Close(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestReshardAtTwoBrokers(t *testing.T) {
	w, a, b := newPair(t)
	w.topic("stream", 1)
	produceTo(t, b.Broker, "stream", "one")
	_, err := b.Reshard(t.Context(), "stream", func(topic *catalog.Topic) (catalog.Reshard, error) {
		if _, err := a.Reshard(t.Context(), "stream", halves); err != nil {
			t.Error(err)
		}
		return halves(topic)
	})
	if !errors.Is(err, catalog.ErrReshard) {
		t.Fatalf("the second: %v", err)
	}
	for _, n := range []*pairNode{a, b} {
		if err := appendTo(t, n.Broker, "stream"); !errors.Is(err, commitlog.ErrClosed) {
			t.Errorf("append to the closed partition: %v", err)
		}
	}
}

func TestReshardRefusedOpensAgain(t *testing.T) {
	w, a, b := newPair(t)
	w.topic("stream", 1)
	if _, err := b.Reshard(t.Context(), "stream", func(topic *catalog.Topic) (catalog.Reshard, error) {
		what, err := halves(topic)
		what.Open = append(what.Open, what.Open...) // no tree
		return what, err
	}); !errors.Is(err, catalog.ErrReshard) {
		t.Fatal(err)
	}
	if err := appendTo(t, a.Broker, "stream"); err != nil {
		t.Error(err)
	}
}

func TestReshardWhileTheSlotMoves(t *testing.T) {
	w, a, b := newPair(t)
	w.topic("stream", 1)
	p, what := splitOf(t, a, "stream")
	w.give(p.Slot(), b)
	closeFor(t, p, &what)
	w.give(p.Slot(), a) // who knows nothing of it
	if err := appendTo(t, a.Broker, "stream"); err != nil {
		t.Fatal(err)
	}
	what.At = time.Now().UnixMilli()
	if _, err := b.catalog.Reshard("stream", what); err != nil {
		t.Fatal(err)
	}
	w.known(func(b *Broker) bool { return true })
	if err := appendTo(t, b.Broker, "stream"); !errors.Is(err, commitlog.ErrClosed) {
		t.Errorf("append to the closed partition: %v", err)
	}
}

func TestReshardWaitsForAnOwner(t *testing.T) {
	w, a, b := newPair(t)
	w.topic("stream", 1)
	slot := mustPartition(t, a.Broker, "stream").Slot()
	taken, ended := make(chan struct{}), make(chan error, 1)
	go func() {
		_, err := b.Reshard(t.Context(), "stream", func(topic *catalog.Topic) (catalog.Reshard, error) {
			w.take(slot)
			_, err := w.quorum.Txn(t.Context(), nil, []coord.Op{coord.Delete(fmt.Sprintf("owner/%d", slot))}, nil)
			close(taken)
			what, planned := halves(topic)
			return what, errors.Join(err, planned)
		})
		ended <- err
	}()
	<-taken
	select {
	case err := <-ended:
		t.Fatalf("it did not wait: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	w.give(slot, a)
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
}

// Between the closing and the change of the catalog the slot goes to somebody who goes on appending: nothing is split.
func TestReshardIsFenced(t *testing.T) {
	w, a, b := newPair(t)
	w.topic("stream", 1)
	p, what := splitOf(t, a, "stream")
	w.give(p.Slot(), b)
	parts, err := b.topics.partitionsOf("stream")
	if err != nil {
		t.Fatal(err)
	}
	if what.Fences, err = b.fencesOf(t.Context(), what.Close, parts); err != nil || len(what.Fences) != 1 {
		t.Fatal(what.Fences, err)
	}
	closeFor(t, p, &what)
	w.give(p.Slot(), a) // who knows nothing of it
	produceTo(t, a.Broker, "stream", "late")
	what.At = time.Now().UnixMilli()
	if _, err := b.catalog.Reshard("stream", what); !errors.Is(err, catalog.ErrFenced) {
		t.Fatalf("split: %v", err)
	}
	if topic, err := a.Topic("stream"); err != nil || topic.Resharded {
		t.Error("it was split", err)
	}
	if err := appendTo(t, b.Broker, "stream"); err != nil {
		t.Error(err)
	}
}

func TestDrainedOfWhatWasHeardLongAgo(t *testing.T) {
	w, a, b := newPair(t)
	w.topic("stream", 1)
	produceTo(t, a.Broker, "stream", "one", "two")
	if _, err := a.Reshard(t.Context(), "stream", halves); err != nil {
		t.Fatal(err)
	}
	w.known(func(b *Broker) bool { topic, err := b.Topic("stream"); return err == nil && topic.Resharded })
	p, err := b.Partition("stream", 0)
	if err != nil {
		t.Fatal(err)
	}
	w.take(p.Slot()) // nobody tells how far it is
	if p.Drained(1) || !p.Drained(2) {
		t.Error("a record is skipped, or the end is not found")
	}
}

func TestProduceWaitsForAnotherBrokersReshard(t *testing.T) {
	w, a, b := newPair(t)
	w.topic("stream", 1)
	p, what := splitOf(t, a, "stream")
	closeFor(t, p, &what)
	asked, done := b.following.begun.Load(), make(chan []Sent, 1)
	go func() {
		sent, err := b.ProduceWait(t.Context(), "stream", []NewRecord{{Partition: -1, Timestamp: -1, Key: []byte("k")}})
		if err != nil {
			t.Error(err)
		}
		done <- sent
	}()
	until(t, func() bool { return len(done) > 0 || b.following.begun.Load() > asked+producesMax }) // the other one takes its time
	if len(done) > 0 {
		t.Fatal("did not wait: ", <-done)
	}
	if _, err := a.catalog.Reshard("stream", what); err != nil {
		t.Fatal(err)
	}
	if sent := <-done; len(sent) != 1 || sent[0].Err != nil || sent[0].Partition == 0 {
		t.Error(sent)
	}
}
