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
}

// ReadClusterStatus asks the etcd of a cluster.
func ReadClusterStatus(ctx context.Context, cfg Config) (ClusterStatus, error) {
	if err := cfg.validateCluster(); err != nil {
		return ClusterStatus{}, err
	}
	where, err := cfg.bucket()
	if err != nil {
		return ClusterStatus{}, fmt.Errorf("--cluster: %w", err)
	}
	e, err := cfg.quorum(where, 0)
	if err != nil {
		return ClusterStatus{}, err
	}
	defer func() { _ = e.Close() }()
	return clusterStatus(ctx, e, cfg.Cluster)
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
	for _, seen := range p.Members {
		m := seen.Member()
		st.Members = append(st.Members, ClusterMember{
			Broker: seen.Node, Host: m.Host, Version: m.Version, Started: time.UnixMilli(m.Started), Lease: strings.TrimLeft(seen.Lease.String(), "0"),
			LeaseTime: time.Duration(m.LeaseMS) * time.Millisecond, Endpoints: m.Endpoints,
		})
	}
	for slot := range p.Slots {
		_, head := cluster.Keys(journal.SlotID(slot))
		kv, there, err := quorum.Get(ctx, head)
		if err != nil {
			return st, err
		}
		var h journal.Head
		if there {
			if h, err = journal.DecodeHead(kv.Value); err != nil {
				return st, err
			}
		}
		st.Slots = append(st.Slots, SlotStatus{
			Slot: int(slot), Owner: p.Owners[slot].Node, Epoch: h.Epoch, Sequence: h.Sequence, Manifest: h.Manifest, Manifested: h.Manifested,
		})
	}
	s, err := quorum.Status(ctx)
	if err != nil {
		return st, err
	}
	st.Revision, st.EtcdBytes = s.Revision, s.BytesInUse
	return st, nil
}
