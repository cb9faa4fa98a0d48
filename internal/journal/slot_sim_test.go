package journal

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"hash/fnv"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/narumq/naru/internal/coord"
	"github.com/narumq/naru/internal/objectstore"
	"github.com/narumq/naru/internal/record"
)

var slotSeeds = flag.Int("slot-seeds", 400, "seeds of TestSlotSimulation")

const (
	simBrokers = 3
	simSlots   = 3
	simStreams = 2 // of each slot
	simSteps   = 2500
	simLease   = 5 * time.Second
)

// slotStream numbers stream n of a slot.
func slotStream(slot SlotID, n int) StreamID { return StreamID(simSlots*(n+1)) + StreamID(slot) }

func simSlotOf(id StreamID) SlotID { return SlotID(id % simSlots) }

func simKeys(slot SlotID) (owner, head string) {
	return fmt.Sprintf("slot/%d/owner", slot), fmt.Sprintf("slot/%d/head", slot)
}

// bug is a deliberate one, that the simulation has to find.
type bug int

const (
	noBug         bug = iota
	bugNoCompare      // commits compare nothing
	bugName           // objects are named by the offset that they begin with
	bugEarly          // appends are acked when the object is stored
	bugRefused        // an unknown outcome of a commit counts as done
	bugCollectAny     // objects are deleted as soon as no head that was read refers to them
	bugTrim           // a log start is moved before that is durable
)

// slotSim runs several brokers over one bucket and one coordinator, in one goroutine, as a seed says.
type slotSim struct {
	rng     *rand.Rand
	now     time.Time
	bug     bug
	bucket  *objectstore.Fake
	quorum  *coord.Fake
	brokers []*simBroker
	late    []func() // requests of brokers that are gone, which may yet arrive
	calm    bool     // no faults
	faults  float64  // how often a request ends badly
	harsh   int      // how often brokers stop, crash and lose leases: 1 in so many steps
	values  uint64
	acked   map[StreamID]map[record.Offset]uint64
	reads   map[StreamID]map[record.Offset]uint64
	starts  map[StreamID]record.Offset // as the catalog has them
	trace   strings.Builder
	problem string
	stats   struct{ acked, failed, taken, lost, merged, trimmed, collected int }
}

type simBroker struct {
	sim     *slotSim
	name    string
	f       *Flusher
	lease   coord.LeaseID
	leased  time.Time // when the lease was last known to begin
	slots   map[SlotID]*simOwned
	puts    []*simPut
	commit  *simCommit
	stopped time.Time // paused until then
}

// simOwned is a slot with what partitions keep: the next offset to give out.
type simOwned struct {
	slot *Slot
	next map[StreamID]record.Offset
	busy bool // with a manifest; the slot's mutex sees to it elsewhere
}

type simPut struct {
	flush *flush
	call  *objectstore.Call
}

type simCommit struct {
	flush *flush
	call  *coord.Call
}

func newSlotSim(seed uint64, b bug) *slotSim {
	s := &slotSim{
		rng: rand.New(rand.NewPCG(seed, 7)), now: time.Unix(1_000_000, 0), bug: b,
		faults: []float64{0, 0.02, 0.1, 0.3}[seed%4], harsh: []int{1, 5, 25}[seed/4%3],
		acked: map[StreamID]map[record.Offset]uint64{}, reads: map[StreamID]map[record.Offset]uint64{},
		starts: map[StreamID]record.Offset{},
	}
	clock := func() time.Time { return s.now }
	s.bucket = objectstore.NewFake(objectstore.FakeConfig{Seed: seed, Now: clock, Gate: s.bucketGate})
	s.quorum = coord.NewFake(coord.FakeConfig{Seed: seed, Now: clock, Gate: s.coordGate})
	for i := range simBrokers {
		s.brokers = append(s.brokers, nil)
		s.start(i)
	}
	return s
}

func (s *slotSim) note(format string, args ...any) { fmt.Fprintf(&s.trace, format+"\n", args...) }

func (s *slotSim) fail(format string, args ...any) {
	if s.problem == "" {
		s.problem = fmt.Sprintf(format, args...)
	}
}

