package peer

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// SyncFiles writes everything dirty on the file system of dir to the disk, so
// that one scenario does not pay for the last one's pages.
func SyncFiles(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	return unix.Syncfs(int(f.Fd()))
}

// DropCache evicts the files below dir from the page cache with
// posix_fadvise(DONTNEED), which needs no privilege and disturbs nobody else,
// and returns how many bytes of them are still cached (-1 if the kernel has no
// cachestat(2), before 6.5). The files must be clean and not in use.
func DropCache(dir string) (leftBytes int64, err error) {
	if err := SyncFiles(dir); err != nil {
		return 0, err
	}
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		left, err := dropFile(path)
		if err != nil {
			return err
		}
		if left < 0 || leftBytes < 0 {
			leftBytes = -1
			return nil
		}
		leftBytes += left
		return nil
	})
	return leftBytes, err
}

func dropFile(path string) (leftBytes int64, err error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	if err := unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED); err != nil {
		return 0, &fs.PathError{Op: "fadvise", Path: path, Err: err}
	}
	var all unix.CachestatRange // length 0: to the end of the file
	var stat unix.Cachestat_t
	err = unix.Cachestat(uint(f.Fd()), &all, &stat, 0)
	if errors.Is(err, unix.ENOSYS) {
		return -1, nil
	}
	return int64(stat.Cache) * int64(os.Getpagesize()), err
}
