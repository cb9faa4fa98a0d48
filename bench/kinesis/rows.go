package main

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/narumq/naru/bench/internal/report"
	"github.com/narumq/naru/bench/internal/stats"
)

// row is one scenario.
type row struct {
	id string
	do func(context.Context) error
}

func (s *session) rows() []row {
	var shards []string
	var put *tally
	list := []row{
		{"warm-up", func(ctx context.Context) error {
			_, ids, err := s.stream("warm-up", s.shards)
			if err != nil {
				return err
			}
			t, _, _, err := s.putAll(ctx, "warm-up", s.records/10)
			if err == nil {
				_, _, err = s.getAll(ctx, "warm-up", ids, t)
			}
			return err
		}},
		{"put", func(ctx context.Context) (err error) {
			if _, shards, err = s.stream("put", s.shards); err != nil {
				return err
			}
			return s.measured(ctx, "put", func() (int64, error) {
				t, calls, took, err := s.putAll(ctx, "put", s.records)
				if err != nil {
					return 0, err
				}
				put = t
				s.times("put", calls, t.records.Load(), took)
				return t.records.Load(), nil
			})
		}},
		{"get", func(ctx context.Context) error {
			if put == nil {
				return errors.New("nothing was put")
			}
			return s.measured(ctx, "get", func() (int64, error) {
				calls, took, err := s.getAll(ctx, "put", shards, put)
				s.times("get", calls, put.records.Load(), took)
				return put.records.Load(), err
			})
		}},
		{"poll", func(ctx context.Context) error { return s.latency(ctx, "poll", s.poll) }},
	}
	if s.spec.Name == report.Naru {
		list = append(list, row{"subscribe", func(ctx context.Context) error { return s.latency(ctx, "subscribe", s.subscribe) }})
	}
	return list
}

func (s *session) stream(name string, shards int) (arn string, ids []string, err error) {
	c, err := dial(s.home.Addr())
	if err != nil {
		return "", nil, err
	}
	defer c.close()
	return c.stream(name, shards)
}

func (s *session) times(id string, calls *timed, n int64, took time.Duration) {
	s.values[id+".rate"] = float64(n) / took.Seconds()
	sorted := calls.sorted()
	s.values[id+".p50"] = stats.Milliseconds(stats.Percentile(sorted, 0.5))
	s.values[id+".p99"] = stats.Milliseconds(stats.Percentile(sorted, 0.99))
}

// target is a shard that a reader of the rows of latency follows.
type target struct {
	stream, arn, shard string
	ready              chan struct{} // to be closed when it reads
}

// latency puts records at a fixed rate while read reads them until it has taken as
// many as it is told, and notes how late each came.
func (s *session) latency(ctx context.Context, id string, read func(ctx context.Context, t target, took func(data []byte) (more bool)) error) error {
	arn, shards, err := s.stream(id, 1)
	if err != nil {
		return err
	}
	return s.measured(ctx, id, func() (int64, error) {
		ctx, cancel := context.WithTimeout(ctx, s.patience+callPatience)
		defer cancel()
		var late timed
		var began atomic.Pointer[time.Time]
		total := int64(s.perSecond) * int64(s.patience/time.Second)
		done := make(chan error, 1)
		t := target{id, arn, shards[0], make(chan struct{})}
		var seen int64
		go func() {
			done <- read(ctx, t, func(data []byte) bool {
				if d, err := arrival(data, *began.Load()); err == nil {
					late.add(d)
				}
				seen++
				return seen < total
			})
		}()
		select {
		case <-t.ready:
		case err := <-done:
			return 0, err
		}
		start := time.Now()
		began.Store(&start)
		n, err := s.paced(ctx, id, start)
		took := time.Since(start)
		if err = errors.Join(err, <-done); err != nil {
			return 0, err
		}
		s.times(id, &late, n, took)
		return n, nil
	})
}

// pollEvery is how often a reader asks that has no subscription: twenty times as
// often as Kinesis itself allows.
const pollEvery = 10 * time.Millisecond

func (s *session) poll(ctx context.Context, t target, took func([]byte) bool) error {
	c, err := dial(s.home.Addr())
	if err != nil {
		return err
	}
	defer c.close()
	iterator, err := c.iterator(t.stream, t.shard)
	close(t.ready)
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for more := true; err == nil && more; {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
		iterator, err = c.get(iterator, 10_000, func(data []byte) { more = took(data) && more })
	}
	return err
}

func (s *session) subscribe(_ context.Context, t target, took func([]byte) bool) error {
	c, err := dial(s.home.Addr())
	if err != nil {
		return err
	}
	defer c.close()
	var out struct{ Consumer struct{ ConsumerARN string } }
	if err := c.ask("RegisterStreamConsumer", &out, `{"StreamARN":%q,"ConsumerName":"bench"}`, t.arn); err != nil {
		return err
	}
	var status struct {
		ConsumerDescription struct{ ConsumerStatus string }
	}
	for range 100 {
		if err := c.ask("DescribeStreamConsumer", &status, `{"ConsumerARN":%q}`, out.Consumer.ConsumerARN); err != nil {
			return err
		}
		if status.ConsumerDescription.ConsumerStatus == "ACTIVE" {
			close(t.ready)
			return c.subscribe(out.Consumer.ConsumerARN, t.shard, took)
		}
		time.Sleep(20 * time.Millisecond)
	}
	return fmt.Errorf("the consumer does not become active")
}

var tenfold = []report.Target{{Versus: sideKinesalite, Bound: 10, Display: "≥ 10× kinesalite"}}

// costs are the rows that every scenario has.
func costs(id string) []report.Measure {
	return []report.Measure{
		{ID: id + ".cpu", Text: "server CPU", Unit: "s per million", Digits: 2},
		{ID: id + ".client", Text: "client CPU", Unit: "s per million", Digits: 2},
		{ID: id + ".peak", Text: "server memory, peak", Unit: "MiB"},
	}
}

func calls(id, what string, targets []report.Target) []report.Measure {
	return append([]report.Measure{
		{ID: id + ".rate", Text: "records", Unit: "per second", Targets: targets},
		{ID: id + ".p50", Text: what + ", p50", Unit: "ms", Digits: 2},
		{ID: id + ".p99", Text: what + ", p99", Unit: "ms", Digits: 2},
	}, costs(id)...)
}

func late(id string, targets []report.Target) []report.Measure {
	return append([]report.Measure{
		{ID: id + ".p50", Text: "due to received, p50", Unit: "ms", Digits: 2},
		{ID: id + ".p99", Text: "due to received, p99", Unit: "ms", Digits: 2, Targets: targets},
	}, costs(id)...)
}

// groups is the table, in order.
func groups() []report.Group {
	return []report.Group{
		{Title: "start", Measures: []report.Measure{
			{ID: "ready.ms", Text: "spawn to first answer", Unit: "ms"},
			{ID: "idle.mib", Text: "memory when idle", Unit: "MiB", Digits: 1},
		}},
		{Title: "PutRecords, 500 of 1 KiB", Measures: calls("put", "a call", tenfold)},
		{Title: "GetRecords from the beginning, up to 10,000", Measures: calls("get", "a call", nil)},
		{Title: "1,000 records/s, GetRecords every 10 ms", Measures: late("poll", nil)},
		{Title: "1,000 records/s, SubscribeToShard", Measures: late("subscribe", []report.Target{{Bound: 20, AtMost: true, Display: "≤ 20 ms"}})},
		{Title: "the machine meanwhile", Measures: []report.Measure{
			{ID: "others.cpu", Text: "CPU used by anything else", Unit: "% of all cores", Digits: 1},
		}},
	}
}