// start begins a broker anew: a process of another name, without memory.
func (s *slotSim) start(i int) {
	s.values++
	b := &simBroker{sim: s, name: fmt.Sprintf("b%d-%d", i, s.values), slots: map[SlotID]*simOwned{}}
	b.f = newFlusher(FlusherOptions{
		Store: s.bucket, Coord: s.quorum, SlotOf: simSlotOf, Keys: simKeys, Name: b.name, FlushBytes: 2000,
		CacheBytes: CacheBytesMin, AgeMax: 3 * time.Second,
	})
	salts := uint32(0)
	b.f.core.newSalt = func() uint32 { salts++; return uint32(s.values)<<16 + salts }
	if s.bug == bugName {
		b.f.core.newKey = b.keyOfOffset
	}
	s.brokers[i] = b
}

func (b *simBroker) keyOfOffset() string {
	p := b.f.core.open.parts[0]
	return fmt.Sprintf("log/%d-%d", p.entries[0].Stream, p.entries[0].Base)
}

// A request of the synchronous kind ends at once, sometimes badly.
func (s *slotSim) bucketGate(_ context.Context, c *objectstore.Call) objectstore.Fate {
	if s.calm || s.rng.Float64() >= s.faults {
		return objectstore.FateDone
	}
	fates := []objectstore.Fate{objectstore.FateRefused, objectstore.FateBroken, objectstore.FateUnanswered, objectstore.FateTimedOut, objectstore.FateRepeated}
	return fates[s.rng.IntN(len(fates))]
}

func (s *slotSim) coordGate(_ context.Context, c *coord.Call) coord.Fate {
	if s.calm || s.rng.Float64() >= s.faults {
		return coord.FateDone
	}
	return []coord.Fate{coord.FateBroken, coord.FateTimedOut, coord.FateUnanswered, coord.FateOverdue}[s.rng.IntN(4)]
}

// do runs a step of a broker's core.
func (b *simBroker) do(change func()) {
	e := b.f.step(b.sim.now, change)
	for _, p := range e.puts {
		b.puts = append(b.puts, &simPut{p, b.sim.bucket.Begin(objectstore.Op{Kind: objectstore.OpPut, Key: p.key, Body: p.body})})
		b.sim.note("%s puts %s", b.name, p.key)
	}
	if e.commit != nil {
		cond, then, otherwise := b.f.transaction(e.commit)
		if b.sim.bug == bugNoCompare {
			cond = nil
		}
		b.commit = &simCommit{e.commit, b.sim.quorum.Begin(coord.Request{Kind: coord.CallTxn, Cond: cond, Then: then, Otherwise: otherwise})}
		b.sim.note("%s commits %s", b.name, e.commit.key)
	}
	e.tell()
}

// endPut lets one of the objects on their way arrive, or not.
func (b *simBroker) endPut() {
	if len(b.puts) == 0 {
		return
	}
	s, i := b.sim, b.sim.rng.IntN(len(b.puts))
	p := b.puts[i]
	if !s.calm && s.rng.IntN(3) == 0 {
		p.call.Apply() // and is answered later
		return
	}
	b.puts = append(b.puts[:i], b.puts[i+1:]...)
	fate := s.bucketGate(context.Background(), p.call)
	err := p.call.End(fate).Err
	if errors.Is(err, objectstore.ErrExists) {
		err = b.f.put(context.Background(), p.flush.key, p.flush.body)
	}
	if err != nil && s.rng.IntN(2) == 0 {
		s.late = append(s.late, p.call.Apply)
	}
	s.note("%s put %s: %v", b.name, p.flush.key, err)
	if s.bug == bugEarly && err == nil {
		for _, part := range p.flush.parts {
			answerAll(part.entries, nil)
			part.entries = nil
		}
	}
	b.do(func() { b.f.core.storedAs(p.flush, s.now, err) })
}

func (b *simBroker) endCommit() {
	c, s := b.commit, b.sim
	if c == nil {
		return
	}
	if !s.calm && s.rng.IntN(3) == 0 {
		c.call.Apply()
		return
	}
	b.commit = nil
	a := c.call.End(s.coordGate(context.Background(), c.call))
	if a.Err != nil && s.rng.IntN(2) == 0 {
		s.late = append(s.late, c.call.Apply)
	}
	v := verdictOn(c.flush, a.Txn, a.Err)
	if s.bug == bugRefused && a.Err != nil {
		v = verdict{applied: true, revision: c.flush.sent[0].lane.revision}
	}
	s.note("%s commit %s: %v %v", b.name, c.flush.key, v.applied, v.err)
	var done []*part
	b.do(func() { done = b.f.committed(c.flush, s.now, v) })
	b.f.acknowledge(done)
}

