package journal

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/narumq/naru/internal/coord"
	"github.com/narumq/naru/internal/fault"
)

// SlotID numbers a slot: a fixed set of streams that has one owner at a time.
type SlotID uint32

// Errors of the object medium.
var (
	// ErrNotOwner: another broker owns the slot, or may. What was appended and not confirmed is there once or not at all.
	ErrNotOwner = fault.New(fault.Unavailable, "journal: the slot is not owned here any more")
	// ErrGone: an object is not there although the index names it. It was merged with others, and the commit that says so is
	// not known here yet; or the slot has another owner. Read again.
	ErrGone = fault.New(fault.Unavailable, "journal: the object was replaced, and by what is not known yet")
	// ErrTooOld: an object could not be committed for so long that it might have been taken for an orphan.
	ErrTooOld = fault.New(fault.Unavailable, "journal: a flush took too long to commit")
)

// Head is what the coordinator holds of a slot: where its log ends. Everything else about the slot is in the bucket.
type Head struct {
	Epoch      int32  `json:"epoch"`          // counts owners
	Sequence   uint64 `json:"seq"`            // counts objects that were committed to the slot
	Commit     string `json:"commit"`         // drawn anew for each commit, so that its writer knows it again
	Last       string `json:"last,omitempty"` // key of the object with that sequence
	LastBytes  int64  `json:"size,omitempty"` // its size
	Manifest   string `json:"man,omitempty"`  // key of the object with the newest manifest
	ManifestAt int64  `json:"at,omitempty"`   // where in it: slots share such objects
	ManifestOf int64  `json:"len,omitempty"`  // how many bytes
	Manifested uint64 `json:"upto,omitempty"` // the last sequence that the manifest covers
}

// Encode is the head as the coordinator holds it.
func (h Head) Encode() []byte {
	b, err := json.Marshal(h)
	if err != nil {
		panic(err) // numbers and strings
	}
	return b
}

// DecodeHead reads what Encode wrote.
func DecodeHead(b []byte) (h Head, err error) {
	if err := json.Unmarshal(b, &h); err != nil {
		return h, fmt.Errorf("%w: head of a slot: %w", ErrDamaged, err)
	}
	return h, nil
}

// lane is what flushing knows of a slot that is owned.
type lane struct {
	slot     SlotID
	owner    int64 // CreateRevision of the owner's key
	head     Head  // as committed
	revision int64 // ModRevision of the head
	planned  Head  // as it will be when all that is on its way is committed
	chain    chain // of planned: what is not in its manifest
	lost     error // why the slot is not owned any more; final
}

// part is what one slot has in a flush.
type part struct {
	lane    *lane
	entries []*Entry
	runs    []*run      // where the entries are in the object
	prev    []objectRef // the slot's objects before this one, newest first
	head    Head        // that the commit writes
	install func(error) // of a flush without an object: told the outcome
	replace *replacement
}

// flush is one object on its way, or, without a key, a commit that needs none.
type flush struct {
	key     string
	parts   []*part
	sent    []*part   // of the transaction under way, lost ones too
	began   time.Time // when the object was named
	stored  bool
	busy    bool      // a PUT or a transaction is under way
	retryAt time.Time // zero: not waiting
	tries   int
	doubted bool // a PUT failed: it may still be reading body

	salt uint32
	body []byte
	end  int64 // of the frames
}

// flushLimits bound flushing. All are set.
type flushLimits struct {
	every    time.Duration // from the first append to the object
	bytes    int64         // or so many bytes
	inFlight int           // objects on their way
	ageMax   time.Duration // of an object that is not committed
}

// flushing is the core of the object medium: which appends go into which object, and what is committed when. It is pure:
// time is an argument, and what is to be done is left in puts, commit and failed, for the caller to take.
type flushing struct {
	limits  flushLimits
	newKey  func() string
	newSalt func() uint32
	buffer  func(bytes int64) []byte // for an object of about so many
	lanes   map[SlotID]*lane
	open    *flush
	bytes   int64 // of open
	opened  time.Time
	line    []*flush // closed, in order of commits
	puts    []*flush // to be stored now
	commit  *flush   // to be committed now
	failed  []failure
	waiting int   // installs in line
	stored  int64 // objects, ever
}

// failure is an answer to appends.
type failure struct {
	entries []*Entry
	install func(error)
	err     error
}

