package catalog

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/narumq/naru/internal/coord"
)

var errNotFollowed = errors.New("the watch did not tell in time")

// mirror is what the coordinator held at a moment.
type mirror struct {
	news chan struct{} // of capacity 1: others changed something

	mu     sync.Mutex
	at     int64             // the moment: a revision of the coordinator; 0: nothing was read
	values map[string][]byte // by the catalog's key
	commit int64             // the last change of the catalog
	want   int64             // a change that is known to have happened
	rest   rest
	err    error         // of what it holds
	moved  chan struct{} // closed, and made anew, when it moves
}

func (m *mirror) init() { m.news, m.moved = make(chan struct{}, 1), make(chan struct{}) }

// expect notes that there was a change.
func (m *mirror) expect(revision int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.want = max(m.want, revision)
}

// empty tells that nothing was ever read.
func (m *mirror) empty() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.at == 0
}

// commitSeen is the last change that is known of.
func (m *mirror) commitSeen() int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return max(m.commit, m.want)
}

// replace takes in all that there is.
func (m *mirror) replace(kvs []coord.KV, at int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if at < m.at {
		return // a watch was faster
	}
	m.values, m.commit, m.rest, m.err = make(map[string][]byte, len(kvs)), 0, rest{}, nil
	for _, kv := range kvs {
		m.put(kv)
	}
	m.move(at)
}

// follow takes a change in.
func (m *mirror) follow(c coord.Change) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if c.Revision <= m.at {
		return // it was read
	}
	for _, e := range c.Events {
		key, ok := keyAt(e.KV.Key)
		switch {
		case !e.Deleted:
			m.put(e.KV)
		case ok:
			delete(m.values, key)
		case e.KV.Key == coordRest:
			m.rest = rest{}
		}
	}
	m.move(c.Revision)
}

func (m *mirror) move(at int64) {
	m.at, m.want = at, max(m.want, m.commit)
	close(m.moved)
	m.moved = make(chan struct{})
}

func (m *mirror) put(kv coord.KV) {
	switch key, ok := keyAt(kv.Key); {
	case ok:
		m.values[key] = kv.Value
	case kv.Key == coordCommit:
		m.commit = kv.ModRevision
	case kv.Key == coordRest:
		m.rest = rest{at: kv.ModRevision}
		if err := json.Unmarshal(kv.Value, &m.rest.ops); err != nil {
			m.err = fmt.Errorf("%w: key %q: %w", ErrDamaged, coordRest, err)
		}
	case strings.HasPrefix(kv.Key, coordDone), strings.HasPrefix(kv.Key, coordSlot): // names of changes
	default:
		m.err = unknownKey(kv.Key)
	}
}

// view is what there is, with what of a large change is still left to do, if the mirror has all changes that are known of.
func (m *mirror) view() (values map[string][]byte, commit int64, left rest, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.at == 0 || m.at < m.want {
		return nil, 0, rest{}, fmt.Errorf("%w: %w", ErrStorage, errNotFollowed)
	}
	values = maps.Clone(m.values)
	for _, op := range m.rest.ops { // it has happened, only not everywhere
		if op.Value == nil {
			delete(values, op.Key)
		} else {
			values[op.Key] = op.Value
		}
	}
	return values, m.commit, m.rest, m.err
}

// wait returns when the mirror has all that is known to have happened, or ctx ends.
func (m *mirror) wait(ctx context.Context) {
	for {
		m.mu.Lock()
		there, moved := m.at >= m.want, m.moved
		m.mu.Unlock()
		if there {
			return
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return
		}
	}
}

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
	if s.known && s.followed.Load() {
		ctx, cancel := context.WithTimeout(s.ctx, coordFollow)
		s.mirror.wait(ctx)
		cancel()
	}
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
