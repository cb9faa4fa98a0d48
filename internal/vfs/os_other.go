//go:build !linux && !darwin && !windows

package vfs

import (
	"errors"
	"os"
)

// No lock, no service: a data directory is never opened here, but the packages
// above compile and run their tests on Mem.

func isNoSpace(error) bool { return false }

func allocate(o *osFile, size int64) error { return allocateByWriting(o, size) }

func syncFile(o *osFile) error { return o.f.Sync() }

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func lockFile(*os.File) error { return errors.ErrUnsupported }

func freeBytes(string) (int64, error) { return 0, errors.ErrUnsupported }
