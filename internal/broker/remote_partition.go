package broker

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/narumq/naru/internal/commitlog"
	"github.com/narumq/naru/internal/fault"
	"github.com/narumq/naru/internal/peer"
	"github.com/narumq/naru/internal/record"
)

// boundsFresh is for how long what the owner said of a partition's bounds is taken for
// true, where nobody watches it.
const boundsFresh = 10 * time.Millisecond

// silentFor is for how long an owner that did not answer is not asked for bounds: there
// may be very many partitions of it.
const silentFor = 200 * time.Millisecond

// remotePartition stands in for a partition whose slot is not open here: it asks the
// owner. While somebody watches it, the owner tells where it begins and ends.
type remotePartition struct {
	of     *Partition
	writes *asker // the partition's

	start, high, size atomic.Int64 // as heard last; they never fall
	known             atomic.Bool  // something was heard of them
	told              atomic.Bool  // the owner tells of changes
	asked             atomic.Int64 // when they were asked for last, nanoseconds since 1970

	mu      sync.Mutex // guards what follows
	watches []watch
	stop    context.CancelFunc // ends the owner's telling; nil: nobody watches
}

func newRemotePartition(p *Partition) *remotePartition {
	r := &remotePartition{of: p, writes: &p.away}
	at := p.at.Load()
	if at == nil {
		return r
	}
	switch was := at.partitionBackend.(type) {
	case *localPartition:
		r.start.Store(int64(was.LogStart()))
		r.high.Store(int64(was.HighWatermark()))
		r.known.Store(true)
	case *remotePartition:
		r.start.Store(was.start.Load())
		r.high.Store(was.high.Load())
		r.known.Store(was.known.Load())
	}
	return r
}

// ask is a question about the partition, for who gives no ctx.
func (r *remotePartition) ask(m peer.Method, more func(*encoder)) (*decoder, error) {
	ctx, cancel := r.of.broker.bounded(askMax)
	defer cancel()
	return r.askIn(ctx, m, more)
}

func (r *remotePartition) askIn(ctx context.Context, m peer.Method, more func(*encoder)) (*decoder, error) {
	answer, err := r.of.broker.askOwner(ctx, r.writes.slot, m, r.body(more)...)
	return &decoder{b: answer}, err
}

func (r *remotePartition) body(more func(*encoder)) [][]byte {
	e := &encoder{}
	e.partition(r.of)
	if more != nil {
		more(e)
	}
	return e.payload()
}

// here is what to ask instead, once the partition is here.
func (r *remotePartition) here(err error) partitionBackend {
	if now := r.of.backend(); errors.Is(err, errHere) && now != partitionBackend(r) {
		return now
	}
	return nil
}

// Append implements partitionBackend.
func (r *remotePartition) Append(ctx context.Context, batch []byte, done func(Appended, error)) {
	h, err := record.ParseHeader(batch)
	if err != nil {
		done(Appended{}, err)
		return
	}
	here := func() bool {
		now, ok := r.of.backend().(*localPartition)
		if ok {
			now.Append(ctx, batch, done)
		}
		return ok
	}
	r.writes.ask(&question{ctx: ctx, method: askAppend, body: r.body(func(e *encoder) { e.bytes(batch) }), here: here, done: func(answer []byte, err error) {
		d := decoder{b: answer}
		var a Appended
		if err == nil {
			a = Appended{
				Base: record.Offset(d.number()), LogStart: record.Offset(d.number()), LogAppendTime: d.number(),
				Timestamp: d.number(), Duplicate: d.flag(),
			}
			if err = d.fail(); err == nil {
				raise(&r.high, int64(a.Base)+int64(h.LastOffsetDelta)+1)
			}
		}
		done(a, err)
	}})
}

