package main

import (
	"context"
	"fmt"
	"time"

	"github.com/narumq/naru/bench/internal/load"
	"github.com/narumq/naru/bench/internal/peer"
	"github.com/narumq/naru/bench/internal/stats"
)

// topicOf names the topic of a measure; measures are unique within a run.
func topicOf(id string) string { return "bench-" + id }

// warmUp moves records both ways, unmeasured.
func (s *session) warmUp(ctx context.Context) error {
	topic, err := load.CreateTopic(ctx, s.client, "warm-up", partitions)
	if err != nil {
		return err
	}
	_, err = load.Tail(ctx, s.client, topic, load.NewSynthetic(s.seed), s.warm)
	return err
}

// produce is scenario (a); what it stored is kept for the cold start.
func (s *session) produce(id string, source func() load.Source, limit load.Limit) func(context.Context) error {
	return func(ctx context.Context) error {
		topic, err := load.CreateTopic(ctx, s.client, topicOf(id), partitions)
		if err != nil {
			return err
		}
		var done load.Done
		err = s.measured(ctx, id, func() (n int64, err error) {
			done, err = load.Produce(ctx, s.client, topic, source(), limit)
			return done.Tally.Records, err
		})
		if err != nil {
			return err
		}
		s.stored[id] = stored{topic, done.Tally}
		s.values[id+".rate"] = done.PerSecond()
		// What is acknowledged from the page cache is still to be written:
		// the same rate with that counted in.
		began := time.Now()
		if err := peer.SyncFiles(s.home.Dir); err != nil {
			return err
		}
		done.Elapsed += time.Since(began)
		s.values[id+".synced"] = done.PerSecond()
		return nil
	}
}

// tail is the first half of scenario (b).
func (s *session) tail(id string, source func() load.Source, limit load.Limit) func(context.Context) error {
	return func(ctx context.Context) error {
		topic, err := load.CreateTopic(ctx, s.client, topicOf(id), partitions)
		if err != nil {
			return err
		}
		return s.measured(ctx, id, func() (int64, error) {
			done, err := load.Tail(ctx, s.client, topic, source(), limit)
			if err == nil {
				s.values[id+".rate"] = done.PerSecond()
			}
			return done.Tally.Records, err
		})
	}
}

// cold is the second half of scenario (b): what produce stored, read from its
// start after a restart.
func (s *session) cold(id, from string) func(context.Context) error {
	return func(ctx context.Context) error {
		kept, ok := s.stored[from]
		if !ok {
			return fmt.Errorf("nothing to read: %s did not finish", from)
		}
		return s.measured(ctx, id, func() (int64, error) {
			done, err := load.Consume(ctx, s.client, kept.topic, kept.acked)
			if err == nil {
				s.values[id+".rate"] = done.PerSecond()
			}
			return kept.acked.Records, err
		})
	}
}

// restart stops the broker, evicts its files from the page cache and starts
// it again on the same data.
func (s *session) restart(ctx context.Context) error {
	if err := s.broker.Stop(); err != nil {
		return err
	}
	var err error
	if s.cacheLeft, err = peer.DropCache(s.home.Data()); err != nil {
		return err
	}
	s.values["restart.ms"], err = s.start(ctx)
	return err
}

// latency is scenario (c).
func (s *session) latency(ctx context.Context) error {
	const id = "c"
	topic, err := load.CreateTopic(ctx, s.client, topicOf(id), partitions)
	if err != nil {
		return err
	}
	var got load.Latencies
	err = s.measured(ctx, id, func() (n int64, err error) {
		got, err = load.Latency(ctx, s.client, topic, load.NewSynthetic(s.seed), s.pace)
		return got.Tally.Records, err
	})
	if err != nil {
		return err
	}
	s.values["c.p50"] = stats.Milliseconds(stats.Percentile(got.Sorted, 0.5))
	s.values["c.p99"] = stats.Milliseconds(stats.Percentile(got.Sorted, 0.99))
	s.values["c.p999"] = stats.Milliseconds(stats.Percentile(got.Sorted, 0.999))
	return nil
}

// thousand is scenario (d): a trickle to each of many partitions, read back
// afterwards to compare.
func (s *session) thousand(ctx context.Context) error {
	const id = "d"
	began := time.Now()
	topic, err := load.CreateTopic(ctx, s.client, topicOf(id), s.trickle.Partitions)
	if err != nil {
		return err
	}
	trickler, err := s.trickle.Prime(ctx, s.client, topic, s.seed)
	if err != nil {
		return err
	}
	defer trickler.Close()
	s.values["d.create"] = stats.Milliseconds(time.Since(began))
	var got load.Trickled
	err = s.measured(ctx, id, func() (n int64, err error) {
		got, err = trickler.Run()
		return got.Ran, err
	})
	if err != nil {
		return err
	}
	s.values["d.rate"] = got.PerSecond
	s.values["d.p50"] = stats.Milliseconds(stats.Percentile(got.Sorted, 0.5))
	s.values["d.p99"] = stats.Milliseconds(stats.Percentile(got.Sorted, 0.99))
	_, err = load.Consume(ctx, s.client, topic, got.Tally)
	return err
}
