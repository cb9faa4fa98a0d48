package broker

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/narumq/naru/internal/journal"
)

const (
	// ownerWaitMax is how long a call waits for somebody to have a slot.
	ownerWaitMax = 2 * time.Second
	// ownerLookEvery is how often it looks meanwhile.
	ownerLookEvery = 20 * time.Millisecond
)

// slots are those that are open here.
type slots struct {
	byID []slotPlace

	mu      sync.Mutex    // guards changed
	changed chan struct{} // closed when a slot was opened
}

// slotPlace is where a slot is while it is open.
type slotPlace struct {
	admin sync.Mutex           // held while it is opened or closed
	open  atomic.Pointer[slot] // nil: it is not open here
	shown *slot                // whose partitions are here; guarded by topics.changing
}

func (t *slots) init(n int) {
	t.byID = make([]slotPlace, n)
	t.changed = make(chan struct{})
}

// all are the open slots, by number.
func (t *slots) all() (list []*slot) {
	for i := range t.byID {
		if s := t.byID[i].open.Load(); s != nil {
			list = append(list, s)
		}
	}
	return list
}

// tell wakes who waits for a slot.
func (t *slots) tell() {
	t.mu.Lock()
	defer t.mu.Unlock()
	close(t.changed)
	t.changed = make(chan struct{})
}

func (t *slots) news() <-chan struct{} {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.changed
}

// slot is a slot that is open here; else nil.
func (b *Broker) slot(id journal.SlotID) *slot {
	if int(id) >= len(b.slots.byID) {
		return nil
	}
	return b.slots.byID[id].open.Load()
}

// OpenSlot takes a slot whose owner this broker is: all that is in it is recovered from
// the medium that open opens, and served from then on. Several may be opened at a time.
// CloseSlot ends that.
//
// Errors: open's, those of the catalog and of the log.
func (b *Broker) OpenSlot(id journal.SlotID, open func(journal.Options) (Medium, error)) error {
	if int(id) >= len(b.slots.byID) {
		return fmt.Errorf("slot %d: there are %d", id, len(b.slots.byID))
	}
	place := &b.slots.byID[id]
	place.admin.Lock()
	defer place.admin.Unlock()
	if place.open.Load() != nil {
		return fmt.Errorf("slot %d is open", id)
	}
	if err := b.ctx.Err(); err != nil {
		return ErrQueueClosed
	}
	// What the slot's last owner knew of the catalog has to be known here: to the
	// journal, a stream that is not in the catalog is garbage.
	if err := b.catchUp(b.ctx); err != nil {
		return fmt.Errorf("slot %d: %w", id, err)
	}
	if err := b.takeUpStarts(id); err != nil {
		return fmt.Errorf("slot %d: %w", id, err)
	}
	s, err := b.newSlot(id, open, b.showPartitions)
	if err == nil {
		err = b.serve(s)
	}
	if err != nil {
		b.hidePartitions(id)
		return fmt.Errorf("slot %d: %w", id, err)
	}
	return nil
}

// serve shows a slot's queues, and the slot.
func (b *Broker) serve(s *slot) error {
	if err := s.queues.show(func() { b.slots.byID[s.id].open.Store(s) }); err != nil {
		s.queues.hide()
		s.end(ErrNotOwner)
		return err
	}
	b.slots.tell()
	s.start()
	if err := s.triggers.begin(); err != nil {
		b.log.Error("triggers of a slot do not fire", "slot", s.id, "err", err)
	}
	return nil
}

// CloseSlot ends what OpenSlot began. Who waits for something of the slot gets
// ErrNotOwner; what was appended is committed, or fails, before the medium is closed: one
// that cannot commit any more has to fail by then, or it is waited for. It returns the
// medium's error.
func (b *Broker) CloseSlot(id journal.SlotID) error {
	if int(id) >= len(b.slots.byID) {
		return nil
	}
	place := &b.slots.byID[id]
	place.admin.Lock()
	defer place.admin.Unlock()
	s := place.open.Swap(nil)
	if s == nil {
		return nil
	}
	s.queues.hide()
	s.cancel() // before the partitions are somebody else's: its queues read no more
	b.hidePartitions(id)
	return s.end(ErrNotOwner)
}

// closeSlots ends all slots because the broker stops.
func (b *Broker) closeSlots() error {
	errs := make([]error, len(b.slots.byID))
	var work sync.WaitGroup
	for i := range b.slots.byID {
		place := &b.slots.byID[i]
		work.Go(func() {
			place.admin.Lock()
			defer place.admin.Unlock()
			if s := place.open.Load(); s != nil {
				errs[i] = s.end(ErrQueueClosed)
			}
		})
	}
	work.Wait()
	if len(errs) == 1 {
		return errs[0] // as it is
	}
	return errors.Join(errs...)
}

// showPartitions says that the partitions of a slot are here.
func (b *Broker) showPartitions(s *slot) { b.movePartitions(s.id, s) }

// hidePartitions says that they are not here any more.
func (b *Broker) hidePartitions(id journal.SlotID) { b.movePartitions(id, nil) }

func (b *Broker) movePartitions(id journal.SlotID, to *slot) {
	t := &b.topics
	t.changing.Lock()
	defer t.changing.Unlock()
	b.slots.byID[id].shown = to
	for _, p := range t.all() {
		if p.Slot() == id {
			b.place(p)
		}
	}
}

// place says where a partition is. Caller holds topics.changing.
func (b *Broker) place(p *Partition) {
	if s := b.slots.byID[p.Slot()].shown; s != nil {
		p.move(&localPartition{Partition: s.log(p), of: p, in: s})
		return
	}
	p.move(newRemotePartition(p))
}

// awaitOwner waits for somebody to have a slot, at most ownerWaitMax: this broker, once
// the slot is open, or another one. Else ErrNotOwner, or ctx's error.
func (b *Broker) awaitOwner(ctx context.Context, id journal.SlotID) (node int32, err error) {
	return b.await(ctx, id, b.Owner)
}

// await is awaitOwner with other eyes for who has a slot.
func (b *Broker) await(ctx context.Context, id journal.SlotID, who func(journal.SlotID) int32) (node int32, err error) {
	var timeout, look <-chan time.Time
	for {
		news := b.slots.news()
		switch {
		case b.Owns(id):
			return b.NodeID(), nil
		case b.ctx.Err() != nil:
			return 0, ErrQueueClosed
		}
		if node := who(id); node != 0 && node != b.NodeID() {
			return node, nil
		}
		if timeout == nil {
			end, tick := time.NewTimer(b.cfg.waits.owner), time.NewTicker(ownerLookEvery)
			defer end.Stop()
			defer tick.Stop()
			timeout, look = end.C, tick.C
		}
		select {
		case <-news:
		case <-look:
		case <-timeout:
			return 0, fmt.Errorf("slot %d: %w", id, ErrNotOwner)
		case <-b.ctx.Done():
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		}
	}
}
