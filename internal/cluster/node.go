package cluster

import (
	"context"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"github.com/narumq/naru/internal/coord"
	"github.com/narumq/naru/internal/journal"
)

// NodeConfig of a Node. All but Log are required.
type NodeConfig struct {
	Coord  coord.Store // whose requests end within a fraction of the lease
	Timing Timing
	Slots  int // of the cluster, 0: 1
	Self   Member
	// Serve runs a tenure: it returns when nothing serves any more, which is soon after the tenure's context ended, or when it
	// cannot go on.
	Serve func(*Tenure)
	Log   *slog.Logger
}

// Node takes part in a cluster: it keeps its lease, and has the slots served that it owns.
type Node struct {
	cfg     NodeConfig
	core    *Core // Run's
	ready   atomic.Bool
	state   atomic.Pointer[State]
	tenure  *Tenure   // Run's; nil: none
	pauseTo time.Time // Run's: no tenure before
	ended   chan struct{}
	change  chan struct{}
	hint    atomic.Bool // a watch saw something
}

// State is what a node knows at a moment. It is not changed any more: readers share it.
type State struct {
	View  View
	Node  int32     // this broker's number; 0: it is not a member
	Until time.Time // it is a member until then, if nothing comes
	Ready bool      // it could serve
	Owned int       // slots that this broker owns
	// Changed is closed when members or owners are others than here.
	Changed <-chan struct{}

	changed chan struct{}
}

// NewNode returns a node that does nothing yet.
func NewNode(cfg NodeConfig) *Node {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	n := &Node{cfg: cfg, ended: make(chan struct{}, 1), change: make(chan struct{}, 1)}
	n.core = NewCore(cfg.Timing, cfg.Slots, cfg.Self)
	changed := make(chan struct{})
	n.state.Store(&State{Changed: changed, changed: changed})
	return n
}

// SetReady tells whether this broker could serve. At first it cannot.
func (n *Node) SetReady(ready bool) {
	n.ready.Store(ready)
	n.wake()
}

func (n *Node) wake() {
	select {
	case n.change <- struct{}{}:
	default:
	}
}

// State is the last known one.
func (n *Node) State() State { return *n.state.Load() }

// Owner is the number of the broker that owns a slot as it was seen last, 0 if nobody does.
func (n *Node) Owner(slot journal.SlotID) int32 { return n.state.Load().View.Owner(slot) }

// leaveWithin is how long the coordinator is asked to let a broker go. After that the lease sees to it.
const leaveWithin = 3 * time.Second

// Run takes part until ctx ends; then it hands its slots over, leaves, and returns.
func (n *Node) Run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	watching, stop := context.WithCancel(context.Background())
	defer n.watch(watching)() // after stop
	defer stop()
	done, leaving := ctx.Done(), false
	var giveUp time.Time
	for {
		now := time.Now()
		if leaving && n.tenure == nil {
			if giveUp.IsZero() {
				giveUp = now.Add(leaveWithin)
				n.core.Leave()
			}
			if n.core.Left() || now.After(giveUp) {
				return
			}
		}
		n.heed(now, leaving)
		r, next := n.core.Next(now)
		n.sync(now, leaving)
		if r.What != Nothing {
			n.core.Answered(r, n.ask(r))
			n.sync(time.Now(), leaving)
			continue
		}
		timer.Reset(time.Until(next))
		select {
		case <-timer.C:
		case <-n.change:
		case <-n.ended:
			n.heed(time.Now(), leaving)
			n.core.DropAll()
			n.tenure, n.pauseTo = nil, time.Now().Add(n.cfg.Timing.Pause)
		case <-done:
			done, leaving = nil, true
			if n.tenure != nil {
				close(n.tenure.leaving)
			}
		}
	}
}

// watch has the node look early when somebody came, went, took or gave. It returns a function that waits for its end.
func (n *Node) watch(ctx context.Context) func() {
	over := make(chan struct{})
	see := func(coord.Change) error {
		n.hint.Store(true)
		n.wake()
		return nil
	}
	go func() {
		defer close(over)
		again := time.NewTicker(n.cfg.Timing.Look)
		defer again.Stop()
		for ctx.Err() == nil {
			_ = n.cfg.Coord.Watch(ctx, LivePrefix, 0, see) // looks do without
			select {
			case <-ctx.Done():
			case <-again.C:
			}
		}
	}()
	return func() { <-over }
}

// heed has the core know what became of slots.
func (n *Node) heed(now time.Time, leaving bool) {
	if n.hint.Swap(false) {
		n.core.Hint()
	}
	t := n.tenure
	n.core.SetReady(t != nil && !leaving && !t.lost.Load() && t.running.Load())
	if t == nil {
		return
	}
	for _, r := range t.takeReports() {
		if r.err != nil {
			n.core.Failed(now, r.slot, r.owner)
		} else {
			n.core.Gave(r.slot, r.owner)
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
func (n *Node) sync(now time.Time, leaving bool) {
	term, node, until := n.core.Member(now)
	held := n.core.Holdings()
	n.publish(node, until, held)
	switch t := n.tenure; {
	case t == nil && (term == 0 || leaving || !n.ready.Load() || now.Before(n.pauseTo)):
	case t == nil:
		key, created := n.core.MemberKey()
		t = newTenure(&Tenure{Node: node, Key: key, Created: created, term: term, wake: n.wake}, until)
		n.tenure = t
		n.cfg.Log.Info("this broker is a member of the cluster now", "broker", node)
		go func() {
			n.cfg.Serve(t)
			t.lose()
			n.ended <- struct{}{}
		}()
	case t.term == term:
		t.prolong(until)
		t.hold(held)
	default:
		t.lose()
	}
}

// publish shows readers what is known.
func (n *Node) publish(node int32, until time.Time, held []Holding) {
	before := n.state.Load()
	s := &State{View: n.core.View(), Node: node, Until: until, Ready: n.ready.Load(), changed: before.changed}
	for _, h := range held {
		if h.Owner != 0 {
			s.Owned++
		}
	}
	same := slices.Equal(s.View.Owners, before.View.Owners) && slices.EqualFunc(s.View.Members, before.View.Members, Seen.same)
	if !same {
		s.changed = make(chan struct{})
	}
	s.Changed = s.changed
	n.state.Store(s)
	if !same {
		close(before.changed)
	}
}
