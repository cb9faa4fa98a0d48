package broker

import (
	"log/slog"
	"sync"

	"github.com/narumq/naru/internal/group"
	"github.com/narumq/naru/internal/record"
)

// StateLog is the log under Groups: a statelog.Log, or a fake.
type StateLog interface {
	// Append makes the commands durable, then applies them in order, then calls
	// done, exactly once and not from within Apply. The log applies the commands
	// of an earlier call before those of a later one. It must not block.
	Append(cmds []group.Command, done func(error))
}

// GroupsMachine holds committed offsets and saved groups. It is a
// statelog.Machine; Groups reads it under its own lock.
type GroupsMachine struct {
	mu    sync.RWMutex
	table *group.Table
}

// Apply carries out one command.
func (m *GroupsMachine) Apply(rec record.Record) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.table.Apply(rec.Key, rec.Value)
}

// Snapshot emits the commands that rebuild the state.
func (m *GroupsMachine) Snapshot(emit func(key, value []byte)) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	m.table.Snapshot(emit)
}

// Reset forgets everything.
func (m *GroupsMachine) Reset() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.table.Reset()
}

func (m *GroupsMachine) read(f func(*group.Table)) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	f(m.table)
}

func (m *GroupsMachine) has(id string) (ok bool) {
	m.read(func(t *group.Table) { ok = t.Has(id) })
	return ok
}

func (m *GroupsMachine) groups() (ids []string) {
	m.read(func(t *group.Table) { ids = t.Groups() })
	return ids
}

// savedGroups returns the groups to restore.
func (m *GroupsMachine) savedGroups(log *slog.Logger) (saved []*group.Saved) {
	m.read(func(t *group.Table) {
		for _, id := range t.Groups() {
			s, err := t.Saved(id)
			switch {
			case err != nil: // Apply decoded it once: not the disk's fault
				log.Error("group not restored", "group", id, "err", err)
			case s != nil:
				saved = append(saved, s)
			}
		}
	})
	return saved
}
