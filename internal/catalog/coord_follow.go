package catalog

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/narumq/naru/internal/coord"
)

// Scan implements Store. What it shows is what the coordinator held at one moment, at or after the last change that is known of.
func (s *Coord) Scan(prefix string, fn func(key string, value []byte) error) error {
	values, err := s.show()
	if err != nil {
		return err
	}
	for _, key := range slices.Sorted(maps.Keys(values)) {
		if !strings.HasPrefix(key, prefix) {
			continue
		}
		if err := fn(key, values[key]); err != nil {
			return err
		}
	}
	return nil
}

// show returns what the mirror holds, which the next change is on. It reads all if what became of a change is not known, or
// if the watch is late.
func (s *Coord) show() (map[string][]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.showLocked()
}

// showLocked is show when s.mu is held.
func (s *Coord) showLocked() (map[string][]byte, error) {
	s.catchUp()
	values, commit, left, err := s.mirror.view()
	for try := 0; !s.known || errors.Is(err, errNotFollowed) && try < coordReadsMax; try++ {
		if err := s.read(); err != nil {
			return nil, err
		}
		s.known = true
		values, commit, left, err = s.mirror.view()
	}
	if err != nil {
		return nil, err
	}
	s.rest = left
	s.shown.Store(commit)
	return values, nil
}

// catchUp waits until the watch has told what is known to have happened. s.mu is held.
func (s *Coord) catchUp() {
	if s.known && s.followed.Load() {
		ctx, cancel := context.WithTimeout(s.ctx, coordFollow)
		defer cancel()
		s.mirror.wait(ctx)
	}
}

// Changes implements Shared.
func (s *Coord) Changes() ([]Op, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.catchUp()
	if !s.known {
		return nil, false
	}
	ops, commit, left, ok := s.mirror.changes(s.shown.Load())
	if ok {
		s.rest = left
		s.shown.Store(commit)
	}
	return ops, ok
}

// read has the mirror hold what there is now.
func (s *Coord) read() error {
	ctx, cancel := context.WithTimeout(s.ctx, s.cfg.Patience)
	defer cancel()
	var kvs []coord.KV
	var at int64
	err := retry(ctx, func() (err error) {
		kvs, at, err = s.cfg.Store.Range(ctx, coordPrefix)
		return err
	})
	if err != nil {
		return fmt.Errorf("%w: reading it: %w", ErrStorage, err)
	}
	s.mirror.replace(kvs, at)
	return nil
}

// News implements Shared: it begins to watch.
func (s *Coord) News() <-chan struct{} {
	s.watch.Do(func() {
		s.followed.Store(true)
		go s.follow()
	})
	return s.mirror.news
}

// Behind implements Shared.
func (s *Coord) Behind() bool { return s.mirror.commitSeen() > s.shown.Load() }

// Ask implements Shared.
func (s *Coord) Ask(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Patience)
	defer cancel()
	defer context.AfterFunc(s.ctx, cancel)()
	var kv coord.KV
	if err := retry(ctx, func() (err error) {
		kv, _, err = s.cfg.Store.Get(ctx, coordCommit)
		return err
	}); err != nil {
		return fmt.Errorf("%w: %w", ErrStorage, err)
	}
	s.mirror.expect(kv.ModRevision)
	return nil
}

// follow keeps the mirror up to date until the store is closed.
func (s *Coord) follow() {
	defer close(s.mirror.news)
	for s.ctx.Err() == nil {
		s.mirror.mu.Lock()
		at := s.mirror.at
		s.mirror.mu.Unlock()
		var err error
		if at > 0 {
			err = s.cfg.Store.Watch(s.ctx, coordPrefix, at+1, s.see)
		}
		if at == 0 || errors.Is(err, coord.ErrCompacted) {
			err = s.read()
			s.tell()
		}
		if err != nil {
			pause(s.ctx, coordPause)
		}
	}
}

// see takes a change in, and tells of it if it was another broker's.
func (s *Coord) see(c coord.Change) error {
	s.mirror.follow(c)
	s.tell()
	return nil
}

func (s *Coord) tell() {
	if !s.Behind() {
		return
	}
	select {
	case s.mirror.news <- struct{}{}:
	default:
	}
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
