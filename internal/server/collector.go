package server

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/narumq/naru/internal/broker"
	"github.com/narumq/naru/internal/catalog"
	"github.com/narumq/naru/internal/front/kafka"
)

// collector looks at the broker when metrics are asked for.
type collector struct {
	broker    *broker.Broker
	seriesMax int // topics, and groups, that are listed
}

// watch adds the broker's state to the metrics.
func (m *metrics) watch(b *broker.Broker, seriesMax int) {
	m.registry.MustRegister(&collector{b, seriesMax})
}

// watchKafka adds the Kafka endpoint's state.
func (m *metrics) watchKafka(k *kafka.Server) {
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "naru_fetch_sessions", Help: "Incremental fetch sessions of Kafka clients.",
	}, func() float64 {
		n, _ := k.FetchSessions()
		return float64(n)
	}))
}

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(name, help, labels, nil)
}

var (
	readyDesc     = desc("naru_ready", "1 while records can be appended.")
	segmentsDesc  = desc("naru_segments", "Segment files, the active one included.")
	usedDesc      = desc("naru_disk_used_bytes", "Size of the segment files.")
	freeDesc      = desc("naru_disk_free_bytes", "Room left on the data directory's disk.")
	pendingDesc   = desc("naru_pending_bytes", "Appends accepted and not yet committed.")
	cacheDesc     = desc("naru_cache_bytes", "Recent records held in memory.")
	readsDesc     = desc("naru_reads_total", "Pieces of the journal read for consumers, by source: memory, disk.", "source")
	readBytesDesc = desc("naru_read_bytes_total", "Bytes of records read for consumers, by source: memory, disk.", "source")
	damagedDesc   = desc("naru_damaged_extents", "Damaged places on disk that are known.")

	topicsDesc     = desc("naru_topics", "Topics, internal ones included.")
	partitionsDesc = desc("naru_partitions", "Partitions of all topics.")
	recordsDesc    = desc("naru_topic_records_total", "Records ever appended to a topic: the sum of its partitions' ends.", "topic")
	bytesDesc      = desc("naru_topic_bytes", "Size of a topic's records on disk.", "topic")

	groupsDesc = desc("naru_groups", "Consumer groups, by state.", "state")
	lagDesc    = desc("naru_group_lag", "Records that a group has yet to commit, by topic.", "group", "topic")

	queuesDesc        = desc("naru_queues", "Queues.")
	queueMessagesDesc = desc("naru_queue_messages", "Messages of a queue that are not done, by state: ready, in_flight, delayed.", "queue", "state")
	queueOldestDesc   = desc("naru_queue_oldest_seconds", "Age of the oldest message of a queue that is not done.", "queue")
	queueEventsDesc   = desc("naru_queue_events_total",
		"What happened to a queue's messages since the start: sent, received, redelivered, acked, dead_lettered, expired.", "queue", "event")

	unlistedDesc = desc("naru_metrics_unlisted", "Topics, groups or queues beyond --topic-metrics-max, without series of their own.", "kind")
)

