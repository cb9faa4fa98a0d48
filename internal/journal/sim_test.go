package journal

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/narumq/naru/internal/record"
	"github.com/narumq/naru/internal/vfs"
)

// append makes one entry, remembers it, and returns the channel of its outcome.
func (m *simModel) append(j *Journal, id StreamID, n, life int, count uint32, size int) (<-chan error, error) {
	if err := j.Admit(context.Background(), size); err != nil {
		return nil, err
	}
	outcome := make(chan error, 1)
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.streams[id]
	e := simEntry{base: s.next(), count: count, size: size, life: life}
	payload := e.payload(id)
	s.entries = append(s.entries, e)
	err := j.Enqueue(&Entry{
		Stream: id, Base: e.base, Count: count, MaxTimestamp: int64(e.base), Payload: payload,
		Done: func(x *Entry, err error) {
			j.Release(size)
			if err == nil {
				m.mu.Lock()
				s.acked = max(s.acked, e.next())
				m.mu.Unlock()
			}
			outcome <- err
		},
	})
	return outcome, err
}

// simSize draws a payload length, now and then the greatest there is. The text
// at its start is always longer than 40 bytes.
func simSize(j *Journal, rng *rand.Rand) int {
	switch rng.IntN(40) {
	case 0:
		return j.EntryBytesMax() - rng.IntN(9)
	case 1, 2:
		return 5_000 + rng.IntN(20_000)
	}
	return 60 + rng.IntN(600)
}

// sim is one run: a disk, a model, and what happened.
type sim struct {
	t       *testing.T
	rng     *rand.Rand
	fs      *vfs.Mem
	model   *simModel
	life    int
	history []string // by the driver; the same for the same seed

	syncs  atomic.Int64
	every  int64 // check every so manieth sync
	checks atomic.Int64
	mu     sync.Mutex
	errs   []error
}

func newSim(t *testing.T, seed uint64, streams int, every int64) *sim {
	s := &sim{t: t, rng: rand.New(rand.NewPCG(seed, 1)), fs: vfs.NewMem(), model: newSimModel(streams), every: every}
	if err := s.fs.MkdirAll("d"); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *sim) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.errs = append(s.errs, err)
}

// watch checks clones of the disk at its syncs.
func (s *sim) watch(seed uint64) {
	s.fs.OnSync(func(fs *vfs.Mem) {
		n := s.syncs.Add(1)
		if n%s.every != 0 {
			return
		}
		var clone *vfs.Mem
		model := s.model.snapshot(func() { clone = fs.ProcessCrashClone() })
		for k := range uint64(2) {
			rng := rand.New(rand.NewPCG(seed, uint64(n)<<8|k))
			s.checks.Add(1)
			if err := model.snapshot(func() {}).recoverAndCheck(clone.CrashClone(rng), rng); err != nil {
				s.fail(fmt.Errorf("sync %d, crash %d: %w", n, k, err))
			}
		}
		s.checks.Add(1)
		if err := model.recoverAndCheck(clone, rand.New(rand.NewPCG(seed, uint64(n)))); err != nil {
			s.fail(fmt.Errorf("sync %d, process killed: %w", n, err))
		}
	})
}

func (s *sim) open() *Journal {
	s.life++
	opt := simOptions(s.model, func(f Finding) { s.fail(fmt.Errorf("damage: %v", f)) })
	j, err := Open(s.fs, "d", opt)
	if err != nil {
		s.t.Fatal(err)
	}
	ends, err := s.model.check(j)
	if err != nil {
		s.fail(fmt.Errorf("life %d: %w", s.life, err))
		return j
	}
	s.model.settle(ends)
	for _, id := range s.model.ids() {
		s.history = append(s.history, fmt.Sprintf("life %d: stream %d ends at %d", s.life, id, ends[id]))
	}
	return j
}

