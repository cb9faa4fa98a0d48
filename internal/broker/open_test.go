package broker

import (
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"testing"

	"github.com/narumq/naru/internal/catalog"
	"github.com/narumq/naru/internal/journal"
	"github.com/narumq/naru/internal/vfs"
)

// touched is a store that must be left alone.
type touched struct {
	catalog.Store
	t *testing.T
}

func (s touched) Scan(prefix string, fn func(key string, value []byte) error) error {
	s.t.Error("the catalog was read without the lock")
	return s.Store.Scan(prefix, fn)
}

// One broker at a time has a data directory, and the second is told so before
// it has looked at anything in it.
func TestSecondBrokerTouchesNothing(t *testing.T) {
	fs, store := vfs.NewMem(), catalog.NewMem()
	first, err := Open(Config{Dir: "d", FS: fs, Store: store, RetentionEvery: -1})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open(Config{Dir: "d", FS: fs, Store: touched{store, t}}); !errors.Is(err, ErrInUse) {
		t.Errorf("opened twice: %v", err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := Open(Config{Dir: "d", FS: fs, Store: store, RetentionEvery: -1})
	if err != nil {
		t.Fatalf("the lock was not given back: %v", err)
	}
	again.Close()
}

// Whichever call fails while a broker opens, no file stays open and the lock is
// free again.
func TestOpenFailsWithoutOpenFiles(t *testing.T) {
	fs, store := vfs.NewMem(), catalog.NewMem()
	config := func(fs vfs.FS) Config {
		return Config{Dir: "d", FS: fs, Store: store, RetentionEvery: -1, Journal: journal.Options{SegmentBytes: journal.SegmentBytesMin}}
	}
	first, err := Open(config(fs))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := first.CreateQueue(catalog.QueueSpec{Name: "q", Settings: catalog.DefaultQueueSettings()}); err != nil {
		t.Fatal(err)
	}
	crashed := fs.ProcessCrashClone()
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	failures := 0
	for failing := int64(1); ; failing++ {
		disk := crashed.ProcessCrashClone()
		var calls atomic.Int64
		disk.SetFault(func(op vfs.Op) error {
			if calls.Add(1) == failing {
				return fmt.Errorf("call %d, %v: %w", failing, op, io.ErrUnexpectedEOF)
			}
			return nil
		})
		b, err := Open(config(disk))
		if err != nil {
			failures++
		} else {
			b.Close()
		}
		disk.SetFault(nil)
		if n := disk.OpenFiles(); n != 0 {
			t.Errorf("%d files are open after %v", n, err)
		}
		if lock, lerr := Lock(disk, "d"); lerr != nil {
			t.Errorf("after %v: %v", err, lerr)
		} else {
			lock.Close()
		}
		if calls.Load() < failing {
			break
		}
	}
	if failures < 5 {
		t.Errorf("only %d failures: the test reaches too little", failures)
	}
}
