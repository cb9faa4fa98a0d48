package server

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/narumq/naru/internal/cluster"
	"github.com/narumq/naru/internal/coord"
	"github.com/narumq/naru/internal/objectstore"
	"github.com/narumq/naru/internal/peer"
)

// Cluster is a running broker of a cluster: while it is a member, it serves as a Server does.
type Cluster struct {
	cfg     Config
	log     *slog.Logger
	version string
	started time.Time
	ready   time.Duration
	metrics *clusterMetrics
	health  health

	tls    *tls.Config // between brokers; nil: none
	bucket objectstore.Store
	quorum coord.Store // for commits and the catalog
	lease  coord.Store // for membership: its calls are short
	closes []func() error

	gates   listeners // of doors; nil are off
	doors   []*gate
	standby *http.Server // nil: HTTP is off
	// identity and node are known once the cluster was reached.
	identity atomic.Pointer[cluster.Identity]
	node     atomic.Pointer[cluster.Node]
	current  atomic.Pointer[Server] // nil: not a member
	problem  atomic.Pointer[string] // why the last tenure ended, or the cluster cannot be reached

	failed chan error
	ctx    context.Context // ends when the broker leaves
	stop   context.CancelFunc
	work   sync.WaitGroup
	once   sync.Once
}

// ClusterOptions are not for users to configure.
type ClusterOptions struct {
	Log     *slog.Logger
	Version string
	// Bucket, Quorum and Lease stand in for what --cluster and --etcd name.
	Bucket objectstore.Store
	Quorum coord.Store
	Lease  coord.Store
}

// first is how long a start waits for the bucket and etcd, before it goes on without them.
const first = 5 * time.Second

// StartCluster joins a cluster, and returns when that was tried once. A bucket or an etcd that is away is no error: the broker
// says so on /readyz, and goes on trying. A bucket without conditional writes is one, and so is one that belongs to another
// cluster.
func StartCluster(cfg Config, opt ClusterOptions) (*Cluster, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	c := newCluster(cfg, opt)
	if err := c.start(); err != nil {
		c.release()
		return nil, err
	}
	c.ready = time.Since(c.started)
	return c, nil
}

func newCluster(cfg Config, opt ClusterOptions) *Cluster {
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	return &Cluster{
		cfg: cfg, log: opt.Log, version: opt.Version, started: time.Now(), metrics: newClusterMetrics(), failed: make(chan error, 4),
		bucket: opt.Bucket, quorum: opt.Quorum, lease: opt.Lease,
	}
}

func (c *Cluster) start() error {
	if err := c.reach(); err != nil {
		return err
	}
	if err := c.openGates(); err != nil {
		return err
	}
	c.cfg.warn(c.log)
	c.metrics.state = c.state
	c.openStandby()
	ctx, stop := context.WithCancel(context.Background())
	c.ctx, c.stop = ctx, stop
	limited, cancel := context.WithTimeout(ctx, first)
	defer cancel()
	err := c.prepare(limited)
	if fatal(err) {
		return err
	}
	if err == nil {
		c.join(ctx)
		return nil
	}
	c.log.Warn("the cluster cannot be reached yet", "err", err)
	c.work.Go(func() { c.prepareLater(ctx) })
	return nil
}

// reach prepares access to the bucket, to etcd and to the other brokers.
func (c *Cluster) reach() error {
	where, err := c.cfg.bucket()
	if err != nil {
		return err
	}
	if c.cfg.PeerCert != "" {
		if c.tls, err = peer.LoadTLS(c.cfg.PeerCert, c.cfg.PeerKey, c.cfg.PeerCA); err != nil {
			return fmt.Errorf("--peer-cert, --peer-key, --peer-ca: %w", err)
		}
	}
	if c.bucket == nil {
		where.Observe = func(r objectstore.S3Request) { c.metrics.request(r); c.health.bucket(r.Err) }
		if c.bucket, err = objectstore.NewS3(context.Background(), where); err != nil {
			return fmt.Errorf("--cluster: %w", err)
		}
	}
	for _, to := range []struct {
		store *coord.Store
		limit time.Duration
	}{{&c.quorum, 0}, {&c.lease, c.cfg.Lease / 4}} {
		if *to.store != nil {
			continue
		}
		e, err := c.cfg.quorum(to.limit)
		if err != nil {
			return err
		}
		*to.store = e
		c.closes = append(c.closes, e.Close)
	}
	return nil
}

// prepare finds out whether the bucket and etcd are there, and fit for it.
func (c *Cluster) prepare(ctx context.Context) error {
	name := randomName()
	err := objectstore.Probe(ctx, c.bucket, "probe/"+name)
	c.health.bucket(err)
	if err != nil {
		return fmt.Errorf("--cluster %s: %w", c.cfg.Cluster, err)
	}
	id, err := cluster.Identify(ctx, c.bucket, c.quorum, cluster.Identity{ID: name, Slots: uint32(c.cfg.Slots)})
	if err != nil {
		return fmt.Errorf("--cluster %s, --etcd %s: %w", c.cfg.Cluster, c.cfg.Etcd, err)
	}
	c.identity.Store(&id)
	return nil
}

