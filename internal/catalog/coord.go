package catalog

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/narumq/naru/internal/coord"
	"github.com/narumq/naru/internal/fault"
)

// ErrNotOwner says that another broker may change the catalog now.
var ErrNotOwner = fault.New(fault.Unavailable, "the catalog belongs to another broker")

// CoordConfig says where in a coordinator a catalog is, and who may change it.
type CoordConfig struct {
	Store coord.Store
	// Context ends when the ownership does: then no change is tried any more.
	Context context.Context
	// OwnerKey is the key of who owns the catalog, created at the revision Owner.
	// Every change compares it, so that a broker that lost it changes nothing.
	OwnerKey string
	Owner    int64
	// Name is this ownership's, and nobody else's ever. Changes bear it.
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
)

const (
	coordPatience = 10 * time.Second
	coordPause    = 50 * time.Millisecond // between tries of one change
	coordOpsMax   = coord.TxnOpsMax - 2   // beside the commit and the rest
	// coordBytesMax leaves room for what a large change is wrapped in.
	coordBytesMax = coord.TxnBytesMax - 64<<10
)

// Coord is a Store in a coordinator. Each change is a transaction that compares the
// owner and the last change: a request that arrives late changes nothing, and one
// whose answer was lost is known by its name.
//
// A change of more operations than one transaction takes is first written down
// whole, as one value, which is when it has happened; then it is carried out a
// piece at a time, by whoever owns the catalog.
type Coord struct {
	cfg CoordConfig

	mu       sync.Mutex // one call at a time
	known    bool       // what follows was read
	revision int64      // ModRevision of coordCommit
	rest     []Op       // of a large change
	changes  int        // tried so far, to name them
}

// NewCoord returns the store. It asks for nothing yet.
func NewCoord(cfg CoordConfig) *Coord {
	if cfg.Patience == 0 {
		cfg.Patience = coordPatience
	}
	return &Coord{cfg: cfg}
}

// Scan implements Store. What it shows is what the coordinator held at one moment.
func (s *Coord) Scan(prefix string, fn func(key string, value []byte) error) error {
	s.mu.Lock()
	values, err := s.read()
	s.mu.Unlock()
	if err != nil {
		return err
	}
	for _, key := range slices.Sorted(maps.Keys(values)) {
		if !strings.HasPrefix(key, prefix) {
			continue
		}
		if err := fn(key, values[key]); err != nil {
			return err
		}
	}
	return nil
}

// read returns all keys, and takes in what the next change compares. s.mu is held.
func (s *Coord) read() (map[string][]byte, error) {
	ctx, cancel := context.WithTimeout(s.cfg.Context, s.cfg.Patience)
	defer cancel()
	var kvs []coord.KV
	err := retry(ctx, func() (err error) {
		kvs, _, err = s.cfg.Store.Range(ctx, coordPrefix)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("%w: reading it: %w", ErrStorage, err)
	}
	s.known, s.revision, s.rest = false, 0, nil
	values := make(map[string][]byte, len(kvs))
	for _, kv := range kvs {
		switch key, entry := strings.CutPrefix(kv.Key, coordEntry); {
		case entry:
			values[key] = kv.Value
		case kv.Key == coordCommit:
			s.revision = kv.ModRevision
		case kv.Key == coordRest:
			if err := json.Unmarshal(kv.Value, &s.rest); err != nil {
				return nil, fmt.Errorf("%w: key %q: %w", ErrDamaged, coordRest, err)
			}
		default:
			return nil, fmt.Errorf("%w: key %q is unknown to this version", ErrNewerVersion, kv.Key)
		}
	}
	for _, op := range s.rest { // it has happened, only not everywhere
		if op.Value == nil {
			delete(values, op.Key)
		} else {
			values[op.Key] = op.Value
		}
	}
	s.known = true
	return values, nil
}

// Apply implements Store. ErrNotOwner: whoever owns the catalog now knows what it is.
func (s *Coord) Apply(ops []Op) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.known {
		if _, err := s.read(); err != nil {
			return err
		}
	}
	ops = lastOf(ops)
	if err := s.carryOut(); err != nil {
		return err
	}
	if len(ops) <= coordOpsMax {
		return s.commit(changesOf(ops))
	}
	whole, err := json.Marshal(ops)
	if err != nil {
		return err
	}
	if len(whole) > coordBytesMax {
		return fmt.Errorf("%w: a change of %d keys and %d bytes is more than the coordinator takes at once (%d bytes): nothing was changed",
			ErrStorage, len(ops), len(whole), coordBytesMax)
	}
	if err := s.commit([]coord.Op{coord.Put(coordRest, whole, 0)}); err != nil {
		return err
	}
	s.rest = ops
	if err := s.carryOut(); err != nil {
		s.known = false // it has happened all the same; the next call goes on
	}
	return nil
}

