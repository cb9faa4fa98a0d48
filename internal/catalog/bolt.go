package catalog

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

// BoltFile is the name of the catalog's file in a data directory.
const BoltFile = "catalog.db"

// boltLockWait bounds the wait for another process that has the file open.
const boltLockWait = time.Second

var boltBucket = []byte("naru")

// Bolt is a Store in one bbolt file: copy-on-write pages, two meta pages, each
// Apply durable with fdatasync before it returns.
type Bolt struct {
	db     *bbolt.DB
	path   string
	sticky error // guarded by the catalog's mutex: Apply is never concurrent
}

// OpenBolt opens the file at path, or creates it durably.
//
// Errors: ErrStorage if it cannot be opened, or another process has it open;
// ErrDamaged if it is not a whole bbolt file.
func OpenBolt(path string) (s *Bolt, err error) {
	s = &Bolt{path: path}
	defer s.recoverDamage(&err)
	_, statErr := os.Stat(path)
	s.db, err = bbolt.Open(path, 0o600, &bbolt.Options{
		Timeout: boltLockWait, FreelistType: bbolt.FreelistMapType, NoStatistics: true,
	})
	if err != nil {
		return nil, s.openError(err)
	}
	if err := s.prepare(errors.Is(statErr, os.ErrNotExist)); err != nil {
		return nil, errors.Join(err, s.db.Close())
	}
	return s, nil
}

func (s *Bolt) openError(err error) error {
	switch {
	case errors.Is(err, bolterrors.ErrTimeout):
		return fmt.Errorf("%w: %s is open in another process", ErrStorage, s.path)
	case errors.Is(err, bolterrors.ErrInvalid), errors.Is(err, bolterrors.ErrChecksum),
		errors.Is(err, bolterrors.ErrVersionMismatch):
		return fmt.Errorf("%w: %s: %w", ErrDamaged, s.path, err)
	case errors.Is(err, syscall.ENOSPC):
		return fmt.Errorf("%w: %s: %w", ErrDiskFull, s.path, err)
	}
	return fmt.Errorf("%w: %s: %w", ErrStorage, s.path, err)
}

// prepare refuses a file that lost its end, which would fault when its pages
// are read through the memory map, and makes the name of a new one durable.
func (s *Bolt) prepare(created bool) error {
	if created {
		if err := syncDir(filepath.Dir(s.path)); err != nil {
			return fmt.Errorf("%w: %w", ErrStorage, err)
		}
		return s.apply(nil)
	}
	info, err := os.Stat(s.path)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrStorage, err)
	}
	return s.db.View(func(tx *bbolt.Tx) error {
		if tx.Size() > info.Size() {
			return fmt.Errorf("%w: %s has %d bytes of %d", ErrDamaged, s.path, info.Size(), tx.Size())
		}
		return nil
	})
}

// Scan implements Store.
func (s *Bolt) Scan(prefix string, fn func(key string, value []byte) error) (err error) {
	defer s.recoverDamage(&err)
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	return s.db.View(func(tx *bbolt.Tx) error {
		b := tx.Bucket(boltBucket)
		if b == nil {
			return nil
		}
		c := b.Cursor()
		for k, v := c.Seek([]byte(prefix)); k != nil && strings.HasPrefix(string(k), prefix); k, v = c.Next() {
			if err := fn(string(k), v); err != nil {
				return err
			}
		}
		return nil
	})
}

// Apply implements Store. A full disk fails before anything is overwritten, so
// it may be tried again. After any other failure the memory map and the disk
// may disagree, and the store refuses until it is reopened.
func (s *Bolt) Apply(ops []Op) error {
	if s.sticky != nil {
		return s.sticky
	}
	err := s.apply(ops)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, syscall.ENOSPC):
		return fmt.Errorf("%w: %s: %w", ErrDiskFull, s.path, err)
	case errors.Is(err, bolterrors.ErrDatabaseNotOpen):
		return fmt.Errorf("%w: %s", ErrClosed, s.path)
	case !errors.Is(err, ErrDamaged):
		err = fmt.Errorf("%w: %s: %w; restart to go on", ErrStorage, s.path, err)
	}
	s.sticky = err
	return err
}

func (s *Bolt) apply(ops []Op) (err error) {
	defer s.recoverDamage(&err)
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	return s.db.Update(func(tx *bbolt.Tx) error {
		b, err := tx.CreateBucketIfNotExists(boltBucket)
		if err != nil {
			return err
		}
		for _, op := range ops {
			if op.Value == nil {
				err = b.Delete([]byte(op.Key))
			} else {
				err = b.Put([]byte(op.Key), op.Value)
			}
			if err != nil {
				return fmt.Errorf("key %q: %w", op.Key, err)
			}
		}
		return nil
	})
}

// Close implements Store.
func (s *Bolt) Close() error { return s.db.Close() }

// recoverDamage turns what bbolt does about a damaged page, which is to panic,
// into an error. A transaction that panicked has been rolled back.
func (s *Bolt) recoverDamage(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("%w: %s: %v", ErrDamaged, s.path, p)
	}
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
