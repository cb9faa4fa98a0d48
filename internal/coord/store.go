package coord

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/narumq/naru/internal/fault"
)

// Store is a coordinator. Any number of goroutines may use it. The names and the
// meaning are those of etcd's v3 API.
type Store interface {
	// Get reads a key. Linearizable.
	Get(ctx context.Context, key string) (KV, bool, error)
	// Range reads all keys that begin with prefix, in order, as they were together
	// at the revision that it returns. Linearizable.
	Range(ctx context.Context, prefix string) ([]KV, int64, error)
	// Txn does Then if all of If hold, else Else, as one change. It takes at most
	// TxnOpsMax of each and TxnBytesMax in all, and no key twice in one list of
	// operations that change it. An error means unknown, except where Refused.
	Txn(ctx context.Context, cond []Compare, then, otherwise []Op) (TxnResult, error)
	// Grant begins a lease of ttl, whole seconds. The store may make it longer.
	Grant(ctx context.Context, ttl time.Duration) (LeaseID, error)
	// KeepAlive begins the lease's time anew, and tells how long it is.
	// ErrLeaseGone: it has ended, and its keys are gone.
	KeepAlive(ctx context.Context, id LeaseID) (time.Duration, error)
	// Revoke ends a lease and deletes its keys, as one change. One that has ended
	// is no error.
	Revoke(ctx context.Context, id LeaseID) error
	// Watch calls see with every change of the keys that begin with prefix from
	// the revision from on (0: from now), one after the other, until ctx ends or
	// see returns an error; it returns that. ErrCompacted: changes from there on
	// are forgotten; read again, and watch from the next revision. After any other
	// error watch again from the revision after the last change.
	Watch(ctx context.Context, prefix string, from int64, see func(Change) error) error
	// Compact forgets what was before a revision. One that is forgotten already is
	// no error.
	Compact(ctx context.Context, revision int64) error
	// Status tells how the store is. It is for people and for deciding when to
	// compact; it may be a little old.
	Status(ctx context.Context) (Status, error)
}

// LeaseID names a lease; 0 is none.
type LeaseID int64

func (id LeaseID) String() string { return fmt.Sprintf("%016x", int64(id)) }

// KV is a key with its value and its history in short.
type KV struct {
	Key            string
	Value          []byte
	CreateRevision int64 // of the change that created it
	ModRevision    int64 // of the change that put it last
	Lease          LeaseID
}

// Compare is a condition on one key.
type Compare struct {
	Key      string
	Created  bool // the revision is CreateRevision, else ModRevision
	Revision int64
}

// CreatedAt holds if the key was created at a revision; 0: if there is no such key.
func CreatedAt(key string, revision int64) Compare {
	return Compare{Key: key, Created: true, Revision: revision}
}

// ModifiedAt holds if the key was put last at a revision; 0: if there is no such key.
func ModifiedAt(key string, revision int64) Compare { return Compare{Key: key, Revision: revision} }

// Absent holds if there is no such key.
func Absent(key string) Compare { return CreatedAt(key, 0) }

// OpKind names what an Op does.
type OpKind uint8

// The kinds of operations in a transaction.
const (
	OpPut OpKind = iota
	OpDelete
	OpDeletePrefix
	OpGet
)

// Op is an operation of a transaction.
type Op struct {
	Kind  OpKind
	Key   string // of OpDeletePrefix, the prefix
	Value []byte
	Lease LeaseID
}

// Put sets a key. It leaves with the lease, if that is not 0; any other lease of it
// is forgotten.
func Put(key string, value []byte, lease LeaseID) Op {
	return Op{Kind: OpPut, Key: key, Value: value, Lease: lease}
}

// Delete removes a key, if it is there.
func Delete(key string) Op { return Op{Kind: OpDelete, Key: key} }

// DeletePrefix removes all keys that begin with prefix.
func DeletePrefix(prefix string) Op { return Op{Kind: OpDeletePrefix, Key: prefix} }

// Get reads a key, as the operations before it left it.
func Get(key string) Op { return Op{Kind: OpGet, Key: key} }

