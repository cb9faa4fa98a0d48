package broker

import (
	"context"

	"github.com/narumq/naru/internal/catalog"
	"github.com/narumq/naru/internal/journal"
	"github.com/narumq/naru/internal/peer"
)

// ErrNotOwner: another broker has what was asked for, or nobody has it at the moment.
var ErrNotOwner = journal.ErrNotOwner

// Cluster is what a broker knows of the others. Its methods are quick and do not block.
type Cluster interface {
	// Owner is the broker that has a slot, as was seen last; 0: nobody.
	Owner(slot journal.SlotID) int32
	// Leader is Owner with the owner's epoch, greater than that of every owner before it; 0: nobody, or one that may not serve yet.
	Leader(slot journal.SlotID) (node, epoch int32)
	// Fence is what a change compares to find out whether a slot still has the owner that was seen last; false if none was. The
	// zero Fence compares nothing.
	Fence(slot journal.SlotID) (catalog.Fence, bool)
	// Peer asks another broker. It does not connect yet.
	Peer(node int32) (*peer.Client, error)
	// Members are the live brokers, by number.
	Members() []Member
}

// Member is a live broker of the cluster.
type Member struct {
	Node      int32
	Endpoints map[string]string // HOST:PORT by the endpoint's name: kafka, http, …
}

// Members are the live brokers of the cluster, by number. A broker alone has none.
func (b *Broker) Members() []Member {
	if b.cfg.Cluster == nil {
		return nil
	}
	return b.cfg.Cluster.Members()
}

// Alone tells whether the broker has all there is, and is in no cluster.
func (b *Broker) Alone() bool { return b.cfg.Cluster == nil }

// Owns tells whether this broker has a slot: it is open here.
func (b *Broker) Owns(slot journal.SlotID) bool { return b.slot(slot) != nil }

// OwnedSlots are those that are open here, by number.
func (b *Broker) OwnedSlots() (list []journal.SlotID) {
	for _, s := range b.slots.all() {
		list = append(list, s.id)
	}
	return list
}

// Owner is the broker that has a slot: this one, or the one that was seen last; 0: nobody.
func (b *Broker) Owner(slot journal.SlotID) int32 {
	if b.Owns(slot) || b.cfg.Cluster == nil {
		return b.NodeID()
	}
	return b.cfg.Cluster.Owner(slot)
}

// Leader is Owner for Kafka's clients: with the owner's leader epoch (KIP-320), greater than that of every owner before it, and from
// when on it has one. A broker alone has all there is in epoch 0.
func (b *Broker) Leader(slot journal.SlotID) (node, epoch int32) {
	if b.cfg.Cluster == nil {
		return b.NodeID(), 0
	}
	if s := b.slot(slot); s != nil {
		return b.NodeID(), s.epoch
	}
	return b.cfg.Cluster.Leader(slot)
}

// AwaitLeader waits for a slot that changes hands, at most until ctx ends or ownerWaitMax is over: until it is open here, or Leader
// names another broker.
func (b *Broker) AwaitLeader(ctx context.Context, slot journal.SlotID) error {
	_, err := b.await(ctx, slot, func(slot journal.SlotID) int32 {
		node, _ := b.Leader(slot)
		return node
	})
	return err
}

// GroupSlot is the slot that a consumer group is in.
func (b *Broker) GroupSlot(group string) journal.SlotID { return b.homeOf(group) }

// homeOf is the slot of what has that name: a queue, a group.
func (b *Broker) homeOf(name string) journal.SlotID {
	return journal.SlotID(catalog.SlotOfName(name, b.catalog.Slots()))
}

// Slot is the slot that the partition is in.
func (p *Partition) Slot() journal.SlotID {
	return journal.SlotID(p.broker.catalog.SlotOf(p.Topic().Partitions[p.index].Stream))
}

// Local is nil if this broker has the partition, else ErrNotOwner.
func (p *Partition) Local() error {
	_, err := p.local()
	return err
}

// LeaderEpoch is that of the partition, as long as this broker has it, else ErrNotOwner.
func (p *Partition) LeaderEpoch() (int32, error) {
	if here, ok := p.backend().(*localPartition); ok {
		return here.in.epoch, nil
	}
	return 0, ErrNotOwner
}

// Local is nil if this broker has the queue's home, else ErrNotOwner.
func (q *Queue) Local() error {
	if q.local() == nil {
		return ErrNotOwner
	}
	return nil
}