// Read implements partitionBackend.
func (r *remotePartition) Read(from record.Offset, maxBytes int, atLeastOne bool) (Slice, error) {
	d, err := r.ask(askRead, func(e *encoder) {
		e.number(int64(from))
		e.number(int64(min(maxBytes, answerBytesMax)))
		e.flag(atLeastOne)
	})
	if now := r.here(err); now != nil {
		return now.Read(from, maxBytes, atLeastOne)
	}
	if errors.Is(err, commitlog.ErrOffsetOutOfRange) {
		r.lookAgain()
	}
	if err != nil {
		return Slice{}, err
	}
	r.heard(d)
	s := Slice{Next: record.Offset(d.number())}
	for n := d.count(1); n > 0; n-- {
		b := d.bytes()
		s.Payloads = append(s.Payloads, b)
		s.Bytes += len(b)
	}
	return s, d.fail()
}

// heard takes up the bounds that the owner tells.
func (r *remotePartition) heard(d *decoder) {
	start, high, size := d.number(), d.number(), d.number()
	if d.bad {
		return
	}
	raise(&r.start, start)
	raise(&r.high, high)
	r.size.Store(size)
	r.known.Store(true)
}

// raise sets n to at least v.
func raise(n *atomic.Int64, v int64) {
	for {
		old := n.Load()
		if old >= v || n.CompareAndSwap(old, v) {
			return
		}
	}
}

// look asks for the bounds unless they are known. It answers what was heard last where
// the owner does not: these are asked for with locks held.
func (r *remotePartition) look() {
	if !r.told.Load() && time.Now().UnixNano()-r.asked.Load() > int64(boundsFresh) {
		r.lookAgain()
	}
}

func (r *remotePartition) lookAgain() {
	b := r.of.broker
	owner := b.Owner(r.writes.slot)
	if at, ok := b.peers.silent.Load(owner); ok && time.Since(at.(time.Time)) < silentFor {
		return
	}
	ctx, cancel := b.bounded(sizesMax)
	defer cancel()
	d, err := r.askIn(ctx, askBounds, nil)
	switch code := fault.CodeOf(err); {
	case err == nil:
		r.heard(d)
	case code == fault.Unavailable || code == fault.DeadlineExceeded:
		b.peers.silent.Store(owner, time.Now())
	}
	r.asked.Store(time.Now().UnixNano()) // who does not answer is not asked for each
}

// Bounds implements partitionBackend.
func (r *remotePartition) Bounds() (start, high record.Offset, err error) {
	d, err := r.ask(askBounds, nil)
	if now := r.here(err); now != nil {
		return now.Bounds()
	}
	if err != nil {
		return 0, 0, err
	}
	r.heard(d)
	return record.Offset(r.start.Load()), record.Offset(r.high.Load()), d.fail()
}

// LogStart implements partitionBackend.
func (r *remotePartition) LogStart() record.Offset {
	r.look()
	return record.Offset(r.start.Load())
}

// HighWatermark implements partitionBackend.
func (r *remotePartition) HighWatermark() record.Offset {
	r.look()
	return record.Offset(r.high.Load())
}

// SizeBytes implements partitionBackend.
func (r *remotePartition) SizeBytes() int64 {
	if r.told.Load() { // not of its size
		r.lookAgain()
	} else {
		r.look()
	}
	return r.size.Load()
}

// Available implements partitionBackend.
func (r *remotePartition) Available(from record.Offset, max int) int {
	d, err := r.ask(askAvailable, func(e *encoder) {
		e.number(int64(from))
		e.number(int64(max))
	})
	if now := r.here(err); now != nil {
		return now.Available(from, max)
	}
	return int(d.number())
}

// OffsetForTime implements partitionBackend.
func (r *remotePartition) OffsetForTime(ms int64) (record.Offset, int64, error) {
	d, err := r.ask(askTime, func(e *encoder) { e.number(ms) })
	if now := r.here(err); now != nil {
		return now.OffsetForTime(ms)
	}
	return d.place(err)
}