// keep makes the lease last, or finds that it is over and drops everything.
func (b *simBroker) keep() {
	s := b.sim
	if b.lease != 0 {
		if _, err := s.quorum.KeepAlive(context.Background(), b.lease); err == nil {
			b.leased = s.now
		} else if errors.Is(err, coord.ErrLeaseGone) {
			b.dropAll()
		}
		return
	}
	if id, err := s.quorum.Grant(context.Background(), simLease); err == nil {
		b.lease, b.leased = id, s.now
	}
}

func (b *simBroker) dropAll() {
	b.lease = 0
	for id := SlotID(0); id < simSlots; id++ {
		b.drop(id)
	}
}

func (b *simBroker) drop(id SlotID) {
	if o := b.slots[id]; o != nil {
		b.sim.stats.lost++
		delete(b.slots, id)
		b.do(func() { b.f.core.lose(o.slot.lane, ErrNotOwner) })
	}
}

// take tries to become the owner of a slot that has none.
func (b *simBroker) take(id SlotID) {
	s, ctx := b.sim, context.Background()
	if b.lease == 0 || b.slots[id] != nil {
		return
	}
	owner, _ := simKeys(id)
	kv, ok, err := s.quorum.Get(ctx, owner)
	if err != nil || ok && string(kv.Value) != b.name {
		return
	}
	if !ok {
		s.quorum.Txn(ctx, []coord.Compare{coord.Absent(owner)}, []coord.Op{coord.Put(owner, []byte(b.name), b.lease)}, nil)
		if kv, ok, err = s.quorum.Get(ctx, owner); err != nil || !ok || string(kv.Value) != b.name {
			return
		}
	}
	slot, err := b.f.Open(ctx, id, kv.CreateRevision, Options{Live: func(id StreamID) (record.Offset, bool) { return s.starts[id], true }})
	s.note("%s takes %d: %v", b.name, id, err)
	if err != nil {
		if s.calm || errors.Is(err, ErrDamaged) {
			s.fail("open slot %d: %v", id, err)
		}
		return
	}
	s.stats.taken++
	o := &simOwned{slot: slot, next: map[StreamID]record.Offset{}}
	for n := range simStreams {
		_, o.next[slotStream(id, n)] = slot.Bounds(slotStream(id, n))
	}
	b.slots[id] = o
}

// send appends a value to a stream of a slot that the broker takes for its own.
func (b *simBroker) send(id SlotID) {
	o, s := b.slots[id], b.sim
	if o == nil {
		return
	}
	stream := slotStream(id, s.rng.IntN(simStreams))
	s.values++
	value := s.values
	payload := make([]byte, 40+8*s.rng.IntN(3))
	le.PutUint64(payload, value)
	e := &Entry{Stream: stream, Base: o.next[stream], Count: 1, MaxTimestamp: s.now.UnixMilli(), Payload: payload}
	e.Done = func(e *Entry, err error) {
		if err != nil {
			s.stats.failed++
			return
		}
		s.stats.acked++
		s.remember(s.acked, "acked", stream, e.Base, value)
	}
	if err := b.f.core.append(o.slot.lane, s.now, e); err == nil {
		o.next[stream]++
	} else {
		b.drop(id)
	}
}

// remember holds what was seen at an offset; it must be the same for ever.
func (s *slotSim) remember(m map[StreamID]map[record.Offset]uint64, how string, stream StreamID, at record.Offset, value uint64) {
	if m[stream] == nil {
		m[stream] = map[record.Offset]uint64{}
	}
	if had, ok := m[stream][at]; ok && had != value {
		s.fail("%s: stream %d offset %d was %d and is %d", how, stream, at, had, value)
	}
	m[stream][at] = value
}

// read reads a stream from some offset on, as far as it goes.
func (b *simBroker) read(id SlotID, from record.Offset) {
	o, s := b.slots[id], b.sim
	if o == nil {
		return
	}
	for n := range simStreams {
		stream := slotStream(id, n)
		start, _ := o.slot.Bounds(stream)
		for at := max(from, start); ; {
			slice, err := o.slot.Read(stream, at, 500, true)
			if err != nil {
				// While a manifest is on its way it may be in force already, and what it replaced be gone.
				gone := errors.Is(err, ErrGone) && b.lease != 0 && s.owns(b, id) && !o.busy
				if s.calm || errors.Is(err, ErrDamaged) || errors.Is(err, ErrLost) || gone {
					s.fail("read stream %d from %d: %v", stream, at, err)
				}
				break
			}
			for i, p := range slice.Payloads {
				s.remember(s.reads, "read", stream, at+record.Offset(i), le.Uint64(p))
			}
			done := slice.Next == at
			at = slice.Next
			slice.Release()
			if done {
				break
			}
		}
	}
}

