package vfs

import (
	"errors"
	"io"
	"io/fs"
	"math"
	"path"
	"slices"
	"strings"
	"sync"
)

// Mem is a file system in memory that knows what a crash would take from it.
// All methods may be called from any goroutine. There is no working directory:
// "a", "./a" and "/a" are one file.
type Mem struct {
	mu       sync.Mutex
	names    map[string]*node // as the process sees them
	durable  map[string]*node // as the last SyncDirs left them
	changes  []change         // what leads from durable to names, in order
	dirs     map[string]bool
	locks    map[string]bool
	capacity int64
	used     int64
	open     int // files
	fault    func(Op) error
	onSync   func(*Mem)
	skipSync bool
}

// NewMem returns an empty file system without a limit of capacity.
func NewMem() *Mem {
	return &Mem{
		names:   map[string]*node{},
		durable: map[string]*node{},
		dirs:    map[string]bool{".": true},
		locks:   map[string]bool{},
	}
}

// freeUnlimited is what FreeBytes reports if there is no capacity.
const freeUnlimited = math.MaxInt64 / 2

func clean(name string) string {
	p := strings.TrimPrefix(path.Clean("/"+name), "/")
	if p == "" {
		return "."
	}
	return p
}

// Create is FS.Create.
func (m *Mem) Create(name string) (File, error) {
	name = clean(name)
	if err := m.check(Op{Kind: OpCreate, Name: name}); err != nil {
		return nil, wrap("create", name, err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.names[name] != nil || m.dirs[name] {
		return nil, wrap("create", name, fs.ErrExist)
	}
	n, err := m.create(name)
	if err != nil {
		return nil, wrap("create", name, err)
	}
	return m.handle(n, name), nil
}

// create makes an empty file. The caller holds mu.
func (m *Mem) create(name string) (*node, error) {
	if !m.dirs[path.Dir(name)] {
		return nil, fs.ErrNotExist
	}
	n := newNode()
	n.links = 1
	m.change(change{to: name, node: n})
	return n, nil
}

// change changes a name, not yet durably. The caller holds mu.
func (m *Mem) change(c change) {
	c.apply(m.names)
	m.changes = append(m.changes, c)
}

// Open is FS.Open.
func (m *Mem) Open(name string) (File, error) {
	name = clean(name)
	if err := m.check(Op{Kind: OpOpen, Name: name}); err != nil {
		return nil, wrap("open", name, err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	n, err := m.lookup(name)
	if err != nil {
		return nil, wrap("open", name, err)
	}
	return m.handle(n, name), nil
}

var errIsDir = errors.New("is a directory")

func (m *Mem) lookup(name string) (*node, error) {
	switch n := m.names[name]; {
	case n != nil:
		return n, nil
	case m.dirs[name]:
		return nil, errIsDir
	}
	return nil, fs.ErrNotExist
}

// Remove is FS.Remove, for files.
func (m *Mem) Remove(name string) error {
	name = clean(name)
	if err := m.check(Op{Kind: OpRemove, Name: name}); err != nil {
		return wrap("remove", name, err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	n, err := m.lookup(name)
	if err != nil {
		return wrap("remove", name, err)
	}
	m.change(change{from: name, node: n})
	m.unlink(n)
	return nil
}

// unlink counts a lost name. The caller holds mu.
func (m *Mem) unlink(n *node) {
	n.links--
	m.release(n)
}

// release gives a node's space back when neither a name nor a handle is left.
func (m *Mem) release(n *node) {
	if n.links == 0 && n.handles == 0 {
		m.used -= n.reserved
	}
}

// Rename is FS.Rename, for files.
func (m *Mem) Rename(oldName, newName string) error {
	oldName, newName = clean(oldName), clean(newName)
	both := oldName + " to " + newName
	if err := m.check(Op{Kind: OpRename, Name: oldName, To: newName}); err != nil {
		return wrap("rename", both, err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	n, err := m.lookup(oldName)
	switch {
	case err != nil:
		return wrap("rename", both, err)
	case m.dirs[newName]:
		return wrap("rename", both, fs.ErrExist)
	case !m.dirs[path.Dir(newName)]:
		return wrap("rename", both, fs.ErrNotExist)
	case oldName == newName:
		return nil
	}
	replaced := m.names[newName]
	m.change(change{from: oldName, to: newName, node: n})
	if replaced != nil {
		m.unlink(replaced)
	}
	return nil
}

// List is FS.List.
func (m *Mem) List(dir string) ([]string, error) {
	dir = clean(dir)
	if err := m.check(Op{Kind: OpList, Name: dir}); err != nil {
		return nil, wrap("list", dir, err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.dirs[dir] {
		return nil, wrap("list", dir, fs.ErrNotExist)
	}
	list := []string{}
	for name := range m.names {
		if path.Dir(name) == dir {
			list = append(list, path.Base(name))
		}
	}
	for name := range m.dirs {
		if name != "." && path.Dir(name) == dir {
			list = append(list, path.Base(name))
		}
	}
	slices.Sort(list)
	return list, nil
}

// MkdirAll is FS.MkdirAll.
func (m *Mem) MkdirAll(dir string) error {
	dir = clean(dir)
	if err := m.check(Op{Kind: OpMkdir, Name: dir}); err != nil {
		return wrap("mkdir", dir, err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for d := dir; d != "."; d = path.Dir(d) {
		if m.names[d] != nil {
			return wrap("mkdir", dir, errors.New("not a directory"))
		}
	}
	for d := dir; d != "."; d = path.Dir(d) {
		m.dirs[d] = true
	}
	return nil
}

// SyncDir is FS.SyncDir.
func (m *Mem) SyncDir(dir string) error {
	dir = clean(dir)
	if err := m.check(Op{Kind: OpSyncDir, Name: dir}); err != nil {
		return wrap("sync", dir, err)
	}
	m.mu.Lock()
	exists := m.dirs[dir]
	m.mu.Unlock()
	if !exists {
		return wrap("sync", dir, fs.ErrNotExist)
	}
	m.syncing(func() { m.syncNames(dir) })
	return nil
}

// Lock is FS.Lock.
func (m *Mem) Lock(name string) (io.Closer, error) {
	name = clean(name)
	if err := m.check(Op{Kind: OpLock, Name: name}); err != nil {
		return nil, wrap("lock", name, err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.locks[name] {
		return nil, wrap("lock", name, ErrLocked)
	}
	_, err := m.lookup(name)
	if errors.Is(err, fs.ErrNotExist) {
		_, err = m.create(name)
	}
	if err != nil {
		return nil, wrap("lock", name, err)
	}
	m.locks[name] = true
	return &memLock{m: m, name: name}, nil
}

type memLock struct {
	m      *Mem
	name   string
	closed bool // guarded by m.mu
}

func (l *memLock) Close() error {
	l.m.mu.Lock()
	defer l.m.mu.Unlock()
	if l.closed {
		return wrap("unlock", l.name, fs.ErrClosed)
	}
	l.closed = true
	delete(l.m.locks, l.name)
	return nil
}

// FreeBytes is FS.FreeBytes.
func (m *Mem) FreeBytes(dir string) (int64, error) {
	dir = clean(dir)
	if err := m.check(Op{Kind: OpFreeBytes, Name: dir}); err != nil {
		return 0, wrap("free bytes", dir, err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.dirs[dir] {
		return 0, wrap("free bytes", dir, fs.ErrNotExist)
	}
	return m.free(), nil
}

// free is the capacity that is left. The caller holds mu.
func (m *Mem) free() int64 {
	if m.capacity == 0 {
		return freeUnlimited
	}
	return max(0, m.capacity-m.used)
}
