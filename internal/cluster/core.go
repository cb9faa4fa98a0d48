package cluster

import (
	"time"

	"github.com/narumq/naru/internal/coord"
	"github.com/narumq/naru/internal/journal"
)

// Timing of membership. All are set.
type Timing struct {
	TTL    time.Duration // of the lease, whole seconds
	Margin time.Duration // how long before its end an owner falls silent
	Keep   time.Duration // between keep-alives
	Look   time.Duration // between looks at who is there
	Pause  time.Duration // after a tenure that ended badly, or a slot that could not be opened, before the next try
}

// TimingOf is the timing for a lease.
func TimingOf(ttl time.Duration) Timing {
	return Timing{TTL: ttl, Margin: ttl / 5, Keep: ttl / 5, Look: min(500*time.Millisecond, ttl/5), Pause: time.Second}
}

// patience is how long a slot stays without an owner before the next in rank takes it.
func (t Timing) patience() time.Duration { return 2*t.Look + time.Second }

// Request is what Core wants from the coordinator.
type Request struct {
	What  What
	Lease coord.LeaseID
	Cond  []coord.Compare // of a transaction
	Then  []coord.Op
	Slots []journal.SlotID // that a campaign or a release is about
}

// What kind of request.
type What uint8

// The kinds.
const (
	Nothing  What = iota
	Grant         // a lease
	Keep          // it alive
	Wish          // a range of WantPrefix
	Look          // a range of LivePrefix
	Register      // a transaction
	Update        // a transaction: what others may read of this broker
	Campaign      // a transaction
	Release       // a transaction
	Revoke        // the lease
)

func (w What) String() string {
	return [...]string{"nothing", "grant", "keep alive", "wish", "look", "register", "update", "campaign", "release", "revoke"}[w]
}

// Answer is what came of a request. Err: it is not known what was done, or that nothing was.
type Answer struct {
	Lease    coord.LeaseID
	KVs      []coord.KV // of a range
	Txn      coord.TxnResult
	Err      error
	SentAt   time.Time // by the clock of Core's caller
	AnswerAt time.Time
}

// Core is membership and the ownership of slots, as one broker sees them. It is pure. One request is on its way at a time:
// Next gives it, Answered ends it.
type Core struct {
	timing Timing
	self   Member
	ready  bool // may own slots

	lease    coord.LeaseID
	until    time.Time // up to then the lease certainly lives, less the margin
	ends     time.Time // up to then it may be kept alive
	alive    bool      // until was not reached yet
	term     int64     // counts how often membership ended
	keepAt   time.Time
	lookAt   time.Time
	lookedAt time.Time
	wishAt   time.Time
	idleTo   time.Time // no request before
	node     int32     // number as a member; 0: none
	memberAt int64     // CreateRevision of the member's key
	told     string    // its value
	free     int32     // number under which to register; 0: none, or there is one
	surplus  Seen      // a second key, of a registration that came late; it has to go
	leaving  bool
	left     bool

	slots     []holding
	campaigns int // slots in a transaction: fewer after one that failed
	releases  int
	wishes    wishes
	view      View
}

// MembersMax is how many brokers a cluster has at most.
const MembersMax = 1000

// NewCore returns a broker that is not a member yet. self is what others may read of it; its name is unique to the process.
func NewCore(timing Timing, slots int, self Member) *Core {
	return &Core{timing: timing, self: self, slots: make([]holding, max(1, slots)), campaigns: batchMax, releases: batchMax}
}

// SetReady tells whether this broker could serve slots if it owned them.
func (c *Core) SetReady(ready bool) { c.ready = ready }

// Member returns the broker's number while it is a member: the term, which is another one whenever membership was lost in between,
// and until when it lasts if nothing comes; 0 while it is none.
func (c *Core) Member(now time.Time) (term int64, node int32, until time.Time) {
	c.Tick(now)
	if c.node == 0 || !c.alive || c.leaving {
		return 0, 0, time.Time{}
	}
	return c.term + 1, c.node, c.until
}

// View is what was seen last.
func (c *Core) View() View { return c.view }

// MemberKey is the key by which the broker is a member, and its CreateRevision; transactions compare that.
func (c *Core) MemberKey() (key string, created int64) { return memberKey(c.node), c.memberAt }

// Hint says that there may be something to see. It is no more than that: without it, the next look comes a little later.
func (c *Core) Hint() {
	c.lookAt = earlier(c.lookAt, c.lookedAt.Add(c.timing.Look/hints))
}

// hints is how many more looks there may be than without hints.
const hints = 10

// Left tells that the broker has left, and nothing is to be done any more.
func (c *Core) Left() bool { return c.left }

// Leave gives up all slots that the broker owns, and membership. Nobody serves them any more here.
func (c *Core) Leave() {
	c.DropAll()
	c.leaving = true
	c.idleTo = time.Time{}
}

