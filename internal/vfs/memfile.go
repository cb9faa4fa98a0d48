package vfs

import (
	"errors"
	"io"
	"io/fs"
)

var errNegative = errors.New("negative offset or size")

// memFile is an open file of a Mem.
type memFile struct {
	m      *Mem
	n      *node
	name   string // as it was opened
	closed bool   // guarded by m.mu
}

// handle opens n. The caller holds mu.
func (m *Mem) handle(n *node, name string) File {
	n.handles++
	m.open++
	return &memFile{m: m, n: n, name: name}
}

// begin asks for a fault and takes the mutex. On an error it is not held.
func (f *memFile) begin(op Op) error {
	op.Name = f.name
	if op.Off < 0 || op.Len < 0 {
		return errNegative
	}
	if err := f.m.check(op); err != nil {
		return err
	}
	f.m.mu.Lock()
	if f.closed {
		f.m.mu.Unlock()
		return fs.ErrClosed
	}
	return nil
}

func (f *memFile) ReadAt(p []byte, off int64) (int, error) {
	if err := f.begin(Op{Kind: OpRead, Off: off, Len: len(p)}); err != nil {
		return 0, wrap("read", f.name, err)
	}
	defer f.m.mu.Unlock()
	n := int(max(0, min(int64(len(p)), f.n.size()-off)))
	f.n.readAt(p[:n], off)
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (f *memFile) WriteAt(p []byte, off int64) (int, error) {
	n, err := f.write([][]byte{p}, off)
	return n, wrap("write", f.name, err)
}

func (f *memFile) WritevAt(bufs [][]byte, off int64) error {
	_, err := f.write(bufs, off)
	return wrap("write", f.name, err)
}

// write writes what fits, as a real disk does, and says so if it is not all.
func (f *memFile) write(bufs [][]byte, off int64) (int, error) {
	total := 0
	for _, b := range bufs {
		total += len(b)
	}
	allowed := total
	err := f.begin(Op{Kind: OpWrite, Off: off, Len: total})
	if err != nil {
		if allowed, err = partial(err, total); allowed == 0 {
			return 0, err
		}
		f.m.mu.Lock()
		if f.closed {
			f.m.mu.Unlock()
			return 0, fs.ErrClosed
		}
	}
	defer f.m.mu.Unlock()
	if room := max(0, f.n.reserved+f.m.free()-off); int64(allowed) > room {
		allowed, err = int(room), ErrNoSpace
	}
	before, done := f.n.reserved, 0
	for _, b := range bufs {
		b = b[:min(len(b), allowed-done)]
		if len(b) > 0 {
			f.n.writeAt(b, off+int64(done))
		}
		done += len(b)
	}
	f.m.used += f.n.reserved - before
	return done, err
}

func (f *memFile) Allocate(size int64) error {
	if err := f.begin(Op{Kind: OpAllocate, Len: int(size)}); err != nil {
		return wrap("allocate", f.name, err)
	}
	defer f.m.mu.Unlock()
	if size-f.n.reserved > f.m.free() {
		return wrap("allocate", f.name, ErrNoSpace)
	}
	f.m.used += max(0, size-f.n.reserved)
	f.n.reserved = max(f.n.reserved, size)
	f.n.setSize(max(f.n.size(), size))
	return nil
}

func (f *memFile) Truncate(size int64) error {
	if err := f.begin(Op{Kind: OpTruncate, Len: int(size)}); err != nil {
		return wrap("truncate", f.name, err)
	}
	defer f.m.mu.Unlock()
	before := f.n.reserved
	f.n.truncate(size)
	f.m.used += f.n.reserved - before
	return nil
}

func (f *memFile) Sync() error {
	err := f.begin(Op{Kind: OpSync})
	if err != nil {
		if !errors.Is(err, fs.ErrClosed) {
			f.m.mu.Lock()
			f.n.failSync()
			f.m.mu.Unlock()
		}
		return wrap("sync", f.name, err)
	}
	f.m.mu.Unlock()
	f.m.syncing(f.n.sync)
	return nil
}

func (f *memFile) Size() (int64, error) {
	if err := f.begin(Op{Kind: OpSize}); err != nil {
		return 0, wrap("size", f.name, err)
	}
	defer f.m.mu.Unlock()
	return f.n.size(), nil
}

func (f *memFile) Close() error {
	f.m.mu.Lock()
	defer f.m.mu.Unlock()
	if f.closed {
		return wrap("close", f.name, fs.ErrClosed)
	}
	f.closed = true
	f.n.handles--
	f.m.open--
	f.m.release(f.n)
	return nil
}
