package server

import (
	"context"
	"math"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	naruv1 "github.com/narumq/naru/api/naru/v1"
)

// Cluster implements api.System.
func (s system) Cluster(ctx context.Context) (*naruv1.Cluster, error) {
	m := s.member
	if m == nil {
		return &naruv1.Cluster{}, nil
	}
	st, err := clusterStatus(ctx, m.cluster.quorum, m.cluster.cfg.Cluster)
	if err != nil {
		return nil, err
	}
	out := &naruv1.Cluster{
		Clustered: true, Broker: m.tenure.Node, EtcdBytes: st.EtcdBytes,
		LeaseLeft: durationpb.New(max(0, time.Until(m.cluster.state().Until))),
	}
	for _, x := range st.Members {
		out.Members = append(out.Members, &naruv1.ClusterMember{
			Broker: x.Broker, Host: x.Host, Version: x.Version, Endpoints: x.Endpoints, StartedTime: timestamppb.New(x.Started),
			Slots: int32(x.Slots), Ready: x.Ready, Drained: x.Drained,
		})
	}
	for _, x := range st.Slots {
		out.Slots = append(out.Slots, &naruv1.ClusterSlot{
			Slot: int32(x.Slot), Owner: x.Owner, WantedAt: x.Moved, Epoch: x.Epoch, Sequence: int64(x.Sequence), ManifestSequence: int64(x.Manifested),
		})
	}
	s.fares(out)
	return out, nil
}

// fares fills in what this broker knows of itself.
func (s system) fares(out *naruv1.Cluster) {
	m := s.member
	for _, x := range []struct {
		name string
		of   prometheus.Observer
	}{{"append", s.metrics.appendSeconds}, {"put", m.metrics.putSeconds}, {"commit", m.metrics.commitSeconds.WithLabelValues(result(nil))}} {
		var d dto.Metric
		if h, ok := x.of.(prometheus.Metric); ok && h.Write(&d) == nil {
			step := &naruv1.ClusterStep{Name: x.name, Count: int64(d.GetHistogram().GetSampleCount())}
			if step.Count > 0 {
				step.P50, step.P99 = quantileOf(d.GetHistogram(), 0.5), quantileOf(d.GetHistogram(), 0.99)
			}
			out.Steps = append(out.Steps, step)
		}
	}
	if f := m.flusher.Load(); f != nil {
		r := f.ReadStats()
		out.CacheBytes, out.CacheDiskBytes, out.CacheHits, out.CacheMisses = r.CacheBytes, r.DiskBytes, r.BlockHits, r.BlockMisses
	}
	out.Objects, out.ObjectBytes, out.OrphansRemoved = valueOf(m.metrics.objects), valueOf(m.metrics.objectBytes), valueOf(m.metrics.orphans)
}

// quantileOf is within the bucket in which it falls, as if that were filled evenly.
func quantileOf(h *dto.Histogram, q float64) *durationpb.Duration {
	want := q * float64(h.GetSampleCount())
	low, below := 0.0, 0.0
	for _, b := range h.GetBucket() {
		count := float64(b.GetCumulativeCount())
		if count >= want && !math.IsInf(b.GetUpperBound(), 1) {
			part := 1.0
			if count > below {
				part = (want - below) / (count - below)
			}
			return durationpb.New(time.Duration((low + (b.GetUpperBound()-low)*part) * float64(time.Second)))
		}
		low, below = b.GetUpperBound(), count
	}
	return durationpb.New(time.Duration(low * float64(time.Second))) // beyond the last bucket
}

func valueOf(m prometheus.Metric) int64 {
	var d dto.Metric
	if m.Write(&d) != nil {
		return 0
	}
	return int64(d.GetGauge().GetValue() + d.GetCounter().GetValue())
}
