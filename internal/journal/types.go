package journal

import (
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/narumq/naru/internal/fault"
	"github.com/narumq/naru/internal/record"
)

// StreamID numbers a partition within a data directory. It is never reused.
type StreamID uint64

// SegmentID numbers a segment. It is never reused; a greater one was made later.
type SegmentID uint64

// String is the segment's file name.
func (id SegmentID) String() string { return fmt.Sprintf("%016x%s", uint64(id), segmentSuffix) }

// Errors that callers tell apart.
var (
	// ErrFailed is sticky: a write or a sync failed, so nothing more is
	// accepted until the journal is opened again.
	ErrFailed = fault.New(fault.Unavailable, "journal: storage failed, restart after repair")
	// ErrDiskFull refuses an append before it has had any effect.
	ErrDiskFull = fault.New(fault.ResourceExhausted, "journal: no space left for a segment")
	// ErrClosed is returned after Close.
	ErrClosed = fault.New(fault.Unavailable, "journal: closed")
	// ErrDamaged names a range of offsets whose bytes do not match their checksum.
	ErrDamaged = fault.New(fault.DataLoss, "journal: damaged record")
	// ErrTooLarge is an append that no segment can hold.
	ErrTooLarge = fault.New(fault.InvalidArgument, "journal: append larger than a segment")
	// ErrVersion is a file written by a newer version of the format.
	ErrVersion = fault.New(fault.Unimplemented, "journal: unknown format version")
)

// SyncMode says what an acknowledgement means.
type SyncMode uint8

// The sync modes.
const (
	SyncAlways   SyncMode = iota // fdatasync before every acknowledgement
	SyncInterval                 // acknowledge when written, fdatasync every Interval
	SyncOS                       // acknowledge when written, the kernel decides
)

// SyncPolicy is a mode and, for SyncInterval, its period.
type SyncPolicy struct {
	Mode     SyncMode
	Interval time.Duration
}

// ParseSyncPolicy reads "always", "os", or a duration such as "10ms".
func ParseSyncPolicy(s string) (SyncPolicy, error) {
	switch strings.ToLower(s) {
	case "always", "":
		return SyncPolicy{Mode: SyncAlways}, nil
	case "os":
		return SyncPolicy{Mode: SyncOS}, nil
	}
	d, err := time.ParseDuration(s)
	if err != nil || d <= 0 {
		return SyncPolicy{}, fmt.Errorf("sync policy %q: want always, os, or a duration above zero such as 10ms", s)
	}
	return SyncPolicy{Mode: SyncInterval, Interval: d}, nil
}

// String is the form that ParseSyncPolicy reads.
func (p SyncPolicy) String() string {
	switch p.Mode {
	case SyncInterval:
		return p.Interval.String()
	case SyncOS:
		return "os"
	}
	return "always"
}

// Entry is one append. The journal owns it, and its payload, from Enqueue
// until Done.
type Entry struct {
	Stream       StreamID
	Base         record.Offset
	Count        uint32 // offsets that the payload spans, at least 1
	MaxTimestamp int64  // milliseconds
	Payload      []byte
	// Summed is how many bytes at the payload's end have the CRC-32C SummedCRC,
	// as somebody checked already; 0 = not known.
	Summed    int
	SummedCRC uint32
	// Patient: nobody waits for this entry. It is committed with what comes next, but
	// no later than PatienceMax from now.
	Patient bool

	// Done is called once, from the committer: it must be quick, must not
	// block and must not enqueue.
	Done func(*Entry, error)

	queuedAt time.Time // only if an observer asks for it
}

// Limits of a journal. A zero Options field takes the default.
const (
	SegmentBytesDefault = 64 << 20
	SegmentBytesMin     = 64 << 10
	SegmentBytesMax     = 2 << 30
	CacheBytesDefault   = 16 << 20
	CacheBytesMin       = 64 << 10

	chunkBytesMax        = 1 << 20  // one piece of the cache
	queueBytesMax        = 64 << 20 // accepted and not yet committed
	commitBytesMax       = 16 << 20 // one write
	extentBytesMax       = 64 << 10 // so that an extent is also the sparse index
	extentCacheBytesMax  = 4 << 20  // footers' extents kept in memory
	relocateBytesDefault = 64 << 20 // per second
)

// Options of a journal.
type Options struct {
	SegmentBytes int64
	CacheBytes   int64
	Sync         SyncPolicy
	// Live tells the log start of a stream, and whether it exists at all.
	// Frames of a stream that does not exist are dead. nil: all live from 0.
	Live func(StreamID) (start record.Offset, ok bool)
	// Sealed is called from the sealer with each segment that got its footer.
	Sealed func(SegmentID)
	// RelocateEvery is the relocator's period; 0 turns its goroutine off.
	RelocateEvery time.Duration
	// RelocateAfter is how long a segment stays as it is before it is rewritten
	// for being fragmented: much of what is young is soon dead.
	RelocateAfter time.Duration
	// RelocateBytesPerSecond paces rewriting; 0 is the default, below 0 no limit.
	RelocateBytesPerSecond int64
	Observer               Observer
	Logger                 *slog.Logger
}

// Observer is told what the journal does. Any field may be nil; calls come
// from the journal's own goroutines and must be quick.
type Observer struct {
	// Commit ends a group commit of so many entries and bytes on disk.
	Commit func(entries int, bytes int64, write, sync time.Duration)
	// Append ends an append that became durable: the time from Enqueue.
	Append func(took time.Duration)
	// Damage is told once of each damaged place found.
	Damage func(Finding)
	// Relocated ends the rewriting of segments into one.
	Relocated func(segments int, bytes int64)
	// Reclaimed counts bytes of files removed.
	Reclaimed func(bytes int64)
}

// Finding is something wrong on disk.
type Finding struct {
	File     string // the directory, if it is about no file
	Position int64  // byte in the file; below 0 if it is about no byte
	Bytes    int64  // extent of the damage, 0 if unknown
	Stream   StreamID
	Base     record.Offset // -1 if unknown
	Last     record.Offset
	Problem  string
}

func (f Finding) String() string {
	s := f.File
	if f.Position >= 0 {
		s += fmt.Sprintf(" at byte %d", f.Position)
	}
	s += ": " + f.Problem
	if f.Bytes > 0 {
		s += fmt.Sprintf(" (%d bytes)", f.Bytes)
	}
	if f.Base >= 0 {
		s += fmt.Sprintf(", stream %d offsets %d to %d", f.Stream, f.Base, f.Last)
	}
	return s
}

func (o *Options) withDefaults() (Options, error) {
	opt := *o
	if opt.SegmentBytes == 0 {
		opt.SegmentBytes = SegmentBytesDefault
	}
	if opt.SegmentBytes < SegmentBytesMin || opt.SegmentBytes > SegmentBytesMax {
		return opt, fmt.Errorf("segment size %d: want %d to %d bytes", opt.SegmentBytes, SegmentBytesMin, SegmentBytesMax)
	}
	if opt.CacheBytes == 0 {
		opt.CacheBytes = CacheBytesDefault
	}
	if opt.CacheBytes < CacheBytesMin {
		return opt, fmt.Errorf("cache size %d: want at least %d bytes", opt.CacheBytes, CacheBytesMin)
	}
	if opt.Live == nil {
		opt.Live = func(StreamID) (record.Offset, bool) { return 0, true }
	}
	if opt.RelocateBytesPerSecond == 0 {
		opt.RelocateBytesPerSecond = relocateBytesDefault
	}
	if opt.Logger == nil {
		opt.Logger = slog.New(slog.DiscardHandler)
	}
	return opt, nil
}
