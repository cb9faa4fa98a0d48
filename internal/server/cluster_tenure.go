package server

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/narumq/naru/internal/broker"
	"github.com/narumq/naru/internal/catalog"
	"github.com/narumq/naru/internal/cluster"
	"github.com/narumq/naru/internal/journal"
	"github.com/narumq/naru/internal/objectstore"
)

// membership is what a Server has instead of a data directory: one ownership of a cluster's log.
type membership struct {
	cluster   *Cluster
	tenure    *cluster.Tenure
	name      string // of the tenure, nobody else's ever
	listeners listeners
	doors     []*door
	metrics   *clusterMetrics
	flusher   *journal.Flusher // nil until the log is opened
	mu        sync.Mutex       // guards the setting of flusher
	planned   atomic.Bool      // the log is handed over in an orderly way
	owner     int64            // CreateRevision of the owner's key
	ctx       context.Context  // ends with the ownership
	began     time.Time
	err       error // why it is given up
	stopCut   func() bool
	stopWatch func()
	watched   sync.WaitGroup
}

// Times of a tenure.
const (
	slotCheckEvery = 250 * time.Millisecond // whether the slot is still ours
	// manifestCheckEvery keeps short what the next owner has to read.
	manifestCheckEvery = 2 * time.Second
	dropWithin         = 5 * time.Second // for sessions to end when the slot is lost
	// objectAgeMax is how long an object may wait for its commit; orphanAge is how old one is before it can be nobody's.
	objectAgeMax = 10 * time.Minute
	orphanAge    = 12 * objectAgeMax
	collectEvery = 15 * time.Minute
	compactEvery = 5 * time.Minute
)

// serve runs a tenure: this broker is a member, and what it owns comes and goes.
func (c *Cluster) serve(t *cluster.Tenure) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if err := t.Run(ctx, &wholeLog{cluster: c, tenure: t}); err != nil {
		c.log.Warn("this broker is not a member of the cluster any more", "err", err)
	}
}

// wholeLog is the host of the only slot.
type wholeLog struct {
	cluster *Cluster
	tenure  *cluster.Tenure
	m       *membership
}

// Open implements cluster.Host: it opens the broker and the endpoints.
func (w *wholeLog) Open(ctx context.Context, slot journal.SlotID, owner int64) error {
	c := w.cluster
	c.metrics.tenures.Inc()
	w.m = &membership{cluster: c, tenure: w.tenure, owner: owner, ctx: ctx, metrics: c.metrics, began: time.Now()}
	s, err := w.m.start()
	if err != nil {
		w.m.err = err
		return err
	}
	c.current.Store(s)
	watched, stop := context.WithCancel(ctx)
	w.m.stopWatch = stop
	w.m.watched.Go(func() {
		if err := w.m.watch(watched, s); err != nil {
			w.m.err = err
			w.tenure.GiveUp(slot, owner, err)
		}
	})
	return nil
}

// Close implements cluster.Host: it returns when all that is gone again.
func (w *wholeLog) Close(_ journal.SlotID, planned bool) {
	c, m := w.cluster, w.m
	if m.stopWatch != nil {
		m.stopWatch()
		m.watched.Wait()
	}
	m.planned.Store(planned)
	m.end(c.current.Swap(nil))
	text := ""
	switch took := time.Since(m.began).Round(time.Millisecond); {
	case m.err != nil:
		c.log.Error("this broker owned the log, and gives it up", "after", took, "err", m.err)
		text = m.err.Error()
	case planned:
		c.log.Info("the log was handed over", "after", took)
	default:
		c.log.Warn("the log has another owner, or may have: all sessions were closed", "after", took)
	}
	c.problem.Store(&text)
}

func (m *membership) start() (s *Server, err error) {
	if m.name, err = randomName(); err != nil {
		return nil, err
	}
	m.openDoors()
	m.stopCut = context.AfterFunc(m.ctx, m.cut)
	cfg := m.cluster.cfg
	if cfg.KafkaAdvertised == "" && cfg.Advertise != "" && m.listeners.kafka != nil {
		cfg.KafkaAdvertised = cfg.reachable(m.listeners.kafka.Addr())
	}
	return Start(cfg, Options{Log: m.cluster.log, Version: m.cluster.version, member: m})
}

// end closes what start opened; s is nil if it did not get so far.
func (m *membership) end(s *Server) {
	within := dropWithin
	if m.planned.Load() {
		within = m.cluster.cfg.ShutdownTimeout
	} else {
		m.cut()
	}
	if s != nil {
		ctx, cancel := context.WithTimeout(context.Background(), within)
		defer cancel()
		if err := s.Close(ctx); err != nil && m.planned.Load() {
			m.err = err
		}
	}
	m.cut()
	if m.stopCut != nil {
		m.stopCut()
		m.cluster.standBy()
	}
}

// watch returns when the slot cannot be served any more, or ctx ends.
func (m *membership) watch(ctx context.Context, s *Server) error {
	go m.keepTidy(ctx)
	tick := time.NewTicker(slotCheckEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-s.Failed():
			return err
		case <-tick.C:
			if err := s.broker.Ready(); err != nil {
				return err
			}
		}
	}
}

