package vfs

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"sync"
	"testing"
)

// conformance is what every FS must do. Each case gets an FS and a fresh
// directory in it.
var conformance = []struct {
	name string
	run  func(t *testing.T, f FS, dir string)
}{
	{"create write read", func(t *testing.T, f FS, dir string) {
		file := create(t, f, dir+"/a")
		write(t, file, "hello", 3)
		wantContent(t, file, "\x00\x00\x00hello")
		write(t, file, "J", 3)
		wantContent(t, file, "\x00\x00\x00Jello")
		must(t, file.Sync())
		must(t, file.Close())
		again := open(t, f, dir+"/a")
		wantContent(t, again, "\x00\x00\x00Jello")
		must(t, again.Close())
	}},
	{"create takes a free name only", func(t *testing.T, f FS, dir string) {
		must(t, create(t, f, dir+"/a").Close())
		_, err := f.Create(dir + "/a")
		wantPathError(t, err, fs.ErrExist, dir+"/a")
		_, err = f.Create(dir + "/none/a")
		wantPathError(t, err, fs.ErrNotExist, dir+"/none/a")
	}},
	{"open wants an existing name", func(t *testing.T, f FS, dir string) {
		_, err := f.Open(dir + "/a")
		wantPathError(t, err, fs.ErrNotExist, dir+"/a")
	}},
	{"reads end at the size", func(t *testing.T, f FS, dir string) {
		file := create(t, f, dir+"/a")
		write(t, file, "0123456789", 0)
		buf := make([]byte, 6)
		for _, c := range []struct {
			off  int64
			n    int
			want error
		}{{0, 6, nil}, {4, 6, nil}, {5, 5, io.EOF}, {10, 0, io.EOF}, {1 << 40, 0, io.EOF}} {
			if n, err := file.ReadAt(buf, c.off); n != c.n || err != c.want {
				t.Errorf("ReadAt(6, %d) = %d, %v; want %d, %v", c.off, n, err, c.n, c.want)
			}
		}
		if n, err := file.ReadAt(nil, 5); n != 0 || err != nil {
			t.Errorf("empty ReadAt = %d, %v", n, err)
		}
		if _, err := file.ReadAt(buf, -1); err == nil || err == io.EOF {
			t.Errorf("ReadAt(-1) = %v", err)
		}
		if _, err := file.WriteAt(buf, -1); err == nil {
			t.Error("WriteAt(-1) succeeded")
		}
		must(t, file.Close())
	}},
	{"vectored write", testVectoredWrite},
	{"allocate grows with zeros", func(t *testing.T, f FS, dir string) {
		file := create(t, f, dir+"/a")
		write(t, file, "abc", 0)
		must(t, file.Allocate(10000))
		wantContent(t, file, "abc"+string(make([]byte, 9997)))
		must(t, file.Allocate(5))
		wantSize(t, file, 10000)
		must(t, file.Close())
	}},
	{"truncate cuts and grows", func(t *testing.T, f FS, dir string) {
		file := create(t, f, dir+"/a")
		write(t, file, string(bytes.Repeat([]byte("x"), 10000)), 0)
		must(t, file.Truncate(5000))
		must(t, file.Truncate(5002))
		must(t, file.Truncate(9000))
		want := append(bytes.Repeat([]byte("x"), 5000), make([]byte, 4000)...)
		wantContent(t, file, string(want))
		must(t, file.Truncate(0))
		wantContent(t, file, "")
		must(t, file.Close())
	}},
	{"removed file stays open", func(t *testing.T, f FS, dir string) {
		file := create(t, f, dir+"/a")
		write(t, file, "still", 0)
		must(t, f.Remove(dir+"/a"))
		must(t, f.SyncDir(dir))
		_, err := f.Open(dir + "/a")
		wantPathError(t, err, fs.ErrNotExist, dir+"/a")
		write(t, file, " here", 5)
		must(t, file.Sync())
		wantContent(t, file, "still here")
		must(t, file.Close())
		wantPathError(t, f.Remove(dir+"/a"), fs.ErrNotExist, dir+"/a")
	}},
	{"rename replaces", func(t *testing.T, f FS, dir string) {
		old, other := create(t, f, dir+"/old"), create(t, f, dir+"/new")
		write(t, old, "old", 0)
		write(t, other, "replaced", 0)
		must(t, f.Rename(dir+"/old", dir+"/new"))
		must(t, f.SyncDir(dir))
		wantList(t, f, dir, "new")
		now := open(t, f, dir+"/new")
		wantContent(t, now, "old")
		wantContent(t, other, "replaced")
		for _, file := range []File{old, other, now} {
			must(t, file.Close())
		}
		if err := f.Rename(dir+"/none", dir+"/x"); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("rename of nothing: %v", err)
		}
	}},
	{"directories", func(t *testing.T, f FS, dir string) {
		must(t, f.MkdirAll(dir+"/b/c"))
		must(t, f.MkdirAll(dir+"/b/c"))
		must(t, create(t, f, dir+"/b/z").Close())
		must(t, create(t, f, dir+"/b/a").Close())
		wantList(t, f, dir, "b")
		wantList(t, f, dir+"/b", "a", "c", "z")
		wantList(t, f, dir+"/b/c")
		_, err := f.List(dir + "/none")
		wantPathError(t, err, fs.ErrNotExist, dir+"/none")
		wantPathError(t, f.SyncDir(dir+"/none"), fs.ErrNotExist, dir+"/none")
		if err := f.MkdirAll(dir + "/b/a/x"); err == nil {
			t.Error("made a directory below a file")
		}
		if n, err := f.FreeBytes(dir); err != nil || n <= 0 {
			t.Errorf("FreeBytes = %d, %v", n, err)
		}
	}},
	{"lock excludes", func(t *testing.T, f FS, dir string) {
		lock, err := f.Lock(dir + "/lock")
		must(t, err)
		wantList(t, f, dir, "lock")
		_, err = f.Lock(dir + "/lock")
		wantPathError(t, err, ErrLocked, dir+"/lock")
		must(t, lock.Close())
		if err := lock.Close(); !errors.Is(err, fs.ErrClosed) {
			t.Errorf("second Close = %v", err)
		}
		again, err := f.Lock(dir + "/lock")
		must(t, err)
		must(t, again.Close())
	}},
	{"closed file refuses", func(t *testing.T, f FS, dir string) {
		file := create(t, f, dir+"/a")
		must(t, file.Close())
		_, readErr := file.ReadAt(make([]byte, 1), 0)
		_, writeErr := file.WriteAt(make([]byte, 1), 0)
		_, sizeErr := file.Size()
		for op, err := range map[string]error{
			"read": readErr, "write": writeErr, "size": sizeErr, "close": file.Close(), "sync": file.Sync(),
			"writev": file.WritevAt([][]byte{{1}}, 0), "allocate": file.Allocate(1), "truncate": file.Truncate(1),
		} {
			if !errors.Is(err, fs.ErrClosed) {
				t.Errorf("%s = %v, want fs.ErrClosed", op, err)
			}
		}
	}},
	{"concurrent reads and writes", testConcurrent},
}

