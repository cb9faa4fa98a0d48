package journal

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/narumq/naru/internal/record"
	"github.com/narumq/naru/internal/vfs"
)

func newDisk() *vfs.Mem {
	fs := vfs.NewMem()
	fs.MkdirAll("d")
	return fs
}

// appendOne appends a short entry and waits.
func appendOne(j *Journal, m *simModel, id StreamID) error {
	wait, err := m.append(j, id, 1, 1, 1, 60)
	if err != nil {
		return err
	}
	return <-wait
}

// Whichever call fails, everyone who waits is told, nothing more is accepted,
// and what was acknowledged can be read before and after reopening.
func TestFirstErrorIsFinal(t *testing.T) {
	for _, test := range []struct {
		name string
		kind vfs.OpKind
		err  error
	}{
		{"write", vfs.OpWrite, io.ErrUnexpectedEOF},
		{"partial write", vfs.OpWrite, vfs.PartialWrite(70, io.ErrUnexpectedEOF)},
		{"no space in reserved space", vfs.OpWrite, vfs.ErrNoSpace},
		{"sync", vfs.OpSync, io.ErrUnexpectedEOF},
	} {
		t.Run(test.name, func(t *testing.T) {
			fs, m := newDisk(), newSimModel(2)
			j := openQuiet(t, fs, nil)
			for range 3 {
				if err := appendOne(j, m, 1); err != nil {
					t.Fatal(err)
				}
			}
			active := j.active.path
			fs.SetFault(func(op vfs.Op) error {
				if op.Kind == test.kind && op.Name == active {
					return test.err
				}
				return nil
			})
			var waits []<-chan error
			for range 5 {
				if w, err := m.append(j, 2, 1, 1, 1, 60); err == nil {
					waits = append(waits, w)
				} else if !errors.Is(err, ErrFailed) {
					t.Errorf("refused with %v", err)
				}
			}
			if len(waits) == 0 {
				t.Fatal("nothing was accepted")
			}
			for _, w := range waits {
				if err := <-w; !errors.Is(err, ErrFailed) || !errors.Is(err, test.err) {
					t.Errorf("a waiter was told %v", err)
				}
			}
			fs.SetFault(nil)
			if err := appendOne(j, m, 1); !errors.Is(err, ErrFailed) {
				t.Errorf("accepted after the failure: %v", err)
			}
			if err := j.Enqueue(&Entry{Stream: 1}); !errors.Is(err, ErrFailed) {
				t.Errorf("enqueued after the failure: %v", err)
			}
			if _, err := j.Relocate(context.Background()); !errors.Is(err, ErrFailed) {
				t.Errorf("relocated after the failure: %v", err)
			}
			if p, err := readOne(j, 1, 2); err != nil || p == nil {
				t.Errorf("reading: %q, %v", p, err)
			}
			if s, err := j.Read(2, 0, 1, true); err != nil || len(s.Payloads) > 0 {
				t.Errorf("shows what was not committed: %q, %v", s.Payloads, err)
			}
			if err := j.Close(); !errors.Is(err, ErrFailed) {
				t.Errorf("close: %v", err)
			}
			j = openQuiet(t, fs, nil)
			defer j.Close()
			ends, err := m.check(j)
			if err != nil {
				t.Fatal(err)
			}
			m.settle(ends)
			if err := appendOne(j, m, 1); err != nil {
				t.Errorf("after reopening: %v", err)
			}
		})
	}
}

