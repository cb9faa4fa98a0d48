package journal

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"

	"github.com/narumq/naru/internal/record"
	"github.com/narumq/naru/internal/vfs"
)

// simEntry is one append that the simulation made.
type simEntry struct {
	base  record.Offset
	count uint32
	size  int
	life  int // which opening of the journal it was appended in
}

func (e simEntry) next() record.Offset { return e.base + record.Offset(e.count) }

// payload is what the entry holds: its bytes follow from what it is, so that a
// reused offset or a swapped payload shows.
func (e simEntry) payload(id StreamID) []byte {
	b := fmt.Appendf(nil, "stream %d offset %d life %d|", id, e.base, e.life)
	rng := rand.NewChaCha8([32]byte{byte(id), byte(e.base), byte(e.base >> 8), byte(e.life)})
	if n := e.size - len(b); n > 0 {
		rest := make([]byte, n)
		rng.Read(rest)
		b = append(b, rest...)
	}
	return b
}

// simStream is what is known of one stream.
type simStream struct {
	start   record.Offset // durable log start
	entries []simEntry    // in order; only ever appended to within one life
	acked   record.Offset // one past the last acknowledged offset
	dropped bool
}

func (s *simStream) next() record.Offset {
	if n := len(s.entries); n > 0 {
		return max(s.start, s.entries[n-1].next())
	}
	return s.start
}

// simModel is what clients and the catalog know. It outlives crashes.
type simModel struct {
	mu      sync.Mutex
	streams map[StreamID]*simStream
}

func newSimModel(streams int) *simModel {
	m := &simModel{streams: make(map[StreamID]*simStream)}
	for i := range streams {
		m.streams[StreamID(i+1)] = &simStream{}
	}
	return m
}

// live is Options.Live: the catalog.
func (m *simModel) live(id StreamID) (record.Offset, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.streams[id]
	if s == nil || s.dropped {
		return 0, false
	}
	return s.start, true
}

func (m *simModel) ids() []StreamID {
	m.mu.Lock()
	defer m.mu.Unlock()
	var ids []StreamID
	for id, s := range m.streams {
		if !s.dropped {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// snapshot copies the model and calls clone at the same moment.
func (m *simModel) snapshot(clone func()) *simModel {
	m.mu.Lock()
	defer m.mu.Unlock()
	clone()
	c := &simModel{streams: make(map[StreamID]*simStream, len(m.streams))}
	for id, s := range m.streams {
		t := *s
		t.entries = s.entries[:len(s.entries):len(s.entries)]
		c.streams[id] = &t
	}
	return c
}

// errLost is an acknowledged entry that is not there: the one error that must
// never be, and that a disk which skips its syncs must cause.
var errLost = errors.New("acknowledged entry lost")

// check compares the journal with the model and returns where each stream ends.
func (m *simModel) check(j *Journal) (map[StreamID]record.Offset, error) {
	ends := make(map[StreamID]record.Offset)
	for _, id := range m.ids() {
		next, err := m.checkStream(j, id)
		if err != nil {
			return nil, fmt.Errorf("stream %d: %w", id, err)
		}
		ends[id] = next
	}
	return ends, nil
}

func (m *simModel) checkStream(j *Journal, id StreamID) (record.Offset, error) {
	m.mu.Lock()
	s := *m.streams[id]
	m.mu.Unlock()
	start, next := j.Bounds(id)
	if start != s.start {
		return 0, fmt.Errorf("log start %d, want %d", start, s.start)
	}
	if next < s.acked {
		return 0, fmt.Errorf("%w: ends at %d, %d was acknowledged", errLost, next, s.acked)
	}
	if next > s.next() {
		return 0, fmt.Errorf("ends at %d, only %d was ever appended", next, s.next())
	}
	i := slices.IndexFunc(s.entries, func(e simEntry) bool { return e.next() > start })
	for from := start; from < next; {
		out, err := j.Read(id, from, 10_000, true)
		if err != nil {
			return 0, fmt.Errorf("%w: read %d: %w", errLost, from, err)
		}
		if len(out.Payloads) == 0 {
			return 0, fmt.Errorf("%w: nothing at %d, the end is %d", errLost, from, next)
		}
		for _, p := range out.Payloads {
			e := s.entries[i]
			if !bytes.Equal(p, e.payload(id)) {
				return 0, fmt.Errorf("offset %d: %.40q… of %d bytes, want %.40q… of %d", e.base, p, len(p), e.payload(id), e.size)
			}
			from = e.next()
			i++
		}
		if out.Next != from {
			return 0, fmt.Errorf("read says next %d, its payloads end at %d", out.Next, from)
		}
		out.Release()
	}
	return next, nil
}

// settle makes what recovery found the truth: what was not acknowledged and is
// not there never was.
func (m *simModel) settle(ends map[StreamID]record.Offset) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for id, end := range ends {
		s := m.streams[id]
		i := slices.IndexFunc(s.entries, func(e simEntry) bool { return e.base >= end })
		if i >= 0 {
			s.entries = slices.Clone(s.entries[:i])
		}
		s.acked = end
	}
}

// simOptions opens a journal on the model, telling of each damage found.
func simOptions(m *simModel, damage func(Finding)) Options {
	return Options{
		SegmentBytes: SegmentBytesMin, CacheBytes: CacheBytesMin, Live: m.live, RelocateBytesPerSecond: -1,
		Observer: Observer{Damage: damage},
	}
}

// recoverAndCheck opens a crashed disk twice and compares it with the model,
// appends to it in between, and looks for damage.
func (m *simModel) recoverAndCheck(fs *vfs.Mem, rng *rand.Rand) error {
	var mu sync.Mutex
	var damage []Finding
	opt := simOptions(m, func(f Finding) {
		mu.Lock()
		defer mu.Unlock()
		damage = append(damage, f)
	})
	for life := range 2 {
		j, err := Open(fs, "d", opt)
		if err != nil {
			return fmt.Errorf("open: %w", err)
		}
		ends, err := m.check(j)
		if err == nil {
			m.settle(ends)
			err = appendOneEach(j, m, 1000+life, rng)
		}
		if cerr := j.Close(); err == nil && cerr != nil {
			err = cerr
		}
		if err == nil && len(damage) > 0 {
			err = fmt.Errorf("damage where there is none: %v", damage)
		}
		if err != nil {
			return fmt.Errorf("opening %d: %w", life+1, err)
		}
	}
	sum, err := CheckLive(fs, "d", m.live, func(f Finding) { damage = append(damage, f) })
	if err != nil || sum.Findings > 0 {
		return fmt.Errorf("check: %v %v %w", sum, damage, err)
	}
	return nil
}

func appendOneEach(j *Journal, m *simModel, life int, rng *rand.Rand) error {
	var waits []<-chan error
	for _, id := range m.ids() {
		wait, err := m.append(j, id, 1, life, 1+uint32(rng.IntN(2)), 60)
		if err != nil {
			return err
		}
		waits = append(waits, wait)
	}
	for _, w := range waits {
		if err := <-w; err != nil {
			return err
		}
	}
	return nil
}
