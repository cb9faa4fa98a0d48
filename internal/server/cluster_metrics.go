package server

import (
	"errors"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/narumq/naru/internal/cluster"
	"github.com/narumq/naru/internal/journal"
	"github.com/narumq/naru/internal/objectstore"
)

// clusterMetrics are those of a broker of a cluster, for as long as the process lives; docs/cluster.md lists them.
type clusterMetrics struct {
	state func() cluster.State
	slots atomic.Pointer[membership] // nil: none is open here

	tenures       prometheus.Counter
	requests      *prometheus.CounterVec // by kind and result
	requestTime   *prometheus.HistogramVec
	putSeconds    prometheus.Histogram
	putBytes      prometheus.Counter
	manifestBytes prometheus.Counter
	commitSeconds *prometheus.HistogramVec // by result
	orphans       prometheus.Counter
	orphanBytes   prometheus.Counter
	objects       prometheus.Gauge
	objectBytes   prometheus.Gauge
}

func newClusterMetrics() *clusterMetrics {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	}
	gauge := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Name: name, Help: help})
	}
	histogram := func(name, help string, labels ...string) *prometheus.HistogramVec {
		return prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: secondsBuckets}, labels)
	}
	return &clusterMetrics{
		tenures: counter("naru_cluster_tenures_total", "How often this broker became a member."),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "naru_bucket_requests_total", Help: "Requests to the bucket, by kind, and ok or error.",
		}, []string{"kind", "result"}),
		requestTime: histogram("naru_bucket_request_seconds", "Duration of requests to the bucket, by kind.", "kind"),
		putSeconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "naru_flush_put_seconds", Help: "Duration of storing one object of appends.", Buckets: secondsBuckets,
		}),
		putBytes:      counter("naru_flush_put_bytes_total", "Bytes of the objects of appends, of all tries."),
		manifestBytes: counter("naru_flush_manifest_bytes_total", "Bytes of manifests."),
		commitSeconds: histogram("naru_flush_commit_seconds", "Duration of the transaction that commits an object, ok or error.", "result"),
		orphans:       counter("naru_bucket_orphans_total", "Objects that were nobody's, and old enough to be removed."),
		orphanBytes:   counter("naru_bucket_orphan_bytes_total", "Their bytes."),
		objects:       gauge("naru_bucket_objects", "Objects of the log when they were counted last."),
		objectBytes:   gauge("naru_bucket_object_bytes", "Their bytes."),
	}
}

var (
	clusterMembersDesc = desc("naru_cluster_members", "Brokers that are up, as this one saw last.")
	clusterLeaseDesc   = desc("naru_cluster_lease_seconds", "Time left until this broker would fall silent; 0 if it is not a member.")
	clusterOwnedDesc   = desc("naru_cluster_slots_owned", "Slots that this broker owns.")
	clusterFreeDesc    = desc("naru_cluster_slots_without_owner", "Slots that nobody owns, as this broker saw last.")
	slotSequenceDesc   = desc("naru_slot_sequence", "Number of the slot's last object, of slots that are open here.", "slot")
	slotEpochDesc      = desc("naru_slot_epoch", "How often the slot was opened, of slots that are open here.", "slot")
	slotManifestDesc   = desc("naru_slot_objects_since_manifest", "Objects that the next owner would have to read, of slots that are open here.", "slot")
)

func (m *clusterMetrics) collectors() []prometheus.Collector {
	return []prometheus.Collector{
		m.tenures, m.requests, m.requestTime, m.putSeconds, m.putBytes, m.manifestBytes, m.commitSeconds, m.orphans, m.orphanBytes, m.objects, m.objectBytes,
	}
}

// Describe implements prometheus.Collector.
func (m *clusterMetrics) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{clusterMembersDesc, clusterLeaseDesc, clusterOwnedDesc, clusterFreeDesc, slotSequenceDesc, slotEpochDesc, slotManifestDesc} {
		ch <- d
	}
	describeReads(ch)
	for _, c := range m.collectors() {
		c.Describe(ch)
	}
}

// Collect implements prometheus.Collector.
func (m *clusterMetrics) Collect(ch chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	st := m.state()
	gauge(clusterMembersDesc, float64(len(st.View.Members)))
	gauge(clusterLeaseDesc, max(0, time.Until(st.Until).Seconds()))
	gauge(clusterOwnedDesc, float64(st.Owned))
	free := 0
	for _, o := range st.View.Owners {
		if o.Node == 0 {
			free++
		}
	}
	gauge(clusterFreeDesc, float64(free))
	if members := m.slots.Load(); members != nil {
		for id, o := range members.open() {
			h, slot := o.journal.Head(), strconv.Itoa(int(id))
			gauge(slotSequenceDesc, float64(h.Sequence), slot)
			gauge(slotEpochDesc, float64(h.Epoch), slot)
			gauge(slotManifestDesc, float64(h.Sequence-h.Manifested), slot)
		}
		members.collectReads(ch)
	}
	for _, c := range m.collectors() {
		c.Collect(ch)
	}
}

func result(err error) string {
	if err != nil {
		return "error"
	}
	return "ok"
}

func (m *clusterMetrics) request(r objectstore.S3Request) {
	err := r.Err
	if errors.Is(err, objectstore.ErrExists) || errors.Is(err, objectstore.ErrNotFound) {
		err = nil // answers
	}
	m.requests.WithLabelValues(r.Kind.String(), result(err)).Inc()
	m.requestTime.WithLabelValues(r.Kind.String()).Observe(r.Took.Seconds())
}

// flushObserver feeds these metrics, and those of appends that every broker has.
func (m *clusterMetrics) flushObserver(of *metrics) journal.FlushObserver {
	return journal.FlushObserver{
		Put: func(bytes int, took time.Duration, _ error) {
			m.putSeconds.Observe(took.Seconds())
			m.putBytes.Add(float64(bytes))
			of.committedBytes.Add(float64(bytes))
		},
		Commit: func(_ int, took time.Duration, err error) {
			m.commitSeconds.WithLabelValues(result(err)).Observe(took.Seconds())
		},
		Append: func(took time.Duration) {
			of.appendSeconds.Observe(took.Seconds())
			of.appends.add(took)
		},
		Manifest: func(bytes int) { m.manifestBytes.Add(float64(bytes)) },
	}
}

func (m *clusterMetrics) collected(sum journal.Collection) {
	m.orphans.Add(float64(sum.Orphans))
	m.orphanBytes.Add(float64(sum.OrphanBytes))
	m.objects.Set(float64(sum.Objects))
	m.objectBytes.Set(float64(sum.Bytes))
}
