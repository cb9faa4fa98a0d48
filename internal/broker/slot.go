package broker

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/narumq/naru/internal/catalog"
	"github.com/narumq/naru/internal/commitlog"
	"github.com/narumq/naru/internal/group"
	"github.com/narumq/naru/internal/journal"
	"github.com/narumq/naru/internal/record"
	"github.com/narumq/naru/internal/statelog"
)

// slot is what a broker has of a slot while it owns it: its journal, the partitions that
// are in it, and the state machines on its partition of each internal topic. It is made
// from the journal alone, and nothing of it outlives it.
type slot struct {
	b       *Broker
	id      journal.SlotID
	journal Medium
	epoch   int32 // the leader epoch of its partitions; 0 where there is one owner only, ever

	producers *producersMachine
	groups    *Groups
	groupsLog *statelog.Log
	queues    *queues
	triggers  *triggers
	routing   *routing // of HomeSlot; else nil

	ctx     context.Context // ends when the slot does
	cancel  context.CancelFunc
	serving chan struct{} // closed once everything is open
	work    sync.WaitGroup

	mu   sync.Mutex // guards what follows
	logs map[journal.StreamID]*commitlog.Partition
}

// HomeSlot is the home of what there is once: exchanges, bindings, links.
const HomeSlot journal.SlotID = 0

// newSlot recovers a slot from its journal. Nobody else sees it yet; show is what
// changes that for partitions, once their producers are known.
func (b *Broker) newSlot(id journal.SlotID, open func(journal.Options) (Medium, error), show func(*slot)) (*slot, error) {
	s := &slot{b: b, id: id, serving: make(chan struct{}), logs: make(map[journal.StreamID]*commitlog.Partition)}
	s.ctx, s.cancel = context.WithCancel(b.ctx)
	s.producers = newProducersMachine(s)
	opt := b.cfg.Journal
	opt.Live = b.topics.live
	opt.Sealed = s.producers.sealed
	j, err := open(opt)
	if err != nil {
		s.cancel()
		return nil, err
	}
	s.journal = j
	if of, ok := j.(epochs); ok {
		s.epoch = of.Epoch()
	}
	if err := s.recover(show); err != nil {
		s.end(ErrNotOwner)
		return nil, err
	}
	return s, nil
}

func (s *slot) recover(show func(*slot)) error {
	if s.b.cfg.Cluster == nil {
		s.b.limits.BatchBytesMax = s.journal.EntryBytesMax()
	}
	if err := s.openProducers(); err != nil {
		return err
	}
	show(s)
	if err := s.openGroups(); err != nil {
		return err
	}
	if err := s.openQueues(); err != nil {
		return err
	}
	if err := s.openTriggers(); err != nil {
		return err
	}
	if s.id != HomeSlot {
		return nil
	}
	return s.openRouting()
}

// log is the log of a partition of the slot, opened when it is first asked for.
func (s *slot) log(p *Partition) *commitlog.Partition {
	meta := p.Topic().Partitions[p.index]
	id := journal.StreamID(meta.Stream)
	s.mu.Lock()
	defer s.mu.Unlock()
	log := s.logs[id]
	if log == nil {
		log = commitlog.Open(s.journal, id)
		if meta.Closed {
			log.Close(s.ctx) // nothing is on its way
		}
		s.logs[id] = log
	}
	return log
}

// forget lets go of the log of a partition that was deleted.
func (s *slot) forget(id journal.StreamID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.logs, id)
}

// allLogs are the logs of all partitions of the slot that were opened.
func (s *slot) allLogs() []*commitlog.Partition {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]*commitlog.Partition, 0, len(s.logs))
	for _, log := range s.logs {
		list = append(list, log)
	}
	return list
}

func (s *slot) openGroups() error {
	b := s.b
	cfg := b.cfg.Groups
	cfg.CheckPartition = func(topic string, index int32) error {
		_, err := b.Partition(topic, index)
		return err
	}
	cfg.EndOffset = func(topic string, index int32) (record.Offset, bool) {
		p, err := b.topics.partition(topic, index)
		if err != nil {
			return 0, false
		}
		return p.end()
	}
	cfg.Now, cfg.Log = b.cfg.Now, b.log
	if cfg.Group == (group.Config{}) {
		cfg.Group = group.Defaults()
	}
	groups, err := NewGroups(cfg)
	if err != nil {
		return err
	}
	if s.groupsLog, err = s.openState(offsetsTopic, groups.Machine()); err != nil {
		return err
	}
	groups.Start(s.groupsLog)
	s.groups = groups
	return nil
}

const offsetsTopic = "__naru_offsets"

// openState opens a state machine on the slot's partition of an internal topic.
func (s *slot) openState(topic string, m statelog.Machine) (*statelog.Log, error) {
	p, err := s.internal(topic)
	if err != nil {
		return nil, err
	}
	own := s.log(p)
	trim := func(to record.Offset) error { return s.b.trim(own, to) }
	log, err := statelog.Open(own, trim, m, statelog.Options{Logger: s.b.log, Now: s.b.nowMS})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", topic, err)
	}
	return log, nil
}

// internal is the slot's partition of an internal topic, which is made if it is new:
// with a partition in each slot, in their order.
func (s *slot) internal(name string) (*Partition, error) {
	b := s.b
	topic, err := b.catalog.Topic(name)
	if err != nil {
		topic, err = b.CreateTopic(catalog.TopicSpec{Name: name, Partitions: int32(b.catalog.Slots()), Internal: true}, false)
	}
	if errors.Is(err, catalog.ErrTopicExists) { // another slot was faster
		topic, err = b.catalog.Topic(name)
	}
	if err != nil {
		return nil, fmt.Errorf("make %s: %w", name, err)
	}
	if b.topics.byIDOf(topic.ID) == nil {
		b.topics.put(b, topic)
	}
	p, err := b.topics.partitionByID(topic.ID, int32(s.id))
	if err == nil && p.Slot() != s.id {
		err = fmt.Errorf("%w: partition %d of %s is in slot %d", ErrUnknownPartition, s.id, name, p.Slot())
	}
	return p, err
}

// start lets the slot do its work. All of it is open.
func (s *slot) start() {
	close(s.serving)
	s.groups.RetainTopicOffsets(func(name string) bool {
		_, err := s.b.catalog.Topic(name)
		return err == nil
	})
	s.work.Go(func() { s.producers.saveLoop(s.ctx) })
	s.work.Go(func() { s.queues.pump(s.ctx) })
	if s.routing == nil {
		return
	}
	if err := s.b.unbindLost(); err != nil {
		s.b.log.Warn("bindings of queues that are gone stay", "err", err)
	}
	s.b.startLinks()
}

// end stops the slot, of which any part may not be open, and closes the journal: what was
// accepted is committed, or fails. Who waits for something gets why.
func (s *slot) end(why error) error {
	if s.groups != nil {
		s.groups.close(why)
	}
	s.cancel()
	if s.triggers != nil {
		s.triggers.endNaming()
	}
	s.work.Wait()
	if s.queues != nil {
		s.queues.close(why)
	}
	if s.triggers != nil {
		s.triggers.log.Close()
	}
	if s.routing != nil {
		s.routing.log.Close()
	}
	if s.groupsLog != nil {
		s.groupsLog.Close()
	}
	if s.producers.log != nil {
		s.producers.close()
	}
	return s.journal.Close()
}
