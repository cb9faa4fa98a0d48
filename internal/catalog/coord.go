package catalog

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/narumq/naru/internal/coord"
	"github.com/narumq/naru/internal/fault"
)

// ErrNotOwner says that this broker may not change that any more.
var ErrNotOwner = fault.New(fault.Unavailable, "this broker may not change the catalog any more")

// Fence is a key of a coordinator that has to be there, created at that revision, for a change to happen.
type Fence struct {
	Key     string
	Created int64
}

// CoordConfig says where in a coordinator a catalog is, and what a broker may change.
type CoordConfig struct {
	Store coord.Store
	// Context ends when the broker's lease does: then no change is tried any more.
	Context context.Context
	// Member lives with the broker's lease. Every change compares it, so that a broker whose lease is over changes nothing.
	Member Fence
	// Slots is how many slots there are; 0 is 1.
	Slots int
	// SlotOwner is what this broker has of a slot, if it owns it: log starts compare that.
	SlotOwner func(slot int) (Fence, bool)
	// Name is this membership's, and nobody else's ever. Changes bear it.
	Name string
	// Patience bounds how long one change is tried; 0 is 10 s.
	Patience time.Duration
}

// Keys of the coordinator. Stored: never rename.
const (
	coordPrefix = "catalog/"
	coordEntry  = coordPrefix + "key/"   // before the catalog's own keys
	coordCommit = coordPrefix + "commit" // the name of the last change
	coordRest   = coordPrefix + "rest"   // what of a large change is yet to be done
	coordDone   = coordPrefix + "done/"  // NAME: the name of a broker's last change, for as long as its lease
	coordSlot   = coordPrefix + "slot/"  // NNNN/commit: the last change of a slot's log starts; NNNN/ before these
)

const (
	coordPatience = 10 * time.Second
	coordPause    = 50 * time.Millisecond // between tries of one change, and before a broken watch is begun anew
	coordFollow   = time.Second           // how long a watch may take to tell what is known to have happened
	coordReadsMax = 3                     // how often all is read, while others go on to change it
	coordDirtyMax = 1000                  // changed keys that are taken in one by one; of more all are read
	coordOpsMax   = coord.TxnOpsMax - 3   // beside the two names and the rest
	// coordBytesMax leaves room for what a large change is wrapped in.
	coordBytesMax = coord.TxnBytesMax - 64<<10
)

// Coord is a Store in a coordinator, Shared by any number of brokers. Each change is a transaction that compares the
// broker's lease and the last change: of brokers that change something at the same time one succeeds, a request that
// arrives late changes nothing, and one whose answer was lost is known by its name.
//
// A change of more operations than one transaction takes is first written down
// whole, as one value, which is when it has happened; then it is carried out a
// piece at a time, by whoever changes something next, too.
//
// Log starts are changed by the owners of slots, often, and apart from all that: each slot has a last change of its own.
//
// What is there is held in a mirror that a watch keeps up to date.
type Coord struct {
	cfg    CoordConfig
	ctx    context.Context // ends with the config's, or by Close
	cancel context.CancelFunc
	mirror mirror
	watch  sync.Once
	// followed says that a watch keeps the mirror up to date.
	followed atomic.Bool
	// shown is the change that the last Scan showed, or that was made on it since.
	shown atomic.Int64

	mu      sync.Mutex    // one call at a time
	known   bool          // shown is what it says
	rest    rest          // as it was when it was shown
	lease   coord.LeaseID // of Member
	leased  bool          // lease is known
	changes int           // tried so far, to name them
	slots   map[int]int64 // the last change of each slot's log starts, where it is known
}

// NewCoord returns the store. It asks for nothing yet.
func NewCoord(cfg CoordConfig) *Coord {
	if cfg.Patience == 0 {
		cfg.Patience = coordPatience
	}
	cfg.Slots = max(cfg.Slots, 1)
	s := &Coord{cfg: cfg, slots: map[int]int64{}}
	s.ctx, s.cancel = context.WithCancel(cfg.Context)
	s.mirror.init()
	return s
}

// Apply implements Store, and Shared. ErrNotOwner: the broker's lease is over, and others know what the catalog is.
func (s *Coord) Apply(ops []Op) error { return s.ApplyWhile(ops, nil) }

// ApplyWhile implements Shared.
func (s *Coord) ApplyWhile(ops []Op, fences []Fence) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mirror.empty() {
		if _, err := s.showLocked(); err != nil {
			return err
		}
	}
	if !s.known || s.mirror.commitSeen() > s.shown.Load() {
		return fmt.Errorf("%w: it was not read since", ErrConflict)
	}
	ops = lastOf(ops)
	if err := s.carryOut(); err != nil {
		return err
	}
	if len(ops) <= coordOpsMax {
		return s.change(s.changesOf(ops), fences)
	}
	whole, err := json.Marshal(ops)
	if err != nil {
		return err
	}
	if len(whole) > coordBytesMax {
		return fmt.Errorf("%w: a change of %d keys and %d bytes is more than the coordinator takes at once (%d bytes): nothing was changed",
			ErrStorage, len(ops), len(whole), coordBytesMax)
	}
	if err := s.change([]coord.Op{coord.Put(coordRest, whole, 0)}, fences); err != nil {
		return err
	}
	s.rest = rest{ops, s.shown.Load()}
	_ = s.carryOut() // it has happened all the same; the next change goes on
	return nil
}

