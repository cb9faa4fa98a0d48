package journal

import (
	"slices"
	"sync/atomic"
)

func sortSpans(spans []span) {
	slices.SortFunc(spans, func(a, b span) int { return int(a.base - b.base) })
}

type counters struct {
	commits, entries, bytesWritten atomic.Int64
	readsHit, readsMissed          atomic.Int64
	bytesHit, bytesMissed          atomic.Int64
	relocated, reclaimed           atomic.Int64
}

// Stats is what the journal has done since it was opened, and what it holds.
type Stats struct {
	Commits      int64 // group commits
	Entries      int64 // appends committed
	BytesWritten int64 // by commits, frame headers included
	ReadsHit     int64 // pieces read from memory
	ReadsMissed  int64 // pieces read from disk
	BytesHit     int64 // of payloads read from memory
	BytesMissed  int64 // of payloads read from disk
	Relocated    int64 // bytes rewritten
	Reclaimed    int64 // bytes of files removed
	Segments     int   // files, the active one included
	DiskBytes    int64 // their size
	CacheBytes   int64 // recent bytes in memory
	PendingBytes int64 // accepted and not yet committed
	Damaged      int   // damaged places found
	Streams      int
}

func (c *counters) read() Stats {
	return Stats{
		Commits: c.commits.Load(), Entries: c.entries.Load(), BytesWritten: c.bytesWritten.Load(),
		ReadsHit: c.readsHit.Load(), ReadsMissed: c.readsMissed.Load(),
		BytesHit: c.bytesHit.Load(), BytesMissed: c.bytesMissed.Load(),
		Relocated: c.relocated.Load(), Reclaimed: c.reclaimed.Load(),
	}
}

// Counters is Stats without the look at what the journal holds, for who asks often.
func (j *Journal) Counters() Stats { return j.stats.read() }

// Stats returns the counters and a look at the current state.
func (j *Journal) Stats() Stats {
	s := j.Counters()
	s.Damaged = j.damage.count()
	j.segMu.Lock()
	s.Segments = len(j.segments)
	for _, seg := range j.segments {
		if n, err := seg.file.Size(); err == nil {
			s.DiskBytes += n
		}
	}
	j.segMu.Unlock()
	j.cache.mu.Lock()
	s.CacheBytes = j.cache.bytes
	j.cache.mu.Unlock()
	j.space.mu.Lock()
	s.PendingBytes = j.space.pending
	j.space.mu.Unlock()
	j.index.mu.RLock()
	s.Streams = len(j.index.streams)
	j.index.mu.RUnlock()
	return s
}

// FreeBytes is what the disk still has room for.
func (j *Journal) FreeBytes() (int64, error) { return j.fs.FreeBytes(j.dir) }

// Plus adds up what two slots of one flusher, which shares its memory and its commits among them, say.
func (s Stats) Plus(o Stats) Stats {
	return Stats{
		Commits: max(s.Commits, o.Commits), Entries: s.Entries + o.Entries, BytesWritten: max(s.BytesWritten, o.BytesWritten),
		ReadsHit: s.ReadsHit + o.ReadsHit, ReadsMissed: s.ReadsMissed + o.ReadsMissed,
		BytesHit: s.BytesHit + o.BytesHit, BytesMissed: s.BytesMissed + o.BytesMissed,
		Relocated: s.Relocated + o.Relocated, Reclaimed: s.Reclaimed + o.Reclaimed,
		Segments: s.Segments + o.Segments, DiskBytes: s.DiskBytes + o.DiskBytes,
		CacheBytes: max(s.CacheBytes, o.CacheBytes), PendingBytes: max(s.PendingBytes, o.PendingBytes),
		Damaged: s.Damaged + o.Damaged, Streams: s.Streams + o.Streams,
	}
}
