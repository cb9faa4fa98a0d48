package server

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/narumq/naru/internal/broker"
	"github.com/narumq/naru/internal/catalog"
	"github.com/narumq/naru/internal/cluster"
	"github.com/narumq/naru/internal/journal"
	"github.com/narumq/naru/internal/peer"
)

// membership is what a Server has instead of a data directory: one tenure as a member of a cluster.
type membership struct {
	cluster   *Cluster
	tenure    *cluster.Tenure
	name      string // of the tenure, nobody else's ever
	listeners listeners
	doors     []*door
	metrics   *clusterMetrics
	peers     *peer.Peers
	server    *Server // once it has started

	amqp, management *switchboard // nil: off

	flusher atomic.Pointer[journal.Flusher] // nil until the server starts

	mu    sync.Mutex
	slots map[journal.SlotID]*openSlot // guarded by mu

	seen map[int32]bool // members at the last check, by number

	trouble chan error  // takes one: why the tenure has to end
	planned atomic.Bool // the broker leaves in an orderly way
	whole   atomic.Bool // once every slot had an owner
}

// Times of a tenure.
const (
	slotCheckEvery = 250 * time.Millisecond // whether slots can go on
	// manifestCheckEvery keeps short what the next owner has to read.
	manifestCheckEvery = 2 * time.Second
	dropWithin         = 5 * time.Second // for sessions to end when the tenure is lost
	// A broker that handed over what it had waits for others to take it, and goes on for a moment: clients that come hear where it is.
	takenWithin   = 5 * time.Second
	farewellLasts = 500 * time.Millisecond
	// objectAgeMax is how long an object may wait for its commit; orphanAge is how old one is before it can be nobody's.
	objectAgeMax = 10 * time.Minute
	orphanAge    = 12 * objectAgeMax
)

func (c *Cluster) newMembership(t *cluster.Tenure) *membership {
	return &membership{
		cluster: c, tenure: t, name: randomName(), metrics: c.metrics, slots: make(map[journal.SlotID]*openSlot), trouble: make(chan error, 1),
	}
}

// serve runs a tenure: it opens the broker and the endpoints, and returns when all that is gone again.
func (c *Cluster) serve(t *cluster.Tenure) {
	c.metrics.tenures.Inc()
	began := time.Now()
	m := c.newMembership(t)
	err := m.run()
	text := ""
	switch took := time.Since(began).Round(time.Millisecond); {
	case err != nil:
		c.log.Error("this broker was a member of the cluster, and gives that up", "after", took, "err", err)
		text = err.Error()
	case m.planned.Load():
		c.log.Info("the broker has handed over what it had", "after", took)
	default:
		c.log.Warn("the broker's lease is over, or may be: all sessions were closed", "after", took)
	}
	c.problem.Store(&text)
	if errors.Is(err, errCutOff) { // others may reach it; this broker comes back when it does
		c.node.Load().SetReady(false)
		c.work.Go(func() { c.prepareLater(c.ctx) })
	}
}

// errCutOff: nothing can be stored, while others may do better.
var errCutOff = errors.New("the bucket could not be reached")

// cutOff ends the tenure.
func (m *membership) cutOff(err error) {
	select {
	case m.trouble <- err:
	default:
	}
}

func (m *membership) run() error {
	cfg := m.cluster.cfg
	peering := peer.Config{Node: m.tenure.Node, Cluster: m.cluster.identity.Load().ID, TLS: m.cluster.tls, Log: m.cluster.log}
	m.peers = peer.NewPeers(peering)
	defer m.peers.Close()
	m.openDoors()
	defer m.cluster.standBy()
	stop := context.AfterFunc(m.tenure.Context(), m.cut)
	defer stop()
	defer m.cut()
	if cfg.Advertise != "" && m.listeners.kafka != nil {
		cfg.KafkaAdvertised = cfg.kafkaReachable(m.listeners.kafka.Addr())
	}
	s, err := Start(cfg, Options{Log: m.cluster.log, Version: m.cluster.version, member: m})
	if err != nil {
		return err
	}
	m.server = s
	m.switchOn()
	others := peer.NewServer(peering, s.broker.ServePeer, m.answerTunnel)
	go func() { _ = others.Serve(m.listeners.peer) }()
	m.cluster.current.Store(s)
	m.metrics.slots.Store(m)
	err = m.watch(s)
	m.metrics.slots.Store(nil)
	m.cluster.current.Store(nil)
	within := cfg.ShutdownTimeout
	if !m.planned.Load() {
		m.cut()
		within = dropWithin
	}
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	cerr := s.Close(ctx)
	others.Close()
	if cerr != nil && m.planned.Load() {
		return cerr
	}
	return err
}

// watch has slots opened and closed until the tenure has to end.
func (m *membership) watch(s *Server) error {
	ctx, cancel := context.WithCancel(m.tenure.Context())
	defer cancel()
	go m.keepTidy(ctx)
	ended := make(chan error, 1)
	go func() { ended <- m.tenure.Run(ctx, m) }()
	tick := time.NewTicker(slotCheckEvery)
	defer tick.Stop()
	leaving := m.tenure.Leaving()
	for {
		select {
		case <-leaving:
			leaving = nil
			m.planned.Store(true)
			s.notReady("leaving the cluster")
		case err := <-ended:
			if err == nil {
				m.farewell(ctx)
			}
			return err
		case err := <-s.Failed():
			if m.tenure.Context().Err() == nil { // else cut has closed it
				m.cutOff(err)
			}
		case err := <-m.trouble:
			cancel()
			<-ended
			return err
		case <-tick.C:
			m.check()
		}
	}
}

