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

var (
	boltBucket  = []byte("naru")
	errNoBucket = fmt.Errorf("%w: bucket %q is missing", ErrDamaged, boltBucket)
)

// Bolt is a Store in one bbolt file: copy-on-write pages, two meta pages, each
// Apply durable with fdatasync before it returns.
type Bolt struct {
	db     *bbolt.DB
	path   string
	sticky error // guarded by the catalog's mutex: Apply is never concurrent
}

// OpenBolt opens the file at path, or creates it durably. The caller holds the
// data directory's lock: the file's structure is verified before bbolt locks it.
//
// Errors: ErrStorage if it cannot be opened, or another process has it open;
// ErrDamaged if it is not a whole bbolt file; ErrDiskFull.
func OpenBolt(path string) (*Bolt, error) {
	s := &Bolt{path: path}
	err := s.verify()
	if errors.Is(err, os.ErrNotExist) {
		err = s.create()
	}
	if err == nil {
		s.db, err = openDB(path)
	}
	if err != nil {
		return nil, s.openError(err)
	}
	return s, nil
}

func openDB(path string) (db *bbolt.DB, err error) {
	defer recoverDamage(&err)
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	return bbolt.Open(path, 0o600, &bbolt.Options{
		Timeout: boltLockWait, FreelistType: bbolt.FreelistMapType, NoStatistics: true,
	})
}

func (s *Bolt) openError(err error) error {
	switch {
	case errors.Is(err, ErrDamaged):
		return fmt.Errorf("%w (%s)", err, s.path)
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

// verify holds the file's pages against each other.
func (s *Bolt) verify() error {
	f, err := os.Open(s.path)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if err := checkBolt(f, info.Size()); err != nil {
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return nil
}

// create makes an empty file under another name first, so that a crash leaves
// no half of one behind.
func (s *Bolt) create() error {
	fresh := s.path + ".new"
	if err := os.Remove(fresh); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	db, err := openDB(fresh) // writes and syncs
	if err != nil {
		return err
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		_, err := tx.CreateBucket(boltBucket)
		return err
	})
	if err := errors.Join(err, db.Close()); err != nil {
		return err
	}
	if err := os.Rename(fresh, s.path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(s.path))
}

// Scan implements Store.
func (s *Bolt) Scan(prefix string, fn func(key string, value []byte) error) (err error) {
	defer recoverDamage(&err)
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	return s.db.View(func(tx *bbolt.Tx) error {
		b := tx.Bucket(boltBucket)
		if b == nil {
			return errNoBucket
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
	defer recoverDamage(&err)
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	return s.db.Update(func(tx *bbolt.Tx) error {
		b := tx.Bucket(boltBucket)
		if b == nil {
			return errNoBucket
		}
		for _, op := range ops {
			var err error
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

// recoverDamage turns what bbolt does about a damaged page that came to be after
// verify, which is to panic, into an error. A transaction that panicked has been
// rolled back.
func recoverDamage(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("%w: %v", ErrDamaged, p)
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
