package vfs

import (
	"io"
	"os"
	"path/filepath"
	"syscall"
)

const (
	filePerm = 0o640
	dirPerm  = 0o750
)

// OS returns the file system of the machine.
func OS() FS { return osFS{} }

type osFS struct{}

func (osFS) Create(name string) (File, error) {
	return openFile("create", name, os.O_RDWR|os.O_CREATE|os.O_EXCL)
}

func (osFS) Open(name string) (File, error) {
	return openFile("open", name, os.O_RDWR)
}

func openFile(op, name string, flags int) (File, error) {
	f, err := os.OpenFile(filepath.FromSlash(name), flags, filePerm)
	if err != nil {
		return nil, wrap(op, name, err)
	}
	raw, err := f.SyscallConn()
	if err != nil {
		f.Close()
		return nil, wrap(op, name, err)
	}
	return &osFile{f: f, raw: raw, name: name}, nil
}

func (osFS) Remove(name string) error {
	return wrap("remove", name, os.Remove(filepath.FromSlash(name)))
}

func (osFS) Rename(oldName, newName string) error {
	err := os.Rename(filepath.FromSlash(oldName), filepath.FromSlash(newName))
	return wrap("rename", oldName+" to "+newName, err)
}

func (osFS) List(dir string) ([]string, error) {
	entries, err := os.ReadDir(filepath.FromSlash(dir))
	if err != nil {
		return nil, wrap("list", dir, err)
	}
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name()
	}
	return names, nil
}

// MkdirAll syncs the parent of each directory that it makes: a data directory
// whose own name was lost would take all the synced files in it along.
func (fs osFS) MkdirAll(dir string) error {
	path := filepath.Clean(filepath.FromSlash(dir))
	if info, err := os.Stat(path); err == nil {
		if info.IsDir() {
			return nil
		}
		return wrap("mkdir", dir, syscall.ENOTDIR)
	}
	parent := filepath.Dir(path)
	if parent != path {
		if err := fs.MkdirAll(parent); err != nil {
			return err
		}
	}
	if err := os.Mkdir(path, dirPerm); err != nil && !os.IsExist(err) {
		return wrap("mkdir", dir, err)
	}
	return fs.SyncDir(parent)
}

func (osFS) SyncDir(dir string) error {
	return wrap("sync", dir, syncDir(filepath.FromSlash(dir)))
}

func (osFS) Lock(name string) (io.Closer, error) {
	f, err := os.OpenFile(filepath.FromSlash(name), os.O_RDWR|os.O_CREATE, filePerm)
	if err != nil {
		return nil, wrap("lock", name, err)
	}
	if err := lockFile(f); err != nil {
		f.Close()
		return nil, wrap("lock", name, err)
	}
	// The file stays: removing it would let one process lock the old file and
	// another a new one of the same name.
	return f, nil
}

func (osFS) FreeBytes(dir string) (int64, error) {
	n, err := freeBytes(filepath.FromSlash(dir))
	return n, wrap("free bytes", dir, err)
}

// osFile is an open file. Calls go through raw, so that a Close beside them
// cannot hand the descriptor's number to another file in between.
type osFile struct {
	f    *os.File
	raw  syscall.RawConn
	name string
}

func (o *osFile) ReadAt(p []byte, off int64) (int, error) {
	n, err := o.f.ReadAt(p, off)
	return n, wrap("read", o.name, err)
}

func (o *osFile) WriteAt(p []byte, off int64) (int, error) {
	n, err := o.f.WriteAt(p, off)
	return n, wrap("write", o.name, err)
}

func (o *osFile) WritevAt(bufs [][]byte, off int64) error {
	return wrap("write", o.name, writevAt(o, bufs, off))
}

func (o *osFile) Allocate(size int64) error {
	return wrap("allocate", o.name, allocate(o, size))
}

func (o *osFile) Truncate(size int64) error {
	return wrap("truncate", o.name, o.f.Truncate(size))
}

func (o *osFile) Sync() error {
	return wrap("sync", o.name, syncFile(o))
}

func (o *osFile) Size() (int64, error) {
	info, err := o.f.Stat()
	if err != nil {
		return 0, wrap("stat", o.name, err)
	}
	return info.Size(), nil
}

func (o *osFile) Close() error {
	return wrap("close", o.name, o.f.Close())
}

// allocateByWriting reserves space where the file system cannot do it by
// itself: it writes zeros after the file's end.
func allocateByWriting(o *osFile, size int64) error {
	info, err := o.f.Stat()
	if err != nil {
		return err
	}
	const pieceBytes = 1 << 20
	zeros := make([]byte, min(pieceBytes, max(0, size-info.Size())))
	for off := info.Size(); off < size; {
		n, err := o.f.WriteAt(zeros[:min(pieceBytes, size-off)], off)
		if err != nil {
			return err
		}
		off += int64(n)
	}
	return nil
}
