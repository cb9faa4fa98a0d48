package cluster

import (
	"fmt"
	"strings"
	"time"

	"github.com/narumq/naru/internal/coord"
)

// Timing of membership. All are set.
type Timing struct {
	TTL    time.Duration // of the lease, whole seconds
	Margin time.Duration // how long before its end the owner falls silent
	Keep   time.Duration // between keep-alives
	Look   time.Duration // between looks at who is there
	Pause  time.Duration // after a tenure that ended badly, before the next try
}

// TimingOf is the timing for a lease.
func TimingOf(ttl time.Duration) Timing {
	return Timing{TTL: ttl, Margin: ttl / 5, Keep: ttl / 5, Look: min(500*time.Millisecond, ttl/5), Pause: time.Second}
}

// Request is what Core wants from the coordinator.
type Request struct {
	What  What
	Lease coord.LeaseID
	Cond  []coord.Compare // of a transaction
	Then  []coord.Op
}

// What kind of request.
type What uint8

// The kinds.
const (
	Nothing  What = iota
	Grant         // a lease
	Keep          // it alive
	Look          // a range of LivePrefix
	Register      // a transaction
	Campaign      // a transaction
	Release       // a transaction
	Revoke        // the lease
)

func (w What) String() string {
	return [...]string{"nothing", "grant", "keep alive", "look", "register", "campaign", "release", "revoke"}[w]
}

// Answer is what came of a request. Err: it is not known what was done, or that nothing was.
type Answer struct {
	Lease    coord.LeaseID
	KVs      []coord.KV // of a look
	Txn      coord.TxnResult
	Err      error
	SentAt   time.Time // by the clock of Core's caller
	AnswerAt time.Time
}

// Core is membership and the ownership of one slot, as one broker sees them. It is pure. One request is on its way at a time:
// Next gives it, Answered ends it.
type Core struct {
	timing Timing
	slot   string // key of the owner
	name   string // of this process
	self   []byte // value of the member's key
	ready  bool   // may own the slot

	lease    coord.LeaseID
	until    time.Time // up to then the lease certainly lives, less the margin
	ends     time.Time // up to then it may be kept alive
	keepAt   time.Time
	lookAt   time.Time
	idleTo   time.Time // no request before
	node     int32     // number as a member; 0: none
	owner    int64     // CreateRevision of our key; 0: not owner
	spent    int64     // of ownerships that were dropped: none of them counts again
	release  int64     // an owner's key of ours that has to go
	pauseTo  time.Time // no campaign before
	leaving  bool
	left     bool
	want     What // a transaction that the last look calls for
	wantNode int32
	view     View
}

// View is who was there when the coordinator was last looked at.
type View struct {
	Members []Seen
	Owner   string // value of the owner's key; "" if there is none
	OwnerAt int64  // its CreateRevision
	Err     error  // of the last request, nil if it was answered
	Looked  bool   // it was looked at once
}

// Seen is a member's key.
type Seen struct {
	Node  int32
	Lease coord.LeaseID
	Value string
}

// LivePrefix begins all keys that leave with their broker.
const LivePrefix = "live/"

const memberPrefix = LivePrefix + "member/"

func memberKey(node int32) string { return fmt.Sprintf("%s%04d", memberPrefix, node) }

// MembersMax is how many brokers a cluster has at most.
const MembersMax = 1000

// NewCore returns a broker that is not a member yet. name is unique to the process; self is what others may read of it.
func NewCore(timing Timing, ownerKey, name string, self []byte) *Core {
	return &Core{timing: timing, slot: ownerKey, name: name, self: self}
}

// SetReady tells whether this broker could serve the slot if it owned it.
func (c *Core) SetReady(ready bool) { c.ready = ready }

// Owns returns the ownership by which the broker may serve at that time: the CreateRevision of its key, and until when if
// nothing comes; 0 if it may not.
func (c *Core) Owns(now time.Time) (owner int64, until time.Time) {
	if c.owner == 0 || !now.Before(c.until) {
		return 0, time.Time{}
	}
	return c.owner, c.until
}

// Node is the broker's number as a member, 0 while it is none.
func (c *Core) Node() int32 { return c.node }

// View is what was seen last.
func (c *Core) View() View { return c.view }

// Left tells that the broker has left, and nothing is to be done any more.
func (c *Core) Left() bool { return c.left }

// Drop ends an ownership, because its tenure ended. Another broker gets the time of a pause to take over.
func (c *Core) Drop(now time.Time, owner int64) {
	c.spent = max(c.spent, owner)
	c.pauseTo = now.Add(c.timing.Pause)
	c.idleTo = time.Time{}
	if c.owner == owner {
		c.owner = 0
		c.release = owner
	}
}

// Leave gives up the slot, if the broker owns it, and membership.
func (c *Core) Leave(now time.Time) {
	c.leaving = true
	c.idleTo = time.Time{}
	if c.owner != 0 {
		c.Drop(now, c.owner)
	}
}

// Tick sees that time is over.
func (c *Core) Tick(now time.Time) {
	if c.owner != 0 && !now.Before(c.until) {
		c.spent, c.release, c.owner = max(c.spent, c.owner), c.owner, 0
	}
}

