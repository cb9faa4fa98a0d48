package journal

import (
	"testing"

	"github.com/narumq/naru/internal/vfs"
)

// A commit that is larger than the whole cache: its first chunks are forgotten
// by the cache before they are written, and must not be used again until then.
func TestCommitLargerThanTheCache(t *testing.T) {
	fs := vfs.NewMem()
	fs.MkdirAll("d")
	opt := Options{SegmentBytes: 1 << 20, CacheBytes: CacheBytesMin}
	j, err := Open(fs, "d", opt)
	if err != nil {
		t.Fatal(err)
	}
	m := newSimModel(1)
	release := holdCommits(t, fs)
	var waits []<-chan error
	for i := range 60 {
		// Just over half a chunk, so that each takes one to itself.
		wait, err := m.append(j, 1, 1, 1, 1, 9_000)
		if err != nil {
			t.Fatal(err)
		}
		if waits = append(waits, wait); i == 0 {
			release.arrived(t)
		}
	}
	release.open()
	for _, w := range waits {
		if err := <-w; err != nil {
			t.Fatal(err)
		}
	}
	if got := j.Stats().Commits; got != 2 {
		t.Errorf("%d commits, want 2: one held up, one with the rest", got)
	}
	for range 2 {
		if _, err := m.check(j); err != nil {
			t.Fatal(err)
		}
		j.Close()
		if j, err = Open(fs, "d", opt); err != nil {
			t.Fatal(err)
		}
	}
	j.Close()
}

// gate holds writes of frames up until it is opened.
type gate struct {
	reached chan struct{}
	closed  chan struct{}
}

// holdCommits makes the next write of frames wait for the gate.
func holdCommits(t *testing.T, fs *vfs.Mem) *gate {
	g := &gate{reached: make(chan struct{}, 64), closed: make(chan struct{})}
	fs.SetFault(func(op vfs.Op) error {
		if op.Kind == vfs.OpWrite && op.Off >= segmentHeaderBytes && op.Len < 60_000 { // longer ones prepare a segment
			select {
			case g.reached <- struct{}{}:
			default:
			}
			<-g.closed
		}
		return nil
	})
	t.Cleanup(func() { fs.SetFault(nil) })
	return g
}

// arrived waits until the first write is at the gate.
func (g *gate) arrived(t *testing.T) {
	t.Helper()
	<-g.reached
}

func (g *gate) open() { close(g.closed) }
