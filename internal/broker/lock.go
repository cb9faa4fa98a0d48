package broker

import (
	"errors"
	"fmt"
	"io"
	"path"

	"github.com/narumq/naru/internal/fault"
	"github.com/narumq/naru/internal/vfs"
)

const lockFile = "naru.lock"

// ErrInUse is a data directory that another process, or another broker of this
// one, has open.
var ErrInUse = fault.New(fault.FailedPrecondition, "in use by another process")

// Lock takes a data directory, which must exist, until the closer is closed or
// the process ends. It fails at once with ErrInUse. It is the directory's one
// lock, and is taken before anything in it is read: the catalog and the journal
// rely on it.
func Lock(fs vfs.FS, dir string) (io.Closer, error) {
	lock, err := fs.Lock(path.Join(dir, lockFile))
	if errors.Is(err, vfs.ErrLocked) {
		return nil, fmt.Errorf("data directory %s is %w", dir, ErrInUse)
	}
	if err != nil {
		return nil, fmt.Errorf("lock data directory %s: %w", dir, err)
	}
	return lock, nil
}
