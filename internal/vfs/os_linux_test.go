package vfs

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/narumq/naru/internal/fault"
)

func TestFullDiskIsRecognised(t *testing.T) {
	file, err := OS().Open("/dev/full")
	if err != nil {
		t.Skip(err)
	}
	defer file.Close()
	_, err = file.WriteAt([]byte("x"), 0)
	wantPathError(t, err, ErrNoSpace, "/dev/full")
	err = file.WritevAt([][]byte{[]byte("x")}, 0)
	wantPathError(t, err, ErrNoSpace, "/dev/full")
	if !errors.Is(err, syscall.ENOSPC) || fault.CodeOf(err) != fault.ResourceExhausted {
		t.Errorf("%v: lost the cause, or has code %v", err, fault.CodeOf(err))
	}
	wantPathError(t, wrap("write", "some/file", syscall.EDQUOT), ErrNoSpace, "some/file")
	if err := wrap("write", "f", syscall.EIO); errors.Is(err, ErrNoSpace) || !errors.Is(err, syscall.EIO) {
		t.Errorf("EIO became %v", err)
	}
}

// TestUnwritten goes through a write that is cut short at random places.
func TestUnwritten(t *testing.T) {
	const seed = 1
	rng := rand.New(rand.NewPCG(seed, 0))
	for range 1000 {
		var bufs [][]byte
		for i := range rng.IntN(6) {
			bufs = append(bufs, bytes.Repeat([]byte{byte(i)}, rng.IntN(4)))
		}
		want := bytes.Join(bufs, nil)
		var got []byte
		for left := unwritten(bufs, 0); len(left) > 0; {
			if len(left[0]) == 0 {
				t.Fatalf("seed %d: starts with an empty buffer: %v", seed, left)
			}
			all := bytes.Join(left, nil)
			n := 1 + rng.IntN(len(all))
			got = append(got, all[:n]...)
			left = unwritten(left, n)
		}
		if !bytes.Equal(got, want) || !bytes.Equal(bytes.Join(bufs, nil), want) {
			t.Fatalf("seed %d: wrote %v of %v", seed, got, want)
		}
	}
}

func TestAllocateTakesSpace(t *testing.T) {
	for name, allocate := range map[string]func(*osFile, int64) error{
		"by the file system": allocate, "by writing": allocateByWriting,
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "a")
			file := create(t, OS(), path)
			defer file.Close()
			const size = 3<<20 + 1
			must(t, allocate(file.(*osFile), size))
			must(t, file.Sync())
			info, err := os.Stat(path)
			must(t, err)
			if blocks := info.Sys().(*syscall.Stat_t).Blocks; info.Size() != size || blocks*512 < size {
				t.Errorf("size %d with %d blocks of 512, want %d", info.Size(), blocks, size)
			}
		})
	}
}

// TestLockEndsWithProcess has a child hold the lock, and kills it.
func TestLockEndsWithProcess(t *testing.T) {
	if name := os.Getenv("VFS_TEST_LOCK"); name != "" {
		if _, err := OS().Lock(name); err != nil {
			os.Exit(1)
		}
		os.Stdout.WriteString("locked")
		select {}
	}
	name := filepath.Join(t.TempDir(), "lock")
	child := exec.Command(os.Args[0], "-test.run=^TestLockEndsWithProcess$")
	child.Env = append(os.Environ(), "VFS_TEST_LOCK="+name)
	out, err := child.StdoutPipe()
	must(t, err)
	must(t, child.Start())
	said := make([]byte, len("locked"))
	if _, err := out.Read(said); err != nil || string(said) != "locked" {
		t.Fatalf("the child said %q, %v", said, err)
	}
	_, err = OS().Lock(name)
	wantPathError(t, err, ErrLocked, name)
	must(t, child.Process.Kill())
	child.Wait() // its error is the kill
	lock, err := OS().Lock(name)
	must(t, err)
	must(t, lock.Close())
}