func newFlushing(limits flushLimits, newKey func() string, newSalt func() uint32, buffer func(int64) []byte) *flushing {
	return &flushing{limits: limits, newKey: newKey, newSalt: newSalt, buffer: buffer, lanes: make(map[SlotID]*lane)}
}

// own begins to take appends of a slot, whose newest objects are in its chain.
func (c *flushing) own(slot SlotID, owner int64, head Head, revision int64, ch chain) *lane {
	l := &lane{slot: slot, owner: owner, head: head, revision: revision, planned: head, chain: ch}
	c.lanes[slot] = l
	return l
}

// flushSlotsMax is how many slots one transaction can commit: each has two conditions.
const flushSlotsMax = coord.TxnOpsMax / 2

// append gathers entries of a slot, in order.
func (c *flushing) append(l *lane, now time.Time, entries ...*Entry) error {
	if l.lost != nil {
		return l.lost
	}
	if c.open != nil && len(c.open.parts) >= flushSlotsMax && !c.gathers(l) {
		c.close(now)
	}
	if c.open == nil {
		c.open, c.bytes, c.opened = new(flush), 0, now
	}
	p := c.open.part(l)
	p.entries = append(p.entries, entries...)
	for _, e := range entries {
		c.bytes += frameSize(len(e.Payload))
	}
	return nil
}

func (f *flush) part(l *lane) *part {
	for _, p := range f.parts {
		if p.lane == l {
			return p
		}
	}
	p := &part{lane: l}
	f.parts = append(f.parts, p)
	return p
}

// installation is a slot's new manifest.
type installation struct {
	lane      *lane
	at, bytes int64 // in the object
	upto      uint64
	replace   *replacement
	done      func(error)
}

// install commits the manifests of several slots in their turn, and tells each done. What they need was stored from began on.
func (c *flushing) install(key string, list []installation, began, now time.Time) {
	c.close(now) // what came before goes before
	f := &flush{stored: true, began: began}
	for _, i := range list {
		l := i.lane
		if l.lost != nil {
			c.failed = append(c.failed, failure{install: i.done, err: l.lost})
			continue
		}
		l.planned.Manifest, l.planned.ManifestAt, l.planned.ManifestOf = key, i.at, i.bytes
		l.planned.Manifested, l.planned.Commit = i.upto, key
		f.parts = append(f.parts, &part{lane: l, head: l.planned, install: i.done, replace: i.replace})
	}
	if len(f.parts) > 0 {
		c.line = append(c.line, f)
		c.waiting++
	}
}

// gathers tells whether the lane has appends that are in no object yet.
func (c *flushing) gathers(l *lane) bool {
	return c.open != nil && slices.ContainsFunc(c.open.parts, func(p *part) bool { return p.lane == l })
}

// close ends the object that is gathered, and names it.
func (c *flushing) close(now time.Time) {
	f := c.open
	if f == nil {
		return
	}
	f.key, f.began, f.busy = c.newKey(), now, true
	c.open = nil
	for _, p := range f.parts {
		plan := &p.lane.planned
		p.prev = p.lane.chain.list(plan)
		plan.Sequence++
		plan.Last, plan.Commit = f.key, f.key
		p.head = *plan
	}
	slices.SortFunc(f.parts, func(a, b *part) int { return cmp.Compare(a.lane.slot, b.lane.slot) })
	f.encode(c.newSalt(), c.buffer)
	for _, p := range f.parts {
		p.lane.planned.LastBytes = int64(len(f.body))
		p.head = p.lane.planned
		p.lane.chain.add(objectRef{f.key, int64(len(f.body))})
	}
	c.line = append(c.line, f)
	c.puts = append(c.puts, f)
}

// tick does what is due, and returns when to be called again; zero: when something has happened.
func (c *flushing) tick(now time.Time) (next time.Time) {
	soonest := func(t time.Time) {
		if next.IsZero() || t.Before(next) {
			next = t
		}
	}
	if c.open != nil && len(c.line)-c.waiting < c.limits.inFlight {
		due := c.opened.Add(c.limits.every)
		if c.bytes >= c.limits.bytes || !now.Before(due) {
			c.close(now)
		} else {
			soonest(due)
		}
	}
	for _, f := range c.line {
		if f.busy || f.retryAt.IsZero() {
			continue
		}
		if now.Before(f.retryAt) {
			soonest(f.retryAt)
			continue
		}
		f.retryAt = time.Time{}
		if !f.stored {
			f.busy = true
			c.puts = append(c.puts, f)
		}
	}
	c.next(now)
	return next
}

