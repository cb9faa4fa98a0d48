package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/narumq/naru/bench/internal/comparison"
	"github.com/narumq/naru/bench/internal/peer"
	"github.com/narumq/naru/bench/internal/report"
	"github.com/narumq/naru/bench/internal/stats"
)

// settings is how much of everything one run does.
type settings struct {
	single, batched int64         // messages of a row
	patience        time.Duration // of a row
	held            int64         // messages to keep queued
	heldPatience    time.Duration
	heldBytes       int64 // a broker that has taken so much memory gets no more
	size            int
	idle            time.Duration
}

var (
	full  = settings{150_000, 500_000, 10 * time.Second, 10_000_000, 5 * time.Minute, 4 << 30, 256, 2 * time.Second}
	quick = settings{40_000, 150_000, 4 * time.Second, 200_000, 20 * time.Second, 4 << 30, 256, time.Second}
)

type command struct {
	settings
	*comparison.Options
}

func main() { comparison.Main("queues", run) }

func run(ctx context.Context, args []string) (err error) {
	c := command{settings: full}
	f := flag.NewFlagSet("queues", flag.ContinueOnError)
	held := f.Int64("held", -1, "messages to keep queued (default 10,000,000; 200,000 with --quick; 0: none)")
	if c.Options, err = comparison.Parse(f, args, "naru,elasticmq", "two minutes"); err != nil {
		return err
	}
	if c.Quick {
		c.settings = quick
	}
	if *held >= 0 {
		c.held = *held
	}
	return c.Run(func() (*report.Results, error) { return compare(ctx, &c) })
}

// side fetches what a side needs.
func (c *command) side(ctx context.Context, name string) (peer.Spec, error) {
	switch name {
	case report.Naru:
		return peer.NaruQueues(name, c.Naru), nil
	case report.ElasticMQ:
		jars := filepath.Join(c.Out, "elasticmq")
		return peer.ElasticMQ(name, jars), peer.FetchJars(ctx, "queues/pom.xml", jars)
	}
	return peer.Spec{}, fmt.Errorf("--sides %s: not one of naru, elasticmq", name)
}

// compare runs the sides in turns.
func compare(ctx context.Context, c *command) (*report.Results, error) {
	specs, err := c.Prepare(ctx, c.side)
	if err != nil {
		return nil, err
	}
	results := &report.Results{When: time.Now(), Rounds: c.Rounds, Queues: true, Machine: report.Inspect(c.Out)}
	results.Machine.ElasticMQ = peer.ElasticMQVersion(filepath.Join(c.Out, "elasticmq"))
	results.Machine.Naru = comparison.Revision()
	for _, s := range specs {
		results.Sides = append(results.Sides, report.Side{Name: s.Name, Title: s.Title, Durability: s.Durability})
	}
	results.Notes = append(results.Notes,
		fmt.Sprintf("client: AWS JSON 1.0 over %d connections that stay open, a worker each; messages of %d bytes; at most %d messages a row, %d in batches, or %v",
			workers, c.size, c.single, c.batched, c.patience),
		"**Naru is durable in this comparison, and ElasticMQ is not**: Naru answers when the message, or the deletion, is on disk")
	for round := range c.Rounds {
		for _, spec := range specs {
			s := &session{command: *c, spec: spec, values: map[string]float64{}}
			r := report.Run{Side: spec.Name, Round: round, Values: s.values, Failed: map[string]string{}}
			err := s.run(ctx, &r, round == 0)
			results.Runs = append(results.Runs, r)
			if err != nil {
				return nil, err
			}
		}
	}
	return results, nil
}

// session is one round of one side.
type session struct {
	command
	spec   peer.Spec
	home   peer.Home
	broker *peer.Process
	values map[string]float64
	idleAt int64 // bytes
}

func (s *session) say(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "%-10s %s\n", s.spec.Name, fmt.Sprintf(format, args...))
}

func (s *session) run(ctx context.Context, r *report.Run, hold bool) error {
	dir, err := os.MkdirTemp(s.Out, "queues-"+s.spec.Name+"-")
	if err != nil {
		return err
	}
	before, err := peer.ReadMachine()
	if err != nil {
		return err
	}
	if err = s.begin(ctx, dir); err != nil {
		r.Failed["start"] = err.Error()
	} else {
		for _, row := range s.rows(hold) {
			began := time.Now()
			if err := row.do(ctx); err != nil {
				r.Failed[row.name] = err.Error()
			}
			s.say("%s in %.1f s", row.name, time.Since(began).Seconds())
		}
	}
	if s.broker != nil {
		err = s.broker.Stop()
	}
	if len(r.Failed) > 0 {
		s.say("failed; see %s", dir)
	} else {
		err = errors.Join(err, os.RemoveAll(dir))
	}
	after, readErr := peer.ReadMachine()
	s.values["others.cpu"] = after.OthersSince(before)
	return errors.Join(err, readErr, ctx.Err())
}

