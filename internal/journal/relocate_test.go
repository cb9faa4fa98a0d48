package journal

import (
	"context"
	"errors"
	"io"
	"testing"

	"github.com/narumq/naru/internal/vfs"
)

// A damaged payload that is copied stays known as damaged: its old checksum
// goes with it. A damaged header keeps the segment where it is, and is told of.
func TestRelocationKeepsDamageKnown(t *testing.T) {
	for _, test := range []struct {
		name      string
		at        int64 // from the frame's start
		relocates bool
	}{{"payload", frameHeaderBytes + 3, true}, {"header", 10, false}} {
		t.Run(test.name, func(t *testing.T) {
			l := newSmallLog(t, true, false)
			f := l.frames[6] // stream 1, offset 3
			l.fs.Corrupt(l.file, f.pos+test.at, 1)
			var findings []Finding
			j := openQuiet(t, l.fs, &findings)
			j.opt.RelocateBytesPerSecond = -1
			j.Trim(1, 2)
			j.Trim(2, 5)
			if _, err := j.Relocate(context.Background()); err != nil {
				t.Fatal(err)
			}
			if moved := j.Stats().Relocated > 0; moved != test.relocates {
				t.Errorf("moved: %v", moved)
			}
			for range 2 {
				if _, err := readOne(j, 1, 3); !errors.Is(err, ErrDamaged) {
					t.Errorf("the damaged record: %v", err)
				}
				for _, g := range l.frames {
					if g.stream == 2 || g.stream == 1 && (g.base < 2 || g.base == 3) {
						continue
					}
					if p, err := readOne(j, g.stream, g.base); err != nil || string(p) != string(g.payload) {
						t.Errorf("stream %d offset %d: %q, %v", g.stream, g.base, p, err)
					}
				}
				if len(findings) == 0 {
					t.Error("nothing was reported")
				}
				j.Close()
				j = openQuiet(t, l.fs, &findings)
			}
			j.Close()
			if sum, err := Check(l.fs, "d", func(Finding) {}); err != nil || sum.Findings == 0 {
				t.Error("the check finds nothing:", sum, err)
			}
		})
	}
}

// One file of several that were rewritten cannot be removed; the others must
// not be taken for live ones.
func TestRelocationCannotRemoveOne(t *testing.T) {
	fs, m := newDisk(), newSimModel(2)
	j := openQuiet(t, fs, nil)
	for range 4 { // four small segments
		if err := appendOne(j, m, 1); err != nil {
			t.Fatal(err)
		}
		j.Close()
		j = openQuiet(t, fs, nil)
	}
	failed := false
	fs.SetFault(func(op vfs.Op) error {
		if op.Kind == vfs.OpRemove && !failed {
			failed = true
			return io.ErrClosedPipe
		}
		return nil
	})
	if _, err := j.Relocate(context.Background()); !errors.Is(err, io.ErrClosedPipe) {
		t.Fatal(err)
	}
	want := j.StreamBytes(1)
	for more := true; more; {
		var err error
		if more, err = j.Relocate(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	if got := j.StreamBytes(1); got != want || got != 4*frameSize(60) {
		t.Errorf("%d bytes, want %d", got, 4*frameSize(60))
	}
	if _, err := m.check(j); err != nil {
		t.Error(err)
	}
	j.Close()
	if sum, err := Check(fs, "d", func(f Finding) { t.Error(f) }); err != nil || sum.Records != 4 || sum.Segments != 1 {
		t.Error(sum, err)
	}
}
