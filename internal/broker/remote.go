package broker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/narumq/naru/internal/catalog"
	"github.com/narumq/naru/internal/fault"
	"github.com/narumq/naru/internal/journal"
	"github.com/narumq/naru/internal/peer"
)

// What brokers ask each other. On the wire: never renumber.
const (
	askAppend peer.Method = iota + 1
	askRead
	askBounds
	askWatch
	askAvailable
	askTime
	askMaxTime
	askProducers
	askDeleteRecords
	askClosePartition
	askReopen
	askWake

	askSend
	askReceive
	askAck
	askNack
	askReject
	askExtend
	askPeek
	askPurge
	askPurgeReady
	askStats
	askCounts
	askBurials
	askForward
	askRedrives
	askStartRedrive
	askCancelRedrive

	askGroups
	askGroup
	askCommit
	askDeleteGroup

	askPublishLetter

	askTriggers
	askNameTrigger
	askCreateTrigger
	askDeleteTrigger
	askCount // how many there are

	// askFirst goes with a method: nothing that its asker asked before is under way.
	askFirst peer.Method = 1 << 7
)

const (
	// askMax is how long a question without a context may take.
	askMax = 30 * time.Second
	// sizesMax is how long a question may take that is asked with locks held.
	sizesMax = 2 * time.Second
	// answerBytesMax is how much of records one answer holds, but for the last.
	answerBytesMax = 16 << 20
	// answersBytesMax bounds what is read for peers, and not yet on its way to them.
	answersBytesMax = 64 << 20
	// stalledMax bounds the calls for one partition or queue that wait for it to have an
	// owner, after they met none.
	stalledMax = 4096
)

var (
	// errNotHere refuses a call before anything of it was done.
	errNotHere = fault.New(fault.Unavailable, "the slot is not at this broker")
	errRefused = fmt.Errorf("%w: %w", errNotHere, ErrNotOwner)
	// errHere: the slot is open here, so there is no other broker to ask.
	errHere = fault.New(fault.Unavailable, "the slot is at this broker")
	// errUnknownCall: the other broker is of another version.
	errUnknownCall = fault.New(fault.Unimplemented, "unknown call of a peer")
)

// nobody tells whether there was no owner that could have done something.
func nobody(err error) bool {
	return errors.Is(err, errNotHere) || errors.Is(err, peer.ErrNotSent)
}

// question is a call for whoever owns a slot.
type question struct {
	ctx    context.Context
	method peer.Method
	body   [][]byte
	push   func([]byte)
	// here does it once the slot is open here; false: it is not, after all. nil: done gets
	// errHere.
	here func() bool
	done func([]byte, error) // is called once, unless here was; must be quick and must not block

	number uint64    // its place among those of its asker
	first  bool      // none of these is under way
	until  time.Time // when it is given up, once it met no owner
}

// asker asks the owner of a slot. It repeats what met no owner that could have done
// anything, for ownerWaitMax, and keeps its questions in order when it does: the other
// broker refuses what comes behind one that it refused (see peerSession.inTurn).
type asker struct {
	b    *Broker
	slot journal.SlotID

	mu      sync.Mutex  // guards what follows
	last    uint64      // number of a question
	stalled []*question // by number
	busy    bool        // somebody asks those again
	flying  int         // questions that were sent, and not answered
	to      int32       // the broker that has those: no other one, nor this, gets any meanwhile
	refused bool        // one of those was, or did not get there: the rest has to come back first

	pending atomic.Bool // busy or flying: what comes after has to wait its turn
}

// note says whether something is pending. Caller holds mu.
func (a *asker) note() { a.pending.Store(a.busy || a.flying > 0) }

// fly tells whether a broker may get a question now, and if so that it does.
func (a *asker) fly(q *question, node int32) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.flying > 0 && (a.to != node || a.refused) || len(a.stalled) > 0 && a.stalled[0].number < q.number {
		return false
	}
	a.drop(q)
	if q.first = a.flying == 0; q.first {
		a.refused = false
	}
	a.flying++
	a.to = node
	a.note()
	return true
}

func (a *asker) landed() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.flying--
	a.note()
}

// ask sends a question, behind those that were asked before. It may wait for an owner
// and for room until the question's ctx ends.
func (a *asker) ask(q *question) {
	a.mu.Lock()
	a.last++
	q.number = a.last
	if a.busy {
		a.wait(q)
		a.mu.Unlock()
		return
	}
	a.mu.Unlock()
	a.send(q)
}

// wait puts a question among those that wait. Caller holds mu.
func (a *asker) wait(q *question) {
	if q.until.IsZero() {
		q.until = time.Now().Add(a.b.cfg.waits.owner)
	}
	i, waits := a.place(q)
	switch {
	case waits:
	case len(a.stalled) >= stalledMax:
		go q.done(nil, ErrNotOwner)
		return
	default:
		a.stalled = slices.Insert(a.stalled, i, q)
	}
	if !a.busy {
		a.busy = true
		a.note()
		go a.askAgain()
	}
}