// Describe implements prometheus.Collector.
func (c *collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{readyDesc, segmentsDesc, usedDesc, freeDesc, pendingDesc, cacheDesc, readsDesc, readBytesDesc, damagedDesc,
		topicsDesc, partitionsDesc, recordsDesc, bytesDesc, groupsDesc, lagDesc, queuesDesc, queueMessagesDesc, queueOldestDesc, queueEventsDesc, unlistedDesc} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (c *collector) Collect(ch chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	ready := 1.0
	if c.broker.Ready() != nil {
		ready = 0
	}
	gauge(readyDesc, ready)
	s := c.broker.JournalStats()
	gauge(segmentsDesc, float64(s.Segments))
	gauge(usedDesc, float64(s.DiskBytes))
	gauge(pendingDesc, float64(s.PendingBytes))
	gauge(cacheDesc, float64(s.CacheBytes))
	gauge(damagedDesc, float64(s.Damaged))
	ch <- prometheus.MustNewConstMetric(readsDesc, prometheus.CounterValue, float64(s.ReadsHit), "memory")
	ch <- prometheus.MustNewConstMetric(readsDesc, prometheus.CounterValue, float64(s.ReadsMissed), "disk")
	ch <- prometheus.MustNewConstMetric(readBytesDesc, prometheus.CounterValue, float64(s.BytesHit), "memory")
	ch <- prometheus.MustNewConstMetric(readBytesDesc, prometheus.CounterValue, float64(s.BytesMissed), "disk")
	if free, err := c.broker.FreeBytes(); err == nil {
		gauge(freeDesc, float64(free))
	}
	c.topics(ch, gauge)
	c.groups(gauge)
	c.queues(ch, gauge)
}

type gaugeFunc func(d *prometheus.Desc, v float64, labels ...string)

func (c *collector) topics(ch chan<- prometheus.Metric, gauge gaugeFunc) {
	topics := c.broker.Topics()
	partitions, listed := 0, 0
	for _, t := range topics {
		partitions += len(t.Partitions)
		if listed >= c.seriesMax {
			continue
		}
		listed++
		records, bytes := c.topic(t)
		ch <- prometheus.MustNewConstMetric(recordsDesc, prometheus.CounterValue, float64(records), t.Name)
		gauge(bytesDesc, float64(bytes), t.Name)
	}
	gauge(topicsDesc, float64(len(topics)))
	gauge(partitionsDesc, float64(partitions))
	gauge(unlistedDesc, float64(len(topics)-listed), "topic")
}

func (c *collector) topic(t *catalog.Topic) (records, bytes int64) {
	for i := range t.Partitions {
		p, err := c.broker.Partition(t.Name, int32(i))
		if err != nil || p.Local() != nil {
			continue // deleted meanwhile, or another broker's to count
		}
		records += int64(p.HighWatermark())
		bytes += p.SizeBytes()
	}
	return records, bytes
}

func (c *collector) groups(gauge gaugeFunc) {
	states := make(map[string]int)
	for _, g := range c.broker.ListGroups(nil, nil) {
		states[g.State.String()]++
	}
	for state, n := range states {
		gauge(groupsDesc, float64(n), state)
	}
	// The offsets come sorted by group and topic, so each sum is complete when
	// its topic ends.
	type key struct{ group, topic string }
	var now key
	sum, listed, unlisted := int64(0), 0, 0
	flush := func() {
		switch {
		case now == key{}:
		case listed < c.seriesMax:
			listed++
			gauge(lagDesc, float64(sum), now.group, now.topic)
		default:
			unlisted++
		}
		sum = 0
	}
	for _, o := range c.broker.GroupOffsets() {
		if k := (key{o.Group, o.Topic}); k != now {
			flush()
			now = k
		}
		sum += max(o.Lag, 0)
	}
	flush()
	gauge(unlistedDesc, float64(unlisted), "group")
}

func (c *collector) queues(ch chan<- prometheus.Metric, gauge gaugeFunc) {
	all := c.broker.Queues()
	gauge(queuesDesc, float64(len(all)))
	listed := all[:min(len(all), c.seriesMax)]
	gauge(unlistedDesc, float64(len(all)-len(listed)), "queue")
	for _, meta := range listed {
		q, err := c.broker.Queue(meta.Name)
		if err != nil || q.Local() != nil {
			continue // deleted meanwhile, or another broker's to count
		}
		st := q.Stats()
		gauge(queueMessagesDesc, float64(st.Ready), meta.Name, "ready")
		gauge(queueMessagesDesc, float64(st.InFlight), meta.Name, "in_flight")
		gauge(queueMessagesDesc, float64(st.Delayed), meta.Name, "delayed")
		gauge(queueOldestDesc, st.OldestAge.Seconds(), meta.Name)
		for event, n := range map[string]int64{
			"sent": st.Sent, "received": st.Received, "redelivered": st.Redelivered,
			"acked": st.Acked, "dead_lettered": st.DeadLettered, "expired": st.Expired,
		} {
			ch <- prometheus.MustNewConstMetric(queueEventsDesc, prometheus.CounterValue, float64(n), meta.Name, event)
		}
	}
}
