package broker

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/narumq/naru/internal/catalog"
	"github.com/narumq/naru/internal/coord"
	"github.com/narumq/naru/internal/journal"
	"github.com/narumq/naru/internal/objectstore"
	"github.com/narumq/naru/internal/peer"
)

// pairSlots is how many slots the brokers of a pair share.
const pairSlots = 4

// pair are brokers over one bucket and one coordinator, that ask each other.
type pair struct {
	t      *testing.T
	bucket *objectstore.Fake
	quorum *coord.Fake
	waits  waits

	mu     sync.Mutex // guards what follows
	owners [pairSlots]int32
	nodes  map[int32]*pairNode
}

// pairNode is one of them.
type pairNode struct {
	*Broker
	pair    *pair
	node    int32
	flusher *journal.Flusher
	server  *peer.Server
	peers   *peer.Peers
	addr    string

	mu    sync.Mutex // guards conns
	conns []net.Conn // to others
}

// newPair makes brokers 1 and 2. All slots are at 1.
func newPair(t *testing.T) (w *pair, a, b *pairNode) { return newPairWith(t, waits{}) }

// newPairWith is newPair with other waits.
func newPairWith(t *testing.T, max waits) (w *pair, a, b *pairNode) {
	w = &pair{
		t: t, waits: max, bucket: objectstore.NewFake(objectstore.FakeConfig{Now: time.Now}), quorum: coord.NewFake(coord.FakeConfig{}),
		nodes: make(map[int32]*pairNode),
	}
	a, b = w.join(1), w.join(2)
	for i := range journal.SlotID(pairSlots) {
		w.give(i, a)
	}
	return w, a, b
}

func (w *pair) put(key string) int64 {
	w.t.Helper()
	ctx := context.Background()
	if _, err := w.quorum.Txn(ctx, nil, []coord.Op{coord.Delete(key)}, nil); err != nil {
		w.t.Fatal(err)
	}
	won, err := w.quorum.Txn(ctx, nil, []coord.Op{coord.Put(key, []byte("x"), 0)}, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	return won.Revision
}

// join adds a broker.
func (w *pair) join(node int32) *pairNode {
	w.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	n := &pairNode{pair: w, node: node}
	name := fmt.Sprintf("node-%d", node)
	n.flusher = journal.NewFlusher(journal.FlusherOptions{
		Store: w.bucket, Coord: w.quorum, Name: name, FlushEvery: 100 * time.Microsecond, EntryBytesMax: 1 << 20,
		Keys: func(s journal.SlotID) (owner, head string) {
			return fmt.Sprintf("owner/%d", s), fmt.Sprintf("head/%d", s)
		},
		SlotOf: func(s journal.StreamID) journal.SlotID { return journal.SlotID(s % pairSlots) },
	})
	member := "member/" + name
	revision := w.put(member)
	store := catalog.NewCoord(catalog.CoordConfig{
		Store: w.quorum, Context: ctx, Member: catalog.Fence{Key: member, Created: revision}, Slots: pairSlots, Name: name,
		SlotOwner: func(slot int) (catalog.Fence, bool) { return catalog.Fence{Key: member, Created: revision}, true },
	})
	var err error
	n.Broker, err = Open(Config{
		NodeID: node, Store: store, Slots: pairSlots, Cluster: n, BatchBytesMax: 1 << 20, RetentionEvery: -1, waits: w.waits,
		OpenJournal: func(journal.Options) (Medium, error) { return nil, errors.New("slots come one by one") },
	})
	if err != nil {
		w.t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		w.t.Fatal(err)
	}
	n.addr = l.Addr().String()
	cfg := peer.Config{Node: node, Cluster: "pair", Dial: n.dial}
	n.peers = peer.NewPeers(cfg)
	n.server = peer.NewServer(cfg, n.ServePeer, nil)
	go n.server.Serve(l)
	w.mu.Lock()
	w.nodes[node] = n
	w.mu.Unlock()
	w.t.Cleanup(func() {
		n.server.Close()
		n.peers.Close()
		if err := n.Close(); err != nil {
			w.t.Error(err)
		}
		n.flusher.Close()
		cancel()
	})
	return n
}

func (n *pairNode) dial(ctx context.Context, addr string) (net.Conn, error) {
	c, err := (&net.Dialer{}).DialContext(ctx, "tcp", addr)
	n.mu.Lock()
	defer n.mu.Unlock()
	n.conns = append(n.conns, c)
	return c, err
}

// cut ends the connections that the broker has to others.
func (n *pairNode) cut() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, c := range n.conns {
		if c != nil {
			c.Close()
		}
	}
	n.conns = nil
}

