package objectstore

import (
	"context"
	"fmt"
	"slices"
)

// OpKind names a call of Store.
type OpKind uint8

// The kinds.
const (
	OpPut OpKind = iota
	OpGet
	OpStat
	OpList
	OpDelete
	OpKinds // how many there are
)

var opKindNames = [OpKinds]string{"put", "get", "stat", "list", "delete"}

func (k OpKind) String() string {
	if k < OpKinds {
		return opKindNames[k]
	}
	return "invalid kind"
}

// Op is a call of Store as a value.
type Op struct {
	Kind           OpKind
	Key            string // of a listing, the prefix
	Body           []byte // of a put
	Offset, Length int64  // of a get
	After          string // of a listing
	Limit          int    // of a listing
	Keys           []string
}

func (op Op) String() string {
	switch op.Kind {
	case OpPut:
		return fmt.Sprintf("put %s (%d bytes)", op.Key, len(op.Body))
	case OpGet:
		return fmt.Sprintf("get %s [%d, +%d)", op.Key, op.Offset, op.Length)
	case OpList:
		return fmt.Sprintf("list %s after %q, %d", op.Key, op.After, op.Limit)
	case OpDelete:
		return fmt.Sprintf("delete %q", op.Keys)
	}
	return op.Kind.String() + " " + op.Key
}

// Result is what a call returns.
type Result struct {
	Body []byte // of a get
	Info Info   // of a stat
	List []Info // of a listing
	Err  error
}

// Fate is what becomes of a call of Fake.
type Fate uint8

// The fates. A call that was applied by Call.Apply before stays applied, whatever
// its fate: then only what the caller hears is decided.
const (
	FateDone       Fate = iota // applied, and told
	FateRefused                // not applied: ErrThrottled, a 503
	FateBroken                 // not applied: ErrUnavailable. Call.Apply may still apply it, late
	FateUnanswered             // applied, but the caller hears ErrUnavailable
	FateTimedOut               // as FateBroken, but the caller hears context.DeadlineExceeded
	FateRepeated               // applied, then repeated by something in between: a put hears ErrExists
	FateMissing                // a get or stat finds nothing although it is there; else as FateDone
	FateStale                  // a listing shows an earlier state; else as FateDone
	Fates                      // how many there are
)

var fateNames = [Fates]string{"done", "refused", "broken", "unanswered", "timed out", "repeated", "missing", "stale"}

func (f Fate) String() string {
	if f < Fates {
		return fateNames[f]
	}
	return "invalid fate"
}

// Call is a call of Fake on its way. One that Begin returned belongs to one
// goroutine at a time.
type Call struct {
	Op      Op
	Number  int64 // in the order in which calls began
	f       *Fake
	applied bool
	result  Result
}

// Applied tells whether the store did it.
func (c *Call) Applied() bool { return c.applied }

// Apply has the store do it now. What it finds then is what the caller will hear,
// if it hears anything; also a call that has ended may be applied, as a request
// that was stuck in the network may arrive late. A second time does nothing.
func (c *Call) Apply() {
	if c.applied {
		return
	}
	c.applied = true
	c.f.mu.Lock()
	defer c.f.mu.Unlock()
	c.result = c.f.apply(c.Op, false)
}

// End is what the caller hears.
func (c *Call) End(fate Fate) Result {
	switch fate {
	case FateRefused:
		return c.failed(ErrThrottled)
	case FateBroken, FateTimedOut:
		if !c.applied {
			c.Op.Body = slices.Clone(c.Op.Body) // the caller's again, though it may yet arrive
		}
		if fate == FateTimedOut {
			return c.failed(context.DeadlineExceeded)
		}
		return c.failed(ErrUnavailable)
	case FateUnanswered:
		c.Apply()
		return c.failed(ErrUnavailable)
	case FateRepeated:
		c.Apply()
		if c.Op.Kind == OpPut {
			return c.failed(ErrExists)
		}
	case FateMissing:
		if c.Op.Kind == OpGet || c.Op.Kind == OpStat {
			return c.failed(ErrNotFound)
		}
	case FateStale:
		if c.Op.Kind == OpList && !c.applied {
			c.f.mu.Lock()
			c.result, c.applied = c.f.apply(c.Op, true), true
			c.f.mu.Unlock()
		}
	}
	c.Apply()
	if c.result.Err != nil {
		return c.failed(c.result.Err)
	}
	return c.result
}

func (c *Call) failed(err error) Result {
	return Result{Err: fmt.Errorf("objectstore: %s: %w", c.Op, err)}
}