// Next is the request that is due, or Nothing and when to ask again.
func (c *Core) Next(now time.Time) (Request, time.Time) {
	c.Tick(now)
	switch {
	case c.left:
		return Request{}, now.Add(time.Hour)
	case now.Before(c.idleTo):
		return Request{}, c.idleTo
	case c.lease == 0 && c.leaving:
		c.left = true
		return Request{}, now
	case c.lease == 0:
		return Request{What: Grant}, now
	case c.release != 0:
		return Request{What: Release, Cond: []coord.Compare{coord.CreatedAt(c.slot, c.release)}, Then: []coord.Op{coord.Delete(c.slot)}}, now
	case c.leaving:
		return Request{What: Revoke, Lease: c.lease}, now
	case !now.Before(c.keepAt):
		return Request{What: Keep, Lease: c.lease}, now
	case c.want == Register:
		key := memberKey(c.wantNode)
		return Request{What: Register, Cond: []coord.Compare{coord.Absent(key)}, Then: []coord.Op{coord.Put(key, c.self, c.lease)}}, now
	case c.want == Campaign && c.mayCampaign(now):
		return Request{What: Campaign, Cond: []coord.Compare{coord.Absent(c.slot)}, Then: []coord.Op{coord.Put(c.slot, []byte(c.name), c.lease)}}, now
	case !now.Before(c.lookAt):
		return Request{What: Look}, now
	}
	return Request{}, earlier(c.keepAt, c.lookAt)
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

func (c *Core) mayCampaign(now time.Time) bool {
	return c.ready && !c.leaving && !now.Before(c.pauseTo) && now.Before(c.until)
}

// idle is between requests that fail.
const idle = 200 * time.Millisecond

// Answered takes the answer to a request in.
func (c *Core) Answered(r Request, a Answer) {
	now := a.AnswerAt
	c.Tick(now)
	if c.view.Err = a.Err; a.Err != nil {
		c.idleTo = now.Add(min(idle, c.timing.Look))
	}
	switch r.What {
	case Grant:
		if a.Err == nil {
			c.lease, c.node = a.Lease, 0
			c.leased(a)
		}
	case Keep:
		c.kept(a)
	case Look:
		if a.Err == nil {
			c.lookAt = now.Add(c.timing.Look)
			c.see(a.KVs)
		}
	case Register, Campaign:
		c.want = Nothing
		c.lookAt = now // which tells what came of it
		if r.What == Campaign && a.Err == nil && a.Txn.Succeeded {
			c.own(a.Txn.Revision)
		}
		c.leaseGone(a.Err)
	case Release:
		if a.Err == nil {
			c.release = 0
		}
	case Revoke:
		if a.Err == nil || !now.Before(c.ends) {
			c.lease = 0
		}
	}
}

// leased notes how long the lease lives: from the moment at which the request was sent, not from the answer.
func (c *Core) leased(a Answer) {
	c.until = a.SentAt.Add(c.timing.TTL - c.timing.Margin)
	c.ends = a.SentAt.Add(c.timing.TTL)
	c.keepAt = a.SentAt.Add(c.timing.Keep)
	c.lookAt = a.AnswerAt
}

func (c *Core) kept(a Answer) {
	switch {
	case c.leaseGone(a.Err):
	case a.Err != nil:
		c.keepAt = a.AnswerAt
	default:
		look := c.lookAt
		c.leased(a)
		c.lookAt = look
	}
}

// leaseGone forgets a lease that has ended, and all that was under it.
func (c *Core) leaseGone(err error) bool {
	if !isGone(err) {
		return false
	}
	c.spent = max(c.spent, c.owner)
	c.lease, c.node, c.owner, c.release, c.want = 0, 0, 0, 0, Nothing
	c.idleTo = time.Time{}
	return true
}

func (c *Core) own(revision int64) {
	if revision > c.spent && !c.leaving {
		c.owner = revision
	} else {
		c.release = revision
	}
}

// see takes in what is there.
func (c *Core) see(kvs []coord.KV) {
	v := View{Looked: true, Members: Members(kvs)}
	c.node, c.want = 0, Nothing
	free := int32(1)
	for _, m := range v.Members { // in order
		if m.Node == free {
			free++
		}
		if m.Lease == c.lease {
			c.node = m.Node
		}
	}
	var mine int64
	for _, kv := range kvs {
		if kv.Key != c.slot {
			continue
		}
		v.Owner, v.OwnerAt = string(kv.Value), kv.CreateRevision
		if kv.Lease == c.lease {
			mine = kv.CreateRevision
		}
	}
	c.view = v
	if c.owner != 0 && mine != c.owner {
		c.spent, c.owner = max(c.spent, c.owner), 0 // somebody deleted our key
	}
	if mine != 0 && c.owner == 0 {
		c.own(mine) // the answer to the campaign was lost; or it was dropped, and has to go
	}
	switch {
	case c.node == 0 && free <= MembersMax:
		c.want, c.wantNode = Register, free
	case v.Owner == "":
		c.want = Campaign
	}
}

// Members are the brokers among the keys that begin with LivePrefix, by their numbers.
func Members(kvs []coord.KV) (list []Seen) {
	for _, kv := range kvs {
		var node int32
		number, ok := strings.CutPrefix(kv.Key, memberPrefix)
		if _, err := fmt.Sscanf(number, "%d", &node); ok && err == nil {
			list = append(list, Seen{node, kv.Lease, string(kv.Value)})
		}
	}
	return list
}
