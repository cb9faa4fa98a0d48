package vfs

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/narumq/naru/internal/fault"
)

var (
	// ErrNoSpace is in the tree of any error that a full disk, or a used-up
	// quota, caused.
	ErrNoSpace = fault.New(fault.ResourceExhausted, "no space left")
	// ErrLocked says that somebody holds the lock.
	ErrLocked = fault.New(fault.FailedPrecondition, "locked by another process")
)

// wrap makes sure that err names the path and that a full disk is told apart.
// io.EOF stays bare, as io.ReaderAt promises it.
func wrap(op, name string, err error) error {
	if err == nil || err == io.EOF {
		return err
	}
	if isNoSpace(err) && !errors.Is(err, ErrNoSpace) {
		return &fs.PathError{Op: op, Path: name, Err: fmt.Errorf("%w: %w", ErrNoSpace, bare(err))}
	}
	return &fs.PathError{Op: op, Path: name, Err: bare(err)}
}

// bare drops the path that package os put round an error, to name it once.
func bare(err error) error {
	var p *fs.PathError
	var l *os.LinkError
	switch {
	case errors.As(err, &p):
		return p.Err
	case errors.As(err, &l):
		return l.Err
	}
	return err
}