// OffsetOfMaxTime implements partitionBackend.
func (r *remotePartition) OffsetOfMaxTime() (record.Offset, int64, error) {
	d, err := r.ask(askMaxTime, nil)
	if now := r.here(err); now != nil {
		return now.OffsetOfMaxTime()
	}
	return d.place(err)
}

// place is an offset and its time.
func (d *decoder) place(err error) (record.Offset, int64, error) {
	if err != nil {
		return 0, 0, err
	}
	return record.Offset(d.number()), d.number(), d.fail()
}

// Producers implements partitionBackend.
func (r *remotePartition) Producers() (list []commitlog.ProducerInfo) {
	d, err := r.ask(askProducers, nil)
	if now := r.here(err); now != nil {
		return now.Producers()
	}
	if err != nil || json.Unmarshal(d.bytes(), &list) != nil {
		return nil
	}
	return list
}

// DeleteRecords implements partitionBackend.
func (r *remotePartition) DeleteRecords(before record.Offset) (record.Offset, error) {
	d, err := r.ask(askDeleteRecords, func(e *encoder) { e.number(int64(before)) })
	if now := r.here(err); now != nil {
		return now.DeleteRecords(before)
	}
	start, _, err := d.place(err)
	raise(&r.start, int64(start))
	return start, err
}

// Close implements partitionBackend.
func (r *remotePartition) Close(ctx context.Context) (record.Offset, error) {
	d, err := r.askIn(ctx, askClosePartition, nil)
	if now := r.here(err); now != nil {
		return now.Close(ctx)
	}
	end, _, err := d.place(err)
	return end, err
}

// Reopen implements partitionBackend.
func (r *remotePartition) Reopen() {
	_, err := r.ask(askReopen, nil)
	if now := r.here(err); now != nil {
		now.Reopen()
	}
}

// Wake implements partitionBackend.
func (r *remotePartition) Wake() {
	_, err := r.ask(askWake, nil)
	if now := r.here(err); now != nil {
		now.Wake()
	}
}

// Watch implements partitionBackend.
func (r *remotePartition) Watch(w *Waiter, token int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.watches = append(r.watches, watch{w, token})
	if r.stop == nil {
		var ctx context.Context
		ctx, r.stop = context.WithCancel(r.of.broker.ctx)
		go r.follow(ctx)
	}
}

// Unwatch implements partitionBackend.
func (r *remotePartition) Unwatch(w *Waiter, token int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if i := slices.Index(r.watches, watch{w, token}); i >= 0 {
		r.watches = slices.Delete(r.watches, i, i+1)
	}
	if len(r.watches) == 0 && r.stop != nil {
		r.stop()
		r.stop = nil
		r.told.Store(false)
	}
}

// mark wakes those who watch.
func (r *remotePartition) mark() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, w := range r.watches {
		w.waiter.Mark(w.token)
	}
}

// follow lets the owner, whoever it is, tell of changes until ctx ends.
func (r *remotePartition) follow(ctx context.Context) {
	pause := time.NewTicker(10 * ownerLookEvery)
	defer pause.Stop()
	for ctx.Err() == nil {
		over := make(chan struct{})
		a := asker{b: r.of.broker, slot: r.writes.slot}
		a.ask(&question{
			ctx: ctx, method: askWatch, body: r.body(nil),
			push: func(b []byte) {
				r.heard(&decoder{b: b})
				r.tell(ctx)
			},
			done: func([]byte, error) { close(over) },
		})
		<-over // when ctx ends the owner is asked to end
		r.untold(ctx)
		r.mark()
		select {
		case <-pause.C:
		case <-ctx.Done():
		}
	}
}

// tell notes that the owner tells, unless nobody watches any more.
func (r *remotePartition) tell(ctx context.Context) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if ctx.Err() != nil {
		return
	}
	r.told.Store(true)
	for _, w := range r.watches {
		w.waiter.Mark(w.token)
	}
}

func (r *remotePartition) untold(ctx context.Context) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if ctx.Err() == nil {
		r.told.Store(false)
	}
}