// owns tells what the coordinator knows, without a fault.
func (s *slotSim) owns(b *simBroker, id SlotID) bool {
	owner, _ := simKeys(id)
	c := s.quorum.Begin(coord.Request{Kind: coord.CallGet, Key: owner})
	a := c.End(coord.FateDone)
	return len(a.KVs) == 1 && string(a.KVs[0].Value) == b.name
}

// manifest writes the manifests of some slots in one object, and merges what they have before.
func (b *simBroker) manifest(merge bool) {
	s, ctx := b.sim, context.Background()
	var slots []*Slot
	for id := SlotID(0); id < simSlots; id++ {
		if o := b.slots[id]; o != nil && !o.busy && s.rng.IntN(3) > 0 {
			slots = append(slots, o.slot)
		}
	}
	for _, slot := range slots {
		slot.forgetDead()
		slot.forgetExtents()
	}
	began := s.now
	var swaps map[*Slot]*replacement
	if merge {
		var err error
		objects := liveObjects(slots)
		var group []*mergeable
		for _, key := range slices.Sorted(maps.Keys(objects)) {
			group = append(group, objects[key])
		}
		if swaps, err = b.f.merge(ctx, group); err != nil {
			return
		}
		slots = slices.SortedFunc(maps.Keys(swaps), bySlot)
	}
	if len(slots) == 0 {
		return
	}
	key, list, err := b.f.storeManifests(ctx, slots, swaps)
	if err != nil {
		return
	}
	s.stats.merged += len(swaps)
	s.note("%s manifests %s of %d", b.name, key, len(slots))
	for i := range list {
		o := b.slots[slots[i].id]
		o.busy, list[i].done = true, func(error) { o.busy = false }
	}
	b.do(func() { b.f.core.install(key, list, began, s.now) })
}

// trim moves the log start of a stream, which only the owner can make durable.
func (b *simBroker) trim(id SlotID) {
	o, s := b.slots[id], b.sim
	if o == nil || !s.owns(b, id) {
		return
	}
	stream := slotStream(id, s.rng.IntN(simStreams))
	start, next := o.slot.Bounds(stream)
	to := start + record.Offset(s.rng.Int64N(int64(next-start)+1))
	if s.bug != bugTrim {
		s.starts[stream] = to
	}
	o.slot.Trim(stream, to)
	s.stats.trimmed += int(to - start)
	s.note("%s trims %d to %d", b.name, stream, to)
}

func (b *simBroker) collect() {
	s := b.sim
	c := Collector{Store: s.bucket, Coord: s.quorum, Keys: simKeys, Slots: simSlots, Name: b.name, Grace: 15 * time.Second}
	if s.bug == bugCollectAny {
		c.Grace = 0
	}
	sum, err := c.Collect(context.Background())
	s.stats.collected += sum.Deleted
	s.note("%s collects %+v: %t", b.name, sum, err == nil)
}

// crash ends a broker. What it had on its way may still arrive.
func (s *slotSim) crash(i int) {
	b := s.brokers[i]
	for _, p := range b.puts {
		s.late = append(s.late, p.call.Apply)
	}
	if b.commit != nil {
		s.late = append(s.late, b.commit.call.Apply)
	}
	s.note("%s crashes", b.name)
	s.start(i)
}

func (s *slotSim) step() {
	i := s.rng.IntN(simBrokers)
	b, id := s.brokers[i], SlotID(s.rng.IntN(simSlots))
	if s.now.Before(b.stopped) {
		if s.rng.IntN(3) == 0 {
			s.now = s.now.Add(time.Duration(s.rng.IntN(200)) * time.Millisecond)
		}
		return
	}
	switch n := s.rng.IntN(100); {
	case n < 20:
		s.now = s.now.Add(time.Duration(s.rng.IntN(60)) * time.Millisecond)
		b.do(func() {})
	case n < 45:
		b.send(id)
	case n < 60:
		b.endPut()
	case n < 75:
		b.endCommit()
	case n < 80:
		b.keep()
	case n < 86:
		b.take(id)
	case n < 91:
		b.read(id, record.Offset(s.rng.IntN(5)))
	case n < 93:
		b.manifest(s.rng.IntN(2) == 0)
	case n < 94:
		b.collect()
	case n < 95:
		b.trim(id)
	case n < 98:
		if s.rng.IntN(s.harsh) == 0 {
			s.disturb(i)
		}
	case len(s.late) > 0:
		k := s.rng.IntN(len(s.late))
		s.late[k]()
		s.late = append(s.late[:k], s.late[k+1:]...)
	}
}