// Owner implements Cluster.
func (n *pairNode) Owner(slot journal.SlotID) int32 {
	n.pair.mu.Lock()
	defer n.pair.mu.Unlock()
	return n.pair.owners[slot]
}

// Leader implements Cluster.
func (n *pairNode) Leader(slot journal.SlotID) (node, epoch int32) { return n.Owner(slot), 1 }

// Fence implements Cluster.
func (n *pairNode) Fence(id journal.SlotID) (catalog.Fence, bool) {
	key := fmt.Sprintf("owner/%d", id)
	kv, ok, err := n.pair.quorum.Get(context.Background(), key)
	return catalog.Fence{Key: key, Created: kv.CreateRevision}, ok && err == nil
}

// Members implements Cluster.
func (n *pairNode) Members() []Member {
	n.pair.mu.Lock()
	defer n.pair.mu.Unlock()
	var list []Member
	for node := range int32(len(n.pair.nodes)) {
		list = append(list, Member{Node: node + 1})
	}
	return list
}

// Peer implements Cluster.
func (n *pairNode) Peer(node int32) (*peer.Client, error) {
	n.pair.mu.Lock()
	addr := n.pair.nodes[node].addr
	n.pair.mu.Unlock()
	return n.peers.Client(node, addr)
}

// strand lets nobody have a slot, whose owner others still see in a broker.
func (w *pair) strand(slot journal.SlotID, at *pairNode) {
	w.t.Helper()
	w.give(slot, at)
	w.take(slot)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.owners[slot] = at.node
}

// take lets nobody have a slot.
func (w *pair) take(slot journal.SlotID) {
	w.t.Helper()
	w.mu.Lock()
	from := w.nodes[w.owners[slot]]
	w.owners[slot] = 0
	w.mu.Unlock()
	if from != nil {
		if err := from.CloseSlot(slot); err != nil {
			w.t.Fatal(err)
		}
	}
}

// give moves a slot.
func (w *pair) give(slot journal.SlotID, to *pairNode) {
	w.t.Helper()
	w.take(slot)
	revision := w.put(fmt.Sprintf("owner/%d", slot))
	w.mu.Lock()
	w.owners[slot] = to.node // others see it from the owner's key on
	w.mu.Unlock()
	err := to.OpenSlot(slot, func(opt journal.Options) (Medium, error) {
		opt.RelocateEvery = 0
		return to.flusher.Open(context.Background(), slot, revision, opt)
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

// topic makes a topic, and sees that both brokers know it.
func (w *pair) topic(name string, partitions int32) {
	w.t.Helper()
	topic, err := w.nodes[1].CreateTopic(catalog.TopicSpec{Name: name, Partitions: partitions}, false)
	if err != nil {
		w.t.Fatal(err)
	}
	w.known(func(b *Broker) bool { t, err := b.Topic(name); return err == nil && t.ID == topic.ID })
}

// queue makes a queue, of which both brokers know; it returns the second one's handle.
func (w *pair) queue(name string, change func(*catalog.QueueSettings)) *Queue {
	w.t.Helper()
	spec := catalog.QueueSpec{Name: name, Settings: catalog.DefaultQueueSettings()}
	if change != nil {
		change(&spec.Settings)
	}
	if _, err := w.nodes[1].CreateQueue(spec); err != nil {
		w.t.Fatal(err)
	}
	w.known(func(b *Broker) bool { _, err := b.Queue(name); return err == nil })
	q, err := w.nodes[2].Queue(name)
	if err != nil {
		w.t.Fatal(err)
	}
	return q
}

// outside returns a name that begins with this one, of a queue whose home is in none of some slots.
func (w *pair) outside(prefix string, slots ...journal.SlotID) string {
	name := prefix
	for i := 0; slices.Contains(slots, journal.SlotID(catalog.SlotOfName(name, pairSlots))); i++ {
		name = fmt.Sprint(prefix, i)
	}
	return name
}

// known waits until all brokers know of something.
func (w *pair) known(ok func(*Broker) bool) {
	w.t.Helper()
	for _, n := range w.nodes {
		if err := n.catchUp(w.t.Context()); err != nil || !ok(n.Broker) {
			w.t.Fatal("broker ", n.node, " does not know: ", err)
		}
	}
}
