package coord

import (
	"context"
	"fmt"
)

// Watcher reads changes one by one, for simulations in one goroutine.
type Watcher struct {
	f      *Fake
	prefix string
	next   int64 // the revision of which nothing was shown yet
	cuts   int64
}

// NewWatcher watches the keys that begin with prefix from a revision on; 0: from
// now.
func (f *Fake) NewWatcher(prefix string, from int64) *Watcher {
	f.mu.Lock()
	defer f.mu.Unlock()
	if from == 0 {
		from = f.data.revision + 1
	}
	return &Watcher{f: f, prefix: prefix, next: from, cuts: f.cuts}
}

// Next is the next change, or false if there is none yet, or an error that ends the
// watch.
func (w *Watcher) Next() (Change, bool, error) {
	w.f.mu.Lock()
	defer w.f.mu.Unlock()
	c, _, err := w.step()
	return c, len(c.Events) > 0, err
}

// step is Next under the mutex. The channel is closed when it is worth trying again.
func (w *Watcher) step() (Change, <-chan struct{}, error) {
	if w.cuts != w.f.cuts {
		return Change{}, nil, fmt.Errorf("coord: watch %s: %w", w.prefix, w.f.cutWith)
	}
	if w.f.paused != nil {
		return Change{}, w.f.news, nil
	}
	w.f.expire()
	c, err := w.f.data.after(w.prefix, w.next)
	if err != nil {
		return Change{}, nil, fmt.Errorf("coord: watch %s: %w", w.prefix, err)
	}
	w.next = max(w.next, c.Revision+1)
	return c, w.f.news, nil
}

// Watch implements Store. It goes by no gate: CutWatches ends it, and Pause holds it.
func (f *Fake) Watch(ctx context.Context, prefix string, from int64, see func(Change) error) error {
	w := f.NewWatcher(prefix, from)
	for {
		f.mu.Lock()
		c, news, err := w.step()
		f.mu.Unlock()
		if err != nil {
			return err
		}
		if len(c.Events) > 0 {
			if err := see(c); err != nil {
				return err
			}
			continue
		}
		select {
		case <-news:
		case <-ctx.Done():
			return fmt.Errorf("coord: watch %s: %w", prefix, ctx.Err())
		}
	}
}
