// Package vfs is the file system as the journal sees it: few calls, each with a
// stated durability, so that a fault-injecting fake can stand in for the disk.
//
//   - OS is the real one.
//   - Mem is the fake: it forgets what was not synced when it is cloned at a
//     crash, and fails where a test asks it to.
package vfs

import "io"

// FS is a file system. Names are slash-separated paths.
type FS interface {
	// Create makes a new file for reading and writing. It fails with
	// fs.ErrExist if the name is taken. The name is durable after SyncDir.
	Create(name string) (File, error)
	// Open opens an existing file for reading and writing.
	Open(name string) (File, error)
	Remove(name string) error
	// Rename replaces newName if it exists; durable after SyncDir.
	Rename(oldName, newName string) error
	// List returns the names (not paths) in dir, sorted.
	List(dir string) ([]string, error)
	MkdirAll(dir string) error
	// SyncDir makes creations, removals and renames in dir durable.
	SyncDir(dir string) error
	// Lock takes an exclusive advisory lock on name, creating it if needed,
	// until the closer is closed or the process ends. A held lock fails at once.
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
	WritevAt(bufs [][]byte, off int64) error
	// Allocate reserves the bytes [0, size), so that a write in it cannot
	// meet a full disk; the file's size grows to size, reading zeros.
	Allocate(size int64) error
	Truncate(size int64) error
	// Sync makes written bytes and the size durable (fdatasync). After an
	// error the state of unsynced bytes is unknown for good.
	Sync() error
	Size() (int64, error)
}
