//go:build linux || darwin

package vfs

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// control runs call on the file's descriptor, again while a signal interrupts it.
func (o *osFile) control(call func(fd uintptr) error) error {
	var inner error
	err := o.raw.Control(func(fd uintptr) {
		for {
			if inner = call(fd); inner != unix.EINTR {
				return
			}
		}
	})
	if err != nil {
		return os.ErrClosed // the one reason for which Control itself fails
	}
	return inner
}

// flock locks the open file, not the process, so that a second lock in the
// same process fails too.
func flock(f *os.File) error {
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case errors.Is(err, unix.EWOULDBLOCK):
			return ErrLocked
		}
		return err
	}
}

func openAndSync(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
