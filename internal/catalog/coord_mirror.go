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
	err    error            // of what it holds
	dirty  map[string]int64 // the keys that changed since they were shown, and when; nil: too many, or not known
	moved  chan struct{}    // closed, and made anew, when it moves
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
	m.dirty = nil
	m.move(at)
}

// note says that a key changed.
func (m *mirror) note(key string, at int64) {
	if m.dirty == nil {
		return
	}
	if m.dirty[key] = at; len(m.dirty) > coordDirtyMax {
		m.dirty = nil
	}
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
		if ok {
			m.note(key, c.Revision)
		}
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
		for _, op := range m.rest.ops { // it has happened
			m.note(op.Key, kv.ModRevision)
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
	m.dirty = map[string]int64{}
	return values, m.commit, m.rest, m.err
}

// changes is what of the view changed after a revision, if that is known.
func (m *mirror) changes(after int64) (ops []Op, commit int64, left rest, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.at < m.want || m.dirty == nil || m.err != nil {
		return nil, 0, rest{}, false
	}
	left = m.rest
	due := make(map[string][]byte, len(left.ops))
	for _, op := range left.ops {
		due[op.Key] = op.Value
	}
	for _, key := range slices.Sorted(maps.Keys(m.dirty)) {
		if m.dirty[key] <= after {
			continue
		}
		value, there := due[key]
		if !there {
			value = m.values[key]
		}
		ops = append(ops, Op{key, value})
	}
	m.dirty = map[string]int64{}
	return ops, m.commit, left, true
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