// round appends some entries at once and waits for them.
func (s *sim) round(j *Journal) {
	ids := s.model.ids()
	waits := make([]<-chan error, 1+s.rng.IntN(6))
	for i := range waits {
		id, count, size := ids[s.rng.IntN(len(ids))], 1+uint32(s.rng.IntN(3)), simSize(j, s.rng)
		wait, err := s.model.append(j, id, 1, s.life, count, size)
		if err != nil {
			s.t.Fatal(err)
		}
		waits[i] = wait
	}
	for _, w := range waits {
		if err := <-w; err != nil {
			s.t.Fatal(err)
		}
	}
}

// trim moves a log start up: first in the catalog, then in the journal.
func (s *sim) trim(j *Journal) {
	ids := s.model.ids()
	id := ids[s.rng.IntN(len(ids))]
	s.model.mu.Lock()
	st := s.model.streams[id]
	if n := int64(st.acked - st.start); n > 0 {
		st.start += record.Offset(s.rng.Int64N(n) + 1)
	}
	start := st.start
	s.model.mu.Unlock()
	j.Trim(id, start)
	s.history = append(s.history, fmt.Sprintf("trim %d to %d", id, start))
}

// replaceStream drops a stream, and makes one with a new number.
func (s *sim) replaceStream(j *Journal) {
	ids := s.model.ids()
	id := ids[s.rng.IntN(len(ids))]
	s.model.mu.Lock()
	s.model.streams[id].dropped = true
	s.model.streams[StreamID(len(s.model.streams)+1)] = &simStream{}
	s.model.mu.Unlock()
	j.Drop(id)
	s.history = append(s.history, fmt.Sprintf("drop %d", id))
}

func (s *sim) relocate(j *Journal) {
	if _, err := j.Relocate(context.Background()); err != nil {
		s.t.Fatal(err)
	}
}

// run lives several lives of so many steps each, ended by crashes of every kind.
func (s *sim) run(lives, steps int, seed uint64) {
	for range lives {
		s.watch(seed)
		j := s.open()
		for range steps {
			switch s.rng.IntN(12) {
			case 0:
				s.trim(j)
			case 1:
				s.relocate(j)
			case 2:
				if s.rng.IntN(3) == 0 {
					s.replaceStream(j)
				}
			default:
				s.round(j)
			}
		}
		var crashed *vfs.Mem
		switch how := s.rng.IntN(3); how {
		case 0:
			if err := j.Close(); err != nil {
				s.t.Fatal(err)
			}
			crashed = s.fs.ProcessCrashClone()
		case 1:
			crashed = s.fs.ProcessCrashClone()
		case 2:
			// Its own source: how much it draws depends on what was under way.
			crashed = s.fs.CrashClone(rand.New(rand.NewPCG(seed, uint64(s.life))))
		}
		s.fs.OnSync(nil)
		j.Close()
		s.fs = crashed
	}
	s.open().Close()
}

func (s *sim) digest() uint64 {
	h := fnv.New64a()
	for _, line := range s.history {
		fmt.Fprintln(h, line)
	}
	return h.Sum64()
}

// Whatever moment the power fails at, what was acknowledged is there once, at
// its offset; what was not is there once or not at all; and no offset is given
// twice. The same seed gives the same history.
func TestSimulatedCrashAtEverySync(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	seeds, lives, steps, every := 2, 3, 35, int64(3)
	if testing.Short() {
		seeds, lives, steps, every = 1, 2, 30, 7
	}
	for i := range seeds {
		seed := seed + uint64(i)
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			var digests [2]uint64
			for again := range digests {
				s := newSim(t, seed, 5, every*int64(1+4*again)) // the second is for its history
				s.run(lives, steps, seed)
				for _, err := range s.errs {
					t.Error(err)
				}
				digests[again] = s.digest()
				if again == 0 {
					t.Logf("seed %d: %d syncs, %d crashes recovered, %d lines of history", seed, s.syncs.Load(), s.checks.Load(), len(s.history))
				}
				if again == 0 && s.checks.Load() < 20 {
					t.Errorf("only %d crashes", s.checks.Load())
				}
			}
			if digests[0] != digests[1] {
				t.Errorf("the second run of the seed had another history")
			}
		})
	}
}

