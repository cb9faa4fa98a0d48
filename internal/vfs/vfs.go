package vfs

import "io"

// FS is a file system. Names are slash-separated paths. Every error names the
// path it is about; fs.ErrNotExist, fs.ErrExist, fs.ErrClosed, ErrNoSpace and
// ErrLocked are found with errors.Is.
type FS interface {
	// Create makes a new file for reading and writing. It fails with
	// fs.ErrExist if the name is taken. The name is durable after SyncDir.
	Create(name string) (File, error)
	// Open opens an existing file for reading and writing.
	Open(name string) (File, error)
	// Remove unlinks a file; whoever has it open still reads and writes it.
	// The name is gone for good after SyncDir.
	Remove(name string) error
	// Rename replaces newName if it exists; durable after SyncDir.
	Rename(oldName, newName string) error
	// List returns the names (not paths) in dir, sorted.
	List(dir string) ([]string, error)
	// MkdirAll makes dir and its missing parents, durable when it returns.
	MkdirAll(dir string) error
	// SyncDir makes creations, removals and renames in dir durable.
	SyncDir(dir string) error
	// Lock takes an exclusive advisory lock on name, creating it if needed,
	// until the closer is closed or the process ends. A held lock fails at once
	// with ErrLocked, also within one process.
	Lock(name string) (io.Closer, error)
	// FreeBytes is what an unprivileged writer may still write below dir.
	FreeBytes(dir string) (int64, error)
}

// File is an open file. ReadAt may run beside everything else.
type File interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	// WritevAt writes the buffers one after the other at off, all or an error.
	// The buffers and the slice of them stay as they were. After an error any
	// part of them may have been written.
	WritevAt(bufs [][]byte, off int64) error
	// Allocate reserves the bytes [0, size), so that a write in it cannot
	// meet a full disk; the file's size grows to size, reading zeros. A file
	// that is larger already keeps its size and its bytes.
	Allocate(size int64) error
	// Truncate cuts the file to size, or grows it with zeros that take no
	// space yet.
	Truncate(size int64) error
	// Sync makes written bytes and the size durable (fdatasync). After an
	// error the state of unsynced bytes is unknown for good: syncing again
	// and being told that all is well proves nothing.
	Sync() error
	Size() (int64, error)
}
