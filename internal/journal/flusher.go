package journal

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/narumq/naru/internal/coord"
	"github.com/narumq/naru/internal/objectstore"
	"github.com/narumq/naru/internal/vfs"
)

// FlusherOptions of the object medium. A zero field takes the default; Store, Coord, SlotOf and Keys are required.
type FlusherOptions struct {
	Store objectstore.Store
	Coord coord.Store
	// SlotOf tells which slot a stream belongs to. It never changes.
	SlotOf func(StreamID) SlotID
	// Keys names what is in the coordinator.
	Keys func(SlotID) (owner, head string)
	// EpochKey names the key that shows a slot's epoch from Open on, in digits; nil: none does.
	EpochKey func(SlotID) string
	// Name tells this process's objects from all others', for ever.
	Name string

	FlushEvery      time.Duration // 100 ms from the first append
	FlushBytes      int64         // 8 MiB, whichever comes first
	InFlight        int           // 4 objects
	PendingBytesMax int64         // 64 MiB: appended and not committed; more has to wait
	EntryBytesMax   int           // 32 MiB
	CacheBytes      int64         // 64 MiB of recent objects
	BlockCacheBytes int64         // 64 MiB of what was read from the bucket
	// CacheFS and CacheDir are where more of that is kept on a local disk, which is the process's alone and may be lost at any time;
	// nil: nowhere. CacheDiskBytes is 4 GiB.
	CacheFS        vfs.FS
	CacheDir       string
	CacheDiskBytes int64
	// CutOff is told when no object could be stored for CutOffAfter (30 s) although there were some to store, and again each time
	// that it was as long. Whoever else reaches the bucket could do better. It must be quick; nil: nobody is told.
	CutOff      func(since time.Duration, err error)
	CutOffAfter time.Duration
	// AgeMax is how long an object may wait for its commit: 10 minutes. Orphans are only removed when they are much older.
	AgeMax   time.Duration
	Observer FlushObserver
	Logger   *slog.Logger
}

// FlushObserver is told what flushing does. Any field may be nil; calls must be quick.
type FlushObserver struct {
	Put      func(bytes int, took time.Duration, err error)
	Commit   func(slots int, took time.Duration, err error)
	Append   func(took time.Duration) // an append became durable: the time from Enqueue
	Manifest func(bytes int)
}

