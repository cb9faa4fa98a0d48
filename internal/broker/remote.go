package broker

import (
	"context"
	"errors"
	"sync"
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
	askOffsets
	askCommit
	askDeleteGroup

	askPublishLetter
	askCount // how many there are
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
	done   func([]byte, error) // is called once; must be quick and must not block
	until  time.Time           // when it is given up, once it met no owner
}

// asker asks the owner of a slot. It repeats what met no owner that could have done
// anything, for ownerWaitMax, and keeps its questions in order when it does.
type asker struct {
	b    *Broker
	slot journal.SlotID

	mu      sync.Mutex // guards what follows
	stalled []*question
	busy    bool // somebody asks those again
}

// ask sends a question, behind those that were asked before. It may wait for an owner
// and for room until the question's ctx ends.
func (a *asker) ask(q *question) {
	a.mu.Lock()
	if a.busy {
		defer a.mu.Unlock()
		a.wait(q)
		return
	}
	a.mu.Unlock()
	a.send(q)
}

// wait puts a question behind those that wait. Caller holds mu.
func (a *asker) wait(q *question) {
	if len(a.stalled) >= stalledMax {
		go q.done(nil, ErrNotOwner)
		return
	}
	a.stalled = append(a.stalled, q)
}

// send asks whoever is the owner now.
func (a *asker) send(q *question) {
	node, err := a.b.awaitOwner(q.ctx, a.slot)
	if err == nil && node == a.b.NodeID() {
		err = errHere
	}
	if err != nil {
		q.done(nil, err)
		return
	}
	client, err := a.b.cfg.Cluster.Peer(node)
	if err != nil {
		a.met(q, nil, err)
		return
	}
	client.Start(q.ctx, peer.Request{Method: q.method, Payload: q.body, Push: q.push}, func(answer []byte, err error) { a.met(q, answer, err) })
}

// met takes an outcome: if there was no owner the question is asked again.
func (a *asker) met(q *question, answer []byte, err error) {
	if q.until.IsZero() {
		q.until = time.Now().Add(ownerWaitMax)
	}
	if !nobody(err) || q.ctx.Err() != nil || time.Now().After(q.until) {
		q.done(answer, err)
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.wait(q)
	if !a.busy {
		a.busy = true
		go a.askAgain()
	}
}

// askAgain asks those again that wait, until there are none.
func (a *asker) askAgain() {
	pause := time.NewTicker(ownerLookEvery)
	defer pause.Stop()
	for {
		select {
		case <-pause.C:
		case <-a.b.ctx.Done():
		}
		a.mu.Lock()
		list := a.stalled
		a.stalled = nil
		a.busy = len(list) > 0
		a.mu.Unlock()
		if len(list) == 0 {
			return
		}
		for _, q := range list {
			a.send(q)
		}
	}
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