// openDoors lets clients in, behind a fence: nothing is said to them when the tenure is over.
func (m *membership) openDoors() {
	m.listeners = m.cluster.gates
	for _, ln := range m.listeners.each() {
		if g, ok := (*ln).(*gate); ok {
			d := g.open(m.tenure.Valid)
			m.doors = append(m.doors, d)
			*ln = d
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
	m.mu.Lock()
	f := m.flusher
	m.mu.Unlock()
	if f != nil {
		f.Close()
	}
}

// catalog is what exists, for as long as the tenure lasts.
func (m *membership) catalog() catalog.Store {
	key, _ := cluster.Keys(slotOfAll)
	owner := catalog.Fence{Key: key, Created: m.owner} // lives with the broker's lease
	return catalog.NewCoord(catalog.CoordConfig{
		Store: m.cluster.quorum, Context: m.ctx, Member: owner, Name: m.name,
		SlotOwner: func(int) (catalog.Fence, bool) { return owner, true },
	})
}

// open takes the log over.
func (m *membership) open(observed *metrics, opt journal.Options) (broker.Medium, error) {
	cfg := &m.cluster.cfg
	f := journal.NewFlusher(journal.FlusherOptions{
		Store: m.cluster.bucket, Coord: m.cluster.quorum, Keys: cluster.Keys, Name: m.name,
		SlotOf:     func(journal.StreamID) journal.SlotID { return slotOfAll },
		FlushEvery: cfg.FlushEvery, FlushBytes: cfg.FlushBytes, CacheBytes: max(cfg.CacheBytes, 2*cfg.FlushBytes), AgeMax: objectAgeMax,
		Observer: m.metrics.flushObserver(observed), Logger: m.cluster.log,
	})
	m.mu.Lock()
	m.flusher = f
	m.mu.Unlock()
	if !m.tenure.Valid() {
		f.Close()
		return nil, journal.ErrNotOwner
	}
	opt.RelocateEvery = manifestCheckEvery
	s, err := f.Open(m.ctx, slotOfAll, m.owner, opt)
	if err != nil {
		f.Close()
		return nil, err
	}
	m.metrics.slot.Store(s)
	return &slotMedium{Slot: s, m: m}, nil
}

// slotMedium is a slot that is handed over when it is closed as planned.
type slotMedium struct {
	*journal.Slot
	m *membership
}

// Close implements broker.Medium.
func (s *slotMedium) Close() (err error) {
	if s.m.planned.Load() {
		ctx, cancel := context.WithTimeout(s.m.ctx, s.m.cluster.cfg.ShutdownTimeout)
		defer cancel()
		err = s.Drain(ctx)
	}
	s.m.metrics.slot.CompareAndSwap(s.Slot, nil)
	cerr := s.Slot.Close()
	s.m.flusher.Close()
	return errors.Join(err, cerr)
}

// keepTidy removes objects that are nobody's, and has etcd forget its past, which would grow with every commit.
func (m *membership) keepTidy(ctx context.Context) {
	collect, compact := time.NewTicker(collectEvery), time.NewTicker(compactEvery)
	defer collect.Stop()
	defer compact.Stop()
	var revision int64
	for {
		var err error
		select {
		case <-ctx.Done():
			return
		case <-collect.C:
			err = m.collect(ctx)
		case <-compact.C:
			revision, err = m.compact(ctx, revision)
		}
		if err != nil && ctx.Err() == nil {
			m.cluster.log.Warn("tidying up is put off", "err", err)
		}
	}
}

func (m *membership) collect(ctx context.Context) error {
	c := journal.Collector{
		Store: m.cluster.bucket, Coord: m.cluster.quorum, Keys: cluster.Keys, Slots: slotOfAll + 1, Name: m.name, Grace: orphanAge,
	}
	sum, err := c.Collect(ctx)
	m.metrics.collected(sum)
	return err
}

// compact forgets what was a period ago.
func (m *membership) compact(ctx context.Context, before int64) (int64, error) {
	st, err := m.cluster.quorum.Status(ctx)
	if err == nil && before > 0 {
		err = m.cluster.quorum.Compact(ctx, before)
	}
	if err != nil {
		return before, fmt.Errorf("compacting: %w", err)
	}
	return st.Revision, nil
}

// members are those that were seen last.
func (m *membership) members() []cluster.Seen { return m.cluster.node.State().View.Members }

// health tells whether the bucket answers.
type health struct {
	mu    sync.Mutex
	since time.Time // of the first failure after the last success; guarded by mu
	err   error     // guarded by mu
}

// unhealthyAfter is how long requests fail before it is spoken of.
const unhealthyAfter = 2 * time.Second

func (h *health) bucket(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if err == nil || errors.Is(err, objectstore.ErrExists) || errors.Is(err, objectstore.ErrNotFound) || errors.Is(err, context.Canceled) {
		h.err = nil
		return
	}
	if h.err == nil {
		h.since = time.Now()
	}
	h.err = err
}

// why is the error of a bucket that has been away for a while.
func (h *health) why() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.err == nil || time.Since(h.since) < unhealthyAfter {
		return nil
	}
	return h.err
}

// ready is nil while the bucket and etcd answer a broker that serves.
func (m *membership) ready() error {
	if err := m.cluster.health.why(); err != nil {
		return fmt.Errorf("the bucket is away: %w", err)
	}
	if err := m.cluster.node.State().View.Err; err != nil {
		return fmt.Errorf("etcd is away: %w", err)
	}
	return nil
}
