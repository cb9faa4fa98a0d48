package broker

import (
	"context"
	"errors"
	"testing"

	"github.com/narumq/naru/internal/catalog"
)

func TestWhereAPartitionThatNobodyHasEndsIsNotGuessed(t *testing.T) {
	w, a, b := newPair(t)
	w.topic("far", 1)
	produceTo(t, a.Broker, "far", "one", "two")
	p, err := b.Partition("far", 0)
	if err != nil {
		t.Fatal(err)
	}
	name := w.outside("view", p.Slot())
	if _, err := b.CreateQueue(catalog.QueueSpec{Name: name, Topic: "far", Settings: catalog.DefaultQueueSettings()}); err != nil {
		t.Fatal(err)
	}
	w.known(func(b *Broker) bool { _, err := b.Queue(name); return err == nil })
	q, err := b.Queue(name)
	if err != nil {
		t.Fatal(err)
	}
	w.give(b.homeOf(name), b)
	w.take(p.Slot())
	for _, at := range []StreamStart{{At: AtFirst}, {At: AtLast}, {}, {At: AtTime}} {
		if o, err := at.in(p); !errors.Is(err, ErrNotOwner) {
			t.Errorf("%v: %d, %v", at, o, err)
		}
	}
	if err := q.Purge(); !errors.Is(err, ErrNotOwner) {
		t.Errorf("purged: %v", err)
	}
	w.give(p.Slot(), a)
	if err := q.Purge(); err != nil {
		t.Error(err)
	}
	if list, err := q.Receive(context.Background(), ReceiveRequest{Max: 1}); err != nil || len(list) > 0 {
		t.Errorf("%d are left, %v", len(list), err)
	}
}
