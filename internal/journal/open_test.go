package journal

import (
	"fmt"
	"io"
	"sync/atomic"
	"testing"

	"github.com/narumq/naru/internal/vfs"
)

// Whichever call fails while a journal opens, no file stays open, nor after an
// orderly end.
func TestOpenFailsWithoutOpenFiles(t *testing.T) {
	fs, m := newDisk(), newSimModel(3)
	for range 3 {
		j := openQuiet(t, fs, nil)
		for i := range 6 {
			if err := appendOne(j, m, StreamID(1+i%3)); err != nil {
				t.Fatal(err)
			}
		}
		j.Close()
	}
	j := openQuiet(t, fs, nil)
	if err := appendOne(j, m, 1); err != nil {
		t.Fatal(err)
	}
	crashed := fs.ProcessCrashClone() // the last segment has no footer
	j.Close()
	if n := fs.OpenFiles(); n != 0 {
		t.Fatalf("%d files are open after Close", n)
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
		j, err := Open(disk, "d", Options{SegmentBytes: SegmentBytesMin, CacheBytes: CacheBytesMin})
		if err != nil {
			failures++
		} else {
			j.Close()
		}
		if n := disk.OpenFiles(); n != 0 {
			t.Errorf("%d files are open after %v", n, err)
		}
		if calls.Load() < failing {
			break
		}
	}
	if failures < 20 {
		t.Errorf("only %d failures: the test reaches too little", failures)
	}
}
