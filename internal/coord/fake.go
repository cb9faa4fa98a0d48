package coord

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"
)

// Fake is a Store in memory for tests and simulations. What it does depends on its
// configuration and on the order of the calls, and on nothing else.
//
// A simulation in one goroutine keeps any number of calls on their way: it calls
// Begin, and later, in the order it likes, Call.Apply and Call.End; it reads
// changes with a Watcher. Code that calls the methods of Store meets the gate
// instead, which may hand control to the simulation's scheduler and come back
// whenever it likes.
type Fake struct {
	cfg FakeConfig

	mu      sync.Mutex
	rng     *rand.Rand
	calls   int64
	used    [CallKinds]int64
	data    database
	leases  map[LeaseID]*lease
	granted int64
	cuts    int64         // how often all watches were cut
	cutWith error         // by what
	news    chan struct{} // closed when there is something for watches
	paused  chan struct{} // closed when the pause ends; nil without one
	held    []*Call       // came in a pause, in order
}

// FakeConfig says how a Fake behaves. The zero value always does what it is told.
type FakeConfig struct {
	Seed uint64
	// Now is the store's clock, nil for one that stands still: leases then never
	// end by themselves.
	Now func() time.Time
	// Gate decides what becomes of a call of one of the methods of Store, apart
	// from Watch. It runs in the caller's goroutine, without a lock, and may wait,
	// apply the call, and wait again. Nil stands for Draw.
	Gate func(ctx context.Context, c *Call) Fate
	// Rates are for Draw.
	Rates Rates
	// BytesMax is the quota, 0 for none.
	BytesMax int64
}

// Rates are the probabilities of the fates that are not FateDone.
type Rates [Fates]float64

var _ Store = (*Fake)(nil)

// NewFake returns an empty store. Its revision is 1, as that of a new etcd.
func NewFake(cfg FakeConfig) *Fake {
	if cfg.Now == nil {
		cfg.Now = func() time.Time { return time.Unix(0, 0) }
	}
	return &Fake{
		cfg: cfg, rng: rand.New(rand.NewPCG(cfg.Seed, 0x636f6f7264)),
		data: newDatabase(), leases: map[LeaseID]*lease{}, news: make(chan struct{}),
	}
}

// SetGate sets the gate anew; nil stands for Draw.
func (f *Fake) SetGate(gate func(ctx context.Context, c *Call) Fate) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.cfg.Gate = gate
}

// SetRates sets the rates anew.
func (f *Fake) SetRates(r Rates) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.cfg.Rates = r
}

// Draw draws a fate by the rates. It takes one number of the seed's sequence,
// whatever the rates are.
func (f *Fake) Draw() Fate {
	f.mu.Lock()
	defer f.mu.Unlock()
	x := f.rng.Float64()
	for fate, rate := range f.cfg.Rates {
		if x -= rate; x < 0 {
			return Fate(fate)
		}
	}
	return FateDone
}

// Begin starts a call that does nothing yet.
func (f *Fake) Begin(r Request) *Call {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls++
	f.used[r.Kind]++
	return &Call{Request: r, Number: f.calls, f: f}
}

// Usage tells how many calls there were of each kind.
func (f *Fake) Usage() [CallKinds]int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.used
}

// Pause stops the store as a signal stops a process: calls of the methods of Store
// wait, and so do watches, while the clock goes on. Calls whose context ends
// meanwhile arrive nevertheless when the pause ends.
func (f *Fake) Pause() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.paused == nil {
		f.paused = make(chan struct{})
	}
}

// Resume ends a pause. Calls that came meanwhile are applied in their order, before
// any lease ends.
func (f *Fake) Resume() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.paused == nil {
		return
	}
	for _, c := range f.held {
		if !c.applied {
			c.applied, c.answer = true, f.do(c.Request)
		}
	}
	f.held = nil
	close(f.paused)
	f.paused = nil
	f.tell()
}

// LoseLeader does what a change of the leader does: all leases begin anew. A
// simulation ends the calls that are on their way with FateBroken, or
// FateUnanswered.
func (f *Fake) LoseLeader() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.expire()
	for _, l := range f.leases {
		l.ends = f.cfg.Now().Add(l.ttl)
	}
}

// CutWatches ends all watches that there are with an error.
func (f *Fake) CutWatches(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.cuts++
	f.cutWith = err
	f.tell()
}

// Tick has leases end whose time is over. Every call does that too; a test whose
// watches wait calls it when it has moved the clock.
func (f *Fake) Tick() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.expire()
}

// tell wakes those who watch.
func (f *Fake) tell() {
	close(f.news)
	f.news = make(chan struct{})
}

func (f *Fake) call(ctx context.Context, r Request) Answer {
	c := f.Begin(r)
	if err := r.check(); err != nil {
		return c.failed(err)
	}
	if err := ctx.Err(); err != nil {
		return c.failed(err)
	}
	f.mu.Lock()
	gate, paused := f.cfg.Gate, f.paused
	if paused != nil {
		f.held = append(f.held, c)
	}
	f.mu.Unlock()
	if paused != nil {
		select {
		case <-paused:
		case <-ctx.Done():
			return c.overdue(ctx.Err())
		}
	}
	if gate == nil {
		return c.End(f.Draw())
	}
	return c.End(gate(ctx, c))
}

// overdue ends a call that waits in a pause.
func (c *Call) overdue(err error) Answer {
	c.f.mu.Lock()
	defer c.f.mu.Unlock()
	if !c.applied {
		c.keepValues()
	}
	return c.failed(err)
}