func testVectoredWrite(t *testing.T, f FS, dir string) {
	file := create(t, f, dir+"/a")
	var bufs [][]byte
	var want []byte
	for i := range 3000 { // more than any kernel takes at once
		b := bytes.Repeat([]byte{byte(i)}, i%7)
		bufs, want = append(bufs, b), append(want, b...)
	}
	before := slices.Clone(bufs)
	must(t, file.WritevAt(bufs, 0))
	must(t, file.WritevAt(nil, 0))
	must(t, file.WritevAt([][]byte{nil, {}}, 0))
	wantContent(t, file, string(want))
	if !slices.EqualFunc(bufs, before, bytes.Equal) {
		t.Error("WritevAt changed the caller's buffers")
	}
	must(t, file.WritevAt([][]byte{[]byte("ab"), []byte("cd")}, 1))
	copy(want[1:], "abcd")
	wantContent(t, file, string(want))
	must(t, file.Close())
}

// testConcurrent has writers on ranges of their own, readers of all, and a
// syncer. It is for the race detector as much as for the content.
func testConcurrent(t *testing.T, f FS, dir string) {
	const writers, rangeBytes = 4, 3000
	file := create(t, f, dir+"/a")
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range rangeBytes / 100 {
				p := bytes.Repeat([]byte{byte('a' + w)}, 100)
				if _, err := file.WriteAt(p, int64(w*rangeBytes+i*100)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Go(func() {
		buf := make([]byte, 500)
		for i := range 200 {
			if _, err := file.ReadAt(buf, int64(i*60)); err != nil && err != io.EOF {
				t.Error(err)
			}
		}
	})
	wg.Go(func() {
		for range 10 {
			if err := errors.Join(file.Sync(), f.SyncDir(dir)); err != nil {
				t.Error(err)
			}
		}
	})
	wg.Wait()
	var want []byte
	for w := range writers {
		want = append(want, bytes.Repeat([]byte{byte('a' + w)}, rangeBytes)...)
	}
	wantContent(t, file, string(want))
	must(t, file.Close())
}

func TestOSConformance(t *testing.T) {
	for _, c := range conformance {
		t.Run(c.name, func(t *testing.T) { c.run(t, OS(), filepath.ToSlash(t.TempDir())) })
	}
}

func TestMemConformance(t *testing.T) {
	for _, c := range conformance {
		t.Run(c.name, func(t *testing.T) {
			m := NewMem()
			must(t, m.MkdirAll("data/dir"))
			c.run(t, m, "data/dir")
		})
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func create(t *testing.T, f FS, name string) File {
	t.Helper()
	file, err := f.Create(name)
	must(t, err)
	return file
}

func open(t *testing.T, f FS, name string) File {
	t.Helper()
	file, err := f.Open(name)
	must(t, err)
	return file
}

func write(t *testing.T, file File, s string, off int64) {
	t.Helper()
	if n, err := file.WriteAt([]byte(s), off); n != len(s) || err != nil {
		t.Fatalf("WriteAt = %d, %v", n, err)
	}
}

func content(t *testing.T, file File) string {
	t.Helper()
	size, err := file.Size()
	must(t, err)
	buf := make([]byte, size)
	if n, err := file.ReadAt(buf, 0); n != len(buf) || err != nil {
		t.Fatalf("ReadAt of all %d = %d, %v", size, n, err)
	}
	return string(buf)
}

func wantContent(t *testing.T, file File, want string) {
	t.Helper()
	if got := content(t, file); got != want {
		t.Fatalf("content is %.60q (%d bytes), want %.60q (%d bytes)", got, len(got), want, len(want))
	}
}

func wantSize(t *testing.T, file File, want int64) {
	t.Helper()
	if got, err := file.Size(); got != want || err != nil {
		t.Fatalf("Size = %d, %v; want %d", got, err, want)
	}
}

func wantList(t *testing.T, f FS, dir string, want ...string) {
	t.Helper()
	if got, err := f.List(dir); err != nil || !slices.Equal(got, want) {
		t.Fatalf("List(%s) = %q, %v; want %q", dir, got, err, want)
	}
}

// wantPathError wants an error that is target and names path once.
func wantPathError(t *testing.T, err, target error, path string) {
	t.Helper()
	var p *fs.PathError
	if !errors.Is(err, target) || !errors.As(err, &p) || p.Path != path || bytes.Count([]byte(err.Error()), []byte(path)) != 1 {
		t.Errorf("error is %v, want one of %s that is %v", err, path, target)
	}
}