// farewell tells clients that come where what they want is now. Those that find the door closed look for it themselves, which some do
// after seconds only.
func (m *membership) farewell(ctx context.Context) {
	if len(m.Members()) < 2 {
		return
	}
	taken, cancel := context.WithTimeout(ctx, takenWithin)
	defer cancel()
	for slot := range m.cluster.slots() {
		if m.server.broker.AwaitLeader(taken, journal.SlotID(slot)) != nil {
			break
		}
	}
	select {
	case <-time.After(farewellLasts):
	case <-ctx.Done():
	}
}

// openDoors lets clients in, behind a fence: nothing is said to them when the tenure is over.
func (m *membership) openDoors() {
	m.listeners = m.cluster.gates
	for _, e := range m.listeners.each() {
		if g, ok := (*e.at).(*gate); ok {
			d := g.open(m.tenure.Valid)
			m.doors = append(m.doors, d)
			*e.at = d
		}
	}
}

// cut ends all that the tenure has open, whatever it is doing: nobody hears of it any more, and nothing is committed.
func (m *membership) cut() {
	if m.planned.Load() && m.tenure.Valid() {
		return // the server ends it
	}
	for _, d := range m.doors {
		d.shut()
	}
	if f := m.flusher.Load(); f != nil {
		f.Close()
	}
	m.peers.Close()
}

// catalog is what exists, for as long as the tenure lasts.
func (m *membership) catalog() catalog.Store {
	return catalog.NewCoord(catalog.CoordConfig{
		Store: m.cluster.quorum, Context: m.tenure.Context(), Member: catalog.Fence{Key: m.tenure.Key, Created: m.tenure.Created},
		Slots: m.cluster.slots(), SlotOwner: m.fence, Name: m.name,
	})
}

// Owner implements broker.Cluster.
func (m *membership) Owner(slot journal.SlotID) int32 { return m.cluster.node.Load().Owner(slot) }

// Leader implements broker.Cluster.
func (m *membership) Leader(slot journal.SlotID) (node, epoch int32) {
	v := m.cluster.state().View
	return v.Leader(slot)
}

// Changed implements broker.Cluster.
func (m *membership) Changed() <-chan struct{} { return m.cluster.state().Changed }

// Fence implements broker.Cluster.
func (m *membership) Fence(slot journal.SlotID) (catalog.Fence, bool) {
	v := m.cluster.state().View
	if v.Owner(slot) == 0 {
		return catalog.Fence{}, false
	}
	key, _ := cluster.Keys(slot)
	return catalog.Fence{Key: key, Created: v.Owners[slot].Revision}, true
}

// Members implements broker.Cluster.
func (m *membership) Members() []broker.Member {
	var list []broker.Member
	for _, seen := range m.cluster.state().View.Members {
		list = append(list, broker.Member{Node: seen.Node, Endpoints: seen.Member().Endpoints})
	}
	return list
}

// Peer implements broker.Cluster.
func (m *membership) Peer(node int32) (*peer.Client, error) {
	for _, seen := range m.cluster.state().View.Members {
		if seen.Node == node {
			return m.peers.Client(node, seen.Member().Endpoints["peer"])
		}
	}
	return nil, broker.ErrNotOwner
}

// Names of tunnels between brokers.
const (
	tunnelAMQP       = "amqp"
	tunnelManagement = "amqp-management"
)

// switchOn takes the connections of the endpoints that are where the exchanges are.
func (m *membership) switchOn() {
	for _, e := range []struct {
		ln   net.Listener
		name string
		to   **switchboard
	}{{m.listeners.amqp, tunnelAMQP, &m.amqp}, {m.listeners.management, tunnelManagement, &m.management}} {
		if e.ln == nil {
			continue
		}
		*e.to = &switchboard{addr: e.ln.Addr(), carry: func(c net.Conn) (net.Conn, error) { return m.tunnel(e.name, c) }}
		go (*e.to).serve(e.ln)
	}
}

// tunnel is a way for a client to the broker that has the exchanges.
func (m *membership) tunnel(name string, c net.Conn) (net.Conn, error) {
	client, err := m.Peer(m.Owner(broker.HomeSlot))
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(m.tenure.Context(), tunnelWithin)
	defer cancel()
	return client.Tunnel(ctx, name, c.LocalAddr(), c.RemoteAddr())
}

// tunnelWithin bounds the opening of a tunnel.
const tunnelWithin = 5 * time.Second

// answerTunnel takes a client's connection from another broker.
func (m *membership) answerTunnel(name string, c net.Conn) {
	to := map[string]*switchboard{tunnelAMQP: m.amqp, tunnelManagement: m.management}[name]
	if to == nil || !to.take(c) {
		_ = c.Close()
	}
}
