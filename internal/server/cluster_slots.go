package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"time"

	"github.com/narumq/naru/internal/broker"
	"github.com/narumq/naru/internal/catalog"
	"github.com/narumq/naru/internal/cluster"
	"github.com/narumq/naru/internal/journal"
	"github.com/narumq/naru/internal/vfs"
)

// openSlot is a slot that this broker owns.
type openSlot struct {
	owner   int64 // CreateRevision of the owner's key
	journal *journal.Slot
	planned bool // it is handed over when it is closed
}

// blockCacheLeast is enough for some readers to read ahead at the same time.
const blockCacheLeast = 64 << 20

// openFlusher prepares the log of all slots that come.
func (m *membership) openFlusher(observed *metrics) *journal.Flusher {
	cfg, slots := &m.cluster.cfg, journal.StreamID(m.cluster.slots())
	opt := journal.FlusherOptions{
		Store: m.cluster.bucket, Coord: m.cluster.quorum, Keys: cluster.Keys, EpochKey: cluster.EpochKey, Name: m.name,
		SlotOf:     func(id journal.StreamID) journal.SlotID { return journal.SlotID(id % slots) },
		FlushEvery: cfg.FlushEvery, FlushBytes: cfg.FlushBytes, AgeMax: objectAgeMax,
		CacheBytes: max(cfg.CacheBytes, 2*cfg.FlushBytes), BlockCacheBytes: max(cfg.CacheBytes, blockCacheLeast),
		CutOff: func(since time.Duration, err error) {
			m.cutOff(fmt.Errorf("%w for %v: %w", errCutOff, since.Round(time.Second), err))
		},
		Observer: m.metrics.flushObserver(observed), Logger: m.cluster.log,
	}
	if cfg.CacheDir != "" {
		opt.CacheFS, opt.CacheDir, opt.CacheDiskBytes = vfs.OS(), filepath.ToSlash(cfg.CacheDir), cfg.CacheDisk
	}
	f := journal.NewFlusher(opt)
	m.flusher.Store(f)
	if !m.tenure.Valid() {
		f.Close()
	}
	return f
}

// Open implements cluster.Host: it takes a slot over.
func (m *membership) Open(ctx context.Context, id journal.SlotID, owner int64) error {
	o := &openSlot{owner: owner}
	m.mu.Lock()
	m.slots[id] = o
	m.mu.Unlock()
	err := m.server.broker.OpenSlot(id, func(opt journal.Options) (broker.Medium, error) {
		opt.RelocateEvery = manifestCheckEvery
		s, err := m.flusher.Load().Open(ctx, id, owner, opt)
		if err != nil {
			return nil, err
		}
		m.mu.Lock()
		defer m.mu.Unlock()
		o.journal = s
		return &slotMedium{s, m, o}, nil
	})
	if err == nil && id == broker.HomeSlot {
		err = m.serveAMQP()
	}
	if err != nil {
		return fmt.Errorf("slot %d: %w", id, err)
	}
	return nil
}

