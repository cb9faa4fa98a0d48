package journal

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"github.com/narumq/naru/internal/record"
	"github.com/narumq/naru/internal/vfs"
)

// smallLog is a directory with a few short records, and where they are.
type smallLog struct {
	fs     *vfs.Mem
	file   string
	end    int64 // of the frames in file
	size   int64
	frames []smallFrame
}

type smallFrame struct {
	stream  StreamID
	base    record.Offset
	payload []byte
	pos     int64 // 0 if in another file
	commit  int
}

func (f smallFrame) end() int64 { return f.pos + frameHeaderBytes + int64(len(f.payload)) }

// newSmallLog makes five commits of two records each. With sealed set the
// segment has its footer; with later set another segment was begun after it.
func newSmallLog(t *testing.T, sealed, later bool) *smallLog {
	l := &smallLog{fs: vfs.NewMem()}
	l.fs.MkdirAll("d")
	j := openQuiet(t, l.fs, nil)
	for commit := range 5 {
		var entries []*Entry
		done := make(chan error, 2)
		for id := StreamID(1); id <= 2; id++ {
			f := smallFrame{stream: id, base: record.Offset(commit), commit: commit,
				payload: fmt.Appendf(nil, "stream %d record %d%s", id, commit, bytes.Repeat([]byte("."), commit))}
			entries = append(entries, &Entry{Stream: id, Base: f.base, Count: 1, Payload: f.payload, Done: func(_ *Entry, err error) { done <- err }})
			l.frames = append(l.frames, f)
		}
		if err := j.Enqueue(entries...); err != nil {
			t.Fatal(err)
		}
		for range entries {
			if err := <-done; err != nil {
				t.Fatal(err)
			}
		}
	}
	l.file, l.end = j.active.path, j.active.end
	pos := int64(segmentHeaderBytes)
	for i := range l.frames {
		l.frames[i].pos = pos
		pos += frameSize(len(l.frames[i].payload))
	}
	crashed := l.fs.ProcessCrashClone()
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if !sealed {
		l.fs = crashed
	}
	if later {
		j = openQuiet(t, l.fs, nil)
		done := make(chan error, 1)
		f := smallFrame{stream: 1, base: 5, payload: []byte("in a later segment"), commit: 5}
		j.Enqueue(&Entry{Stream: 1, Base: 5, Count: 1, Payload: f.payload, Done: func(_ *Entry, err error) { done <- err }})
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		l.frames = append(l.frames, f)
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
	}
	l.size = l.end
	if sealed || later {
		file, _ := l.fs.Open(l.file)
		l.size, _ = file.Size()
		file.Close()
	}
	return l
}

func openQuiet(t *testing.T, fs *vfs.Mem, findings *[]Finding) *Journal {
	t.Helper()
	j, err := Open(fs, "d", Options{SegmentBytes: SegmentBytesMin, CacheBytes: CacheBytesMin, Observer: Observer{Damage: func(f Finding) {
		if findings != nil {
			*findings = append(*findings, f)
		}
	}}})
	if err != nil {
		t.Fatal(err)
	}
	return j
}

// readOne returns the payload that holds exactly this offset.
func readOne(j *Journal, id StreamID, o record.Offset) ([]byte, error) {
	s, err := j.Read(id, o, 1, true)
	defer s.Release()
	if err != nil || len(s.Payloads) == 0 {
		return nil, err
	}
	return bytes.Clone(s.Payloads[0]), nil
}

// Each byte of a segment is flipped in turn. Nothing panics, no wrong byte is
// served, what is lost is told of, and all that the byte is no part of can
// still be read, now and after another opening.
func TestEachFlippedByte(t *testing.T) {
	for _, test := range []struct {
		name          string
		sealed, later bool
	}{
		{"active", false, false}, {"sealed", true, false}, {"sealed before another", true, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			l := newSmallLog(t, test.sealed, test.later)
			for off := int64(0); off < l.size; off++ {
				fs := l.fs.ProcessCrashClone()
				fs.Corrupt(l.file, off, 1<<(off%8))
				if msg := l.checkFlip(t, fs, off, test.sealed); msg != "" {
					t.Fatalf("byte %d of %d (frames end at %d): %s", off, l.size, l.end, msg)
				}
			}
		})
	}
}

// part says what byte off is part of: a frame's index, or -1; pad if it is
// covered by no checksum because nobody reads it.
func (l *smallLog) part(off int64) (frame int, pad bool) {
	for i, f := range l.frames {
		if f.pos != 0 && off >= f.pos && off < f.pos+frameSize(len(f.payload)) {
			return i, off >= f.end()
		}
	}
	return -1, false
}

func (l *smallLog) checkFlip(t *testing.T, fs *vfs.Mem, off int64, sealed bool) string {
	hit, pad := l.part(off)
	torn := !sealed && hit >= 0 && l.frames[hit].commit == 4 // not to be told from a torn tail
	sum, err := Check(fs, "d", func(Finding) {})
	if err != nil {
		return fmt.Sprint("check: ", err)
	}
	if sum.Findings == 0 && sum.TornTail == 0 && !pad {
		return "the check finds nothing"
	}
	if sum.Findings > 0 && pad {
		return "the check finds something in padding"
	}
	for life := range 2 {
		var findings []Finding
		j := openQuiet(t, fs, &findings)
		lost := 0
		for i, f := range l.frames {
			got, err := readOne(j, f.stream, f.base)
			switch {
			case err == nil && bytes.Equal(got, f.payload):
				continue
			case err == nil && got != nil:
				return fmt.Sprintf("life %d: wrong bytes %q for %q", life, got, f.payload)
			case err != nil && !errors.Is(err, ErrDamaged):
				return err.Error()
			case torn && f.commit == 4:
				continue
			case i != hit:
				return fmt.Sprintf("life %d: %q cannot be read: %v", life, f.payload, err)
			case got == nil && err == nil && f.pos == l.frames[len(l.frames)-1].pos:
				return "the end is lost without an error"
			}
			lost++
		}
		if err := j.Close(); err != nil {
			return err.Error()
		}
		if lost > 0 && len(findings) == 0 && life == 0 {
			return fmt.Sprintf("life %d: %d records lost and nothing reported", life, lost)
		}
		for _, f := range findings {
			if f.File != l.file {
				return fmt.Sprintf("reported another file: %v", f)
			}
			if hit >= 0 && f.Position != l.frames[hit].pos && f.Position != l.end {
				return fmt.Sprintf("reported another place: %v", f)
			}
		}
	}
	return ""
}
