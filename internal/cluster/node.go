package cluster

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/narumq/naru/internal/coord"
)

// NodeConfig of a Node. All but Log are required.
type NodeConfig struct {
	Coord  coord.Store // whose requests end within a fraction of the lease
	Timing Timing
	Owner  string // key of the slot's owner
	Self   Member
	// Serve runs a tenure: it returns when nothing serves any more, which is soon after the tenure's context ended, or when it
	// cannot go on.
	Serve func(*Tenure)
	Log   *slog.Logger
}

// Node takes part in a cluster: it keeps its lease, and has the slot served while it owns it.
type Node struct {
	cfg    NodeConfig
	core   *Core // Run's
	ready  atomic.Bool
	state  atomic.Pointer[State]
	tenure *Tenure // Run's; nil: none
	ended  chan *Tenure
	change chan struct{}
}

// State is what a node knows at a moment.
type State struct {
	View  View
	Node  int32
	Owner int64     // 0: this broker does not own the slot
	Until time.Time // it may serve until then, if it owns the slot
	Ready bool      // it could own the slot
}

// NewNode returns a node that does nothing yet.
func NewNode(cfg NodeConfig) *Node {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	n := &Node{cfg: cfg, ended: make(chan *Tenure, 1), change: make(chan struct{}, 1)}
	n.core = NewCore(cfg.Timing, cfg.Owner, cfg.Self.Name, cfg.Self.Encode())
	n.state.Store(&State{})
	return n
}

// SetReady tells whether this broker could serve. At first it cannot.
func (n *Node) SetReady(ready bool) {
	n.ready.Store(ready)
	select {
	case n.change <- struct{}{}:
	default:
	}
}

// State is the last known one.
func (n *Node) State() State { return *n.state.Load() }

// leaveWithin is how long the coordinator is asked to let a broker go. After that the lease sees to it.
const leaveWithin = 3 * time.Second

// Run takes part until ctx ends; then it hands the slot over, leaves, and returns.
func (n *Node) Run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	done, leaving := ctx.Done(), false
	var giveUp time.Time
	for {
		now := time.Now()
		if leaving && n.tenure == nil {
			if giveUp.IsZero() {
				giveUp = now.Add(leaveWithin)
				n.core.Leave(now)
			}
			if n.core.Left() || now.After(giveUp) {
				return
			}
		}
		n.core.SetReady(n.ready.Load() && n.tenure == nil && !leaving)
		r, next := n.core.Next(now)
		n.sync(now)
		if r.What != Nothing {
			n.core.Answered(r, n.ask(r))
			n.sync(time.Now())
			continue
		}
		timer.Reset(time.Until(next))
		select {
		case <-timer.C:
		case <-n.change:
		case t := <-n.ended:
			n.core.Drop(time.Now(), t.Owner)
			n.tenure = nil
		case <-done:
			done, leaving = nil, true
			if n.tenure != nil {
				close(n.tenure.leaving)
			}
		}
	}
}

// ask sends a request and waits for the answer, a part of the lease at most.
func (n *Node) ask(r Request) Answer {
	ctx, cancel := context.WithTimeout(context.Background(), n.cfg.Timing.TTL/4)
	defer cancel()
	a := Answer{SentAt: time.Now()}
	call := onWire(r, n.cfg.Timing)
	switch call.Kind {
	case coord.CallGrant:
		a.Lease, a.Err = n.cfg.Coord.Grant(ctx, call.TTL)
	case coord.CallKeepAlive:
		_, a.Err = n.cfg.Coord.KeepAlive(ctx, call.Lease)
	case coord.CallRange:
		a.KVs, _, a.Err = n.cfg.Coord.Range(ctx, call.Key)
	case coord.CallRevoke:
		a.Err = n.cfg.Coord.Revoke(ctx, call.Lease)
	default:
		a.Txn, a.Err = n.cfg.Coord.Txn(ctx, call.Cond, call.Then, nil)
	}
	a.AnswerAt = time.Now()
	if before := n.core.View().Err; a.Err != nil && before == nil {
		n.cfg.Log.Warn("the coordinator does not answer as it should", "request", r.What.String(), "err", a.Err)
	} else if a.Err == nil && before != nil {
		n.cfg.Log.Info("the coordinator answers again")
	}
	return a
}

// sync begins, prolongs or ends a tenure by what the core says.
func (n *Node) sync(now time.Time) {
	owner, until := n.core.Owns(now)
	n.state.Store(&State{View: n.core.View(), Node: n.core.Node(), Owner: owner, Until: until, Ready: n.ready.Load()})
	switch t := n.tenure; {
	case t == nil && owner == 0:
	case t == nil:
		t = newTenure(owner, n.core.Node(), until)
		n.tenure = t
		n.cfg.Log.Info("this broker owns the log now", "owner", owner)
		go func() {
			n.cfg.Serve(t)
			t.lose()
			n.ended <- t
		}()
	case t.Owner == owner:
		t.prolong(until)
	default:
		t.lose()
	}
}

// Tenure is one broker's ownership of the slot, from when it was won until it is lost or given up.
type Tenure struct {
	Owner int64 // CreateRevision of the owner's key
	Node  int32 // number of the broker

	base    time.Time
	until   atomic.Int64 // ns after base
	lost    atomic.Bool
	ctx     context.Context
	cancel  context.CancelFunc
	leaving chan struct{}
	mu      sync.Mutex
	timer   *time.Timer // guarded by mu
}

func newTenure(owner int64, node int32, until time.Time) *Tenure {
	t := &Tenure{Owner: owner, Node: node, base: time.Now(), leaving: make(chan struct{})}
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