// change makes a change of the catalog. s.mu is held.
func (s *Coord) change(then []coord.Op, fences []Fence) error {
	also := []coord.Compare{coord.Absent(coordRest)}
	for _, f := range fences {
		also = append(also, coord.CreatedAt(f.Key, f.Created))
	}
	if err := s.findLease(); err != nil {
		return err
	}
	revision, err := s.commit(commit{
		fence: s.cfg.Member, key: coordCommit, last: s.shown.Load(), mark: coordDone + s.cfg.Name, lease: s.lease,
		also: also, fenced: len(fences) > 0, then: then,
	})
	if err != nil {
		// Nothing happened where it was refused; what others did the mirror will have.
		s.known = errors.As(err, &final{}) || errors.Is(err, ErrConflict) || errors.Is(err, ErrFenced)
		return err
	}
	s.shown.Store(revision)
	s.mirror.expect(revision)
	return nil
}

// findLease finds the lease that Member lives with. s.mu is held.
func (s *Coord) findLease() error {
	if s.leased {
		return nil
	}
	ctx, cancel := context.WithTimeout(s.ctx, s.cfg.Patience)
	defer cancel()
	var kv coord.KV
	if err := retry(ctx, func() (err error) {
		kv, _, err = s.cfg.Store.Get(ctx, s.cfg.Member.Key)
		return err
	}); err != nil {
		return fmt.Errorf("%w: %w", ErrStorage, err)
	}
	if kv.CreateRevision != s.cfg.Member.Created {
		return fmt.Errorf("%w: %w", ErrStorage, ErrNotOwner)
	}
	s.lease, s.leased = kv.Lease, true
	return nil
}

// commit is a transaction that bears a name.
type commit struct {
	fence Fence
	key   string // of the last change, whose revision is compared
	last  int64
	mark  string // a key that only this broker puts, where the name is found again; it may be key
	lease coord.LeaseID
	also  []coord.Compare
	// fenced says that some of also are fences.
	fenced bool
	then   []coord.Op
}

// commit makes one transaction, and finds out what became of it: it is sent again as it
// was until an answer comes, and compares the last change, so that one try at most is
// applied. It returns its revision. s.mu is held.
func (s *Coord) commit(c commit) (int64, error) {
	s.changes++
	name := fmt.Sprintf("%s-%d", s.cfg.Name, s.changes)
	cond := append(c.also, coord.CreatedAt(c.fence.Key, c.fence.Created), coord.ModifiedAt(c.key, c.last))
	then := append(c.then, coord.Put(c.key, []byte(name), 0))
	if c.mark != c.key {
		then = append(then, coord.Put(c.mark, []byte(name), c.lease))
	}
	res, err := s.send(cond, then, []coord.Op{coord.Get(c.fence.Key), coord.Get(c.key), coord.Get(c.mark)})
	if err != nil {
		return 0, fmt.Errorf("%w: %w", ErrStorage, err)
	}
	if res.Succeeded {
		return res.Revision, nil
	}
	owner, last, mark := res.Results[0], res.Results[1], res.Results[2]
	if mark.Found && string(mark.KV.Value) == name { // an earlier try's
		return mark.KV.ModRevision, nil
	}
	if !owner.Found || owner.KV.CreateRevision != c.fence.Created {
		return 0, fmt.Errorf("%w: %w", ErrStorage, ErrNotOwner)
	}
	if c.fenced && last.KV.ModRevision == c.last {
		return 0, ErrFenced
	}
	if c.key == coordCommit {
		s.mirror.expect(last.KV.ModRevision)
	}
	return 0, fmt.Errorf("%w: %w", ErrStorage, ErrConflict)
}

// send sends a transaction until it is answered, or refused.
func (s *Coord) send(cond []coord.Compare, then, otherwise []coord.Op) (res coord.TxnResult, err error) {
	ctx, cancel := context.WithTimeout(s.ctx, s.cfg.Patience)
	defer cancel()
	unknown := false
	err = retry(ctx, func() (err error) {
		res, err = s.cfg.Store.Txn(ctx, cond, then, otherwise)
		if err != nil && !unknown && coord.Refused(err) {
			return final{err}
		}
		unknown = unknown || err != nil
		return err
	})
	if errors.Is(err, coord.ErrLeaseGone) {
		err = fmt.Errorf("%w: %w", ErrNotOwner, err)
	}
	return res, err
}

// final is an error that trying again does not mend.
type final struct{ error }

func (f final) Unwrap() error { return f.error }

// retry tries until ctx ends.
func retry(ctx context.Context, try func() error) error {
	for {
		err := try()
		if err == nil || errors.As(err, &final{}) {
			return err
		}
		if pause(ctx, coordPause); ctx.Err() != nil {
			return err
		}
	}
}

// Close implements Store. The coordinator is the caller's.
func (s *Coord) Close() error {
	s.cancel()
	s.watch.Do(func() { close(s.mirror.news) }) // nobody watches
	return nil
}
