package cluster

import (
	"time"

	"github.com/narumq/naru/internal/coord"
	"github.com/narumq/naru/internal/journal"
)

// holding is what Core knows of its own part in a slot.
type holding struct {
	owner    int64     // CreateRevision of our key; 0: not owner
	give     bool      // it is to be handed over
	spent    int64     // of ownerships that were dropped: none of them counts again
	release  int64     // an owner's key of ours that has to go
	take     bool      // the last look calls for a campaign
	bare     time.Time // since when it is seen without an owner
	absent   int32     // the broker to which it belonged when it had no owner
	keepTo   time.Time // it is not given to that broker before: if that is dead, its lease ends first
	refuseTo time.Time // it could not be served here, and is not tried again before
	fails    int
}

// Limits of what happens at a time.
const (
	// HandOversMax is how many slots a broker hands over at a time on a planned change, those included that nobody has taken yet:
	// a change does not stop everything.
	HandOversMax = 4
	// batchMax is how many owners' keys a transaction puts or deletes.
	batchMax = 32
	// refuseMax is how long a slot that could not be opened again and again is not tried.
	refuseMax = 10 * time.Second
)

// Holding is the ownership of a slot by this broker.
type Holding struct {
	Owner int64 // CreateRevision of the owner's key; 0: not owned
	Give  bool  // to be closed as planned, and then Gave
}

// Holdings are what the broker owns, by slot, for as long as it is a member.
func (c *Core) Holdings() []Holding {
	list := make([]Holding, len(c.slots))
	for i, h := range c.slots {
		list[i] = Holding{h.owner, h.give}
	}
	return list
}

func (h *holding) drop() {
	if h.owner != 0 {
		h.spent, h.release = max(h.spent, h.owner), h.owner
	}
	h.owner, h.give = 0, false
}

// DropAll ends every ownership.
func (c *Core) DropAll() {
	for i := range c.slots {
		c.slots[i].drop()
	}
}

// Gave ends an ownership after the slot was closed. Its key goes next.
func (c *Core) Gave(slot journal.SlotID, owner int64) {
	if h := &c.slots[slot]; h.owner == owner {
		h.drop()
	}
}

// Failed is Gave for a slot that could not be served here: it is left to others, the longer the more often that happens.
func (c *Core) Failed(now time.Time, slot journal.SlotID, owner int64) {
	h := &c.slots[slot]
	if h.owner != owner {
		return
	}
	if now.Sub(h.refuseTo) > refuseMax {
		h.fails = 0
	}
	h.refuseTo = now.Add(min(refuseMax, c.timing.Pause<<min(h.fails, 10)))
	h.fails++
	h.drop()
}

// giveBack deletes keys of ours, unless they are others' by now. A single one that is not as it was is gone; of several, who knows.
func (c *Core) giveBack(time.Time) Request {
	r := Request{What: Release}
	for i := range c.slots {
		h := &c.slots[i]
		if h.release == 0 || len(r.Slots) == c.releases {
			continue
		}
		key := ownerKey(journal.SlotID(i))
		r.Slots = append(r.Slots, journal.SlotID(i))
		r.Cond = append(r.Cond, coord.CreatedAt(key, h.release))
		r.Then = append(r.Then, coord.Delete(key))
	}
	if len(r.Slots) == 0 {
		c.releases = batchMax
		return Request{}
	}
	return r
}

func (c *Core) released(r Request, a Answer) {
	c.lookAt = a.AnswerAt
	switch {
	case a.Err != nil:
		return
	case !a.Txn.Succeeded && len(r.Slots) > 1:
		c.releases = 1
		return
	}
	for i, slot := range r.Slots {
		if h := &c.slots[slot]; h.release == r.Cond[i].Revision {
			h.release = 0
		}
	}
}

