package broker

import (
	"errors"
	"testing"

	"github.com/narumq/naru/internal/catalog"
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