// join takes part in the cluster until ctx ends, or again.
func (c *Cluster) join(ctx context.Context) {
	if n := c.node.Load(); n != nil {
		n.SetReady(true)
		return
	}
	n := cluster.NewNode(cluster.NodeConfig{
		Coord: c.lease, Timing: cluster.TimingOf(c.cfg.Lease), Slots: c.slots(), Self: c.self(), Serve: c.serve, Log: c.log,
	})
	c.node.Store(n)
	n.SetReady(true)
	c.work.Go(func() { n.Run(ctx) })
}

// slots is how many the cluster has, once it was reached.
func (c *Cluster) slots() int { return int(c.identity.Load().Slots) }

// state is what is known of the cluster.
func (c *Cluster) state() cluster.State {
	if n := c.node.Load(); n != nil {
		return n.State()
	}
	return cluster.State{}
}

// fatal tells whether waiting does not mend an error.
func fatal(err error) bool {
	return errors.Is(err, objectstore.ErrNoConditions) || errors.Is(err, cluster.ErrMixedUp)
}

// prepareEvery is between tries to reach a cluster that is away.
const prepareEvery = time.Second

func (c *Cluster) prepareLater(ctx context.Context) {
	tick := time.NewTicker(prepareEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		err := c.prepare(ctx)
		switch {
		case err == nil:
			c.log.Info("the cluster can be reached")
			c.join(ctx)
			return
		case fatal(err):
			c.failed <- err
			return
		}
		text := err.Error()
		c.problem.Store(&text)
	}
}

func (c *Cluster) self() cluster.Member {
	host, _ := os.Hostname() // "" is as good as any
	m := cluster.Member{
		Name: randomName(), Host: host, Version: c.version, Started: c.started.UnixMilli(), LeaseMS: c.cfg.Lease.Milliseconds(), Endpoints: map[string]string{},
	}
	for _, e := range c.addresses() {
		m.Endpoints[e.Name] = e.Addr
	}
	if c.gates.kafka != nil {
		m.Endpoints["kafka"] = c.cfg.kafkaReachable(c.gates.kafka.Addr())
	}
	return m
}

// randomName is one that nobody else ever has.
func randomName() string {
	var b [12]byte
	rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

// openGates takes the ports.
func (c *Cluster) openGates() error {
	l, err := c.cfg.listen()
	if err != nil {
		return err
	}
	for _, e := range l.each() {
		if *e.at != nil {
			g := newGate(*e.at)
			*e.at = g
			c.doors = append(c.doors, g)
		}
	}
	c.gates = l
	return nil
}

// openStandby answers health checks while this broker is not a member.
func (c *Cluster) openStandby() {
	if c.gates.http == nil {
		return
	}
	m := newMetrics(c.version)
	m.registry.MustRegister(c.metrics)
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{MaxRequestsInFlight: metricsAtOnceMax, Timeout: metricsScrapeTimeout}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "not ready: "+c.Ready().Error(), http.StatusServiceUnavailable)
	})
	c.standby = &http.Server{Handler: mux, ReadHeaderTimeout: httpHeaderTimeout, IdleTimeout: httpIdleTimeout, MaxHeaderBytes: httpHeaderBytesMax}
	c.standBy()
}

// standBy opens the door of the standby's HTTP.
func (c *Cluster) standBy() {
	if g, ok := c.gates.http.(*gate); ok {
		d := g.open(nil)
		go func() { _ = c.standby.Serve(limit(d, httpConnectionsMax)) }() // ends when the door is shut
	}
}

// Ready returns nil while this broker serves, else why it does not.
func (c *Cluster) Ready() error {
	if s := c.current.Load(); s != nil {
		return s.Ready()
	}
	if err := c.away(); err != nil {
		return err
	}
	if why := c.problem.Load(); why != nil && *why != "" {
		return errors.New(*why)
	}
	return errors.New("joining the cluster")
}

// away says which of etcd and the bucket does not answer, nil if both do.
func (c *Cluster) away() error {
	if err := c.state().View.Err; err != nil {
		return fmt.Errorf("etcd is away: %w", err)
	}
	if err := c.health.why(); err != nil {
		return fmt.Errorf("the bucket is away: %w", err)
	}
	return nil
}

// Failed gives the error that ends the process.
func (c *Cluster) Failed() <-chan error { return c.failed }

// StartTime is how long it took to join.
func (c *Cluster) StartTime() time.Duration { return c.ready }

// Endpoints are the addresses that are on.
func (c *Cluster) Endpoints() []Endpoint { return c.addresses() }

func (c *Cluster) addresses() []Endpoint {
	var list []Endpoint
	for _, e := range c.gates.each() {
		if *e.at == nil {
			continue
		}
		addr := c.cfg.reachable((*e.at).Addr())
		if e.name == "aws" || e.name == "amqp-management" || e.name == "http" {
			addr = "http://" + addr
		}
		list = append(list, Endpoint{e.name, addr})
	}
	return list
}

// Close hands over what this broker has, and leaves the cluster.
func (c *Cluster) Close(context.Context) error {
	c.once.Do(c.release)
	return nil
}

func (c *Cluster) release() {
	if c.stop != nil {
		c.stop()
		c.work.Wait()
	}
	for _, g := range c.doors {
		_ = g.Close()
		g.shut()
	}
	for _, shut := range c.closes {
		_ = shut()
	}
}
