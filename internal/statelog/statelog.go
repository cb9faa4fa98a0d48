package statelog

import (
	"context"
	"fmt"
	"log/slog"
	"sync"

	"github.com/narumq/naru/internal/commitlog"
	"github.com/narumq/naru/internal/fault"
	"github.com/narumq/naru/internal/record"
)

// Machine is the state. Neither method may block.
type Machine interface {
	// Apply takes one command. It must be deterministic. An error means that
	// the record makes no sense: it ends the replay at start, and is logged
	// and passed over later.
	Apply(rec record.Record) error
	// Snapshot emits commands that rebuild the state from nothing, and that
	// change nothing when applied to the state itself.
	Snapshot(emit func(key, value []byte))
}

// Command is one record to append.
type Command = record.Command

// Options of a log. A zero field takes the default.
type Options struct {
	// SnapshotBytes is how much is appended between snapshots, at least; the
	// size of the last snapshot counts as well, so that writing snapshots
	// never costs more than the commands themselves.
	SnapshotBytes int64
	Now           func() int64 // milliseconds, for the records' timestamps; required
	Logger        *slog.Logger
}

const (
	snapshotBytesDefault = 4 << 20
	batchBytesMax        = 512 << 10
	replayReadBytes      = 1 << 20
	commandsMax          = 100_000 // of one Append
)

// ErrTooMany refuses an Append of more than commandsMax commands.
var ErrTooMany = fault.New(fault.InvalidArgument, "too many commands in one append")

// Log is a machine on a partition.
type Log struct {
	part    *commitlog.Partition
	trim    func(record.Offset) error
	machine Machine
	opt     Options

	gate sync.RWMutex // held for writing while a snapshot is taken

	mu        sync.RWMutex // guards machine and the fields below
	idle      *sync.Cond   // on mu's write side: inFlight became 0, or snapping false
	inFlight  int
	since     int64 // bytes appended since the last snapshot
	snapBytes int64 // size of the last snapshot
	snapping  bool
	closed    bool
	work      sync.WaitGroup // snapshots
	told      outcomes
	telling   sync.WaitGroup
}

// Open replays the partition into m. trim makes a new log start durable and
// applies it; it is called after each snapshot.
func Open(p *commitlog.Partition, trim func(record.Offset) error, m Machine, opt Options) (*Log, error) {
	if opt.SnapshotBytes == 0 {
		opt.SnapshotBytes = snapshotBytesDefault
	}
	if opt.Logger == nil {
		opt.Logger = slog.New(slog.DiscardHandler)
	}
	l := &Log{part: p, trim: trim, machine: m, opt: opt}
	l.idle = sync.NewCond(&l.mu)
	if err := l.replay(); err != nil {
		return nil, err
	}
	l.told.init()
	l.telling.Go(l.told.loop)
	return l, nil
}

func (l *Log) replay() error {
	for from := l.part.LogStart(); from < l.part.HighWatermark(); {
		s, err := l.part.Read(from, replayReadBytes, true)
		if err != nil {
			return fmt.Errorf("replay state at offset %d: %w", from, err)
		}
		for _, batch := range s.Payloads {
			l.since += int64(len(batch))
			if err := l.applyBatch(batch, from); err != nil {
				s.Release()
				return err
			}
		}
		from = s.Next
		s.Release()
	}
	return nil
}

func (l *Log) applyBatch(batch []byte, from record.Offset) error {
	r, err := record.NewReader(batch, record.Limits{})
	if err != nil {
		return err
	}
	for rec, ok := r.Next(); ok; rec, ok = r.Next() {
		if rec.Offset < from {
			continue
		}
		if err := l.machine.Apply(rec); err != nil {
			return fmt.Errorf("replay state at offset %d: %w", rec.Offset, err)
		}
	}
	return r.Err()
}

// Append makes the commands durable, applies them in order, and calls done on
// the log's own goroutine, from which more may be appended.
func (l *Log) Append(cmds []Command, done func(error)) { l.start(cmds, l.part.Append, done) }

// AppendLater is Append of what nobody waits for: it is done with what else becomes durable, or a few milliseconds later.
func (l *Log) AppendLater(cmds []Command, done func(error)) { l.start(cmds, l.part.AppendLater, done) }

// Hurry makes AppendLater's commands durable now.
func (l *Log) Hurry() { l.part.Hurry() }

// appendFunc is one of a partition's ways to append.
type appendFunc func(context.Context, []byte, record.Header, func(commitlog.Appended, error))

