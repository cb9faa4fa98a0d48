package objectstore

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sort"
	"strings"
	"sync"
	"time"
)

// Fake is a Store in memory for tests and simulations. What it does depends on
// its configuration and on the order of the calls, and on nothing else.
//
// A simulation in one goroutine keeps any number of calls on their way: it calls
// Begin, and later, in the order it likes, Call.Apply and Call.End. Code that
// calls the methods of Store meets the gate instead, which may hand control to
// the simulation's scheduler and come back whenever it likes.
type Fake struct {
	cfg FakeConfig

	mu      sync.Mutex
	rng     *rand.Rand
	calls   int64
	changes int64             // puts and deletes that changed something
	objects map[string]object // what is there
	dead    map[string]object // what is not there any more: the last one of each name
	keys    []string          // of objects and dead, sorted
	usage   [OpKinds]Usage
}

// FakeConfig says how a Fake behaves. The zero value always does what it is told.
type FakeConfig struct {
	Seed uint64
	// Now is the store's clock, nil for one that stands still.
	Now func() time.Time
	// Gate decides what becomes of a call of one of the methods of Store. It runs
	// in the caller's goroutine, without a lock, and may wait, apply the call, and
	// wait again. Nil stands for Draw.
	Gate func(ctx context.Context, c *Call) Fate
	// Rates are for Draw.
	Rates Rates
	// StaleMax is by how many changes FateStale is behind, at most.
	StaleMax int
}

// Rates are the probabilities of the fates that are not FateDone.
type Rates [Fates]float64

// Usage is what was asked for.
type Usage struct {
	Calls, Bytes int64 // bytes of bodies, put or got
}

type object struct {
	body       []byte // nil when it is dead
	bytes      int64
	modified   time.Time
	born, died int64 // changes; died is 0 while it is there
}

var _ Store = (*Fake)(nil)

