// Package vfs is the file system as the journal sees it: few calls, each with a
// stated durability, so that a fault-injecting fake can stand in for the disk.
//
//   - OS is the real one.
//   - Mem is the fake: it forgets what was not synced when it is cloned at a
//     crash, and fails where a test asks it to.
//
// # What is assumed of the disk
//
// Everything above this package relies on these promises and on no others. Mem
// breaks whatever is not promised here, as the seed decides.
//
//  1. Sync and SyncDir tell the truth. When they return nil, the bytes, the
//     size and the names have left every volatile cache. A drive that
//     acknowledges a flush that it did not do, or a file system mounted with
//     barriers off, breaks this, and acknowledged records can be lost.
//  2. 512 bytes at a multiple of 512 are written whole or not at all. Nothing
//     larger is: of a write that was not synced, any of its 512-byte units may
//     be there or not, in any order, and a unit that was written several times
//     may hold any of those versions.
//  3. A write touches no byte outside its range. In particular it cannot
//     damage synced bytes of the same sector.
//  4. Unsynced size changes, creations and removals may survive one without
//     another, and without the data. Bytes that a file gained but that were
//     not written, or not synced, read as zeros or as what was written to them:
//     never as another file's bytes.
//  5. Rename is atomic: after a crash the new name has either the old file or
//     the new one. It orders nothing: the data must be synced before.
//  6. Cutting a file is atomic: after a crash it either happened or did not.
//  7. After a failed Sync nothing is known about unsynced bytes. On Linux the
//     pages may be marked clean, so that the next Sync succeeds although they
//     are lost. The only safe answer is to stop writing and to read the file
//     again after reopening.
//  8. A damaged sector may come back with wrong bytes and without an error.
//     Checksums in the layers above find it.
//  9. Within Allocate's range, a write does not fail for want of space. File
//     systems that copy on write (btrfs, ZFS) do not promise that, so ErrNoSpace
//     from a write into reserved space must still be handled.
//
// SyncDir on a new file's directory is needed even after the file's own Sync.
//
// Local file systems are meant: ext4 and XFS, and APFS for development. On a
// network file system neither the lock nor promise 1 can be counted on.
//
// # How OS keeps them
//
// On Linux Sync is fdatasync, Allocate is fallocate (zeros are written where
// the file system has none), WritevAt is pwritev in pieces of at most 1,024
// buffers that goes on after a short write, and the lock is flock. On macOS
// Sync is fcntl F_FULLFSYNC, since fsync there does not flush the drive. On
// Windows directories cannot be synced; NTFS journals their changes itself.
// Elsewhere the package compiles, but Lock refuses.
//
// # Locks and goroutines
//
// Neither kind of FS starts a goroutine. Mem has one mutex, which is never held
// while a hook or a fault function of the test runs.
package vfs