// disturb stops the world, or one broker, for a while, or ends it.
func (s *slotSim) disturb(i int) {
	switch s.rng.IntN(4) {
	case 0:
		s.now = s.now.Add(time.Duration(s.rng.IntN(4000)) * time.Millisecond)
	case 1:
		s.now = s.now.Add(time.Duration(s.rng.IntN(20000)) * time.Millisecond)
	case 2:
		s.brokers[i].stopped = s.now.Add(time.Duration(s.rng.IntN(8000)) * time.Millisecond)
	case 3:
		s.crash(i)
	}
}

// finish lets one new broker read everything, and checks it against all that was seen.
func (s *slotSim) finish() {
	for i := range s.brokers {
		s.crash(i)
	}
	s.calm = true
	for _, f := range s.late {
		f()
	}
	s.now = s.now.Add(time.Hour)
	s.quorum.Tick()
	b := s.brokers[0]
	b.keep()
	for id := SlotID(0); id < simSlots; id++ {
		b.take(id)
		b.read(id, 0)
	}
	seen := map[uint64]bool{}
	for id := SlotID(0); id < simSlots; id++ {
		for n := range simStreams {
			if stream := slotStream(id, n); b.slots[id] != nil {
				_, next := b.slots[id].slot.Bounds(stream)
				s.checkStream(stream, next, seen)
			}
		}
	}
}

func (s *slotSim) checkStream(stream StreamID, next record.Offset, seen map[uint64]bool) {
	start, reads := s.starts[stream], s.reads[stream]
	for at := start; at < next; at++ {
		if _, ok := reads[at]; !ok {
			s.fail("stream %d has no offset %d of %d to %d", stream, at, start, next)
		}
	}
	for at, value := range reads {
		if at >= next || seen[value] {
			s.fail("stream %d offset %d of %d: value %d is there twice, or was", stream, at, next, value)
		}
		seen[value] = true
	}
	for at, value := range s.acked[stream] {
		if had, ok := reads[at]; at >= next || ok && had != value || !ok && at >= start {
			s.fail("stream %d offset %d of %d to %d: %d was acked, %d is there", stream, at, start, next, value, had)
		}
	}
}

func runSlotSim(seed uint64, b bug) *slotSim {
	s := newSlotSim(seed, b)
	for range simSteps {
		s.step()
		if s.problem != "" {
			return s
		}
	}
	s.finish()
	return s
}

func (s *slotSim) hash() uint64 {
	h := fnv.New64a()
	h.Write([]byte(s.trace.String()))
	fmt.Fprint(h, s.stats, s.problem)
	return h.Sum64()
}

// Nothing that was acked is lost or moved, and nobody reads what is not committed, whatever fails.
func TestSlotSimulation(t *testing.T) {
	var total struct{ acked, failed, taken, lost, merged, trimmed, collected int }
	seeds := uint64(*slotSeeds)
	if testing.Short() {
		seeds /= 8
	}
	for seed := range seeds {
		s := runSlotSim(seed, noBug)
		if s.problem != "" {
			t.Fatalf("seed %d: %s\n%s", seed, s.problem, s.trace.String())
		}
		if again := runSlotSim(seed, noBug); again.hash() != s.hash() {
			t.Fatalf("seed %d: two runs differ", seed)
		}
		total.acked += s.stats.acked
		total.failed += s.stats.failed
		total.taken += s.stats.taken
		total.lost += s.stats.lost
		total.merged += s.stats.merged
		total.trimmed += s.stats.trimmed
		total.collected += s.stats.collected
	}
	t.Logf("%d seeds: %+v", seeds, total)
	if total.acked == 0 || total.failed == 0 || total.lost == 0 || total.merged == 0 || total.trimmed == 0 || total.collected == 0 {
		t.Errorf("the simulation did not do everything: %+v", total)
	}
}

// Each deliberate bug is found.
func TestSlotSimulationFindsBugs(t *testing.T) {
	names := map[bug]string{bugNoCompare: "commits compare nothing", bugName: "objects named by offset", bugEarly: "acked before the commit",
		bugRefused: "unknown is success", bugCollectAny: "collected too early", bugTrim: "trimmed too early"}
	for b, name := range names {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(2000) {
				if s := runSlotSim(seed, b); s.problem != "" {
					t.Logf("seed %d: %s", seed, s.problem)
					return
				}
			}
			t.Error("not found")
		})
	}
}
