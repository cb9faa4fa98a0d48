package catalog

import (
	"maps"
	"slices"
	"strings"
	"sync"
)

// Op is one change of a key. A nil Value deletes it.
type Op struct {
	Key   string
	Value []byte
}

// Store is where a catalog is durable. Bolt is a file, Mem a fake.
type Store interface {
	// Scan calls fn for each key with that prefix in ascending order, until fn
	// fails. The value is fn's only during the call.
	Scan(prefix string, fn func(key string, value []byte) error) error
	// Apply makes all the changes durable, or none. After an error it is
	// unknown which; a later Scan tells.
	Apply(ops []Op) error
	Close() error
}

// Mem is a Store in memory, for tests. It outlives Close, so that a catalog can
// be opened on it again.
type Mem struct {
	mu      sync.Mutex
	values  map[string][]byte
	fail    error // what the next Apply returns
	applied bool  // whether it changes the store all the same
	Applies int   // how many Applies succeeded; read when nobody writes
}

// NewMem returns an empty store.
func NewMem() *Mem { return &Mem{values: map[string][]byte{}} }

// FailNext makes the next Apply return err, having taken effect or not.
func (m *Mem) FailNext(err error, applied bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.fail, m.applied = err, applied
}

// Scan implements Store.
func (m *Mem) Scan(prefix string, fn func(key string, value []byte) error) error {
	m.mu.Lock()
	values := maps.Clone(m.values)
	m.mu.Unlock()
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

// Apply implements Store.
func (m *Mem) Apply(ops []Op) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	err := m.fail
	if m.fail = nil; err != nil && !m.applied {
		return err
	}
	for _, op := range ops {
		if op.Value == nil {
			delete(m.values, op.Key)
		} else {
			m.values[op.Key] = slices.Clone(op.Value)
		}
	}
	if err == nil {
		m.Applies++
	}
	return err
}

// Close implements Store.
func (m *Mem) Close() error { return nil }
