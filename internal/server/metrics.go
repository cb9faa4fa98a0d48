package server

import (
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/narumq/naru/internal/front/aws"
	"github.com/narumq/naru/internal/front/kafka"
	"github.com/narumq/naru/internal/front/kinesis"
	"github.com/narumq/naru/internal/front/sqs"
	"github.com/narumq/naru/internal/journal"
)

// metrics are what observers count. What can be looked at when asked is in
// collector. Names are part of the interface: docs/operations.md lists them,
// and a test compares.
type metrics struct {
	registry *prometheus.Registry

	startSeconds prometheus.Gauge

	commitSeconds   *prometheus.HistogramVec // by phase
	commitEntries   prometheus.Histogram
	appendSeconds   prometheus.Histogram
	committedBytes  prometheus.Counter
	relocatedBytes  prometheus.Counter
	relocatedFiles  prometheus.Counter
	reclaimedBytes  prometheus.Counter
	connections     prometheus.Gauge
	connectionsAll  prometheus.Counter
	connectionsOver prometheus.Counter
	malformed       prometheus.Counter
	blocked         *prometheus.GaugeVec   // by resource
	requests        *prometheus.CounterVec // by protocol, API and error
	requestSeconds  *prometheus.HistogramVec
	requestBytes    *prometheus.CounterVec

	appends  latencies    // what appendSeconds gets, to look at
	answered atomic.Int64 // requests of all protocols

	apis sync.Map // API name to *apiMetrics: looked up once, not per request
}

// apiMetrics are the series of one API.
type apiMetrics struct {
	seconds prometheus.Observer
	in, out prometheus.Counter
	ok      prometheus.Counter
}

const (
	kafkaProtocol = "kafka"
	awsProtocol   = "aws"
	httpProtocol  = "http"
	amqpProtocol  = "amqp"

	managementProtocol = "amqp-management"
)

// secondsBuckets span from a write to a cached page to a disk in trouble.
var secondsBuckets = prometheus.ExponentialBuckets(50e-6, 2, 19) // 50 µs to 13 s

func newMetrics(version string) *metrics {
	m := &metrics{registry: prometheus.NewRegistry()}
	m.registry.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	build := m.gaugeVec("naru_build_info", "Always 1, with the version as labels.", "version", "go")
	build.WithLabelValues(version, runtime.Version()).Set(1)
	m.startSeconds = m.gauge("naru_start_seconds", "Time from start to readiness.")

	m.commitSeconds = m.histogramVec("naru_commit_seconds", "Duration of a group commit, by phase: write, sync.", "phase")
	m.commitEntries = m.histogram("naru_commit_appends", "Appends that shared one group commit.",
		prometheus.ExponentialBuckets(1, 2, 14))
	m.appendSeconds = m.histogram("naru_append_seconds", "From an append's place in the queue of commits until it is durable.", secondsBuckets)
	m.committedBytes = m.counter("naru_committed_bytes_total", "Bytes written by commits, frame headers included.")
	m.relocatedFiles = m.counter("naru_relocated_segments_total", "Segments rewritten into new ones.")
	m.relocatedBytes = m.counter("naru_relocated_bytes_total", "Bytes rewritten by the relocator.")
	m.reclaimedBytes = m.counter("naru_reclaimed_bytes_total", "Bytes of removed segment files.")

	m.connections = m.gauge("naru_connections", "Open connections of protocol clients.")
	m.connectionsAll = m.counter("naru_connections_opened_total", "Connections accepted.")
	m.connectionsOver = m.counter("naru_connections_refused_total", "Connections closed because there were too many.")
	m.blocked = m.gaugeVec("naru_blocked", "1 while publishers over AMQP wait for room, by resource: disk, memory.", "resource")
	m.malformed = m.counter("naru_connections_malformed_total", "Connections closed over what they sent.")
	m.requests = m.counterVec("naru_requests_total",
		"Requests answered, by API and the first error code in the answer (0: none).", "protocol", "api", "error")
	m.requestSeconds = m.histogramVec("naru_request_seconds",
		"From a request's last byte to its answer, by API. Fetch and JoinGroup wait on purpose.", "protocol", "api")
	m.requestBytes = m.counterVec("naru_request_bytes_total", "Bytes of requests (in) and answers (out), by API.",
		"protocol", "api", "direction")
	return m
}

