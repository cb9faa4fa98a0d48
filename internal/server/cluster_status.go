package server

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/narumq/naru/internal/cluster"
	"github.com/narumq/naru/internal/coord"
	"github.com/narumq/naru/internal/journal"
)

// ClusterStatus is what etcd tells of a cluster.
type ClusterStatus struct {
	ID        string          `json:"id"`
	Revision  int64           `json:"etcd_revision"`
	EtcdBytes int64           `json:"etcd_bytes_in_use"`
	Slots     []SlotStatus    `json:"slots"`
	Members   []ClusterMember `json:"members"`
}

// SlotStatus is a slot: who owns it, and where its log ends.
type SlotStatus struct {
	Slot       int    `json:"slot"`
	Owner      int32  `json:"owner"` // number of the broker; 0: none
	Moved      int32  `json:"moved"` // the broker at which an operator wants it; 0: whoever it falls to
	Epoch      int32  `json:"epoch"`
	Sequence   uint64 `json:"sequence"`
	Manifest   string `json:"manifest"`
	Manifested uint64 `json:"manifest_sequence"`
}

// ClusterMember is a broker that is up, or whose lease has not ended yet.
type ClusterMember struct {
	Broker    int32             `json:"broker"`
	Host      string            `json:"host"`
	Version   string            `json:"version"`
	Started   time.Time         `json:"started"`
	Lease     string            `json:"lease"`
	LeaseTime time.Duration     `json:"lease_ns"`
	Endpoints map[string]string `json:"endpoints"`
	Slots     int               `json:"slots"`   // how many it owns
	Ready     bool              `json:"ready"`   // it takes slots
	Drained   bool              `json:"drained"` // an operator wants it to own none while another broker can
}

// ReadClusterStatus asks the etcd of a cluster.
func ReadClusterStatus(ctx context.Context, cfg Config) (st ClusterStatus, err error) {
	err = cfg.askQuorum(func(quorum coord.Store) (err error) {
		st, err = clusterStatus(ctx, quorum, cfg.Cluster)
		return err
	})
	return st, err
}

// MoveSlot says that a slot is to be at a broker for as long as that process lives; at 0 that it is to fall to whom it will.
// Brokers see to it within moments.
func MoveSlot(ctx context.Context, cfg Config, slot int, broker int32) error {
	return cfg.askQuorum(func(quorum coord.Store) error {
		if broker == 0 {
			return cluster.Unmove(ctx, quorum, journal.SlotID(slot))
		}
		return cluster.Move(ctx, quorum, journal.SlotID(slot), broker)
	})
}

// DrainBroker says that a broker is to own nothing while another can, for as long as its process lives, or that it may again.
// cluster.ErrNoHeir: no other can now.
func DrainBroker(ctx context.Context, cfg Config, broker int32, undo bool) error {
	return cfg.askQuorum(func(quorum coord.Store) error {
		if undo {
			return cluster.Undrain(ctx, quorum, broker)
		}
		return cluster.Drain(ctx, quorum, broker)
	})
}

// askQuorum lends the etcd that is named by the settings.
func (c *Config) askQuorum(ask func(coord.Store) error) error {
	if err := c.validateCluster(); err != nil {
		return err
	}
	e, err := c.quorum(0)
	if err != nil {
		return err
	}
	defer func() { _ = e.Close() }()
	return ask(e)
}

func clusterStatus(ctx context.Context, quorum coord.Store, name string) (st ClusterStatus, err error) {
	p, err := cluster.ReadPicture(ctx, quorum)
	if errors.Is(err, cluster.ErrNoCluster) {
		return st, fmt.Errorf("etcd knows no cluster in %s", name)
	}
	if err != nil {
		return st, err
	}
	st.ID = p.ID
	owned := map[int32]int{}
	for _, o := range p.Owners {
		owned[o.Node]++
	}
	for _, seen := range p.Members {
		m := seen.Member()
		st.Members = append(st.Members, ClusterMember{
			Broker: seen.Node, Host: m.Host, Version: m.Version, Started: time.UnixMilli(m.Started), Lease: strings.TrimLeft(seen.Lease.String(), "0"),
			LeaseTime: time.Duration(m.LeaseMS) * time.Millisecond, Endpoints: m.Endpoints,
			Slots: owned[seen.Node], Ready: m.Ready, Drained: p.Drained[seen.Node],
		})
	}
	kvs, _, err := quorum.Range(ctx, cluster.HeadPrefix)
	if err != nil {
		return st, err
	}
	heads := make(map[string][]byte, len(kvs))
	for _, kv := range kvs {
		heads[kv.Key] = kv.Value
	}
	for slot := range p.Slots {
		_, head := cluster.Keys(journal.SlotID(slot))
		var h journal.Head
		if value, there := heads[head]; there {
			if h, err = journal.DecodeHead(value); err != nil {
				return st, err
			}
		}
		st.Slots = append(st.Slots, SlotStatus{
			Slot: int(slot), Owner: p.Owners[slot].Node, Moved: p.Places[journal.SlotID(slot)], Epoch: h.Epoch, Sequence: h.Sequence, Manifest: h.Manifest, Manifested: h.Manifested,
		})
	}
	s, err := quorum.Status(ctx)
	if err != nil {
		return st, err
	}
	st.Revision, st.EtcdBytes = s.Revision, s.BytesInUse
	return st, nil
}
