package journal

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/narumq/naru/internal/vfs"
)

// Journal is an open data directory.
type Journal struct {
	*view
	fs  vfs.FS
	dir string
	opt Options
	log *slog.Logger

	queue  queue
	nextID atomic.Uint64
	space  spaceman

	active *segment     // the committer's
	rolled atomic.Int64 // when it became active, unix nanoseconds
	tail   *chunk       // the committer's: the chunk being filled

	segMu    sync.Mutex
	segments map[SegmentID]*segment // guarded by segMu; all but the standby

	failure   atomic.Pointer[error]
	sealQ     chan *segment
	cancel    context.CancelFunc // ends the background goroutines
	done      sync.WaitGroup     // preparer, sealer, syncer, relocator
	committer sync.WaitGroup
	closing   atomic.Bool
	relocMu   sync.Mutex // one relocation at a time
	leftovers []string   // guarded by relocMu: files that could not be removed
}

// Open recovers the directory, which must exist, and starts the journal. The
// caller has seen to it that nobody else has it open. A damaged place does not make it fail: it is reported to the observer and
// answered with ErrDamaged when read. ErrVersion does.
func Open(fs vfs.FS, dir string, options Options) (*Journal, error) {
	opt, err := options.withDefaults()
	if err != nil {
		return nil, err
	}
	j := &Journal{
		view: newView(opt, newCache(opt.CacheBytes), newExtentCache(extentCacheBytesMax)), fs: fs, dir: dir, opt: opt, log: opt.Logger,
		segments: make(map[SegmentID]*segment), sealQ: make(chan *segment, 64),
	}
	j.queue.init()
	j.space.init(opt.SegmentBytes)
	if err := j.recover(); err != nil {
		j.closeFiles()
		return nil, err
	}
	j.startGoroutines()
	return j, nil
}

func (j *Journal) startGoroutines() {
	ctx, cancel := context.WithCancel(context.Background())
	j.cancel = cancel
	j.done.Go(func() { j.prepareLoop(ctx) })
	j.committer.Go(j.commitLoop)
	j.done.Go(j.sealLoop)
	if j.opt.Sync.Mode == SyncInterval {
		j.done.Go(func() { j.syncLoop(ctx) })
	}
	if j.opt.RelocateEvery > 0 {
		j.done.Go(func() { j.relocateLoop(ctx) })
	}
	j.space.request()
}

// Enqueue hands entries to the next commit, in order. It never blocks: take
// room with Admit first. After an error no Done is called.
func (j *Journal) Enqueue(entries ...*Entry) error {
	if err := j.refusal(); err != nil {
		return err
	}
	if j.opt.Observer.Append != nil {
		now := time.Now()
		for _, e := range entries {
			e.queuedAt = now
		}
	}
	if err := j.queue.push(entries); err != nil {
		return cmp.Or(j.Err(), err)
	}
	return nil
}

// Hurry commits patient entries now.
func (j *Journal) Hurry() { j.queue.hurry() }

// refusal is why no append is accepted, or nil.
func (j *Journal) refusal() error {
	if err := j.Err(); err != nil {
		return err
	}
	if j.closing.Load() {
		return ErrClosed
	}
	return nil
}

// Err is nil while the journal accepts appends. A full disk is no failure.
func (j *Journal) Err() error {
	if p := j.failure.Load(); p != nil {
		return *p
	}
	return nil
}

// fail makes err the journal's final state.
func (j *Journal) fail(err error) error {
	wrapped := fmt.Errorf("%w: %w", ErrFailed, err)
	if j.failure.CompareAndSwap(nil, &wrapped) {
		j.log.Error("the journal failed and refuses appends until it is reopened", "err", err)
		j.queue.wake()
		j.space.wake()
	}
	return *j.failure.Load()
}

// EntryBytesMax is the longest payload that fits a segment.
func (j *Journal) EntryBytesMax() int {
	return int(j.opt.SegmentBytes) - segmentHeaderBytes - frameHeaderBytes - frameAlign -
		extentBytes - runBytes - trailerBytes
}

// Close commits what is queued, seals the active segment and closes the files.
// It returns the error that made the journal fail, if one did.
func (j *Journal) Close() error {
	if j.closing.Swap(true) {
		return nil
	}
	j.queue.close()
	j.space.wake()
	j.committer.Wait()
	j.cancel()
	j.done.Wait()
	j.relocMu.Lock()
	defer j.relocMu.Unlock()
	j.closeFiles()
	return j.Err()
}

func (j *Journal) closeFiles() {
	j.segMu.Lock()
	for _, s := range j.segments {
		s.release()
	}
	j.segments = nil
	j.segMu.Unlock()
	if s := j.space.takeStandby(); s != nil {
		s.file.Close()
		j.fs.Remove(s.path) // an empty segment; recovery removes it too
	}
}

func (j *Journal) newSegment(suffix string, flags uint16, capacity int64) (*segment, error) {
	h := segmentHeader{id: SegmentID(j.nextID.Add(1)), salt: newSalt(), flags: flags}
	name := h.id.String()
	if suffix != "" {
		name += suffix
	}
	return createSegment(j.fs, j.dir, name, h, capacity)
}

// newSalt is random, so that frames of another segment are never taken for
// this one's. It is never 0, which stands for an unknown one.
func newSalt() uint32 {
	var b [4]byte
	rand.Read(b[:])
	return max(1, le.Uint32(b[:]))
}

func (j *Journal) list(s *segment) {
	j.segMu.Lock()
	defer j.segMu.Unlock()
	j.segments[s.id] = s
}