// Close implements cluster.Host: it gives a slot up, after it was written down if that is planned.
func (m *membership) Close(id journal.SlotID, planned bool) {
	m.mu.Lock()
	o := m.slots[id]
	if o != nil {
		o.planned = planned
	}
	m.mu.Unlock()
	if !planned && o != nil && o.journal != nil {
		_ = o.journal.Close() // what waits for a bucket that hangs fails now
	}
	if id == broker.HomeSlot {
		m.closeAMQP(planned)
	}
	if err := m.server.broker.CloseSlot(id); err != nil && planned {
		m.cluster.log.Warn("a slot was not handed over in an orderly way", "slot", id, "err", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.slots[id] == o {
		delete(m.slots, id)
	}
}

// serveAMQP answers where the exchanges are: here, from now on.
func (m *membership) serveAMQP() error {
	if m.amqp == nil {
		return nil
	}
	var management net.Listener
	if m.management != nil {
		management = m.management.open()
	}
	return m.server.serveAMQP(m.amqp.open(), management)
}

// closeAMQP ends what serveAMQP began.
func (m *membership) closeAMQP(planned bool) {
	within := dropWithin
	if planned {
		within = m.cluster.cfg.ShutdownTimeout
	}
	ctx, cancel := context.WithTimeout(m.tenure.Context(), within)
	defer cancel()
	if err := m.server.closeAMQP(ctx); err != nil && planned {
		m.cluster.log.Warn("sessions did not end in an orderly way", "err", err)
	}
	for _, s := range []*switchboard{m.amqp, m.management} {
		if s != nil {
			s.close()
		}
	}
}

// fence is by what the catalog knows that a slot is this broker's.
func (m *membership) fence(slot int) (catalog.Fence, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	o := m.slots[journal.SlotID(slot)]
	if o == nil {
		return catalog.Fence{}, false
	}
	key, _ := cluster.Keys(journal.SlotID(slot))
	return catalog.Fence{Key: key, Created: o.owner}, true
}

// open are the slots that are open here.
func (m *membership) open() map[journal.SlotID]openSlot {
	m.mu.Lock()
	defer m.mu.Unlock()
	list := make(map[journal.SlotID]openSlot, len(m.slots))
	for id, o := range m.slots {
		if o.journal != nil {
			list[id] = *o
		}
	}
	return list
}

// check gives slots up that cannot go on, and ends calls that cannot.
func (m *membership) check() {
	m.endCalls()
	for id, o := range m.open() {
		if err := o.journal.Err(); err != nil {
			m.tenure.GiveUp(id, o.owner, err)
		}
	}
	if !m.whole.Load() {
		m.whole.Store(m.unserved() == 0)
	}
}

// endCalls ends the calls to brokers that were no members the last time either: one that is stopped ends none. By then has come what a
// member still said.
func (m *membership) endCalls() {
	now := make(map[int32]bool)
	for _, seen := range m.cluster.state().View.Members {
		now[seen.Node] = true
	}
	before := m.seen
	m.peers.Keep(func(node int32) bool { return now[node] || before[node] })
	m.seen = now
}

// unserved is how many slots have no owner, or are this broker's and not open yet.
func (m *membership) unserved() (n int) {
	v := m.cluster.state().View
	for id := range m.cluster.slots() {
		id := journal.SlotID(id)
		if owner := v.Owner(id); owner == 0 || owner == m.tenure.Node && !m.server.broker.Owns(id) {
			n++
		}
	}
	return n
}

// slotMedium is a slot that is handed over when it is closed as planned.
type slotMedium struct {
	*journal.Slot
	m *membership
	o *openSlot
}

// Close implements broker.Medium.
func (s *slotMedium) Close() (err error) {
	s.m.mu.Lock()
	planned := s.o.planned
	s.m.mu.Unlock()
	if planned {
		ctx, cancel := context.WithTimeout(s.m.tenure.Context(), s.m.cluster.cfg.ShutdownTimeout)
		defer cancel()
		err = s.Drain(ctx)
	}
	return errors.Join(err, s.Slot.Close())
}

// ready is nil while the bucket and etcd answer, once all slots had owners and this broker's were open: a client that asks for the
// leader of a partition and is refused there looks again after seconds only.
func (m *membership) ready() error {
	if err := m.cluster.away(); err != nil {
		return err
	}
	if !m.whole.Load() {
		return fmt.Errorf("%d of %d slots are not served yet", m.unserved(), m.cluster.slots())
	}
	return nil
}

// How often the broker that has the common slot looks after what belongs to all.
const (
	collectEvery = 15 * time.Minute
	compactEvery = 5 * time.Minute
)

// keepTidy removes objects that are nobody's, and has etcd forget its past, which would grow with every commit, and what operators
// said of processes that are gone. The broker that has the common slot does it for all.
func (m *membership) keepTidy(ctx context.Context) {
	collect, compact := time.NewTicker(collectEvery), time.NewTicker(compactEvery)
	defer collect.Stop()
	defer compact.Stop()
	var p past
	for {
		var err error
		select {
		case <-ctx.Done():
			return
		case <-collect.C:
			if m.server.broker.Owns(broker.HomeSlot) {
				err = m.collect(ctx)
			}
		case <-compact.C:
			if m.server.broker.Owns(broker.HomeSlot) {
				err = m.forget(ctx, &p)
			}
		}
		if err != nil && ctx.Err() == nil {
			m.cluster.log.Warn("tidying up is put off", "err", err)
		}
	}
}

func (m *membership) collect(ctx context.Context) error {
	c := journal.Collector{
		Store: m.cluster.bucket, Coord: m.cluster.quorum, Keys: cluster.Keys, Slots: journal.SlotID(m.cluster.slots()), Name: m.name, Grace: orphanAge,
	}
	sum, err := c.Collect(ctx)
	m.metrics.collected(sum)
	return err
}

// past is what was a period ago.
type past struct {
	revision int64
	gone     map[string]int64 // see cluster.Forget
}

// forget has etcd forget what was a period ago, and what is about processes that were gone then and are gone now.
func (m *membership) forget(ctx context.Context, p *past) error {
	st, err := m.cluster.quorum.Status(ctx)
	if err == nil && p.revision > 0 {
		err = m.cluster.quorum.Compact(ctx, p.revision)
	}
	if err != nil {
		return fmt.Errorf("compacting: %w", err)
	}
	p.revision = st.Revision
	if p.gone, err = cluster.Forget(ctx, m.cluster.quorum, p.gone); err != nil {
		return fmt.Errorf("forgetting what was said of brokers that are gone: %w", err)
	}
	return nil
}