// A full disk refuses new appends at once, loses none that it accepted, goes on
// reading, and takes appends again when there is room.
func TestFullDisk(t *testing.T) {
	fs, m := newDisk(), newSimModel(1)
	fs.SetCapacity(3 * SegmentBytesMin)
	j := openQuiet(t, fs, nil)
	var waits []<-chan error
	var err error
	for err == nil {
		var w <-chan error
		if w, err = m.append(j, 1, 1, 1, 1, 3000); err == nil {
			waits = append(waits, w)
		}
		if len(waits) > 200 {
			t.Fatal("the disk never fills")
		}
	}
	if !errors.Is(err, ErrDiskFull) {
		t.Fatal(err)
	}
	for _, w := range waits {
		if err := <-w; err != nil {
			t.Fatalf("accepted, then: %v", err)
		}
	}
	if n := len(waits); n < 40 {
		t.Errorf("only %d entries of 3 kB in 192 kB", n)
	}
	if err := j.Err(); err != nil {
		t.Errorf("a full disk is no failure: %v", err)
	}
	if _, err := m.check(j); err != nil {
		t.Error(err)
	}
	// Still full, unless a footer has cut a segment short meanwhile.
	if w, err := m.append(j, 1, 1, 1, 1, 3000); err == nil {
		err = <-w
		if err != nil {
			t.Errorf("accepted, then: %v", err)
		}
	} else if !errors.Is(err, ErrDiskFull) {
		t.Errorf("still full: %v", err)
	}
	fs.SetCapacity(0)
	if err = appendOne(j, m, 1); errors.Is(err, ErrDiskFull) {
		err = appendOne(j, m, 1) // the first only asks for a segment
	}
	if err != nil {
		t.Fatalf("with space again: %v", err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	j = openQuiet(t, fs, nil)
	defer j.Close()
	if _, err := m.check(j); err != nil {
		t.Error(err)
	}
}

// Recovery on a full disk: no footer can be written, and that harms nothing,
// however often it happens.
func TestRecoveryOnAFullDisk(t *testing.T) {
	fs, m := newDisk(), newSimModel(3)
	j := openQuiet(t, fs, nil)
	for i := range 9 {
		if err := appendOne(j, m, StreamID(1+i%3)); err != nil {
			t.Fatal(err)
		}
	}
	full := fs.ProcessCrashClone()
	j.Close()
	full.SetCapacity(1)
	for life := range 3 {
		if life == 1 { // a footer that gets half written
			full.SetCapacity(full.Used() + 40)
		}
		var findings []Finding
		j := openQuiet(t, full, &findings)
		if _, err := m.check(j); err != nil || len(findings) > 0 {
			t.Fatal(life, err, findings)
		}
		if err := appendOne(j, m, 1); !errors.Is(err, ErrDiskFull) {
			t.Fatal(life, err)
		}
		m.streams[1].entries = m.streams[1].entries[:3]
		j.Close()
	}
	if sum, err := Check(full, "d", func(f Finding) { t.Error(f) }); err != nil || sum.Records != 9 {
		t.Error(sum, err)
	}
}

// A footer that cannot be written is a failed write like any other, and leaves
// the segment to be scanned.
func TestFooterWriteFails(t *testing.T) {
	fs, m := newDisk(), newSimModel(1)
	j := openQuiet(t, fs, nil)
	if err := appendOne(j, m, 1); err != nil {
		t.Fatal(err)
	}
	end := j.active.end
	fs.SetFault(func(op vfs.Op) error {
		if op.Kind == vfs.OpWrite && op.Off == end {
			return vfs.PartialWrite(40, io.ErrUnexpectedEOF)
		}
		return nil
	})
	if err := j.Close(); !errors.Is(err, ErrFailed) || !strings.Contains(err.Error(), "seal") {
		t.Errorf("close: %v", err)
	}
	fs.SetFault(nil)
	var findings []Finding
	j = openQuiet(t, fs, &findings)
	defer j.Close()
	if _, err := m.check(j); err != nil || len(findings) > 0 {
		t.Error(err, findings)
	}
}

// Close commits what was accepted, and leaves only sealed segments behind.
func TestCloseCommitsWhatIsQueued(t *testing.T) {
	fs, m := newDisk(), newSimModel(2)
	j := openQuiet(t, fs, nil)
	g := holdCommits(t, fs)
	var waits []<-chan error
	for i := range 30 {
		w, err := m.append(j, StreamID(1+i%2), 1, 1, 1, 1000)
		if err != nil {
			t.Fatal(err)
		}
		waits = append(waits, w)
	}
	g.arrived(t)
	closed := make(chan error)
	go func() { closed <- j.Close() }()
	g.open()
	for _, w := range waits {
		if err := <-w; err != nil {
			t.Error(err)
		}
	}
	if err := <-closed; err != nil {
		t.Fatal(err)
	}
	if err := appendOne(j, m, 1); !errors.Is(err, ErrClosed) {
		t.Errorf("after close: %v", err)
	}
	m.streams[1].entries = m.streams[1].entries[:15]
	sum, err := Check(fs, "d", func(f Finding) { t.Error(f) })
	if err != nil || sum.Segments != sum.Sealed || sum.Records != 30 {
		t.Errorf("%+v, %v: want only sealed segments and 30 records", sum, err)
	}
}

// Admit waits while too much is queued, and its context ends the waiting.
func TestAdmitPushesBack(t *testing.T) {
	fs := newDisk()
	j := openQuiet(t, fs, nil)
	ctx := context.Background()
	admitted := 0
	for ; int64(admitted) < 2*SegmentBytesMin; admitted += 1000 {
		tight, cancel := context.WithCancel(ctx)
		if admitted > 0 {
			cancel() // from the second on, do not wait
		}
		err := j.Admit(tight, 1000)
		cancel()
		if errors.Is(err, context.Canceled) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if admitted < 50_000 || admitted > SegmentBytesMin {
		t.Errorf("%d bytes were let in, with room for %d", admitted, SegmentBytesMin)
	}
	waited := make(chan error, 1)
	go func() { waited <- j.Admit(ctx, 1000) }()
	j.Release(1000)
	if err := <-waited; err != nil {
		t.Error(err)
	}
	go func() { waited <- j.Admit(ctx, 1000) }()
	j.Close()
	if err := <-waited; !errors.Is(err, ErrClosed) {
		t.Errorf("waiting at close: %v", err)
	}
	if err := j.Admit(ctx, j.EntryBytesMax()+1); !errors.Is(err, ErrTooLarge) {
		t.Errorf("too large: %v", err)
	}
}

// A file that cannot be removed after a relocation must not come back as
// records twice, now or after a restart.
func TestRelocationCannotRemove(t *testing.T) {
	fs, m := newDisk(), newSimModel(2)
	j := openQuiet(t, fs, nil)
	fill := func() {
		for range 30 {
			for id := StreamID(1); id <= 2; id++ {
				w, err := m.append(j, id, 1, 1, 1, 2500)
				if err != nil {
					t.Fatal(err)
				}
				if err := <-w; err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	trim := func(id StreamID, to record.Offset) {
		m.streams[id].start = to
		j.Trim(id, to)
	}
	fill()
	fill()
	j.Close() // so that all of it is sealed
	j = openQuiet(t, fs, nil)
	trim(1, 55)
	fs.SetFault(func(op vfs.Op) error {
		if op.Kind == vfs.OpRemove {
			return io.ErrClosedPipe
		}
		return nil
	})
	for i := range 3 {
		if _, err := j.Relocate(context.Background()); !errors.Is(err, io.ErrClosedPipe) {
			t.Fatalf("relocation %d: %v", i, err)
		}
		if _, err := m.check(j); err != nil {
			t.Fatal(err)
		}
	}
	crashed := fs.ProcessCrashClone()
	fs.SetFault(nil)
	for more := true; more; {
		var err error
		if more, err = j.Relocate(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	for _, fs := range []*vfs.Mem{crashed, fs} {
		opt := simOptions(m, func(f Finding) { t.Error(f) })
		j, err := Open(fs, "d", opt)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := m.check(j); err != nil {
			t.Error(err)
		}
		total := int64(0)
		for id := range m.streams {
			total += j.StreamBytes(id)
		}
		if want := int64(60*frameSize(2500)) + int64(5*frameSize(2500)); total > want+20*frameSize(2500) {
			t.Errorf("%d bytes live, want about %d: something is there twice", total, want)
		}
		j.Close()
	}
}

// A journal that nothing was written to leaves nothing.
func TestUnusedJournalLeavesNothing(t *testing.T) {
	fs := newDisk()
	openQuiet(t, fs, nil).Close()
	if names, _ := fs.List("d"); len(names) > 0 {
		t.Errorf("an unused journal left %v", names)
	}
}