func (o *FlusherOptions) setDefaults() {
	set := func(p *int64, v int64) {
		if *p == 0 {
			*p = v
		}
	}
	set((*int64)(&o.FlushEvery), int64(100*time.Millisecond))
	set((*int64)(&o.AgeMax), int64(10*time.Minute))
	set(&o.FlushBytes, 8<<20)
	set(&o.PendingBytesMax, 64<<20)
	set(&o.CacheBytes, 64<<20)
	set(&o.BlockCacheBytes, 64<<20)
	set(&o.CacheDiskBytes, diskBytesDefault)
	set((*int64)(&o.CutOffAfter), int64(30*time.Second))
	if o.InFlight == 0 {
		o.InFlight = 4
	}
	if o.EntryBytesMax == 0 {
		o.EntryBytesMax = 32 << 20
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
}

// Flusher gathers the appends of all slots that a broker owns into objects and commits them. One mutex guards its core;
// goroutines store the objects, and one more commits them in their order.
type Flusher struct {
	opt    FlusherOptions
	store  objectstore.Store
	cache  *cache
	blocks *blockCache
	foot   *extentCache
	spare  spareBodies
	ahead  chan struct{} // a place for each request that reads ahead; nil: none does
	nextID atomic.Uint64 // of segments, within this process
	names  atomic.Uint64

	commitsDone, bytesStored atomic.Int64

	mu      sync.Mutex
	change  *sync.Cond // room, or a lane that settled
	core    *flushing
	slots   map[*lane]*Slot // guarded by mu
	wanted  map[*Slot]bool  // guarded by mu: slots that ask for a manifest
	tidied  bool            // guarded by mu: tend runs
	pending int64           // guarded by mu
	cut     cutOff          // guarded by mu
	timer   *time.Timer
	closed  bool // guarded by mu

	tidying chan struct{}   // has whoever writes manifests and merges: one at a time
	unsound map[string]bool // of who is in tidying: objects that could not be copied

	commits chan *flush
	ctx     context.Context
	cancel  context.CancelFunc
	work    sync.WaitGroup
}

// NewFlusher starts flushing; Close ends it.
func NewFlusher(opt FlusherOptions) *Flusher {
	f := newFlusher(opt)
	f.blocks.spawn = func(f func()) { go f() }
	f.ahead = make(chan struct{}, aheadRequestsMax)
	f.timer = time.AfterFunc(time.Hour, f.tick)
	f.work.Go(f.commitLoop)
	if opt.CacheFS != nil {
		f.keepOnDisk()
	}
	return f
}

// newFlusher is one that does nothing by itself.
func newFlusher(opt FlusherOptions) *Flusher {
	opt.setDefaults()
	f := &Flusher{opt: opt, store: opt.Store, cache: newCache(opt.CacheBytes), foot: newExtentCache(footBytesMax), slots: make(map[*lane]*Slot), wanted: make(map[*Slot]bool), unsound: make(map[string]bool), tidying: make(chan struct{}, 1), commits: make(chan *flush, 1)}
	f.change = sync.NewCond(&f.mu)
	limits := flushLimits{every: opt.FlushEvery, bytes: opt.FlushBytes, inFlight: opt.InFlight, ageMax: opt.AgeMax}
	f.core = newFlushing(limits, f.objectKey, newSalt, f.spare.get)
	f.ctx, f.cancel = context.WithCancel(context.Background())
	f.blocks = newBlockCache(f.ctx, opt.Store, opt.BlockCacheBytes)
	return f
}

// EntryBytesMax is the longest payload.
func (f *Flusher) EntryBytesMax() int { return f.opt.EntryBytesMax }

// GatheredBytesMax is how much can be on its way to the bucket at a time, and be gathered for the next object.
func (f *Flusher) GatheredBytesMax() int64 {
	return min(f.opt.PendingBytesMax, int64(f.opt.InFlight+1)*f.opt.FlushBytes)
}

// Keys of objects begin with a name that no other process has: never derived from offsets.
func (f *Flusher) objectKey() string { return fmt.Sprintf("log/%s/%016x", f.opt.Name, f.names.Add(1)) }

// Open takes a slot over, whose owner's key with that CreateRevision this process holds: the head's epoch is raised, which ends
// whatever an earlier owner had on its way, and the slot's log is read. The slot is the caller's to close.
func (f *Flusher) Open(ctx context.Context, slot SlotID, owner int64, opt Options) (*Slot, error) {
	opt, err := opt.withDefaults()
	if err != nil {
		return nil, err
	}
	defer f.blocks.shareFooters()()
	head, revision, err := f.raise(ctx, slot, owner)
	if err != nil {
		return nil, fmt.Errorf("slot %d: %w", slot, err)
	}
	s, ch, err := openSlot(ctx, f, slot, head, opt)
	if err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return nil, ErrClosed
	}
	s.lane = f.core.own(slot, owner, head, revision, ch)
	f.slots[s.lane] = s
	if opt.RelocateEvery > 0 && !f.tidied {
		f.tidied = true
		f.work.Go(func() { f.tend(opt.RelocateEvery) })
	}
	return s, nil
}

// raiseTries is enough: each failure but an unknown outcome means that somebody else was faster, which ends ownership.
const raiseTries = 5

// raise writes the head anew with the next epoch.
func (f *Flusher) raise(ctx context.Context, slot SlotID, owner int64) (head Head, revision int64, err error) {
	ownerKey, headKey := f.opt.Keys(slot)
	for range raiseTries {
		kv, ok, err := f.opt.Coord.Get(ctx, headKey)
		if err != nil {
			return head, 0, err
		}
		head = Head{}
		if ok {
			if head, err = DecodeHead(kv.Value); err != nil {
				return head, 0, err
			}
		}
		head.Epoch++
		head.Commit = f.objectKey()
		res, err := f.opt.Coord.Txn(ctx,
			[]coord.Compare{coord.CreatedAt(ownerKey, owner), coord.ModifiedAt(headKey, kv.ModRevision)},
			f.raising(slot, headKey, head), nil)
		if err == nil && res.Succeeded {
			return head, res.Revision, nil
		}
		if err == nil {
			if kv, ok, err := f.opt.Coord.Get(ctx, ownerKey); err == nil && (!ok || kv.CreateRevision != owner) {
				return head, 0, ErrNotOwner
			}
		}
	}
	return head, 0, fmt.Errorf("%w: the head could not be raised", ErrNotOwner)
}

// raising is what makes a head's epoch known.
func (f *Flusher) raising(slot SlotID, headKey string, head Head) []coord.Op {
	ops := []coord.Op{coord.Put(headKey, head.Encode(), 0)}
	if f.opt.EpochKey != nil {
		ops = append(ops, coord.Put(f.opt.EpochKey(slot), strconv.AppendInt(nil, int64(head.Epoch), 10), 0))
	}
	return ops
}