// Tick sees that time is over.
func (c *Core) Tick(now time.Time) {
	if c.alive && !now.Before(c.until) {
		c.lapse()
	}
}

// lapse ends a membership, though its keys may be there still. Its lease is not kept alive any more, and revoked at its end: requests may
// arrive though answers are lost, and others could take over nothing for as long as that goes on.
func (c *Core) lapse() {
	c.DropAll()
	c.alive = false
	c.term++
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
	case !c.alive && !c.leaving && now.Before(c.ends): // what was being said meanwhile has been said by then
		return Request{}, c.ends
	case !c.alive && !c.leaving:
		return Request{What: Revoke, Lease: c.lease}, now
	case !now.Before(c.keepAt) && !c.leaving:
		return Request{What: Keep, Lease: c.lease}, now
	}
	for _, due := range []func(time.Time) Request{c.membership, c.giveBack, c.depart, c.campaign, c.look} {
		if r := due(now); r.What != Nothing {
			return r, now
		}
	}
	return Request{}, earlier(c.keepAt, earlier(c.wishAt, c.lookAt))
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// membership is what makes the broker a member, or tells others what has changed of it. A broker that leaves tells first that it is
// not ready, so that nobody waits for it to take again what it gives.
func (c *Core) membership(now time.Time) Request {
	switch value := c.value(now); {
	case c.surplus.Node != 0:
		key := memberKey(c.surplus.Node)
		return Request{What: Update, Cond: []coord.Compare{coord.CreatedAt(key, c.surplus.created)}, Then: []coord.Op{coord.Delete(key)}}
	case c.free != 0 && !c.leaving:
		key := memberKey(c.free)
		return Request{What: Register, Cond: []coord.Compare{coord.Absent(key)}, Then: []coord.Op{coord.Put(key, []byte(value), c.lease)}}
	case c.node != 0 && c.told != value && !c.leaving:
		key := memberKey(c.node)
		return Request{What: Update, Cond: []coord.Compare{coord.CreatedAt(key, c.memberAt)}, Then: []coord.Op{coord.Put(key, []byte(value), c.lease)}}
	}
	return Request{}
}

// value is what others are to read of this broker now.
func (c *Core) value(now time.Time) string {
	m := c.self
	m.Ready = c.ready
	m.Refuses = nil
	for i := range c.slots {
		if now.Before(c.slots[i].refuseTo) {
			m.Refuses = append(m.Refuses, journal.SlotID(i))
		}
	}
	return string(m.Encode())
}

func (c *Core) depart(time.Time) Request {
	if c.leaving {
		return Request{What: Revoke, Lease: c.lease}
	}
	return Request{}
}

func (c *Core) look(now time.Time) Request {
	switch {
	case !now.Before(c.wishAt):
		return Request{What: Wish}
	case !now.Before(c.lookAt):
		return Request{What: Look}
	}
	return Request{}
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
			c.lookAt, c.wishAt = now, now
			c.Tick(now)
		}
	case Keep:
		if !c.leaseGone(a.Err) && a.Err == nil {
			c.leased(a)
			c.Tick(now)
		}
	case Wish:
		if a.Err == nil {
			c.wishAt = now.Add(c.timing.Look)
			c.wishes = readWishes(a.KVs)
		}
	case Look:
		if a.Err == nil {
			c.lookedAt, c.lookAt = now, now.Add(c.timing.Look)
			c.see(now, a.KVs)
		}
	case Register, Update:
		c.free, c.surplus = 0, Seen{}
		if r.What == Update && a.Err == nil && a.Txn.Succeeded && r.Then[0].Kind == coord.OpPut {
			c.told = string(r.Then[0].Value)
		}
		c.lookAt = now // which tells what came of it
		c.leaseGone(a.Err)
	case Campaign:
		c.campaigned(r, a)
	case Release:
		c.released(r, a)
	case Revoke:
		if a.Err == nil || c.leaving && !now.Before(c.ends) {
			c.forget()
		}
	}
}

// leased notes how long the lease lives: from the moment at which the request was sent, not from the answer.
func (c *Core) leased(a Answer) {
	c.until = a.SentAt.Add(c.timing.TTL - c.timing.Margin)
	c.ends = a.SentAt.Add(c.timing.TTL)
	c.keepAt = a.SentAt.Add(c.timing.Keep)
	c.alive = true
}

// leaseGone forgets a lease that has ended, and all that was under it.
func (c *Core) leaseGone(err error) bool {
	if !isGone(err) {
		return false
	}
	c.lapse()
	c.forget()
	return true
}

// forget is about a lease that has ended.
func (c *Core) forget() {
	for i := range c.slots {
		c.slots[i].release = 0
	}
	c.lease, c.node, c.free, c.told, c.surplus = 0, 0, 0, "", Seen{}
	c.idleTo = time.Time{}
}