// NewFake returns an empty store.
func NewFake(cfg FakeConfig) *Fake {
	if cfg.Now == nil {
		cfg.Now = func() time.Time { return time.Unix(0, 0) }
	}
	return &Fake{
		cfg: cfg, rng: rand.New(rand.NewPCG(cfg.Seed, 0x6f626a656374)),
		objects: map[string]object{}, dead: map[string]object{},
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
func (f *Fake) Begin(op Op) *Call {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls++
	f.usage[op.Kind].Calls++
	f.usage[op.Kind].Bytes += int64(len(op.Body))
	return &Call{Op: op, Number: f.calls, f: f}
}

// Usage tells what was asked for, by kind of call.
func (f *Fake) Usage() [OpKinds]Usage {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.usage
}

// Objects lists all that is there, without a fault.
func (f *Fake) Objects() []Info {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.list(Op{Kind: OpList}, f.changes)
}

// Put implements Store.
func (f *Fake) Put(ctx context.Context, key string, body []byte) error {
	return f.call(ctx, Op{Kind: OpPut, Key: key, Body: body}).Err
}

// Get implements Store.
func (f *Fake) Get(ctx context.Context, key string, offset, length int64) ([]byte, error) {
	r := f.call(ctx, Op{Kind: OpGet, Key: key, Offset: offset, Length: length})
	return r.Body, r.Err
}

// Stat implements Store.
func (f *Fake) Stat(ctx context.Context, key string) (Info, error) {
	r := f.call(ctx, Op{Kind: OpStat, Key: key})
	return r.Info, r.Err
}

// List implements Store.
func (f *Fake) List(ctx context.Context, prefix, after string, limit int) ([]Info, error) {
	r := f.call(ctx, Op{Kind: OpList, Key: prefix, After: after, Limit: limit})
	return r.List, r.Err
}

// Delete implements Store.
func (f *Fake) Delete(ctx context.Context, keys ...string) error {
	return f.call(ctx, Op{Kind: OpDelete, Keys: keys}).Err
}

func (f *Fake) call(ctx context.Context, op Op) Result {
	c := f.Begin(op)
	if err := op.check(); err != nil {
		return c.failed(err)
	}
	if err := ctx.Err(); err != nil {
		return c.failed(err)
	}
	f.mu.Lock()
	gate := f.cfg.Gate
	f.mu.Unlock()
	if gate == nil {
		return c.End(f.Draw())
	}
	return c.End(gate(ctx, c))
}

// check finds what no store should be asked for.
func (op Op) check() error {
	keys := op.Keys
	switch op.Kind {
	case OpPut:
		if len(op.Body) > PutBytesMax {
			return fmt.Errorf("%w: %d bytes, more than %d", ErrInvalid, len(op.Body), PutBytesMax)
		}
		keys = []string{op.Key}
	case OpGet:
		if op.Offset < 0 || op.Length > GetBytesMax {
			return fmt.Errorf("%w: %d bytes at %d; at most %d", ErrInvalid, op.Length, op.Offset, GetBytesMax)
		}
		keys = []string{op.Key}
	case OpStat:
		keys = []string{op.Key}
	case OpList:
		if op.Limit < 1 || op.Limit > ListMax {
			return fmt.Errorf("%w: a listing of %d; at most %d", ErrInvalid, op.Limit, ListMax)
		}
	case OpDelete:
		if len(keys) > DeleteMax {
			return fmt.Errorf("%w: %d keys, more than %d", ErrInvalid, len(keys), DeleteMax)
		}
	}
	for _, key := range keys {
		if err := CheckKey(key); err != nil {
			return err
		}
	}
	return nil
}

// apply does a call under the mutex.
func (f *Fake) apply(op Op, stale bool) Result {
	switch op.Kind {
	case OpPut:
		return Result{Err: f.put(op)}
	case OpDelete:
		for _, key := range op.Keys {
			f.remove(key)
		}
		return Result{}
	case OpList:
		at := f.changes
		if stale && f.cfg.StaleMax > 0 {
			at = max(0, at-1-f.rng.Int64N(int64(f.cfg.StaleMax)))
		}
		return Result{List: f.list(op, at)}
	}
	o, there := f.objects[op.Key]
	if !there {
		return Result{Err: ErrNotFound}
	}
	if op.Kind == OpStat {
		return Result{Info: o.info(op.Key)}
	}
	body := o.body[min(op.Offset, int64(len(o.body))):]
	if op.Length >= 0 {
		body = body[:min(op.Length, int64(len(body)))]
	}
	f.usage[OpGet].Bytes += int64(len(body))
	return Result{Body: slices.Clone(body)}
}

func (f *Fake) put(op Op) error {
	if _, there := f.objects[op.Key]; there {
		return ErrExists
	}
	f.checkDirectories(op.Key)
	if _, known := f.dead[op.Key]; !known {
		at := sort.SearchStrings(f.keys, op.Key)
		f.keys = slices.Insert(f.keys, at, op.Key)
	}
	delete(f.dead, op.Key)
	f.changes++
	f.objects[op.Key] = object{body: slices.Clone(op.Body), bytes: int64(len(op.Body)), modified: f.cfg.Now(), born: f.changes}
	return nil
}

// checkDirectories panics where a file would have to be a directory.
func (f *Fake) checkDirectories(key string) {
	for i, c := range key {
		if _, there := f.objects[key[:i]]; c == '/' && there {
			panic(fmt.Sprintf("objectstore: %s cannot be put: there is %s", key, key[:i]))
		}
	}
	at := sort.SearchStrings(f.keys, key+"/")
	for ; at < len(f.keys) && strings.HasPrefix(f.keys[at], key+"/"); at++ {
		if _, there := f.objects[f.keys[at]]; there {
			panic(fmt.Sprintf("objectstore: %s cannot be put: there is %s", key, f.keys[at]))
		}
	}
}

func (f *Fake) remove(key string) {
	o, there := f.objects[key]
	if !there {
		return
	}
	f.changes++
	o.died, o.body = f.changes, nil
	delete(f.objects, key)
	if f.cfg.StaleMax > 0 {
		f.dead[key] = o
		return
	}
	at := sort.SearchStrings(f.keys, key)
	f.keys = slices.Delete(f.keys, at, at+1)
}

// list shows what was there after so many changes. Of what was removed, the last
// object of each name is remembered.
func (f *Fake) list(op Op, at int64) []Info {
	var out []Info
	for i := sort.SearchStrings(f.keys, max(op.Key, op.After)); i < len(f.keys); i++ {
		key := f.keys[i]
		if !strings.HasPrefix(key, op.Key) || op.Limit > 0 && len(out) == op.Limit {
			break
		}
		o, there := f.objects[key]
		if !there {
			o = f.dead[key]
		}
		if key > op.After && o.born <= at && (o.died == 0 || o.died > at) {
			out = append(out, o.info(key))
		}
	}
	return out
}

func (o object) info(key string) Info {
	return Info{Key: key, Bytes: o.bytes, Modified: o.modified}
}
