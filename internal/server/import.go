package server

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/narumq/naru/internal/broker"
	"github.com/narumq/naru/internal/catalog"
	"github.com/narumq/naru/internal/cluster"
	"github.com/narumq/naru/internal/journal"
)

// errNotAlone: somebody else is in the cluster.
var errNotAlone = errors.New("brokers of the cluster are up: end them all, and begin again")

// Import copies a data directory into a cluster of which no broker is up: for as long as it takes, this process is the cluster's
// only member, and owns all its slots. The directory must not be in use, and is as it was afterwards. progress is told of each slot.
func Import(ctx context.Context, cfg Config, dir string, opt ClusterOptions, progress func(slot, slots int, sum broker.Imported)) (sum broker.Imported, err error) {
	if err := cfg.validateCluster(); err != nil {
		return sum, err
	}
	if _, err := os.Stat(filepath.Join(dir, catalog.BoltFile)); err != nil {
		return sum, fmt.Errorf("--data %s: no data directory: %w", dir, err)
	}
	c := newCluster(cfg, opt)
	defer func() {
		for _, end := range c.closes {
			err = errors.Join(err, end())
		}
	}()
	if err := c.reach(); err != nil {
		return sum, err
	}
	if err := c.prepare(ctx); err != nil {
		return sum, err
	}
	p, err := cluster.ReadPicture(ctx, c.quorum)
	if err == nil && len(p.Members) > 0 {
		err = fmt.Errorf("%w (%d)", errNotAlone, len(p.Members))
	}
	if err != nil {
		return sum, err
	}
	source, err := broker.Open(broker.Config{Dir: dir, RetentionEvery: -1, Logger: c.log})
	if err != nil {
		return sum, fmt.Errorf("--data %s: %w", dir, err)
	}
	defer func() { err = errors.Join(err, source.Close()) }()
	i := &importing{c: c, source: source, progress: progress, owners: map[journal.SlotID]int64{}, whole: make(chan struct{})}
	return i.run(ctx)
}

// importing is a cluster.Host that opens no broker.
type importing struct {
	c        *Cluster
	source   *broker.Broker
	progress func(slot, slots int, sum broker.Imported)
	stop     context.CancelFunc // of the copying

	mu     sync.Mutex
	owners map[journal.SlotID]int64 // CreateRevision of our keys; guarded by mu
	whole  chan struct{}            // closed once all slots are ours
	lost   bool                     // one was, and is not any more; guarded by mu
	done   bool                     // guarded by mu

	sum broker.Imported
	err error
}

// run joins the cluster, copies, and leaves.
func (i *importing) run(ctx context.Context) (broker.Imported, error) {
	joined, leave := context.WithCancel(ctx)
	defer leave()
	var tenures int
	n := cluster.NewNode(cluster.NodeConfig{
		Coord: i.c.lease, Timing: cluster.TimingOf(i.c.cfg.Lease), Slots: i.c.slots(), Self: i.c.self(), Log: i.c.log,
		Serve: func(t *cluster.Tenure) {
			if tenures++; tenures == 1 { // one try: what is half done is not begun anew
				i.serve(joined, t)
			}
			leave()
		},
	})
	n.SetReady(true)
	n.Run(joined)
	if tenures == 0 && i.err == nil {
		i.err = fmt.Errorf("could not join the cluster: %w", context.Cause(joined))
	}
	return i.sum, i.err
}

func (i *importing) serve(ctx context.Context, t *cluster.Tenure) {
	ctx, i.stop = context.WithCancel(ctx)
	defer i.stop()
	copied := make(chan struct{})
	ran, end := context.WithCancel(t.Context())
	go func() {
		defer close(copied)
		defer end()
		i.sum, i.err = i.copy(ctx, t)
	}()
	_ = t.Run(ran, i) // until all is copied, or the tenure is over
	i.stop()
	<-copied
}

// copy waits for all slots, and fills them.
func (i *importing) copy(ctx context.Context, t *cluster.Tenure) (sum broker.Imported, err error) {
	select {
	case <-i.whole:
	case <-ctx.Done():
		return sum, fmt.Errorf("waiting for the cluster's slots: %w", ctx.Err())
	case <-t.Context().Done():
		return sum, fmt.Errorf("waiting for the cluster's slots: %w", journal.ErrNotOwner)
	}
	m := i.c.newMembership(t)
	i.mu.Lock()
	for id, owner := range i.owners {
		m.slots[id] = &openSlot{owner: owner}
	}
	i.mu.Unlock()
	cat, err := catalog.Open(catalog.Options{Store: m.catalog(), Random: rand.Reader, Slots: i.c.slots()})
	if err != nil {
		return sum, err
	}
	defer func() { err = errors.Join(err, cat.Close()) }()
	flusher := m.openFlusher(newMetrics(i.c.version))
	defer flusher.Close()
	im := &broker.Import{
		Source: i.source, Catalog: cat, Progress: i.progress, Now: func() int64 { return time.Now().UnixMilli() },
		Open: func(id journal.SlotID, opt journal.Options) (broker.Medium, error) {
			s, err := flusher.Open(ctx, id, m.slots[id].owner, opt)
			if err != nil {
				return nil, err
			}
			o := m.slots[id]
			o.planned, o.journal = true, s
			return &slotMedium{s, m, o}, nil
		},
	}
	sum, err = im.Run(ctx)
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.done = true; err != nil && i.lost {
		err = fmt.Errorf("%w: %w", errNotAlone, err)
	}
	return sum, err
}

// Open implements cluster.Host.
func (i *importing) Open(_ context.Context, id journal.SlotID, owner int64) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.owners[id] = owner; len(i.owners) == i.c.slots() && !i.lost {
		select {
		case <-i.whole:
		default:
			close(i.whole)
		}
	}
	return nil
}

// Close implements cluster.Host: a slot that is taken away ends it all.
func (i *importing) Close(id journal.SlotID, _ bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	delete(i.owners, id)
	if !i.done {
		i.lost = true
		i.stop()
	}
}