// next hands out the transaction whose turn it is.
func (c *flushing) next(now time.Time) {
	for len(c.line) > 0 {
		f := c.line[0]
		if f.busy || !f.retryAt.IsZero() || !f.stored {
			return
		}
		if now.Sub(f.began) > c.limits.ageMax {
			for _, p := range slices.Clone(f.parts) {
				c.lose(p.lane, ErrTooOld)
			}
		}
		if len(f.parts) == 0 {
			c.shift() // nobody waits for it: its object is an orphan
			continue
		}
		f.busy, f.sent = true, slices.Clone(f.parts)
		c.commit = f
		return
	}
}

func (c *flushing) shift() {
	if c.line[0].key == "" {
		c.waiting--
	}
	c.line[0] = nil
	c.line = c.line[1:]
}

// Between tries.
const (
	retryMin = 50 * time.Millisecond
	retryMax = 5 * time.Second
)

func (f *flush) retry(now time.Time) {
	f.retryAt = now.Add(min(retryMax, retryMin<<min(f.tries, 10)))
	f.tries++
}

// storedAs ends a PUT. An error is not final: the same object is tried again under the same name, so that it does not matter
// which of the tries was applied.
func (c *flushing) storedAs(f *flush, now time.Time, err error) {
	f.busy = false
	switch {
	case err == nil:
		f.stored, f.tries = true, 0
		c.stored++
	case now.Sub(f.began) > c.limits.ageMax:
		for _, p := range slices.Clone(f.parts) {
			c.lose(p.lane, fmt.Errorf("%w: %w", ErrTooOld, err))
		}
		f.stored = true // given up: next drops it
	default:
		f.doubted = true
		f.retry(now)
	}
	c.next(now)
}

// verdict is how a transaction ended.
type verdict struct {
	err      error // unknown whether it was applied
	applied  bool
	revision int64      // if it was applied, or had been
	found    []standing // else: how the slots of the parts that were sent stand, in their order
}

// standing is the state of a slot as the coordinator tells it.
type standing struct {
	owner    int64 // CreateRevision, 0 if there is none
	head     Head
	revision int64 // ModRevision of the head, 0 if there is none
}

// committed ends a transaction and returns the parts that are durable now.
//
// A transaction whose answer was lost is sent again as it was. It compares the heads' revisions, so at most one try is
// applied; if it was an earlier one, the heads tell by their Commit.
func (c *flushing) committed(f *flush, now time.Time, v verdict) []*part {
	f.busy = false
	if v.err != nil {
		f.retry(now)
		return nil
	}
	if !v.applied {
		for i, p := range f.sent {
			s := v.found[i]
			switch {
			case s.head.Commit == p.head.Commit && s.revision > 0:
				v.applied, v.revision = true, s.revision
			case s.owner != p.lane.owner:
				c.lose(p.lane, ErrNotOwner)
			case s.revision != p.lane.revision:
				c.lose(p.lane, fmt.Errorf("%w: its head was moved by somebody else", ErrNotOwner))
			}
		}
	}
	if !v.applied {
		c.next(now) // what is left of it
		return nil
	}
	c.shift()
	for _, p := range f.parts {
		p.lane.head, p.lane.revision = p.head, v.revision
	}
	return f.parts
}

// lose ends a slot: all that is on its way fails, and nothing more is taken.
func (c *flushing) lose(l *lane, err error) {
	if l.lost != nil {
		return
	}
	l.lost = err
	if c.lanes[l.slot] == l {
		delete(c.lanes, l.slot)
	}
	flushes := c.line
	if c.open != nil {
		flushes = append(slices.Clone(c.line), c.open)
	}
	for _, f := range flushes {
		for i, p := range f.parts {
			if p.lane == l {
				c.failed = append(c.failed, failure{p.entries, p.install, err})
				f.parts = slices.Delete(slices.Clone(f.parts), i, i+1)
				break
			}
		}
	}
	if c.open != nil && len(c.open.parts) == 0 {
		c.open = nil
	}
}
