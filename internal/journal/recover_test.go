package journal

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"github.com/narumq/naru/internal/record"
	"github.com/narumq/naru/internal/vfs"
)

// A segment of the next version is refused, by opening and by checking, and is
// left as it is. testdata/next.hex holds the first bytes of such a file.
func TestNextVersionIsRefused(t *testing.T) {
	text, err := os.ReadFile("testdata/next.hex")
	if err != nil {
		t.Fatal(err)
	}
	b, err := hex.DecodeString(strings.Join(strings.Fields(string(text)), ""))
	if err != nil {
		t.Fatal(err)
	}
	fs := writeSegment(t, b)
	if _, err := Open(fs, "d", Options{}); !errors.Is(err, ErrVersion) || !strings.Contains(err.Error(), SegmentID(1).String()) {
		t.Errorf("open: %v", err)
	}
	if _, err := Check(fs, "d", func(Finding) {}); !errors.Is(err, ErrVersion) {
		t.Errorf("check: %v", err)
	}
	file, err := fs.Open("d/" + SegmentID(1).String())
	if err != nil {
		t.Fatal(err)
	}
	got := make([]byte, len(b))
	file.ReadAt(got, 0)
	if string(got) != string(b) {
		t.Error("the file was changed")
	}
}

// story is the disk of a transcript.
type story struct {
	t        *testing.T
	fs       *vfs.Mem
	j        *Journal
	next     map[StreamID]record.Offset
	findings []Finding
}

// TestRecovery plays the transcripts in testdata/recovery.
//
//	append stream=N [stream=M …]   one commit with a record for each; prints where it begins
//	crash                          the process is killed, and opened again
//	close                          closed and opened again
//	flip at=N [file=N]             changes a byte while nobody has it open, after a crash
//	tear from=N [file=N]           makes zeros of what lies there, after a crash
//	read stream=N                  each record, or why not
//	check                          what the checker says of the directory after a crash
//	relocate
func TestRecovery(t *testing.T) {
	datadriven.Walk(t, "testdata/recovery", func(t *testing.T, path string) {
		s := &story{t: t, fs: newDisk(), next: map[StreamID]record.Offset{}}
		s.open(func() {})
		defer func() { s.j.Close() }()
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string { return s.do(d) })
	})
}

func (s *story) open(change func()) string {
	change()
	s.findings = nil
	s.j = openQuiet(s.t, s.fs, &s.findings)
	return s.told()
}

var segmentName = regexp.MustCompile(`d/0*([0-9a-f]+)\.seg`)

func (s *story) told() string {
	var b strings.Builder
	for _, f := range s.findings {
		fmt.Fprintln(&b, "damage:", segmentName.ReplaceAllString(f.String(), "segment $1"))
	}
	s.findings = nil
	if b.Len() == 0 {
		return "ok"
	}
	return b.String()
}

// crash opens what a killed process leaves, changed meanwhile.
func (s *story) crash(change func()) string {
	crashed := s.fs.ProcessCrashClone()
	s.j.Close()
	s.fs = crashed
	return s.open(change)
}

func (s *story) do(d *datadriven.TestData) string {
	number := func(key string, def int) int {
		n := def
		d.MaybeScanArgs(s.t, key, &n)
		return n
	}
	file := "d/" + SegmentID(number("file", 1)).String()
	switch d.Cmd {
	case "append":
		return s.append(d)
	case "crash":
		return s.crash(func() {})
	case "close":
		if err := s.j.Close(); err != nil {
			return err.Error()
		}
		return s.open(func() {})
	case "flip":
		return s.crash(func() { s.fs.Corrupt(file, int64(number("at", 0)), 4) })
	case "tear":
		return s.crash(func() {
			f, _ := s.fs.Open(file)
			f.WriteAt(zeros[:512], int64(number("from", 0)))
			f.Close()
		})
	case "read":
		return s.read(StreamID(number("stream", 1)))
	case "check":
		sum, err := Check(s.fs.ProcessCrashClone(), "d", func(f Finding) { s.findings = append(s.findings, f) })
		return s.told() + fmt.Sprintf("\n%d records in %d frames, torn tail %d bytes, %v", sum.Records, sum.Frames, sum.TornTail, err)
	case "relocate":
		more, err := s.j.Relocate(context.Background())
		return fmt.Sprintf("rewrote: %v, %v\n%s", more, err, s.told())
	}
	return "unknown command"
}

func (s *story) append(d *datadriven.TestData) string {
	var entries []*Entry
	done := make(chan error, 16)
	for _, arg := range d.CmdArgs {
		for _, v := range arg.Vals {
			var id StreamID
			fmt.Sscan(v, &id)
			_, next := s.j.Bounds(id)
			s.next[id] = max(s.next[id], next)
			p := fmt.Appendf(nil, "stream %d offset %d", id, next)
			entries = append(entries, &Entry{Stream: id, Base: next, Count: 1, Payload: p, Done: func(_ *Entry, err error) { done <- err }})
		}
	}
	if err := s.j.Enqueue(entries...); err != nil {
		return err.Error()
	}
	for range entries {
		if err := <-done; err != nil {
			return err.Error()
		}
	}
	var size int64
	for _, e := range entries {
		size += frameSize(len(e.Payload))
	}
	return fmt.Sprintf("at byte %d", s.j.Stats().BytesWritten-size+segmentHeaderBytes)
}

func (s *story) read(id StreamID) string {
	start, next := s.j.Bounds(id)
	var b strings.Builder
	for o := start; o < next; o++ {
		p, err := readOne(s.j, id, o)
		if err != nil {
			fmt.Fprintf(&b, "%d: %s\n", o, segmentName.ReplaceAllString(err.Error(), "segment $1"))
		} else {
			fmt.Fprintf(&b, "%d: %s\n", o, p)
		}
	}
	return b.String() + fmt.Sprintf("next is %d\n%s", next, s.told())
}