// carryOut does what is left of a large change. s.mu is held.
func (s *Coord) carryOut() error {
	for len(s.rest) > 0 {
		n := pieceOf(s.rest)
		piece := changesOf(s.rest[:n])
		if n == len(s.rest) {
			piece = append(piece, coord.Delete(coordRest))
		}
		// A piece that was done before is done again: the whole stays written down.
		if err := s.commit(piece); err != nil {
			return err
		}
		s.rest = s.rest[n:]
	}
	return nil
}

// pieceOf is how many operations one transaction takes.
func pieceOf(ops []Op) int {
	bytes := 0
	for i, op := range ops {
		bytes += len(coordEntry) + len(op.Key) + len(op.Value)
		if i > 0 && (i == coordOpsMax || bytes > coordBytesMax) {
			return i
		}
	}
	return len(ops)
}

// lastOf leaves the last operation of each key: a coordinator refuses more.
func lastOf(ops []Op) []Op {
	at := make(map[string]int, len(ops))
	var out []Op
	for _, op := range ops {
		if i, again := at[op.Key]; again {
			out[i] = op
			continue
		}
		at[op.Key] = len(out)
		out = append(out, op)
	}
	return out
}

func changesOf(ops []Op) []coord.Op {
	out := make([]coord.Op, 0, len(ops)+2)
	for _, op := range ops {
		if op.Value == nil {
			out = append(out, coord.Delete(coordEntry+op.Key))
		} else {
			out = append(out, coord.Put(coordEntry+op.Key, op.Value, 0))
		}
	}
	return out
}

// commit makes one transaction, and finds out what became of it: it is sent again as it
// was until an answer comes, and compares the last change, so that one try at most is
// applied. s.mu is held.
func (s *Coord) commit(then []coord.Op) error {
	s.changes++
	name := fmt.Sprintf("%s-%d", s.cfg.Name, s.changes)
	cond := []coord.Compare{coord.CreatedAt(s.cfg.OwnerKey, s.cfg.Owner), coord.ModifiedAt(coordCommit, s.revision)}
	then = append(then, coord.Put(coordCommit, []byte(name), 0))
	ctx, cancel := context.WithTimeout(s.cfg.Context, s.cfg.Patience)
	defer cancel()
	var res coord.TxnResult
	unknown := false
	err := retry(ctx, func() (err error) {
		res, err = s.cfg.Store.Txn(ctx, cond, then, []coord.Op{coord.Get(s.cfg.OwnerKey), coord.Get(coordCommit)})
		if err != nil && !unknown && coord.Refused(err) {
			return final{err}
		}
		unknown = unknown || err != nil
		return err
	})
	if err != nil {
		s.known = false
		return fmt.Errorf("%w: %w", ErrStorage, err)
	}
	if res.Succeeded {
		s.revision = res.Revision
		return nil
	}
	owner, last := res.Results[0], res.Results[1]
	if last.Found && string(last.KV.Value) == name { // an earlier try's
		s.revision = last.KV.ModRevision
		return nil
	}
	s.known = false
	if !owner.Found || owner.KV.CreateRevision != s.cfg.Owner {
		return fmt.Errorf("%w: %w", ErrStorage, ErrNotOwner)
	}
	return fmt.Errorf("%w: an earlier change arrived late", ErrStorage) // it is read anew
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
		t := time.NewTimer(coordPause)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return err
		}
	}
}

// Close implements Store. The coordinator is the caller's.
func (s *Coord) Close() error { return nil }