// effects are what a step of the core asks for.
type effects struct {
	puts   []*flush
	commit *flush
	failed []failure
	next   time.Time // when to step again; zero: when something happens
}

// step runs the core. Caller holds mu.
func (f *Flusher) step(now time.Time, change func()) effects {
	c := f.core
	change()
	e := effects{next: c.tick(now)}
	e.puts, e.commit, e.failed = c.puts, c.commit, c.failed
	c.puts, c.commit, c.failed = nil, nil, nil
	return e
}

// do runs a step and sets off what it asks for.
func (f *Flusher) do(change func(now time.Time)) {
	f.mu.Lock()
	now := time.Now()
	e := f.step(now, func() { change(now) })
	if f.closed {
		e.puts, e.commit = nil, nil // who waited for their end may be gone
	} else if !e.next.IsZero() {
		f.timer.Reset(max(0, e.next.Sub(now)))
	}
	for _, p := range e.puts {
		f.work.Go(func() { f.storeObject(p) })
	}
	if e.commit != nil {
		f.commits <- e.commit // has room: the core hands out one at a time
	}
	f.watchPuts(now)
	f.change.Broadcast()
	f.mu.Unlock()
	e.tell()
}

// tell answers what failed. The caller holds no lock.
func (e *effects) tell() {
	for _, x := range e.failed {
		answerAll(x.entries, x.err)
		if x.install != nil {
			x.install(x.err)
		}
	}
}

func answerAll(entries []*Entry, err error) {
	for _, e := range entries {
		e.Done(e, err)
	}
}

func (f *Flusher) tick() { f.do(func(time.Time) {}) }

// enqueue hands entries to the next object. The core is not run here: the caller may hold what Done takes.
func (f *Flusher) enqueue(l *lane, entries []*Entry) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return ErrClosed
	}
	now := time.Now()
	if f.opt.Observer.Append != nil {
		for _, e := range entries {
			e.queuedAt = now
		}
	}
	first := f.core.open == nil
	if err := f.core.append(l, now, entries...); err != nil {
		return err
	}
	if full := f.core.bytes >= f.opt.FlushBytes || len(f.core.puts) > 0; full {
		f.timer.Reset(0)
	} else if first {
		f.timer.Reset(f.opt.FlushEvery)
	}
	return nil
}

// storeObject puts an object. One of its name can only be an earlier try's: if it is whole, that will do.
func (f *Flusher) storeObject(o *flush) {
	began := time.Now()
	err := f.put(f.ctx, o.key, o.body)
	if fn := f.opt.Observer.Put; fn != nil {
		fn(len(o.body), time.Since(began), err)
	}
	if err != nil {
		f.opt.Logger.Warn("an object could not be stored; it is tried again", "key", o.key, "err", err)
	}
	f.do(func(now time.Time) {
		f.cut.err = err
		f.core.storedAs(o, now, err)
	})
}

// put stores an object under a name that is ours alone.
func (f *Flusher) put(ctx context.Context, key string, body []byte) error {
	err := f.store.Put(ctx, key, body)
	if !errors.Is(err, objectstore.ErrExists) {
		return err
	}
	info, err := f.store.Stat(ctx, key)
	if err != nil {
		return err
	}
	if info.Bytes != int64(len(body)) {
		return fmt.Errorf("%w: %s has %d bytes, %d were stored", ErrDamaged, key, info.Bytes, len(body))
	}
	return nil
}

// commitLoop sends transactions, one at a time, and tells what became of them.
func (f *Flusher) commitLoop() {
	for {
		var o *flush
		select {
		case <-f.ctx.Done():
			return
		case o = <-f.commits:
		}
		began := time.Now()
		cond, then, otherwise := f.transaction(o)
		res, err := f.opt.Coord.Txn(f.ctx, cond, then, otherwise)
		v := verdictOn(o, res, err)
		if fn := f.opt.Observer.Commit; fn != nil {
			fn(len(o.sent), time.Since(began), v.err)
		}
		if v.err != nil {
			f.opt.Logger.Warn("it is unknown whether a commit took place; it is sent again", "key", o.key, "err", v.err)
		}
		f.settleCommit(o, v)
	}
}

// transaction is what commits all that was sent of a flush, or nothing of it: it compares owner and head of each slot.
func (f *Flusher) transaction(o *flush) (cond []coord.Compare, then, otherwise []coord.Op) {
	for _, p := range o.sent {
		owner, head := f.opt.Keys(p.lane.slot)
		cond = append(cond, coord.CreatedAt(owner, p.lane.owner), coord.ModifiedAt(head, p.lane.revision))
		then = append(then, coord.Put(head, p.head.Encode(), 0))
		otherwise = append(otherwise, coord.Get(owner), coord.Get(head))
	}
	return cond, then, otherwise
}

