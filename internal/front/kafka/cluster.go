package kafka

import (
	"context"
	"errors"
	"net"
	"slices"
	"strconv"
	"time"

	"github.com/narumq/naru/internal/broker"
	"github.com/narumq/naru/internal/catalog"
	"github.com/narumq/naru/internal/fault"
)

// noLeader stands where nobody leads a partition.
const noLeader int32 = -1

// node is a broker as clients see it.
type node struct {
	id   int32
	host string
	port int32
}

// view is the cluster as one answer shows it: the live brokers that take Kafka's clients.
type view struct {
	broker *broker.Broker
	alone  bool   // this broker has everything
	nodes  []node // this one, and the others by number
}

// view looks at the cluster. This broker is at the address that the connection was told.
func (c *conn) view() *view {
	b := c.s.broker
	v := &view{broker: b, nodes: []node{{b.NodeID(), c.host, c.port}}}
	members := b.Members()
	v.alone = members == nil
	for _, m := range members {
		host, port, err := net.SplitHostPort(m.Endpoints["kafka"])
		n, bad := strconv.ParseUint(port, 10, 16)
		if err == nil && bad == nil && m.Node != b.NodeID() {
			v.nodes = append(v.nodes, node{m.Node, host, int32(n)})
		}
	}
	return v
}

// controller is the broker that clients send changes of the catalog to: any can make them, and all
// brokers name the same one.
func (v *view) controller() int32 {
	least := v.nodes[0].id
	for _, n := range v.nodes {
		least = min(least, n.id)
	}
	return least
}

// node finds a broker; false if it takes no clients of Kafka, or is gone.
func (v *view) node(id int32) (node, bool) {
	i := slices.IndexFunc(v.nodes, func(n node) bool { return n.id == id })
	if i < 0 {
		return node{id: noLeader, port: -1}, false
	}
	return v.nodes[i], true
}

// placed is who has a partition, as Metadata says it.
type placed struct {
	code     int16
	leader   int32
	epoch    int32   // -1 if there is no leader
	replicas []int32 // the leader; nil if there is none
}

// placing tells who has the partitions of a topic. The replicas of one leader share a slice.
type placing struct {
	*view
	handOver
	lists map[int32][]int32
}

func (v *view) placing(c *conn) *placing {
	return &placing{view: v, handOver: handOver{conn: c}, lists: map[int32][]int32{}}
}

func (p *placing) of(t *catalog.Topic, index int32) placed {
	if p.alone {
		return p.by(p.nodes[0].id, 0)
	}
	part, err := p.broker.PartitionByID(t.ID, index)
	if err != nil {
		return noPlace // deleted since
	}
	p.await(part)
	id, epoch := p.leader(part)
	return p.by(id, epoch)
}

var noPlace = placed{code: codeLeaderNotAvailable, leader: noLeader, epoch: -1}

func (p *placing) by(id, epoch int32) placed {
	if id == noLeader {
		return noPlace
	}
	list := p.lists[id]
	if list == nil {
		list = []int32{id}
		p.lists[id] = list
	}
	return placed{leader: id, epoch: epoch, replicas: list}
}

// leader is the broker that has a partition, or noLeader.
func (v *view) leader(part *broker.Partition) (id, epoch int32) {
	id, epoch = v.broker.Leader(part.Slot())
	n, _ := v.node(id)
	return n.id, epoch
}

// handOver is the patience of one request with partitions that change hands: clients that hear that one has no leader, or is not where
// they were told, look again after seconds. All of it together lasts Limits.LeaderWait. The zero value with a conn is new.
type handOver struct {
	conn  *conn
	until time.Time
}

// await waits until a partition is here, or it is known which other broker has it, or patience is over.
func (p *handOver) await(part *broker.Partition) {
	b := p.conn.s.broker
	if node, _ := b.Leader(part.Slot()); part.Local() == nil || node != 0 && node != b.NodeID() {
		return
	}
	if p.until.IsZero() {
		p.until = time.Now().Add(p.conn.s.limits.LeaderWait)
	}
	ctx, cancel := context.WithDeadline(p.conn.ctx, p.until)
	defer cancel()
	_ = b.AwaitLeader(ctx, part.Slot()) // then it is as it is
}

// leaders gathers where the partitions are that are not here (KIP-951): answers say it, so that
// clients need not ask first. The zero value has none.
type leaders struct {
	view *view
	told []node // each once
}

// of is the leader of a partition, false if there is none to tell.
func (l *leaders) of(c *conn, part *broker.Partition) (id, epoch int32, ok bool) {
	if l.view == nil {
		l.view = c.view()
	}
	id, epoch = l.view.leader(part)
	n, ok := l.view.node(id)
	if ok && !slices.Contains(l.told, n) {
		l.told = append(l.told, n)
	}
	return n.id, epoch, ok
}

// errNotCoordinator: the group is not here.
var errNotCoordinator = fault.New(fault.Unavailable, "this broker is not the group's coordinator")

// ofGroup makes an error of a partition one of a group. Of storage that fails Kafka's coordinators say the same: consumers look
// for the coordinator again, where they would give up on an error that only partitions have.
func ofGroup(err error) error {
	if errors.Is(err, broker.ErrNotOwner) || codeOf(err) == codeStorageError {
		return errNotCoordinator
	}
	return err
}

// groupCode is codeOf for what a group's coordinator answers.
func (c *call) groupCode(err error) int16 { return c.codeOf(ofGroup(err)) }
