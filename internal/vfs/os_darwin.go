package vfs

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

func isNoSpace(err error) bool {
	return errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT)
}

func allocate(o *osFile, size int64) error { return allocateByWriting(o, size) }

// syncFile asks for F_FULLFSYNC: fsync on macOS leaves the bytes in the drive's
// cache. A file system that does not know it (a network mount) is refused
// rather than trusted.
func syncFile(o *osFile) error {
	return o.control(func(fd uintptr) error {
		_, err := unix.FcntlInt(fd, unix.F_FULLFSYNC, 0)
		return err
	})
}

func freeBytes(dir string) (int64, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return 0, err
	}
	return int64(s.Bavail) * int64(s.Bsize), nil
}

// syncDir relies on os.File.Sync being F_FULLFSYNC too.
func syncDir(dir string) error { return openAndSync(dir) }

func lockFile(f *os.File) error { return flock(f) }
