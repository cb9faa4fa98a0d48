package vfs

import (
	"errors"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// iovecsMax is the kernel's UIO_MAXIOV: more buffers in one call are refused.
const iovecsMax = 1024

func isNoSpace(err error) bool {
	return errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT)
}

// writebackBytes is how much of a large write is handed over at a time. The
// disk starts on each piece while the next one is still being copied, so that
// the sync that follows finds little to do: about twice the speed for writes of
// several MiB.
const writebackBytes = 1 << 20

func writevAt(o *osFile, bufs [][]byte, off int64) error {
	large := totalBytes(bufs) > writebackBytes
	for bufs = unwritten(bufs, 0); len(bufs) > 0; {
		var n int
		err := o.control(func(fd uintptr) (err error) {
			n, err = unix.Pwritev(int(fd), piece(bufs), off)
			if err == nil && large {
				// Only a hint: what comes of it, the sync will tell.
				unix.SyncFileRange(int(fd), off, int64(n), unix.SYNC_FILE_RANGE_WRITE)
			}
			return err
		})
		if err != nil {
			return err
		}
		if n <= 0 {
			return io.ErrShortWrite
		}
		off += int64(n)
		bufs = unwritten(bufs, n)
	}
	return nil
}

func totalBytes(bufs [][]byte) (n int) {
	for _, b := range bufs {
		n += len(b)
	}
	return n
}

// piece is the first buffers, at most iovecsMax and about writebackBytes.
func piece(bufs [][]byte) [][]byte {
	n := 0
	for i, b := range bufs {
		if i == iovecsMax || i > 0 && n+len(b) > writebackBytes {
			return bufs[:i]
		}
		n += len(b)
	}
	return bufs
}

// unwritten is what is left of bufs after n bytes. It starts with a buffer that
// is not empty, and leaves the caller's slice alone.
func unwritten(bufs [][]byte, n int) [][]byte {
	for len(bufs) > 0 && n >= len(bufs[0]) {
		n -= len(bufs[0])
		bufs = bufs[1:]
	}
	if n > 0 {
		return append([][]byte{bufs[0][n:]}, bufs[1:]...)
	}
	return bufs
}

func allocate(o *osFile, size int64) error {
	if size <= 0 {
		return nil
	}
	err := o.control(func(fd uintptr) error { return unix.Fallocate(int(fd), 0, 0, size) })
	if errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.ENOSYS) {
		return allocateByWriting(o, size)
	}
	return err
}

func syncFile(o *osFile) error {
	return o.control(func(fd uintptr) error { return unix.Fdatasync(int(fd)) })
}

func freeBytes(dir string) (int64, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return 0, err
	}
	return int64(s.Bavail) * int64(s.Bsize), nil // Bsize is an int32 on 32-bit machines
}

func syncDir(dir string) error { return openAndSync(dir) }

func lockFile(f *os.File) error { return flock(f) }
