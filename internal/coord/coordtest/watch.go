package coordtest

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/narumq/naru/internal/coord"
)

// watching is a watch whose changes a test takes one by one.
type watching struct {
	t       *test
	changes chan coord.Change
	ended   chan error
	stop    context.CancelFunc
}

func (t *test) watch(prefix string, from int64) *watching {
	ctx, stop := context.WithCancel(t.ctx)
	w := &watching{t: t, changes: make(chan coord.Change), ended: make(chan error, 1), stop: stop}
	t.Cleanup(stop)
	go func() {
		w.ended <- t.Store.Watch(ctx, prefix, from, func(c coord.Change) error {
			if len(c.Events) == 0 {
				return nil
			}
			select {
			case w.changes <- c:
			case <-ctx.Done():
			}
			return nil
		})
	}()
	return w
}

func set(key, value string, at int64) string { return fmt.Sprintf("%s=%s@%d", key, value, at) }

func gone(key string, at int64) string { return fmt.Sprintf("-%s@%d", key, at) }

// want takes the next change.
func (w *watching) want(events ...string) {
	w.t.Helper()
	var got []string
	select {
	case c := <-w.changes:
		for _, e := range c.Events {
			if e.KV.ModRevision != c.Revision {
				w.t.Errorf("%+v in the change of %d", e, c.Revision)
			}
			if e.Deleted {
				got = append(got, gone(e.KV.Key, e.KV.ModRevision))
			} else {
				got = append(got, set(e.KV.Key, string(e.KV.Value), e.KV.ModRevision))
			}
		}
	case err := <-w.ended:
		w.t.Fatalf("the watch ended: %v", err)
	case <-w.t.ctx.Done():
		w.t.Fatal("no change came")
	}
	if strings.Join(got, " ") != strings.Join(events, " ") {
		w.t.Errorf("got %q, want %q", got, events)
	}
}

// seen tells, without waiting, whether a key was in the next change.
func (w *watching) seen(key string) bool {
	select {
	case c := <-w.changes:
		return c.Events[0].KV.Key == key
	case err := <-w.ended:
		w.t.Fatalf("the watch ended: %v", err)
	default:
	}
	return false
}

func testWatch(t *test) {
	first := t.put("p/a", "1")
	t.put("q", "not watched")
	third := t.put("p/a", "2")
	w := t.watch("p/", first)
	w.want(set("p/a", "1", first))
	w.want(set("p/a", "2", third))
	t.put("q", "not watched")
	t.txn(nil, coord.Delete("p/a"))
	w.want(gone("p/a", third+2))
	at := t.put("p/b", "")
	w.want(set("p/b", "", at))
	later := t.watch("p/", at)
	later.want(set("p/b", "", at))
	future := t.watch("p/", at+2)
	t.put("p/c", "")
	at = t.put("p/d", "")
	future.want(set("p/d", "", at))
}

func testWatchWhole(t *test) {
	t.put("old", "")
	w := t.watch("", t.rev()+1)
	r := t.txn(nil, coord.Put("b", []byte("1"), 0), coord.Delete("old"), coord.Put("a", []byte("2"), 0))
	w.want(set("b", "1", r.Revision), gone("old", r.Revision), set("a", "2", r.Revision))
}

func testWatchEnds(t *test) {
	w := t.watch("", 0)
	w.stop()
	if err := <-w.ended; !errors.Is(err, context.Canceled) {
		t.Errorf("stopped: %v", err)
	}
	at := t.put("a", "")
	enough := errors.New("enough")
	err := t.Store.Watch(t.ctx, "", at, func(c coord.Change) error {
		if len(c.Events) == 0 {
			return nil
		}
		return enough
	})
	if err != enough {
		t.Errorf("see's own error came back as %v", err)
	}
}

func testCompact(t *test) {
	first := t.put("a", "1")
	t.put("a", "2")
	last := t.put("a", "3")
	for range 2 {
		if err := t.Store.Compact(t.ctx, last); err != nil {
			t.Fatal(err)
		}
	}
	if err := t.Store.Compact(t.ctx, first); err != nil {
		t.Errorf("compacted before a compaction: %v", err)
	}
	if err := <-t.watch("", first).ended; !errors.Is(err, coord.ErrCompacted) {
		t.Errorf("a watch of what is compacted: %v", err)
	}
	t.wantKV("a", coord.KV{Key: "a", Value: []byte("3"), CreateRevision: first, ModRevision: last})
	w := t.watch("", last+1)
	at := t.put("a", "4")
	w.want(set("a", "4", at))
}
