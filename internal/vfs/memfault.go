package vfs

import (
	"errors"
	"fmt"
)

// OpKind names a call of FS or File.
type OpKind uint8

// The kinds.
const (
	OpCreate OpKind = iota
	OpOpen
	OpRemove
	OpRename
	OpList
	OpMkdir
	OpSyncDir
	OpLock
	OpFreeBytes
	OpRead
	OpWrite
	OpAllocate
	OpTruncate
	OpSync
	OpSize
	opKindCount
)

var opKindNames = [opKindCount]string{
	"create", "open", "remove", "rename", "list", "mkdir", "sync dir", "lock", "free bytes",
	"read", "write", "allocate", "truncate", "sync", "size",
}

func (k OpKind) String() string {
	if k < opKindCount {
		return opKindNames[k]
	}
	return "invalid kind"
}

// Op is a call that Mem is about to do.
type Op struct {
	Kind OpKind
	Name string // the path, cleaned and without a leading slash; of a rename the old one
	To   string // of a rename, the new path
	Off  int64  // of a read or write
	Len  int    // bytes of a read or write; of Allocate and Truncate, the size
}

func (op Op) String() string {
	return fmt.Sprintf("%s %s off %d len %d", op.Kind, op.Name, op.Off, op.Len)
}

// SetFault has f asked before every call; an error from it fails the call,
// wrapped with the path. f may use the Mem. Nil ends it. A write that is failed
// changes nothing unless the error is one of PartialWrite; a failed Sync leaves
// the written bytes unsynced for good, as Linux does.
func (m *Mem) SetFault(f func(Op) error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.fault = f
}

// OnSync has f called before and after each Sync and SyncDir that no fault
// fails: the moments at which a crash has the most to choose from, and the
// least. f may use the Mem, but not sync it. Nil ends it.
func (m *Mem) OnSync(f func(*Mem)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.onSync = f
}

// SkipSync makes Sync and SyncDir report success without doing anything. It is
// there to prove that a test would notice.
func (m *Mem) SkipSync(skip bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.skipSync = skip
}

// SetCapacity limits the bytes that files may take together, 0 for no limit.
// What is there already stays, even if it is more. A file takes what Allocate
// reserved for it or up to the last byte written, whichever is more, until it is
// removed and closed.
func (m *Mem) SetCapacity(bytes int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.capacity = bytes
}

// Used is how many bytes of the capacity are taken.
func (m *Mem) Used() int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.used
}

// OpenFiles is how many files are open: a test may ask for what was forgotten.
func (m *Mem) OpenFiles() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.open
}

// Corrupt flips the bits of xor in the byte at off, as a decaying disk would:
// in what is durable and in what is written. It panics if there is no such byte,
// since a test that corrupts nothing proves nothing.
func (m *Mem) Corrupt(name string, off int64, xor byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := m.names[clean(name)]
	if n == nil || off < 0 || off >= n.size() || xor == 0 {
		panic(fmt.Sprintf("vfs: nothing to corrupt in %s at %d", name, off))
	}
	n.corrupt(off, xor)
}

// PartialWrite is an error for SetFault that lets the first n bytes of a write
// happen before it fails with err.
func PartialWrite(n int, err error) error { return &partialWrite{n, err} }

type partialWrite struct {
	n   int
	err error
}

func (p *partialWrite) Error() string { return fmt.Sprintf("after %d bytes: %v", p.n, p.err) }
func (p *partialWrite) Unwrap() error { return p.err }

// check asks the fault function, without holding the mutex.
func (m *Mem) check(op Op) error {
	m.mu.Lock()
	f := m.fault
	m.mu.Unlock()
	if f == nil {
		return nil
	}
	return f(op)
}

// syncing runs do under the mutex between two calls of the hook, unless syncs
// are being skipped.
func (m *Mem) syncing(do func()) {
	m.mu.Lock()
	hook := m.onSync
	m.mu.Unlock()
	if hook != nil {
		hook(m)
	}
	m.mu.Lock()
	if !m.skipSync {
		do()
	}
	m.mu.Unlock()
	if hook != nil {
		hook(m)
	}
}

// partial splits a write's fault into the bytes to write nevertheless and the
// error to report.
func partial(err error, length int) (int, error) {
	var p *partialWrite
	if errors.As(err, &p) {
		return max(0, min(p.n, length)), err
	}
	return 0, err
}
