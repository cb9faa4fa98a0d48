package main

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/narumq/naru/bench/internal/report"
	"github.com/narumq/naru/bench/internal/stats"
)

// row is one scenario.
type row struct {
	id string
	do func(*session, context.Context) error
}

var rows = []row{
	{"publish", (*session).publish},
	{"through", (*session).through},
	{"latency", (*session).latency},
	{"many", (*session).many},
	{"held", (*session).held},
}

// publish: as fast as the broker confirms.
func (s *session) publish(ctx context.Context) error {
	queues := names("publish", s.queues)
	return s.fresh(ctx, queues, func() (left int64, err error) {
		err = s.measured(ctx, "publish", func() (int64, error) {
			t, took, err := publishAll(ctx, s.home.Addr(), queues, s.messages, s.size, s.window, s.patience)
			if err != nil {
				return 0, err
			}
			left = t.messages.Load()
			s.values["publish.rate"] = float64(left) / took.Seconds()
			return left, nil
		})
		return left, err
	})
}

// through: the same, while consumers take and ack it.
func (s *session) through(ctx context.Context) error {
	queues := names("through", s.queues)
	return s.fresh(ctx, queues, func() (int64, error) {
		return 0, s.measured(ctx, "through", func() (int64, error) {
			n, took, err := through(ctx, s.home.Addr(), queues, s.messages, s.size, s.window, s.prefetch, s.patience)
			if err == nil {
				s.values["through.rate"] = float64(n) / took.Seconds()
			}
			return n, err
		})
	})
}

func (s *session) latency(ctx context.Context) error {
	queues := names("latency", 1)
	return s.fresh(ctx, queues, func() (int64, error) {
		return 0, s.measured(ctx, "latency", func() (int64, error) {
			took, n, err := paced(ctx, s.home.Addr(), queues[0], s.perSecond, s.size, s.prefetch, time.Second, s.patience)
			s.times("latency", took)
			return n, err
		})
	})
}

// many: queues with one message on its way in each.
func (s *session) many(ctx context.Context) error {
	queues := names("many", s.trickles)
	began := time.Now()
	return s.fresh(ctx, queues, func() (int64, error) {
		s.values["many.declare"] = stats.Milliseconds(time.Since(began))
		return 0, s.measured(ctx, "many", func() (int64, error) {
			sorted, n, took, err := trickle(ctx, s.home.Addr(), queues, trickleConnections, s.size, s.patience)
			if err == nil {
				s.values["many.rate"] = float64(n) / took.Seconds()
				s.times("many", sorted)
			}
			return n, err
		})
	})
}

// trickleConnections publish and consume for all queues together.
const trickleConnections = 8

// held queues many messages and looks at the memory.
func (s *session) held(ctx context.Context) error {
	queues := names("held", s.queues)
	return s.fresh(ctx, queues, func() (int64, error) {
		t, _, err := publishAll(ctx, s.home.Addr(), queues, s.hold, s.size, s.window, holdPatience)
		if err != nil {
			return 0, err
		}
		n := t.messages.Load()
		if n < s.hold {
			return n, errors.New("they did not all come in within the patience")
		}
		select {
		case <-time.After(s.idle): // what is collected when nothing happens is not held
		case <-ctx.Done():
			return n, ctx.Err()
		}
		u, err := s.server.Usage()
		s.values["held.rss"] = stats.Mebibytes(u.RSSBytes)
		s.values["held.peak"] = stats.Mebibytes(u.PeakBytes)
		return n, err
	})
}

const holdPatience = 5 * time.Minute

func (s *session) times(id string, sorted []time.Duration) {
	s.values[id+".p50"] = stats.Milliseconds(stats.Percentile(sorted, 0.5))
	s.values[id+".p99"] = stats.Milliseconds(stats.Percentile(sorted, 0.99))
}

// fresh declares queues, and deletes them when f has returned how many messages are left in them.
func (s *session) fresh(ctx context.Context, queues []string, f func() (int64, error)) error {
	if err := declare(s.home.Addr(), arguments(s.spec.Name), queues); err != nil {
		return err
	}
	left, err := f()
	return errors.Join(err, remove(ctx, s.home.Addr(), queues, left))
}

// chosen are the rows that only names, all for an empty one.
func chosen(only string) (list []row) {
	for _, r := range rows {
		if only == "" || strings.Contains(","+only+",", ","+r.id+",") {
			list = append(list, r)
		}
	}
	return list
}

var (
	faster  = []report.Target{{Versus: sideClassic, Bound: 1.5, Display: "≥ 1.5× classic"}, {Versus: sideQuorum, Bound: 3, Display: "≥ 3× quorum"}}
	third   = []report.Target{{Versus: sideClassic, Bound: 1.0 / 3, AtMost: true, Display: "≤ ⅓ classic"}, {Versus: sideQuorum, Bound: 1.0 / 3, AtMost: true, Display: "≤ ⅓ quorum"}}
	noLater = []report.Target{{Versus: sideClassic, Bound: 1, AtMost: true, Display: "≤ 1× classic"}}
)

// costs are the rows that every scenario has.
func costs(id string) []report.Measure {
	return []report.Measure{
		{ID: id + ".cpu", Text: "broker CPU", Unit: "s per million", Digits: 2, Targets: third},
		{ID: id + ".client", Text: "client CPU", Unit: "s per million", Digits: 2},
		{ID: id + ".peak", Text: "broker memory, peak", Unit: "MiB"},
	}
}

func rate(id string, more ...report.Measure) []report.Measure {
	first := report.Measure{ID: id + ".rate", Text: "messages", Unit: "per second", Targets: faster}
	return append(append([]report.Measure{first}, more...), costs(id)...)
}

// groups is the table, in order.
func groups() []report.Group {
	return []report.Group{
		{Title: "start", Measures: []report.Measure{
			{ID: "ready.ms", Text: "spawn to first connection", Unit: "ms"},
			{ID: "idle.mib", Text: "memory when idle", Unit: "MiB", Digits: 1},
		}},
		{Title: "publish, with confirms", Measures: rate("publish")},
		{Title: "publish, consume with prefetch 500, ack", Measures: rate("through")},
		{Title: "from due to delivered, at 5,000 per second", Measures: append([]report.Measure{
			{ID: "latency.p50", Text: "p50", Unit: "ms", Digits: 2},
			{ID: "latency.p99", Text: "p99", Unit: "ms", Digits: 2, Targets: noLater},
		}, costs("latency")...)},
		{Title: "1,000 queues, one message on its way in each", Measures: append([]report.Measure{{ID: "many.declare", Text: "declare them", Unit: "ms"}},
			rate("many", report.Measure{ID: "many.p50", Text: "published to delivered, p50", Unit: "ms", Digits: 2},
				report.Measure{ID: "many.p99", Text: "published to delivered, p99", Unit: "ms", Digits: 2, Targets: noLater})...)},
		{Title: "one million messages queued", Measures: []report.Measure{
			{ID: "held.rss", Text: "broker memory then", Unit: "MiB", Targets: third},
			{ID: "held.peak", Text: "broker memory, peak", Unit: "MiB", Targets: third},
		}},
		{Title: "the machine meanwhile", Measures: []report.Measure{
			{ID: "others.cpu", Text: "CPU used by anything else", Unit: "% of all cores", Digits: 1},
		}},
	}
}
