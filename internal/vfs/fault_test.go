package vfs

import (
	"errors"
	"io/fs"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/narumq/naru/internal/fault"
)

// TestFaultsReachEveryCall fails each kind in turn, and wants the error back
// and nothing done.
func TestFaultsReachEveryCall(t *testing.T) {
	broken := errors.New("broken")
	for kind := range opKindCount {
		m := NewMem()
		must(t, m.MkdirAll("d"))
		f := create(t, m, "d/a")
		write(t, f, "abc", 0)
		var ops []Op
		m.SetFault(func(op Op) error {
			if ops = append(ops, op); op.Kind == kind {
				return broken
			}
			return nil
		})
		calls := map[OpKind]func() error{
			OpCreate:    func() error { _, err := m.Create("d/b"); return err },
			OpOpen:      func() error { _, err := m.Open("d/a"); return err },
			OpRemove:    func() error { return m.Remove("d/a") },
			OpRename:    func() error { return m.Rename("d/a", "d/b") },
			OpList:      func() error { _, err := m.List("d"); return err },
			OpMkdir:     func() error { return m.MkdirAll("e") },
			OpSyncDir:   func() error { return m.SyncDir("d") },
			OpLock:      func() error { _, err := m.Lock("d/l"); return err },
			OpFreeBytes: func() error { _, err := m.FreeBytes("d"); return err },
			OpRead:      func() error { _, err := f.ReadAt(make([]byte, 2), 1); return err },
			OpWrite:     func() error { return f.WritevAt([][]byte{{'x'}, {'y'}}, 7) },
			OpAllocate:  func() error { return f.Allocate(50) },
			OpTruncate:  func() error { return f.Truncate(1) },
			OpSync:      f.Sync,
			OpSize:      func() error { _, err := f.Size(); return err },
		}
		if calls[kind] == nil {
			t.Fatalf("no call for %v", kind)
		}
		if err := calls[kind](); !errors.Is(err, broken) || len(ops) != 1 {
			t.Errorf("%v: error %v after calls %v", kind, err, ops)
		}
		m.SetFault(nil)
		wantContent(t, f, "abc")
		wantList(t, m, "d", "a")
	}
}

func TestFaultSeesTheCall(t *testing.T) {
	m := NewMem()
	f := create(t, m, "/a")
	var got Op
	m.SetFault(func(op Op) error { got = op; return nil })
	must(t, f.WritevAt([][]byte{[]byte("ab"), []byte("cde")}, 7))
	if want := (Op{Kind: OpWrite, Name: "a", Off: 7, Len: 5}); got != want {
		t.Errorf("saw %v, want %v", got, want)
	}
	must(t, m.Rename("a", "b"))
	if want := (Op{Kind: OpRename, Name: "a", To: "b"}); got != want {
		t.Errorf("saw %v, want %v", got, want)
	}
}

func TestPartialWrite(t *testing.T) {
	m := NewMem()
	f := create(t, m, "file")
	broken := errors.New("broken")
	m.SetFault(func(op Op) error {
		if op.Kind == OpWrite {
			return PartialWrite(3, broken)
		}
		return nil
	})
	err := f.WritevAt([][]byte{[]byte("ab"), []byte("cd")}, 0)
	wantPathError(t, err, broken, "file")
	wantContent(t, f, "abc")
}

