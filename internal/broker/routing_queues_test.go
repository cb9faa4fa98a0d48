package broker

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/narumq/naru/internal/catalog"
	"github.com/narumq/naru/internal/exchange"
)

// Whoever deletes a queue, its bindings go: one that is made again under the name gets nothing by them.
func TestBindingsGoWithTheirQueue(t *testing.T) {
	w := newQueueWorld(t)
	for _, name := range []string{"q", "q with spaces"} {
		q := routed(t, w.b, name, nil)
		bind(t, w.b, "amq.direct", name, "k")
		if err := w.b.DeleteQueue(q.Meta().Name); err != nil {
			t.Fatal(err)
		}
		if list := w.b.Bindings("/"); len(list) > 0 {
			t.Errorf("%+v", list)
		}
	}
	w.restart()
	if list := w.b.Bindings("/"); len(list) > 0 {
		t.Errorf("after a restart: %+v", list)
	}
}

// A crash between a queue's end and that of its bindings leaves none for long.
func TestBindingsOfLostQueues(t *testing.T) {
	w := newQueueWorld(t)
	routed(t, w.b, "lost", nil)
	routed(t, w.b, "kept", nil)
	bind(t, w.b, "amq.direct", "lost", "k")
	bind(t, w.b, "amq.direct", "kept", "k")
	if _, err := w.b.catalog.DeleteQueue("lost"); err != nil {
		t.Fatal(err)
	}
	w.restart()
	if list := w.b.Bindings("/"); len(list) != 1 || list[0].Destination != "kept" {
		t.Errorf("%+v", list)
	}
}

// A queue that is deleted while others bind it leaves no binding, whatever comes first.
func TestBindWhileDeleted(t *testing.T) {
	w := newQueueWorld(t)
	for i := range 30 {
		name := fmt.Sprint("q", i)
		routed(t, w.b, name, nil)
		var all sync.WaitGroup
		for k := range 4 {
			all.Go(func() {
				x := exchange.Binding{Source: "amq.direct", Destination: name, Key: fmt.Sprint(k)}
				if err := w.b.Bind("/", x); err != nil && !errors.Is(err, catalog.ErrUnknownQueue) {
					t.Error(err)
				}
			})
		}
		if err := w.b.DeleteNamespaceQueue("/", name); err != nil {
			t.Error(err)
		}
		all.Wait()
	}
	if list := w.b.Bindings("/"); len(list) > 0 {
		t.Errorf("%+v", list)
	}
}

// Topics may not have names that differ in '.' and '_' only. Queues may.
func TestNamesThatAreAlike(t *testing.T) {
	w := newQueueWorld(t)
	names := []string{"a.b", "a_b", "a.b_c", "a_b.c", "a_b_c"}
	for _, name := range names {
		routed(t, w.b, name, nil)
		bind(t, w.b, "amq.fanout", name, "")
		if _, err := w.b.CreateNamespaceQueue("/", name, catalog.QueueSpec{Settings: catalog.DefaultQueueSettings()}); !errors.Is(err, catalog.ErrQueueExists) {
			t.Errorf("%s again: %v", name, err)
		}
		if p := publish(t, w.b, "", name, name); p.Err != nil || p.Queues != 1 {
			t.Errorf("%s: %+v", name, p)
		}
	}
	w.restart()
	for _, name := range names {
		q, err := w.b.NamespaceQueue("/", name)
		if err != nil {
			t.Fatal(err)
		}
		if got := takeAll(t, q); len(got) != 1 || got[0] != name {
			t.Errorf("%s has %q", name, got)
		}
	}
	if list := w.b.NamespaceQueues("/"); len(list) != len(names) {
		t.Errorf("%+v", list)
	}
	for i, name := range names {
		if err := w.b.DeleteNamespaceQueue("/", name); err != nil {
			t.Error(err)
		}
		if list := w.b.Bindings("/"); len(list) != len(names)-1-i {
			t.Errorf("%+v", list)
		}
	}
}

func TestNamesThatAreRefused(t *testing.T) {
	w := newQueueWorld(t)
	for _, name := range []string{"", "a\x00b", "\xff"} {
		if err := w.b.CreateNamespace(name); !errors.Is(err, exchange.ErrInvalid) {
			t.Errorf("%q: %v", name, err)
		}
	}
	for _, name := range []string{"", "\xff"} {
		if _, err := w.b.CreateNamespaceQueue("/", name, catalog.QueueSpec{Settings: catalog.DefaultQueueSettings()}); !errors.Is(err, catalog.ErrInvalidQueue) {
			t.Errorf("%q: %v", name, err)
		}
	}
}
