package broker

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/narumq/naru/internal/catalog"
	"github.com/narumq/naru/internal/fault"
	"github.com/narumq/naru/internal/group"
	"github.com/narumq/naru/internal/journal"
	"github.com/narumq/naru/internal/record"
	"github.com/narumq/naru/internal/user"
)

// ErrImport says that something is in the way of an import.
var ErrImport = fault.New(fault.FailedPrecondition, "cannot be imported")

// Import copies what a broker that is alone has into a catalog and journals that no broker serves meanwhile. Records keep their bytes
// and offsets, so that what consumers committed means the same; queues keep what is done, attempts and leases; triggers, exchanges,
// bindings and users are as they were. What the source has for itself (replies, parked delays, the memory of producers) is made
// anew from the rest when a broker opens the slots.
type Import struct {
	Source  *Broker          // nobody uses it meanwhile
	Catalog *catalog.Catalog // of the target
	// Open takes a slot of the target. Its journal is closed before the next one is opened.
	Open func(id journal.SlotID, opt journal.Options) (Medium, error)
	Now  func() int64 // milliseconds
	// Progress is told of each slot that is done; nil: nobody is.
	Progress func(slot, slots int, sum Imported)

	sum      Imported
	queues   map[uint64]*catalog.Queue          // the target's, by the source's ids
	streams  map[journal.StreamID]*Partition    // the source's, by the target's streams
	starts   map[journal.StreamID]record.Offset // where the target's streams begin
	commands map[journal.StreamID][]statecommand
}

// Imported is what was copied.
type Imported struct {
	Topics     int   `json:"topics"`
	Partitions int   `json:"partitions"`
	Queues     int   `json:"queues"`
	Users      int   `json:"users"`
	Batches    int64 `json:"batches"`
	Bytes      int64 `json:"bytes"`
}

// statecommand is a command for a state machine.
type statecommand struct{ key, value []byte }

// Run copies everything. It refuses, and changes nothing, where a topic, a queue or a user of the source is there already. What it
// did before another error stays.
func (im *Import) Run(ctx context.Context) (Imported, error) {
	im.queues, im.streams = map[uint64]*catalog.Queue{}, map[journal.StreamID]*Partition{}
	im.starts, im.commands = map[journal.StreamID]record.Offset{}, map[journal.StreamID][]statecommand{}
	if err := im.check(); err != nil {
		return im.sum, err
	}
	if err := im.adopt(); err != nil {
		return im.sum, err
	}
	if err := im.state(); err != nil {
		return im.sum, err
	}
	for slot := range im.Catalog.Slots() {
		if err := im.slot(ctx, journal.SlotID(slot)); err != nil {
			return im.sum, fmt.Errorf("slot %d: %w", slot, err)
		}
		if im.Progress != nil {
			im.Progress(slot, im.Catalog.Slots(), im.sum)
		}
	}
	return im.sum, nil
}

// check finds what is there already.
func (im *Import) check() error {
	var there []error
	for _, t := range im.topics() {
		if _, err := im.Catalog.Topic(t.Name); err == nil {
			there = append(there, fmt.Errorf("%w: topic %s exists", ErrImport, t.Name))
		}
	}
	for _, q := range im.ownQueues() {
		if _, err := im.Catalog.Queue(q.Name); err == nil {
			there = append(there, fmt.Errorf("%w: queue %s exists", ErrImport, q.Name))
		}
	}
	for _, u := range im.Source.catalog.Users() {
		if _, err := im.Catalog.User(u.Name); err == nil {
			there = append(there, fmt.Errorf("%w: user %s exists", ErrImport, u.Name))
		}
	}
	return errors.Join(there...)
}

// topics are those of the source that are not its own.
func (im *Import) topics() (list []*catalog.Topic) {
	for _, t := range im.Source.catalog.Topics() {
		if !t.Internal {
			list = append(list, t)
		}
	}
	return list
}

func (im *Import) ownQueues() (list []*catalog.Queue) {
	for _, q := range im.Source.catalog.Queues() {
		if !q.Internal() {
			list = append(list, q)
		}
	}
	return list
}