func (m *metrics) gauge(name, help string) prometheus.Gauge {
	return register(m, prometheus.NewGauge(prometheus.GaugeOpts{Name: name, Help: help}))
}

func (m *metrics) gaugeVec(name, help string, labels ...string) *prometheus.GaugeVec {
	return register(m, prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, labels))
}

func (m *metrics) counter(name, help string) prometheus.Counter {
	return register(m, prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help}))
}

func (m *metrics) counterVec(name, help string, labels ...string) *prometheus.CounterVec {
	return register(m, prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels))
}

func (m *metrics) histogram(name, help string, buckets []float64) prometheus.Histogram {
	return register(m, prometheus.NewHistogram(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets}))
}

func (m *metrics) histogramVec(name, help string, labels ...string) *prometheus.HistogramVec {
	return register(m, prometheus.NewHistogramVec(
		prometheus.HistogramOpts{Name: name, Help: help, Buckets: secondsBuckets}, labels))
}

func register[C prometheus.Collector](m *metrics, c C) C {
	m.registry.MustRegister(c)
	return c
}

// journalObserver feeds the journal's metrics.
func (m *metrics) journalObserver() journal.Observer {
	write, sync := m.commitSeconds.WithLabelValues("write"), m.commitSeconds.WithLabelValues("sync")
	return journal.Observer{
		Commit: func(entries int, bytes int64, writing, syncing time.Duration) {
			m.commitEntries.Observe(float64(entries))
			m.committedBytes.Add(float64(bytes))
			write.Observe(writing.Seconds())
			sync.Observe(syncing.Seconds())
		},
		Append: func(took time.Duration) {
			m.appendSeconds.Observe(took.Seconds())
			m.appends.add(took)
		},
		Relocated: func(segments int, bytes int64) {
			m.relocatedFiles.Add(float64(segments))
			m.relocatedBytes.Add(float64(bytes))
		},
		Reclaimed: func(bytes int64) { m.reclaimedBytes.Add(float64(bytes)) },
	}
}

// kafkaObserver feeds the Kafka endpoint's metrics.
func (m *metrics) kafkaObserver() kafka.Observer {
	return kafka.Observer{
		Opened: func() {
			m.connections.Inc()
			m.connectionsAll.Inc()
		},
		Closed:    m.connections.Dec,
		Refused:   m.connectionsOver.Inc,
		Malformed: func(error) { m.malformed.Inc() },
		Request: func(r kafka.RequestStats) {
			m.answered.Add(1)
			api := m.api(r.API)
			api.seconds.Observe(r.Total.Seconds())
			api.in.Add(float64(r.BytesIn))
			api.out.Add(float64(r.BytesOut))
			if r.Error == 0 {
				api.ok.Inc()
				return
			}
			m.requests.WithLabelValues(kafkaProtocol, r.API, strconv.Itoa(int(r.Error))).Inc()
		},
	}
}

func (m *metrics) api(name string) *apiMetrics {
	if found, ok := m.apis.Load(name); ok {
		return found.(*apiMetrics)
	}
	found, _ := m.apis.LoadOrStore(name, &apiMetrics{
		seconds: m.requestSeconds.WithLabelValues(kafkaProtocol, name),
		in:      m.requestBytes.WithLabelValues(kafkaProtocol, name, "in"),
		out:     m.requestBytes.WithLabelValues(kafkaProtocol, name, "out"),
		ok:      m.requests.WithLabelValues(kafkaProtocol, name, "0"),
	})
	return found.(*apiMetrics)
}

// awsObserver feeds the requests of the AWS endpoint. An API that does not exist
// has no series of its own.
func (m *metrics) awsObserver() aws.Observer {
	return aws.Observer{Done: func(action string, failed bool, took time.Duration) {
		m.answered.Add(1)
		if !sqs.Serves(action) && !kinesis.Serves(action) {
			action = "unknown"
		}
		code := "0"
		if failed {
			code = "1"
		}
		m.requests.WithLabelValues(awsProtocol, action, code).Inc()
		m.requestSeconds.WithLabelValues(awsProtocol, action).Observe(took.Seconds())
	}}
}
