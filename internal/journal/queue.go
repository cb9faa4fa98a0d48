package journal

import (
	"context"
	"slices"
	"sync"
	"time"
)

// PatienceMax is how long a patient entry waits for others, so that they share a sync.
const PatienceMax = 5 * time.Millisecond

// queue holds what was accepted and not yet committed.
type queue struct {
	mu      sync.Mutex
	more    *sync.Cond
	entries []*Entry
	spare   []*Entry // the committer's last batch, for reuse
	urgent  bool     // the committer has to take what there is
	patient bool     // the timer runs: it will
	timer   *time.Timer
	closed  bool
}

func (q *queue) init() {
	q.more = sync.NewCond(&q.mu)
	q.timer = time.AfterFunc(time.Hour, q.hurry)
	q.timer.Stop()
}

func (q *queue) push(entries []*Entry) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return ErrClosed
	}
	q.entries = append(q.entries, entries...)
	switch {
	case q.urgent || len(entries) == 0:
	case slices.ContainsFunc(entries, func(e *Entry) bool { return !e.Patient }):
		q.urgent = true
		q.more.Signal()
	case !q.patient:
		q.patient = true
		q.timer.Reset(PatienceMax)
	}
	return nil
}

// hurry lets the committer take what there is.
func (q *queue) hurry() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.patient = false
	if len(q.entries) > 0 && !q.urgent {
		q.urgent = true
		q.more.Signal()
	}
}

// take waits for entries that cannot wait and returns all there are; nil after close or
// when stop tells so.
func (q *queue) take(stop func() bool) []*Entry {
	q.mu.Lock()
	defer q.mu.Unlock()
	for !q.urgent && !q.closed && !stop() {
		q.more.Wait()
	}
	q.urgent = false
	batch := q.entries
	q.entries = q.spare[:0]
	q.spare = nil
	return batch
}

// recycle gives the slice of a finished batch back.
func (q *queue) recycle(batch []*Entry) {
	clear(batch)
	q.mu.Lock()
	defer q.mu.Unlock()
	if cap(batch) <= 1<<14 {
		q.spare = batch[:0]
	}
}

func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.timer.Stop()
	q.more.Broadcast()
}

func (q *queue) wake() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.more.Broadcast()
}

// spaceman accounts for room: in memory (bytes accepted and not committed) and
// on disk (the rest of the active segment, and one standby). An append that it
// admits will find room in a segment.
type spaceman struct {
	mu        sync.Mutex
	change    *sync.Cond
	pending   int64 // admitted and not yet released
	remaining int64 // room in the active segment, less what is pending in it
	standby   *segment
	capacity  int64 // room of a fresh segment
	preparing bool
	wanted    chan struct{}
	err       error // why there is no standby
}

func (m *spaceman) init(segmentBytes int64) {
	m.capacity = segmentBytes - segmentHeaderBytes - trailerBytes
	m.change = sync.NewCond(&m.mu)
	m.wanted = make(chan struct{}, 1)
}

// cost is what an entry may take on disk, its part of the footer included.
func cost(payload int) int64 { return frameSize(payload) + extentBytes + runBytes }

// Admit takes room for appends with payloads of the given lengths; Release
// gives it back when they are done. It waits while too much is queued, until
// ctx ends; ErrDiskFull comes at once.
func (j *Journal) Admit(ctx context.Context, payload int) error {
	if payload > j.EntryBytesMax() {
		return ErrTooLarge
	}
	m, n := &j.space, cost(payload)
	m.mu.Lock()
	defer m.mu.Unlock()
	var stop func() bool
	for {
		if err := j.refusal(); err != nil {
			return err
		}
		ok, err := m.admissible(n)
		if err != nil {
			return err
		}
		if ok {
			m.pending += n
			return nil
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if stop == nil {
			stop = context.AfterFunc(ctx, m.wake)
			defer stop()
		}
		m.change.Wait()
	}
}

// admissible tells whether n more bytes fit; false means wait. Caller holds mu.
func (m *spaceman) admissible(n int64) (bool, error) {
	if m.pending > 0 && m.pending+n > queueBytesMax {
		return false, nil
	}
	switch {
	case m.pending+n <= m.remaining:
		return true, nil
	case m.standby != nil:
		// All that is pending fits the standby on its own, whatever the rest
		// of the active segment takes; more must wait for commits.
		return m.pending+n <= m.capacity, nil
	case m.preparing:
		return false, nil
	}
	err := m.err
	m.requestLocked()
	if err != nil {
		return false, err
	}
	return false, nil
}

// Release gives admitted room back; call it when the append is done.
func (j *Journal) Release(payload int) {
	m := &j.space
	m.mu.Lock()
	defer m.mu.Unlock()
	m.pending -= cost(payload)
	m.change.Broadcast()
}

// committed tells how much room the active segment has left.
func (m *spaceman) setRemaining(n int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.remaining = n
	if m.standby == nil && n < m.capacity/standbyShareStart {
		m.requestLocked()
	}
}

func (m *spaceman) request() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.requestLocked()
}

func (m *spaceman) requestLocked() {
	if m.standby != nil || m.preparing {
		return
	}
	m.preparing = true
	select {
	case m.wanted <- struct{}{}:
	default:
	}
}

func (m *spaceman) wake() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.change.Broadcast()
}

// prepared ends a request, with a standby or the reason why there is none.
func (m *spaceman) prepared(s *segment, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.preparing = false
	m.standby, m.err = s, err
	m.change.Broadcast()
}

// takeStandby hands the standby to the committer.
func (m *spaceman) takeStandby() *segment {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.standby
	m.standby = nil
	return s
}