func TestCapacity(t *testing.T) {
	m := NewMem()
	m.SetCapacity(100)
	a, b := create(t, m, "a"), create(t, m, "b")
	must(t, a.Allocate(60))
	wantFree(t, m, 40)
	wantPathError(t, b.Allocate(41), ErrNoSpace, "b")
	write(t, a, strings.Repeat("x", 60), 0) // reserved: needs nothing
	wantFree(t, m, 40)
	n, err := b.WriteAt(make([]byte, 50), 0)
	wantPathError(t, err, ErrNoSpace, "b")
	if n != 40 || fault.CodeOf(err) != fault.ResourceExhausted {
		t.Errorf("wrote %d of the 40 that fit; code %v", n, fault.CodeOf(err))
	}
	wantFree(t, m, 0)
	must(t, b.Truncate(10))
	wantFree(t, m, 30)
	must(t, m.Remove("a"))
	wantFree(t, m, 30) // still open
	must(t, a.Close())
	wantFree(t, m, 90)
	must(t, b.Sync())
	must(t, m.SyncDir("."))
	for _, c := range []*Mem{m.ProcessCrashClone(), m.CrashClone(rand.New(rand.NewPCG(1, 0)))} {
		if c.Used() != 10 {
			t.Errorf("the clone uses %d, want 10", c.Used())
		}
		wantFree(t, c, 90)
	}
	must(t, m.Rename("b", "c"))
	must(t, create(t, m, "b").Close())
	must(t, m.Rename("b", "c")) // replaces the one that takes space, still open
	must(t, b.Close())
	wantFree(t, m, 100)
	m.SetCapacity(0)
	if n, err := m.FreeBytes("."); err != nil || n < 1<<50 {
		t.Errorf("without a capacity %d are free, %v", n, err)
	}
}

func wantFree(t *testing.T, m *Mem, want int64) {
	t.Helper()
	if got, err := m.FreeBytes("."); got != want || err != nil {
		t.Fatalf("%d bytes free, %v; want %d", got, err, want)
	}
}

func TestCorrupt(t *testing.T) {
	m := NewMem()
	f := durable(t, m, "a", "abc")
	write(t, f, "ABC", 0)
	m.Corrupt("a", 1, 0xff)
	wantContent(t, f, "A\xbdC")
	wantOutcomes(t, crashes(t, m, file(t, "a")), "A\xbdC", "a\x9dc")
	must(t, f.Sync())
	wantOutcomes(t, crashes(t, m, file(t, "a")), "A\xbdC")
	m.Corrupt("a", 1, 0xff)
	wantContent(t, f, "ABC")
	defer func() {
		if recover() == nil {
			t.Error("corrupted what is not there")
		}
	}()
	m.Corrupt("a", 3, 1)
}

// TestHooksMayUseTheFS clones from within the hook and the fault function.
func TestHooksMayUseTheFS(t *testing.T) {
	m := NewMem()
	f := create(t, m, "a")
	write(t, f, "x", 0)
	var looks []string
	m.OnSync(func(m *Mem) {
		looks = append(looks, file(t, "a")(m.CrashClone(rand.New(rand.NewPCG(0, 0)))))
	})
	m.SetFault(func(Op) error {
		m.CrashClone(rand.New(rand.NewPCG(0, 0)))
		return nil
	})
	must(t, f.Sync())
	must(t, m.SyncDir("."))
	if len(looks) != 4 || looks[3] != "x" {
		t.Errorf("the hook saw %q", looks)
	}
	m.OnSync(nil)
	must(t, f.Sync())
	if len(looks) != 4 {
		t.Error("the hook was called after it was taken away")
	}
}

// TestConcurrentCrash clones while files are written, for the race detector:
// a clone shares sectors with a file that goes on changing.
func TestConcurrentCrash(t *testing.T) {
	m := NewMem()
	var wg sync.WaitGroup
	for _, name := range []string{"a", "b"} {
		f := create(t, m, name)
		wg.Go(func() {
			for i := range 100 {
				_, err := f.WriteAt([]byte(strings.Repeat("x", 3000)), int64(i*1000))
				if err = errors.Join(err, f.Sync(), m.SyncDir(".")); err != nil {
					t.Error(err)
				}
			}
		})
	}
	rng := rand.New(rand.NewPCG(1, 0))
	for range 50 {
		for _, c := range []*Mem{m.CrashClone(rng), m.ProcessCrashClone()} {
			f, err := c.Open("a")
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			must(t, err)
			content(t, f)
		}
	}
	wg.Wait()
}

func TestKindsHaveNames(t *testing.T) {
	for k := range opKindCount {
		if k.String() == "" {
			t.Errorf("kind %d has no name", k)
		}
	}
	if s := (Op{Kind: OpWrite, Name: "a", Off: 1, Len: 2}).String(); s != "write a off 1 len 2" {
		t.Errorf("String() = %q", s)
	}
}