// verdictOn reads the answer to a transaction.
func verdictOn(o *flush, res coord.TxnResult, err error) verdict {
	if err != nil {
		return verdict{err: err}
	}
	v := verdict{applied: res.Succeeded, revision: res.Revision}
	if v.applied {
		return v
	}
	for i := range o.sent {
		s, err := standingOf(res, i)
		if err != nil {
			return verdict{err: err}
		}
		v.found = append(v.found, s)
	}
	return v
}

// standingOf reads the answers for one part: its owner, its head.
func standingOf(res coord.TxnResult, part int) (s standing, err error) {
	owner, head := res.Results[2*part], res.Results[2*part+1]
	if owner.Found {
		s.owner = owner.KV.CreateRevision
	}
	if head.Found {
		s.revision = head.KV.ModRevision
		s.head, err = DecodeHead(head.KV.Value)
	}
	return s, err
}

// settleCommit publishes what is durable, then answers. Only the committer calls it, so that commits are seen in their order.
func (f *Flusher) settleCommit(o *flush, v verdict) {
	var done []*part
	f.do(func(now time.Time) { done = f.committed(o, now, v) })
	f.acknowledge(done)
}

// committed ends a transaction, and lets readers see what is durable. Caller holds mu.
func (f *Flusher) committed(o *flush, now time.Time, v verdict) []*part {
	done := f.core.committed(o, now, v)
	if len(done) > 0 {
		f.publish(o, done)
	}
	return done
}

func (f *Flusher) acknowledge(done []*part) {
	now := time.Now()
	for _, p := range done {
		if fn := f.opt.Observer.Append; fn != nil {
			for _, e := range p.entries {
				fn(now.Sub(e.queuedAt))
			}
		}
		answerAll(p.entries, nil)
		if p.install != nil {
			p.install(nil)
		}
	}
}

// publish lets readers see a commit. Caller holds mu.
func (f *Flusher) publish(o *flush, done []*part) {
	if o.key == "" {
		for _, p := range done {
			f.slots[p.lane].installed(p.replace)
		}
		return
	}
	f.commitsDone.Add(1)
	f.bytesStored.Add(int64(len(o.body)))
	id := SegmentID(f.nextID.Add(1))
	k := &chunk{seg: id, mem: o.body, n: len(o.body)}
	if !o.doubted {
		k.reuse = f.spare.put
	}
	k.refs.Store(1)
	k.close()
	for _, p := range done {
		f.slots[p.lane].publish(o, p, id)
	}
	f.cache.add(k)
}

func (f *Flusher) addStats(s *Stats) {
	s.Commits, s.BytesWritten = f.commitsDone.Load(), f.bytesStored.Load()
	f.cache.mu.Lock()
	s.CacheBytes = f.cache.bytes
	f.cache.mu.Unlock()
	f.mu.Lock()
	s.PendingBytes = f.pending
	f.mu.Unlock()
}

// admit takes room for n bytes.
func (f *Flusher) admit(ctx context.Context, l *lane, n int64) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	var stop func() bool
	for {
		if f.closed {
			return ErrClosed
		}
		if l.lost != nil {
			return l.lost
		}
		if f.pending == 0 || f.pending+n <= f.opt.PendingBytesMax {
			f.pending += n
			return nil
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if stop == nil {
			stop = context.AfterFunc(ctx, f.wake)
			defer stop()
		}
		f.change.Wait()
	}
}

func (f *Flusher) wake() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.change.Broadcast()
}

func (f *Flusher) release(n int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.pending -= n
	f.change.Broadcast()
}

func (f *Flusher) lose(l *lane, err error) {
	f.do(func(time.Time) {
		f.core.lose(l, err)
		delete(f.slots, l)
	})
}

// settle waits until nothing of a lane is on its way.
func (f *Flusher) settle(ctx context.Context, l *lane) error {
	stop := context.AfterFunc(ctx, f.wake)
	defer stop()
	f.mu.Lock()
	defer f.mu.Unlock()
	for l.lost == nil && l.head != l.planned || f.core.gathers(l) {
		if err := ctx.Err(); err != nil {
			return err
		}
		f.change.Wait()
	}
	return l.lost
}

// Close ends flushing. Slots that are still open are lost: what is on its way fails.
func (f *Flusher) Close() {
	f.mu.Lock()
	f.closed = true
	f.timer.Stop()
	f.mu.Unlock()
	f.do(func(time.Time) {
		for l := range f.slots {
			f.core.lose(l, ErrNotOwner)
		}
	})
	f.cancel()
	f.work.Wait()
}