// place is where a question is among those that wait, or would be. Caller holds mu.
func (a *asker) place(q *question) (int, bool) {
	return slices.BinarySearchFunc(a.stalled, q.number, func(x *question, n uint64) int { return cmp.Compare(x.number, n) })
}

// drop takes a question out of those that wait. Caller holds mu.
func (a *asker) drop(q *question) {
	if i, waits := a.place(q); waits {
		a.stalled = slices.Delete(a.stalled, i, i+1)
	}
}

// end answers a question that was not sent.
func (a *asker) end(q *question, err error) {
	a.mu.Lock()
	a.drop(q)
	a.mu.Unlock()
	q.done(nil, err)
}

// send asks whoever is the owner now; false: the question has to wait.
func (a *asker) send(q *question) bool {
	ctx := q.ctx
	if !q.until.IsZero() {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadlineCause(ctx, q.until, ErrNotOwner)
		defer cancel()
	}
	node, err := a.b.awaitOwner(ctx, a.slot)
	switch {
	case err != nil:
		a.end(q, err)
		return true
	case node == a.b.NodeID() && q.here == nil:
		a.end(q, errHere)
		return true
	case !a.fly(q, node):
		return a.met(q, nil, errRefused)
	case node == a.b.NodeID():
		ok := q.here()
		a.landed()
		return ok || a.met(q, nil, errRefused)
	}
	client, err := a.b.cfg.Cluster.Peer(node)
	if err != nil {
		a.landed()
		return a.met(q, nil, fmt.Errorf("%w: %w", peer.ErrNotSent, err))
	}
	m := q.method
	if q.first {
		m |= askFirst
	}
	var back atomic.Bool
	client.Start(q.ctx, peer.Request{Method: m, Payload: q.body, Push: q.push}, func(answer []byte, err error) {
		again := !a.met(q, answer, err)
		a.landed() // what waits is known to
		if again {
			back.Store(true)
		}
	})
	return !back.Load()
}

// met takes an outcome; false: there was no owner, and the question waits for one.
func (a *asker) met(q *question, answer []byte, err error) bool {
	if !nobody(err) || q.ctx.Err() != nil || !q.until.IsZero() && time.Now().After(q.until) {
		a.mu.Lock()
		a.drop(q) // it may have waited
		a.mu.Unlock()
		q.done(answer, err)
		return true
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.refused = true
	a.wait(q)
	return false
}

// askAgain asks those again that wait, in order, until there are none.
func (a *asker) askAgain() {
	pause := time.NewTicker(ownerLookEvery)
	defer pause.Stop()
	for {
		select {
		case <-pause.C:
		case <-a.b.ctx.Done():
		}
		for q := a.next(); q != nil; q = a.next() {
			if !a.send(q) {
				break
			}
		}
		a.mu.Lock()
		a.busy = len(a.stalled) > 0
		a.note()
		over := !a.busy
		a.mu.Unlock()
		if over {
			return
		}
	}
}

// next is the first question that waits.
func (a *asker) next() *question {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.stalled) == 0 {
		return nil
	}
	return a.stalled[0]
}

// askOwner is a question that has no order, for who waits. After ctx's end it is of
// unknown outcome.
func (b *Broker) askOwner(ctx context.Context, slot journal.SlotID, m peer.Method, body ...[]byte) ([]byte, error) {
	type outcome struct {
		answer []byte
		err    error
	}
	met := make(chan outcome, 1)
	a := &asker{b: b, slot: slot}
	a.ask(&question{ctx: ctx, method: m, body: body, done: func(answer []byte, err error) { met <- outcome{answer, err} }})
	select {
	case o := <-met:
		return o.answer, o.err
	case <-ctx.Done():
	}
	select {
	case o := <-met:
		return o.answer, o.err
	default:
		return nil, errors.Join(peer.ErrUnknownOutcome, ctx.Err())
	}
}

// bounded is the context of a question that has none.
func (b *Broker) bounded(limit time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(b.ctx, limit)
}

// partitionName names a partition on the wire.
func (e *encoder) partition(p *Partition) {
	id := p.Topic().ID
	e.b = append(e.b, id[:]...)
	e.number(int64(p.index))
}

func (d *decoder) partition() (topic catalog.UUID, index int32) {
	d.fixed(topic[:])
	return topic, int32(d.number())
}

// queue names a queue on the wire.
func (e *encoder) queue(q *Queue) {
	e.unsigned(q.id)
	e.text(q.Meta().Name)
}

func (d *decoder) queue() (id uint64, name string) { return d.unsigned(), d.text() }
