package kafka

import (
	"errors"
	"net"
	"slices"
	"strconv"

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
	replicas []int32 // the leader; nil if there is none
}

// placing tells who has the partitions of a topic. The replicas of one leader share a slice.
type placing struct {
	*view
	lists map[int32][]int32
}

func (v *view) placing() *placing { return &placing{view: v, lists: map[int32][]int32{}} }

func (p *placing) of(t *catalog.Topic, index int32) placed {
	id := p.leader(t, index)
	if id == noLeader {
		return placed{code: codeLeaderNotAvailable, leader: noLeader}
	}
	list := p.lists[id]
	if list == nil {
		list = []int32{id}
		p.lists[id] = list
	}
	return placed{leader: id, replicas: list}
}

// leader is the broker that has a partition, or noLeader.
func (v *view) leader(t *catalog.Topic, index int32) int32 {
	if v.alone {
		return v.nodes[0].id
	}
	part, err := v.broker.PartitionByID(t.ID, index)
	if err != nil {
		return noLeader // deleted since
	}
	n, _ := v.node(v.broker.Owner(part.Slot()))
	return n.id
}

// leaders gathers where the partitions are that are not here (KIP-951): answers say it, so that
// clients need not ask first. The zero value has none.
type leaders struct {
	view *view
	told []node // each once
}

// of is the leader of a partition, false if there is none to tell.
func (l *leaders) of(c *conn, part *broker.Partition) (id int32, ok bool) {
	if part == nil {
		return noLeader, false
	}
	if l.view == nil {
		l.view = c.view()
	}
	n, ok := l.view.node(l.view.leader(part.Topic(), part.Index()))
	if ok && !slices.Contains(l.told, n) {
		l.told = append(l.told, n)
	}
	return n.id, ok
}

// errNotCoordinator: the group is not here.
var errNotCoordinator = fault.New(fault.Unavailable, "this broker is not the group's coordinator")

// ofGroup makes an error of a partition one of a group.
func ofGroup(err error) error {
	if errors.Is(err, broker.ErrNotOwner) {
		return errNotCoordinator
	}
	return err
}

// groupCode is codeOf for what a group's coordinator answers.
func (c *call) groupCode(err error) int16 { return c.codeOf(ofGroup(err)) }