// The simulation can fail: on a disk whose sync does nothing, it says so.
func TestSimulationNoticesASkippedSync(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	s := newSim(t, seed, 3, 3)
	j := s.open()
	s.round(j)
	s.fs.SkipSync(true)
	s.watch(seed)
	for range 12 {
		s.round(j)
	}
	s.fs.OnSync(nil)
	j.Close()
	for _, err := range s.errs {
		if errors.Is(err, errLost) {
			return
		}
	}
	t.Errorf("no lost entry in %d crashes without sync: %v", s.checks.Load(), s.errs)
}

// Several writers, readers and the relocator at once, and crashes meanwhile.
func TestSimulatedConcurrency(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	s := newSim(t, seed, 8, 31)
	s.watch(seed)
	rounds := 60
	if testing.Short() {
		rounds = 25
	}
	j := s.open()
	ctx, stop := context.WithCancel(context.Background())
	var writers, others sync.WaitGroup
	for w := range 4 {
		writers.Go(func() { s.write(j, StreamID(1+2*w), rounds, rand.New(rand.NewPCG(seed, uint64(w)))) })
	}
	for range 2 {
		others.Go(func() {
			for ctx.Err() == nil {
				if err := s.model.readAlong(j); err != nil {
					s.fail(err)
					return
				}
			}
		})
	}
	others.Go(func() {
		for ctx.Err() == nil {
			if _, err := j.Relocate(ctx); err != nil && ctx.Err() == nil {
				s.fail(err)
			}
		}
	})
	writers.Wait()
	stop()
	others.Wait()
	s.fs.OnSync(nil)
	if err := j.Close(); err != nil {
		t.Error(err)
	}
	for _, err := range s.errs {
		t.Error(err)
	}
	t.Logf("%d syncs, %d crashes recovered", s.syncs.Load(), s.checks.Load())
}

// write appends to two streams without waiting for each entry, and trims them.
func (s *sim) write(j *Journal, first StreamID, rounds int, rng *rand.Rand) {
	var waits []<-chan error
	for i := range rounds {
		for range 8 {
			wait, err := s.model.append(j, first+StreamID(rng.IntN(2)), 1, s.life, 1+uint32(rng.IntN(3)), simSize(j, rng))
			if err != nil {
				s.fail(err)
				return
			}
			waits = append(waits, wait)
		}
		if len(waits) < 24 && i < rounds-1 {
			continue
		}
		for _, w := range waits {
			if err := <-w; err != nil {
				s.fail(err)
			}
		}
		waits = waits[:0]
		id := first + StreamID(rng.IntN(2))
		s.model.mu.Lock()
		st := s.model.streams[id]
		st.start += (st.acked - st.start) * 3 / 4
		start := st.start
		s.model.mu.Unlock()
		j.Trim(id, start)
	}
}

// readAlong reads every stream from its log start while others change it.
func (m *simModel) readAlong(j *Journal) error {
	for _, id := range m.ids() {
		from, next := j.Bounds(id)
		for from < next {
			out, err := j.Read(id, from, 20_000, true)
			if start, _ := j.Bounds(id); from < start {
				from = start // trimmed meanwhile: whatever came is as good
				out.Release()
				continue
			}
			if err != nil {
				return fmt.Errorf("stream %d offset %d: %w", id, from, err)
			}
			err = m.compare(id, from, out)
			from = out.Next
			out.Release()
			if err != nil {
				return err
			}
		}
	}
	return nil
}

func (m *simModel) compare(id StreamID, from record.Offset, out Slice) error {
	m.mu.Lock()
	entries := m.streams[id].entries
	entries = entries[:len(entries):len(entries)]
	m.mu.Unlock()
	i := 0
	for i < len(entries) && entries[i].next() <= from {
		i++
	}
	for _, p := range out.Payloads {
		if want := entries[i].payload(id); string(want) != string(p) {
			return fmt.Errorf("stream %d offset %d: %.40q, want %.40q", id, entries[i].base, p, want)
		}
		i++
	}
	return nil
}
