package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"
	"time"

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
	sides   []string
	rounds  int
	out     string
	binary  string
	from    string
	write   bool
	profile bool
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "queues:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	c := command{settings: full}
	f := flag.NewFlagSet("queues", flag.ContinueOnError)
	isQuick := f.Bool("quick", false, "one round with less of everything, about two minutes")
	sides := f.String("sides", "naru,elasticmq", "what to compare, the first with the others")
	f.IntVar(&c.rounds, "rounds", 0, "times that each side is run, in turns (default 3, 1 with --quick)")
	f.StringVar(&c.out, "out", "out", "where jars, data directories and results go; its file system is what is measured")
	f.StringVar(&c.binary, "naru", "", "a naru binary to run instead of building one")
	f.StringVar(&c.from, "from", "", "print the table of these saved results (out/queues.json) instead of running")
	f.BoolVar(&c.write, "write", false, "put the table into README.md")
	f.BoolVar(&c.profile, "profile", false, "write a CPU profile of Naru for each row to the out directory")
	held := f.Int64("held", -1, "messages to keep queued (default 10,000,000; 200,000 with --quick; 0: none)")
	if err := f.Parse(args); err != nil {
		return err
	}
	if c.from != "" {
		results, err := report.Load(c.from)
		if err != nil {
			return err
		}
		return publish(results, c.write)
	}
	rounds := 3
	if *isQuick {
		rounds, c.settings = 1, quick
	}
	if c.rounds < 1 {
		c.rounds = rounds
	}
	if *held >= 0 {
		c.held = *held
	}
	c.sides = strings.Split(*sides, ",")
	debug.SetGCPercent(400) // the load generator shares the cores with the broker
	specs, err := prepare(ctx, &c)
	if err != nil {
		return err
	}
	results, err := compare(ctx, c, specs)
	if err != nil {
		return err
	}
	results.Command = strings.Join(append([]string{"go run ./queues"}, args...), " ")
	if err := results.Save(filepath.Join(c.out, "queues.json")); err != nil {
		return err
	}
	if err := publish(results, c.write); err != nil {
		return err
	}
	if n := len(results.Failures()); n > 0 {
		return fmt.Errorf("%d row(s) failed", n)
	}
	return nil
}

func publish(r *report.Results, write bool) error {
	fmt.Print(r.Markdown())
	if write {
		return r.WriteReadme("README.md", "queues")
	}
	return nil
}

// prepare builds or fetches what the wanted sides need.
func prepare(ctx context.Context, c *command) ([]peer.Spec, error) {
	if _, err := os.Stat("queues/pom.xml"); err != nil {
		return nil, fmt.Errorf("run this in the bench directory: %w", err)
	}
	out, err := filepath.Abs(c.out)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(out, 0o755); err != nil {
		return nil, err
	}
	c.out = out
	jars := filepath.Join(out, "elasticmq")
	if c.binary == "" && slices.Contains(c.sides, report.Naru) {
		c.binary = filepath.Join(out, "naru")
		if err := peer.BuildNaru(ctx, "..", c.binary); err != nil {
			return nil, err
		}
	}
	if slices.Contains(c.sides, report.ElasticMQ) {
		if err := peer.FetchJars(ctx, "queues/pom.xml", jars); err != nil {
			return nil, err
		}
	}
	known := []peer.Spec{peer.NaruQueues(report.Naru, c.binary), peer.ElasticMQ(report.ElasticMQ, jars)}
	var specs []peer.Spec
	for _, name := range c.sides {
		i := slices.IndexFunc(known, func(s peer.Spec) bool { return s.Name == name })
		if i < 0 {
			return nil, fmt.Errorf("--sides %s: not one of naru, elasticmq", name)
		}
		specs = append(specs, known[i])
	}
	return specs, nil
}

// compare runs the sides in turns.
func compare(ctx context.Context, c command, specs []peer.Spec) (*report.Results, error) {
	results := &report.Results{When: time.Now(), Rounds: c.rounds, Queues: true, Machine: report.Inspect(c.out)}
	results.Machine.ElasticMQ = peer.ElasticMQVersion(filepath.Join(c.out, "elasticmq"))
	results.Machine.Naru = revision()
	for _, s := range specs {
		results.Sides = append(results.Sides, report.Side{Name: s.Name, Title: s.Title, Durability: s.Durability})
	}
	results.Notes = append(results.Notes,
		fmt.Sprintf("client: AWS JSON 1.0 over %d connections that stay open, a worker each; messages of %d bytes; at most %d messages a row, %d in batches, or %v",
			workers, c.size, c.single, c.batched, c.patience),
		"**Naru is durable in this comparison, and ElasticMQ is not**: Naru answers when the message, or the deletion, is on disk")
	for round := range c.rounds {
		for _, spec := range specs {
			s := &session{command: c, spec: spec, values: map[string]float64{}}
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

func revision() string {
	out, err := exec.Command("git", "describe", "--always", "--dirty").Output()
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(out))
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
	dir, err := os.MkdirTemp(s.out, "queues-"+s.spec.Name+"-")
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
	if s.home, err = peer.NewHome(dir, s.profile && s.spec.Name == report.Naru); err != nil {
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
	s.values["ready.ms"] = milliseconds(took)
	select {
	case <-time.After(s.idle): // not to wait for anything: this is what idle means
	case <-ctx.Done():
		return ctx.Err()
	}
	u, err := s.broker.Usage()
	s.idleAt = u.RSSBytes
	s.values["idle.mib"] = mebibytes(u.RSSBytes)
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
	if err := peer.SyncFiles(s.home.Dir); err != nil {
		return err
	}
	runtime.GC()
	if err := s.broker.ResetPeak(); err != nil {
		return err
	}
	profiled := make(chan error, 1)
	if s.home.Profiled {
		go func() { profiled <- s.home.FetchProfile(ctx, 2, filepath.Join(s.out, "queues-"+id+".pprof")) }()
	} else {
		profiled <- nil
	}
	before, err := s.broker.Usage()
	if err != nil {
		return err
	}
	own := peer.OwnCPU()
	n, err := do()
	own = peer.OwnCPU() - own
	after, usageErr := s.broker.Usage()
	if err := errors.Join(err, usageErr, <-profiled); err != nil {
		return err
	}
	if n == 0 {
		return errors.New("no message got through")
	}
	millions := float64(n) / 1e6
	s.values[id+".cpu"] = (after.CPU - before.CPU).Seconds() / millions
	s.values[id+".client"] = own.Seconds() / millions
	s.values[id+".peak"] = mebibytes(after.PeakBytes)
	return nil
}

func (s *session) timed(id string, n int64, took time.Duration, calls *timed) {
	s.values[id+".rate"] = float64(n) / took.Seconds()
	sorted := calls.sorted()
	s.values[id+".p50"] = milliseconds(stats.Percentile(sorted, 0.5))
	s.values[id+".p99"] = milliseconds(stats.Percentile(sorted, 0.99))
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
	s.values["held.rss"] = mebibytes(u.RSSBytes)
	s.values["held.each"] = float64(u.RSSBytes-s.idleAt) / float64(n)
	return nil
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func mebibytes(n int64) float64 { return float64(n) / (1 << 20) }