func (l *Log) start(cmds []Command, how appendFunc, done func(error)) {
	now := l.opt.Now()
	fail := func(err error) { l.told.push(func() { done(err) }) } // the caller may hold what done takes
	if len(cmds) > commandsMax {
		fail(fmt.Errorf("%w: %d, at most %d", ErrTooMany, len(cmds), commandsMax))
		return
	}
	b := record.NewBuilder(record.None)
	for _, c := range cmds {
		b.Append(now, c.Key, c.Value, nil)
	}
	batch, err := b.Build()
	if err != nil {
		fail(err)
		return
	}
	l.gate.RLock()
	defer l.gate.RUnlock()
	l.mu.Lock()
	l.inFlight++
	l.mu.Unlock()
	l.append(batch, how, func(base record.Offset, err error) {
		l.mu.Lock()
		if err == nil {
			l.apply(now, base, cmds)
			l.since += int64(len(batch))
		}
		if l.inFlight--; l.inFlight == 0 {
			l.idle.Broadcast()
		}
		l.maybeSnapshot()
		l.mu.Unlock()
		l.told.push(func() { done(err) })
	})
}

func (l *Log) append(batch []byte, how appendFunc, done func(record.Offset, error)) {
	h, err := record.ParseHeader(batch)
	if err != nil {
		done(-1, err)
		return
	}
	how(context.Background(), batch, h, func(a commitlog.Appended, err error) { done(a.Base, err) })
}

func (l *Log) apply(now int64, base record.Offset, cmds []Command) {
	for i, c := range cmds {
		rec := record.Record{Offset: base + record.Offset(i), Timestamp: now, Key: c.Key, Value: c.Value}
		if err := l.machine.Apply(rec); err != nil {
			l.opt.Logger.Error("a command on the state log makes no sense", "offset", rec.Offset, "err", err)
		}
	}
}

// Read runs f while the machine does not change. f must not append.
func (l *Log) Read(f func()) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	f()
}

// Change runs f while nobody reads the machine. f may prepare it for commands to
// come, and must not change what Snapshot would emit.
func (l *Log) Change(f func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f()
}

// maybeSnapshot starts a snapshot when enough has been appended. Caller holds mu.
func (l *Log) maybeSnapshot() {
	if l.snapping || l.closed || l.since < l.opt.SnapshotBytes+l.snapBytes {
		return
	}
	l.snapping = true
	l.work.Go(func() {
		if err := l.snapshot(); err != nil {
			l.opt.Logger.Warn("state snapshot put off", "err", err)
		}
		l.snapshotEnded()
	})
}

func (l *Log) snapshotEnded() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.snapping = false
	l.idle.Broadcast()
}

// Snapshot writes the state again now, and trims what came before.
func (l *Log) Snapshot() error {
	l.mu.Lock()
	for l.snapping {
		l.idle.Wait()
	}
	l.snapping = true
	l.mu.Unlock()
	defer l.snapshotEnded()
	return l.snapshot()
}

func (l *Log) snapshot() error {
	batches, first, err := l.capture()
	outcome := make(chan error, len(batches))
	if err == nil {
		for _, batch := range batches {
			l.append(batch, l.part.Append, func(_ record.Offset, err error) { outcome <- err })
		}
	}
	l.gate.Unlock()
	if err != nil {
		return err
	}
	var size int64
	for _, batch := range batches {
		if err := <-outcome; err != nil {
			return err
		}
		size += int64(len(batch))
	}
	l.mu.Lock()
	l.since, l.snapBytes = 0, size
	l.mu.Unlock()
	return l.trim(first)
}

// capture closes the gate, waits until no command is on its way, and builds
// the batches of a snapshot, which will begin at offset first. The caller opens
// the gate, whatever the outcome, once they are enqueued.
func (l *Log) capture() (batches [][]byte, first record.Offset, failed error) {
	l.gate.Lock()
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.inFlight > 0 {
		l.idle.Wait()
	}
	b := record.NewBuilder(record.None)
	flush := func() {
		if b.Len() == 0 {
			return
		}
		batch, err := b.Build()
		if err != nil {
			failed = err
			return
		}
		batches = append(batches, batch)
		b = record.NewBuilder(record.None)
	}
	l.machine.Snapshot(func(key, value []byte) {
		b.Append(l.opt.Now(), key, value, nil)
		if b.Bytes() >= batchBytesMax {
			flush()
		}
	})
	flush()
	return batches, l.part.HighWatermark(), failed
}

// Close waits for what is under way. Nothing may be appended after.
func (l *Log) Close() {
	l.mu.Lock()
	l.closed = true
	for l.inFlight > 0 {
		l.idle.Wait()
	}
	l.mu.Unlock()
	l.work.Wait()
	l.told.close()
	l.telling.Wait()
}