// adopt enters everything into the catalog.
func (im *Import) adopt() error {
	owned := map[string]bool{}
	for _, q := range im.ownQueues() {
		owned[q.Topic] = owned[q.Topic] || q.Owned
	}
	for _, t := range im.topics() {
		made, err := im.Catalog.AdoptTopic(t, owned[t.Name])
		if err != nil {
			return fmt.Errorf("topic %s: %w", t.Name, err)
		}
		for i, p := range made.Partitions {
			from, err := im.Source.Partition(t.Name, int32(i))
			if err != nil {
				return err
			}
			id := journal.StreamID(p.Stream)
			im.streams[id] = from
			if im.starts[id], err = firstOffset(from); err != nil {
				return err
			}
		}
		im.sum.Topics++
		im.sum.Partitions += len(made.Partitions)
	}
	for _, q := range im.ownQueues() {
		made, err := im.Catalog.AdoptQueue(q)
		if err != nil {
			return fmt.Errorf("queue %s: %w", q.Name, err)
		}
		im.queues[q.ID] = made
		im.sum.Queues++
	}
	for _, u := range im.Source.catalog.Users() {
		if _, err := im.Catalog.PutUser(u.Name, func(to *user.User, _ bool) error { *to = *u; return nil }); err != nil {
			return fmt.Errorf("user %s: %w", u.Name, err)
		}
		im.sum.Users++
	}
	return im.adoptProducers()
}

// adoptProducers sees to it that no new producer gets an id under which records were written.
func (im *Import) adoptProducers() error {
	used, _, err := im.Source.catalog.NextProducerIDBlock()
	for given := int64(-1); err == nil && given < used; {
		given, _, err = im.Catalog.NextProducerIDBlock()
	}
	return err
}

// firstOffset is that of the first batch that is read, which may be before the log start.
func firstOffset(p *Partition) (record.Offset, error) {
	log, err := p.local()
	if err != nil {
		return 0, err
	}
	start := log.LogStart()
	if start == log.HighWatermark() {
		return start, nil
	}
	s, err := log.Read(start, 1, true)
	if err != nil {
		return 0, err
	}
	defer s.Release()
	h, err := record.ParseHeader(s.Payloads[0])
	return h.BaseOffset, err
}

// command leaves a command for the machine on the partition of an internal topic that is in a slot.
func (im *Import) command(topic string, slot int, key, value []byte) error {
	t, err := im.Catalog.Topic(topic)
	if err != nil {
		if t, err = im.Catalog.Create(catalog.TopicSpec{Name: topic, Partitions: int32(im.Catalog.Slots()), Internal: true}, false); err != nil {
			return fmt.Errorf("make %s: %w", topic, err)
		}
	}
	id := journal.StreamID(t.Partitions[slot].Stream)
	im.commands[id] = append(im.commands[id], statecommand{slices.Clone(key), slices.Clone(value)})
	return nil
}

// state collects what the source's state machines are, as commands for the target's.
func (im *Import) state() (failed error) {
	s := im.Source.slot(HomeSlot)
	put := func(topic string, slot int, key, value []byte) {
		if failed == nil {
			failed = im.command(topic, slot, key, value)
		}
	}
	home := func(name string) int { return catalog.SlotOfName(name, im.Catalog.Slots()) }
	s.groups.Machine().Snapshot(func(key, value []byte) { put(offsetsTopic, home(group.GroupOf(key)), key, value) })
	byID := map[uint64]*catalog.Queue{}
	s.queues.log.Read(func() {
		for _, id := range slices.Sorted(maps.Keys(im.queues)) {
			q := im.queues[id]
			byID[q.ID] = q
			if l := s.queues.machine.ledgers[id]; l != nil {
				l.Export(im.Now(), func(cmd []byte) { put(queuesTopic, home(q.Name), queueKey(q.ID), cmd) })
			}
		}
	})
	rename := func(id uint64) (uint64, bool) {
		if q := im.queues[id]; q != nil {
			return q.ID, true
		}
		return 0, false
	}
	s.triggers.log.Read(func() {
		s.triggers.table.Export(rename, func(id uint64, key, value []byte) { put(triggersTopic, home(byID[id].Name), key, value) })
	})
	(&routingMachine{s.routing}).Snapshot(func(key, value []byte) { put(routingTopic, int(HomeSlot), key, value) })
	return failed
}
