package server

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/narumq/naru/internal/journal"
)

// readMetrics are what was read from the bucket, since the tenure began.
var readMetrics = []struct {
	desc *prometheus.Desc
	kind prometheus.ValueType
	of   func(*journal.ReadStats) int64
}{
	{
		desc("naru_bucket_cache_hits_total", "Blocks of 64 KiB that readers found in memory, or on their way."),
		prometheus.CounterValue, func(s *journal.ReadStats) int64 { return s.BlockHits },
	},
	{
		desc("naru_bucket_cache_misses_total", "Blocks that readers did not find there."),
		prometheus.CounterValue, func(s *journal.ReadStats) int64 { return s.BlockMisses },
	},
	{
		desc("naru_bucket_cache_disk_hits_total", "Blocks that were on the local disk instead."),
		prometheus.CounterValue, func(s *journal.ReadStats) int64 { return s.DiskHits },
	},
	{
		desc("naru_bucket_read_ahead_total", "Blocks that were asked for before a reader came."),
		prometheus.CounterValue, func(s *journal.ReadStats) int64 { return s.BlocksAhead },
	},
	{
		desc("naru_bucket_read_bytes_total", "Bytes that were read from the bucket for readers."),
		prometheus.CounterValue, func(s *journal.ReadStats) int64 { return s.FetchedBytes },
	},
	{
		desc("naru_bucket_cache_bytes", "Bytes of blocks in memory."),
		prometheus.GaugeValue, func(s *journal.ReadStats) int64 { return s.CacheBytes },
	},
	{
		desc("naru_bucket_cache_disk_bytes", "Bytes of blocks on the local disk."),
		prometheus.GaugeValue, func(s *journal.ReadStats) int64 { return s.DiskBytes },
	},
}

func describeReads(ch chan<- *prometheus.Desc) {
	for _, m := range readMetrics {
		ch <- m.desc
	}
}

// collectReads tells what the flusher has read, if there is one.
func (m *membership) collectReads(ch chan<- prometheus.Metric) {
	f := m.flusher.Load()
	if f == nil {
		return
	}
	st := f.ReadStats()
	for _, x := range readMetrics {
		ch <- prometheus.MustNewConstMetric(x.desc, x.kind, float64(x.of(&st)))
	}
}