// campaign takes slots that are nobody's.
func (c *Core) campaign(now time.Time) Request {
	r := Request{What: Campaign}
	if !c.ready || c.leaving || !c.alive || c.node == 0 {
		return Request{}
	}
	value := ownerValue{c.node, c.self.Name}.encode()
	for i := range c.slots {
		h := &c.slots[i]
		if !h.take || h.release != 0 || now.Before(h.refuseTo) || len(r.Slots) == c.campaigns {
			continue
		}
		key := ownerKey(journal.SlotID(i))
		r.Slots = append(r.Slots, journal.SlotID(i))
		r.Cond = append(r.Cond, coord.Absent(key))
		r.Then = append(r.Then, coord.Put(key, value, c.lease))
	}
	if len(r.Slots) == 0 {
		c.campaigns = batchMax
		return Request{}
	}
	return r
}

func (c *Core) campaigned(r Request, a Answer) {
	c.lookAt = a.AnswerAt // which tells what came of it
	won := a.Err == nil && a.Txn.Succeeded
	for _, slot := range r.Slots {
		if won {
			c.own(a.AnswerAt, slot, a.Txn.Revision)
		}
		if won || a.Err != nil || len(r.Slots) == 1 {
			c.slots[slot].take = false
		}
	}
	if a.Err == nil && !won {
		c.campaigns = max(1, len(r.Slots)/4) // one that was taken by somebody else fails all
	}
	c.leaseGone(a.Err)
}

func (c *Core) own(now time.Time, slot journal.SlotID, revision int64) {
	h := &c.slots[slot]
	if revision > h.spent && c.ready && !c.leaving && c.alive && !now.Before(h.refuseTo) {
		h.owner, h.keepTo = revision, now.Add(c.timing.TTL)
		return
	}
	h.spent, h.release = max(h.spent, revision), revision
}

// see takes in what is there.
func (c *Core) see(now time.Time, kvs []coord.KV) {
	c.view = View{Looked: true, Members: Members(kvs), Owners: owners(kvs, len(c.slots))}
	c.seeMembers()
	for i := range c.slots {
		c.seeSlot(now, journal.SlotID(i), c.view.Owners[i])
	}
	if c.node != 0 {
		c.plan(now)
	}
}

func (c *Core) seeMembers() {
	before := c.node
	c.node, c.free, c.surplus = 0, 0, Seen{}
	free := int32(1)
	for _, m := range c.view.Members { // in order
		if m.Node == free {
			free++
		}
		if m.Lease != c.lease {
			continue
		}
		if c.node == 0 || m.Node == before {
			c.node, c.memberAt, c.told = m.Node, m.created, m.Value
		}
	}
	for _, m := range c.view.Members {
		if m.Lease == c.lease && m.Node != c.node {
			c.surplus = m
		}
	}
	if before != 0 && before != c.node { // somebody deleted our key
		c.DropAll()
		c.term++
	}
	if c.node == 0 && free <= MembersMax {
		c.free = free
	}
}

func (c *Core) seeSlot(now time.Time, slot journal.SlotID, o SlotOwner) {
	h := &c.slots[slot]
	h.take = false
	if o.Revision != 0 {
		h.bare = time.Time{}
	} else if h.bare.IsZero() {
		h.bare = now
	}
	mine := o.Revision
	if o.lease != c.lease {
		mine = 0
	}
	if h.owner != mine {
		h.drop() // somebody deleted our key
	}
	if h.release != mine {
		h.release = 0 // gone
	}
	if mine != 0 && h.owner == 0 && h.release == 0 {
		c.own(now, slot, mine) // the answer to the campaign was lost; or it was dropped, and has to go
	}
}

// plan decides what to take and what to give.
func (c *Core) plan(now time.Time) {
	p := c.view.placement(len(c.slots), c.wishes)
	rights := make([]int32, len(c.slots))
	moving := 0
	for i := range c.slots {
		h := &c.slots[i]
		right, rank := p.rank(journal.SlotID(i), c.node)
		rights[i] = right
		bare := c.view.Owners[i].Revision == 0
		if h.give || bare && right != 0 {
			moving++
		}
		h.take = bare && rank >= 0 && now.Sub(h.bare) >= time.Duration(rank)*c.timing.patience()
		if bare {
			h.absent = right
		}
	}
	for i, right := range rights {
		h := &c.slots[i]
		wanted := right != 0 && right != c.node && !(right == h.absent && now.Before(h.keepTo))
		if h.owner != 0 && !h.give && wanted && moving < HandOversMax {
			h.give = true
			moving++
		}
	}
}