func (s *session) begin(ctx context.Context, dir string) (err error) {
	if s.home, err = peer.NewHome(dir, s.Profile && s.spec.Name == report.Naru); err != nil {
		return err
	}
	if s.spec.Prepare != nil {
		if err := s.spec.Prepare(ctx, s.home); err != nil {
			return err
		}
	}
	if s.broker, err = s.spec.Start(s.home); err != nil {
		return err
	}
	took, err := s.broker.AwaitReady(ctx, func() error {
		c, err := dial(s.home.Addr())
		if err != nil {
			return err
		}
		defer c.close()
		return c.call("ListQueues", []byte("{}"), nil)
	})
	if err != nil {
		return err
	}
	s.values["ready.ms"] = stats.Milliseconds(took)
	select {
	case <-time.After(s.idle): // not to wait for anything: this is what idle means
	case <-ctx.Done():
		return ctx.Err()
	}
	u, err := s.broker.Usage()
	s.idleAt = u.RSSBytes
	s.values["idle.mib"] = stats.Mebibytes(u.RSSBytes)
	s.say("ready in %.0f ms, idle at %.0f MiB", s.values["ready.ms"], s.values["idle.mib"])
	return err
}

type row struct {
	name string
	do   func(context.Context) error
}

func (s *session) rows(hold bool) []row {
	var one, many *tally
	list := []row{
		{"warm-up", func(ctx context.Context) error {
			t, _, _, err := send(ctx, s.home.Addr(), "warm-up", s.single/4, 1, s.size, s.patience/2)
			if err == nil {
				_, _, err = receive(ctx, s.home.Addr(), "warm-up", t, 10)
			}
			return err
		}},
		{"send", func(ctx context.Context) (err error) {
			one, err = s.send(ctx, "send", "single", s.single, 1)
			return err
		}},
		{"receive", func(ctx context.Context) error { return s.receive(ctx, "receive", "single", one, 1) }},
		{"send in batches", func(ctx context.Context) (err error) {
			many, err = s.send(ctx, "sendbatch", "batched", s.batched, 10)
			return err
		}},
		{"receive in batches", func(ctx context.Context) error { return s.receive(ctx, "receivebatch", "batched", many, 10) }},
	}
	if hold && s.held > 0 {
		list = append(list, row{"hold", s.hold})
	}
	return list
}

// measured notes what a row used for each million of the messages that do returns.
func (s *session) measured(ctx context.Context, id string, do func() (int64, error)) error {
	profile := peer.Profile{Path: filepath.Join(s.Out, "queues-"+id+".pprof"), Seconds: 2}
	used, err := s.broker.Measure(ctx, s.home, profile, do)
	if err != nil {
		return err
	}
	used.Note(s.values, id)
	return nil
}

func (s *session) timed(id string, n int64, took time.Duration, calls *timed) {
	s.values[id+".rate"] = float64(n) / took.Seconds()
	sorted := calls.sorted()
	s.values[id+".p50"] = stats.Milliseconds(stats.Percentile(sorted, 0.5))
	s.values[id+".p99"] = stats.Milliseconds(stats.Percentile(sorted, 0.99))
}

func (s *session) send(ctx context.Context, id, queue string, limit int64, n int) (t *tally, err error) {
	err = s.measured(ctx, id, func() (int64, error) {
		var calls *timed
		var took time.Duration
		t, calls, took, err = send(ctx, s.home.Addr(), queue, limit, n, s.size, s.patience)
		if err != nil {
			return 0, err
		}
		s.timed(id, t.messages.Load(), took, calls)
		return t.messages.Load(), nil
	})
	return t, err
}

func (s *session) receive(ctx context.Context, id, queue string, want *tally, n int) error {
	if want == nil {
		return errors.New("nothing was sent")
	}
	return s.measured(ctx, id, func() (int64, error) {
		calls, took, err := receive(ctx, s.home.Addr(), queue, want, n)
		if err != nil {
			return 0, err
		}
		s.timed(id, want.messages.Load(), took, calls)
		return want.messages.Load(), nil
	})
}

// hold queues many messages and looks at the memory. It stops where time or memory
// runs out, and says how far it came.
func (s *session) hold(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			if u, err := s.broker.Usage(); err == nil && u.RSSBytes > s.heldBytes {
				cancel()
			}
		}
	}()
	t, _, _, err := send(ctx, s.home.Addr(), "held", s.held, 10, 20, s.heldPatience)
	if err != nil && ctx.Err() == nil {
		return err
	}
	u, err := s.broker.Usage()
	if err != nil {
		return err
	}
	n := t.messages.Load()
	s.values["held.count"] = float64(n)
	s.values["held.rss"] = stats.Mebibytes(u.RSSBytes)
	s.values["held.each"] = float64(u.RSSBytes-s.idleAt) / float64(n)
	return nil
}
