package main

import (
	"context"
	"fmt"

	"github.com/narumq/naru/bench/internal/load"
	"github.com/narumq/naru/bench/internal/stats"
)

// What Amazon asks for S3 Standard in us-east-1, in US dollars, as its public list said in November 2025. Deletes are free, and so is
// traffic between the bucket and machines of its region.
const (
	pricesOf       = "November 2025"
	dollarsPut     = 0.005 / 1000  // PUT, POST, LIST, each
	dollarsGet     = 0.0004 / 1000 // GET, HEAD, each
	dollarsGiB     = 0.023         // a GiB for a month
	secondsMonth   = 730 * 3600
	keptDays       = 7
	mergedHours    = 2    // how long objects stay that were merged into others
	pacedPerSecond = 1024 // records of 1 KiB: 1 MiB/s
)

// dollars are those of a month at a steady MiB/s, of which each takes these requests and leaves so many bytes stored for each of its
// own: what is beyond those is there for hours only.
func dollars(mibPerSecond, puts, gets, storedPerByte float64) (requests, storage float64) {
	written := mibPerSecond * secondsMonth
	requests = written * (puts*dollarsPut + gets*dollarsGet)
	storage = mibPerSecond * 3600 * (24*keptDays + mergedHours*(storedPerByte-1)) / 1024 * dollarsGiB
	return requests, storage
}

func (c *command) notes() []string {
	return []string{
		fmt.Sprintf("all sides: 1 KiB records, franz-go, acks=all; rows of acknowledgements have one record in flight in each partition, for %v after %v; throughput is of %v or %d records",
			c.latency, c.warm, c.produce, c.records),
		"Naru: `--flush-every 100ms --flush-bytes 8MiB`, idempotent producers. KafScale: its defaults (each produce request is flushed to the bucket, partition by partition), producers that are not idempotent, because it has none that are; one broker, because its operator, which needs Kubernetes, is what lists several",
		fmt.Sprintf("requests are counted by a proxy before the bucket (only in the rows of cost), those of etcd by its own metrics; fail-over with `--lease %v`", c.lease),
		fmt.Sprintf("cost of a month at 1 MiB/s = 2,628,000 s × (PUTs per MiB × $%.6f + GETs per MiB × $%.7f) + 3,600 × (24 × %d + %d × (bytes stored per byte − 1)) MiB ÷ 1,024 × $%.3f, by Amazon's list for S3 Standard in us-east-1 of %s; records are kept for %d days, and what was merged for %d hours; etcd and the machines of the brokers are not in it",
			dollarsPut, dollarsGet, keptDays, mergedHours, dollarsGiB, pricesOf, keptDays, mergedHours),
		"catch-up: the broker is started anew, and the bucket's files are out of the page cache",
	}
}

// fullSpeed counts requests and bytes where objects are as large as they get.
func (s *session) fullSpeed(ctx context.Context, w *world) error {
	return s.priced(ctx, w, "full", func() (int64, error) {
		done, err := s.flood(ctx, w, "counted", 64)
		return done.Tally.Records, err
	})
}

// cost counts them at a steady megabyte each second, in a bucket that was empty: else it would pay for merging what was there.
func (s *session) cost(ctx context.Context, w *world) error {
	pace := load.Pace{PerSecond: pacedPerSecond, Warm: s.warm, For: s.paced}
	topic, err := load.CreateTopic(ctx, w.options(), "paced", 8)
	if err != nil {
		return err
	}
	if err := s.priced(ctx, w, "paced", func() (int64, error) {
		acked, err := load.Paced(ctx, w.options(), topic, load.NewSynthetic(3), pace)
		return acked.Records, err
	}); err != nil {
		return err
	}
	requests, storage := dollars(1, s.values["paced.puts"], s.values["paced.gets"], s.values["paced.stored"])
	s.values["month.requests"], s.values["month.storage"], s.values["month"] = requests, storage, requests+storage
	return s.followed(ctx, w, pace)
}

// followed has a reader at the tail meanwhile.
func (s *session) followed(ctx context.Context, w *world, pace load.Pace) error {
	topic, err := load.CreateTopic(ctx, w.options(), "followed", 8)
	if err != nil {
		return err
	}
	before, err := w.used()
	if err != nil {
		return err
	}
	l, err := load.Latency(ctx, w.options(), topic, load.NewSynthetic(4), pace)
	if err != nil {
		return fmt.Errorf("a reader at the tail: %w", err)
	}
	after, err := w.used()
	s.values["tail.p50"] = milliseconds(stats.Percentile(l.Sorted, 0.5))
	s.values["tail.p99"] = milliseconds(stats.Percentile(l.Sorted, 0.99))
	s.values["tail.gets"] = after.since(before).gets / mebibytes(l.Tally.Records*load.SyntheticBytes)
	return err
}

// priced notes what the bucket and etcd were asked for, for each MiB that do writes.
func (s *session) priced(ctx context.Context, w *world, id string, do func() (int64, error)) error {
	stored, err := w.storedBytes()
	if err != nil {
		return err
	}
	before, err := w.used()
	if err != nil {
		return err
	}
	flushes := w.flushes()
	n, err := do()
	if err != nil {
		return fmt.Errorf("%s: %w", id, err)
	}
	after, err := w.used()
	if err != nil {
		return err
	}
	storedAfter, err := w.storedBytes()
	if err != nil {
		return err
	}
	u, mib := after.since(before), mebibytes(n*load.SyntheticBytes)
	flushes = w.flushes() - flushes
	s.values[id+".puts"] = u.puts / mib
	s.values[id+".gets"] = u.gets / mib
	s.values[id+".sent"] = u.in / mib / (1 << 20)
	s.values[id+".stored"] = float64(storedAfter-stored) / mib / (1 << 20)
	s.values[id+".etcd"] = u.etcdCalls / mib
	s.values[id+".etcdbytes"] = u.etcdBytes / mib
	if flushes > 0 {
		s.values[id+".perflush"] = u.puts / flushes
		s.values[id+".object"] = u.in / flushes / (1 << 20)
	}
	s.say("%s: %.0f MiB: %.2f PUTs and %.2f GETs, %.2f bytes sent and %.2f stored for each, %.2f calls and %.0f bytes of etcd", id, mib,
		s.values[id+".puts"], s.values[id+".gets"], s.values[id+".sent"], s.values[id+".stored"], s.values[id+".etcd"], s.values[id+".etcdbytes"])
	return nil
}
