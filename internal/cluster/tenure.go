package cluster

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/narumq/naru/internal/journal"
)

// Tenure is a broker's membership, from when it has a number until it leaves or its lease may have ended. In it slots come and go.
type Tenure struct {
	Node    int32  // number of the broker
	Key     string // by which it is a member, under its lease
	Created int64  // CreateRevision of Key: while a transaction finds it there, the tenure lasts

	term    int64
	base    time.Time
	until   atomic.Int64 // ns after base
	lost    atomic.Bool
	running atomic.Bool // Run is
	ctx     context.Context
	cancel  context.CancelFunc
	leaving chan struct{}
	wake    func()        // the node
	news    chan struct{} // held or unwell changed

	mu      sync.Mutex
	timer   *time.Timer // guarded by mu
	held    []Holding   // by slot; guarded by mu
	reports []report    // that the node has not taken; guarded by mu
	unwell  []report    // slots that are open and cannot go on; guarded by mu
}

// report is what became of a slot that was owned.
type report struct {
	slot  journal.SlotID
	owner int64
	err   error // it could not be served; nil: it was given
}

// newTenure begins t.
func newTenure(t *Tenure, until time.Time) *Tenure {
	t.base, t.leaving, t.news = time.Now(), make(chan struct{}), make(chan struct{}, 1)
	t.ctx, t.cancel = context.WithCancel(context.Background())
	t.until.Store(int64(until.Sub(t.base)))
	t.mu.Lock()
	defer t.mu.Unlock()
	t.timer = time.AfterFunc(time.Until(until), t.check)
	return t
}

// Valid tells whether the broker may say anything to a client at this moment.
func (t *Tenure) Valid() bool {
	return !t.lost.Load() && int64(time.Since(t.base)) < t.until.Load()
}

// Context ends when the tenure does.
func (t *Tenure) Context() context.Context { return t.ctx }

// Leaving is closed when the broker is to end the tenure in an orderly way.
func (t *Tenure) Leaving() <-chan struct{} { return t.leaving }

// GiveUp says that a slot that is open cannot be served any more: it is closed, not as planned, and left to other brokers for a
// while. owner is what Host.Open was told.
func (t *Tenure) GiveUp(slot journal.SlotID, owner int64, why error) {
	if why == nil {
		why = errGivenUp
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.unwell = append(t.unwell, report{slot, owner, why})
	t.tell()
}

func (t *Tenure) prolong(until time.Time) { t.until.Store(int64(until.Sub(t.base))) }

// check ends the tenure if its time is over.
func (t *Tenure) check() {
	left := time.Duration(t.until.Load()) - time.Since(t.base)
	if left <= 0 {
		t.lose()
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.timer.Reset(left)
}

// lose ends the tenure, for ever.
func (t *Tenure) lose() {
	t.lost.Store(true)
	t.cancel()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.timer.Stop()
}

// hold says which slots are owned.
func (t *Tenure) hold(held []Holding) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !slices.Equal(held, t.held) {
		t.held = held
		t.tell()
	}
}

func (t *Tenure) tell() {
	select {
	case t.news <- struct{}{}:
	default:
	}
}

func (t *Tenure) report(r report) {
	t.mu.Lock()
	t.reports = append(t.reports, r)
	t.mu.Unlock()
	t.wake()
}

func (t *Tenure) takeReports() (list []report) {
	t.mu.Lock()
	defer t.mu.Unlock()
	list, t.reports = t.reports, nil
	return list
}

func (t *Tenure) orders() (held []Holding, unwell []report) {
	t.mu.Lock()
	defer t.mu.Unlock()
	held, unwell, t.unwell = t.held, t.unwell, nil
	return held, unwell
}
