package coord

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// CallKind names a call of Store.
type CallKind uint8

// The kinds.
const (
	CallGet CallKind = iota
	CallRange
	CallTxn
	CallGrant
	CallKeepAlive
	CallRevoke
	CallCompact
	CallStatus
	CallKinds // how many there are
)

var callKindNames = [CallKinds]string{"get", "range", "txn", "grant", "keep alive", "revoke", "compact", "status"}

func (k CallKind) String() string {
	if k < CallKinds {
		return callKindNames[k]
	}
	return "invalid kind"
}

// Request is a call of Store as a value.
type Request struct {
	Kind            CallKind
	Key             string // of a range, the prefix
	Cond            []Compare
	Then, Otherwise []Op
	Lease           LeaseID
	TTL             time.Duration
	Revision        int64
}

func (r Request) String() string {
	switch r.Kind {
	case CallTxn:
		return fmt.Sprintf("txn of %d, %d, %d", len(r.Cond), len(r.Then), len(r.Otherwise))
	case CallKeepAlive, CallRevoke:
		return fmt.Sprintf("%s %s", r.Kind, r.Lease)
	case CallGrant:
		return fmt.Sprintf("grant %v", r.TTL)
	case CallCompact:
		return fmt.Sprintf("compact %d", r.Revision)
	}
	return r.Kind.String() + " " + r.Key
}

// Answer is what a call returns.
type Answer struct {
	KVs      []KV // of a get, one or none
	Revision int64
	Txn      TxnResult
	Lease    LeaseID
	TTL      time.Duration
	Status   Status
	Err      error
}

// Fate is what becomes of a call of Fake.
type Fate uint8

// The fates. A call that was applied by Call.Apply before stays applied, whatever
// its fate: then only what the caller hears is decided.
const (
	FateDone       Fate = iota // applied, and told
	FateBroken                 // not applied: ErrUnavailable. Call.Apply may still apply it, late
	FateTimedOut               // not applied: context.DeadlineExceeded. Call.Apply may still apply it, late
	FateUnanswered             // applied, but the caller hears ErrUnavailable
	FateOverdue                // applied, but the caller hears context.DeadlineExceeded
	Fates                      // how many there are
)

var fateNames = [Fates]string{"done", "broken", "timed out", "unanswered", "overdue"}

func (f Fate) String() string {
	if f < Fates {
		return fateNames[f]
	}
	return "invalid fate"
}

// Call is a call of Fake on its way. One that Begin returned belongs to one
// goroutine at a time.
type Call struct {
	Request Request
	Number  int64 // in the order in which calls began
	f       *Fake
	applied bool
	answer  Answer
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
	c.answer = c.f.apply(c.Request)
}

// End is what the caller hears.
func (c *Call) End(fate Fate) Answer {
	switch fate {
	case FateBroken, FateTimedOut:
		if !c.applied {
			c.keepValues()
		}
	default:
		c.Apply()
	}
	switch {
	case fate == FateBroken || fate == FateUnanswered:
		return c.failed(ErrUnavailable)
	case fate == FateTimedOut || fate == FateOverdue:
		return c.failed(context.DeadlineExceeded)
	case c.answer.Err != nil:
		return c.failed(c.answer.Err)
	}
	return c.answer
}

// keepValues copies what is the caller's again, though it may yet arrive.
func (c *Call) keepValues() {
	c.Request.Cond = slices.Clone(c.Request.Cond)
	for _, ops := range []*[]Op{&c.Request.Then, &c.Request.Otherwise} {
		*ops = slices.Clone(*ops)
		for i, op := range *ops {
			(*ops)[i].Value = slices.Clone(op.Value)
		}
	}
}

func (c *Call) failed(err error) Answer {
	return Answer{Err: fmt.Errorf("coord: %s: %w", c.Request, err)}
}