// TxnResult is what a transaction did.
type TxnResult struct {
	Succeeded bool  // all conditions held
	Revision  int64 // of the store after it: that of its keys, if it put any
	Results   []OpResult
}

// OpResult is what one operation found, in the place of the operation.
type OpResult struct {
	KV      KV // of OpGet
	Found   bool
	Deleted int64 // keys
}

// Change is all that one change of the store did to keys of a watch. Without
// events it says that there was nothing else up to Revision.
type Change struct {
	Revision int64
	Events   []Event
}

// Event is what happened to one key. Of a deleted one KV has only Key and
// ModRevision, the revision at which it was deleted.
type Event struct {
	Deleted bool
	KV      KV
}

// Status is how a coordinator is.
type Status struct {
	Revision     int64
	Leader       string // "" if there is none
	Bytes        int64  // of the database; what was compacted is reused, and not given back
	BytesInUse   int64
	BytesMax     int64 // the quota; 0 if it is not known
	NoSpace      bool  // the quota was reached: puts are refused until an operator mends it
	MembersAsked int   // endpoints, and how many of them answered
	MembersUp    int
}

// Limits of calls: etcd's defaults, and what a value of ours may have.
const (
	TxnOpsMax   = 128     // conditions, and operations of each branch (--max-txn-ops)
	TxnBytesMax = 1 << 20 // keys and values of a transaction; etcd takes 1.5 MiB in all (--max-request-bytes)
	KeyBytesMax = 1024
)

// What coordinators answer.
var (
	// ErrLeaseGone says that a lease has ended, or never was.
	ErrLeaseGone = fault.New(fault.NotFound, "the lease has ended")
	// ErrCompacted says that changes that were asked for are forgotten.
	ErrCompacted = fault.New(fault.OutOfRange, "the revision is compacted")
	// ErrUnavailable covers whatever may work if it is tried again: no connection,
	// no leader, a change of the leader, too many requests.
	ErrUnavailable = fault.New(fault.Unavailable, "the coordinator is unavailable")
	// ErrNoSpace says that the quota of the database is used up.
	ErrNoSpace = fault.New(fault.ResourceExhausted, "the coordinator has no space left")
	// ErrDenied says that the user or the certificate is wrong, or allows too little.
	ErrDenied = fault.New(fault.PermissionDenied, "the coordinator refuses the credentials")
	// ErrInvalid is the caller's mistake: what is beyond the limits.
	ErrInvalid = fault.New(fault.InvalidArgument, "invalid call of the coordinator")
)

// Refused tells whether an error of a call that changes something proves that it
// changed nothing, and will not.
func Refused(err error) bool {
	return errors.Is(err, ErrLeaseGone) || errors.Is(err, ErrNoSpace) || errors.Is(err, ErrDenied) || errors.Is(err, ErrInvalid)
}

// checkTxn finds what no coordinator should be asked for.
func checkTxn(cond []Compare, then, otherwise []Op) error {
	if n := max(len(cond), len(then), len(otherwise)); n > TxnOpsMax {
		return fmt.Errorf("%w: a transaction with %d conditions or operations, more than %d", ErrInvalid, n, TxnOpsMax)
	}
	var bytes int
	for _, c := range cond {
		if err := checkKey(c.Key); err != nil {
			return err
		}
		bytes += len(c.Key)
	}
	for _, ops := range [][]Op{then, otherwise} {
		if err := checkOps(ops); err != nil {
			return err
		}
		for _, op := range ops {
			bytes += len(op.Key) + len(op.Value)
		}
	}
	if bytes > TxnBytesMax {
		return fmt.Errorf("%w: a transaction of %d bytes, more than %d", ErrInvalid, bytes, TxnBytesMax)
	}
	return nil
}

func checkKey(key string) error {
	if key == "" || len(key) > KeyBytesMax {
		return fmt.Errorf("%w: a key of %d bytes; 1 to %d may be", ErrInvalid, len(key), KeyBytesMax)
	}
	return nil
}
