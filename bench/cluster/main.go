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
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	"github.com/narumq/naru/bench/internal/peer"
	"github.com/narumq/naru/bench/internal/report"
)

// settings is how much of everything one run does.
type settings struct {
	latency time.Duration // of a row of acknowledgements
	produce time.Duration // of a row of throughput
	warm    time.Duration
	paced   time.Duration // of the row that writes 1 MiB a second
	records int64         // of a row of throughput, at most
	lease   time.Duration
}

var (
	full  = settings{10 * time.Second, 10 * time.Second, 2 * time.Second, 30 * time.Second, 2_000_000, 5 * time.Second}
	quick = settings{4 * time.Second, 4 * time.Second, time.Second, 10 * time.Second, 1_000_000, 3 * time.Second}
)

type command struct {
	settings
	sides    []string
	scenes   map[string]bool
	rounds   int
	out      string
	naru     string
	kafscale string
	gateway  string
}

func main() {
	if len(os.Args) == 4 && os.Args[1] == etcdCommand {
		if err := serveEtcd(os.Args[2], os.Args[3]); err != nil {
			fmt.Fprintln(os.Stderr, "etcd:", err)
			os.Exit(1)
		}
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "cluster:", err)
		os.Exit(1)
	}
}

// parse reads the command line; from names saved results to print.
func parse(args []string) (c command, from string, write bool, err error) {
	c = command{settings: full, scenes: map[string]bool{}}
	f := flag.NewFlagSet("cluster", flag.ContinueOnError)
	isQuick := f.Bool("quick", false, "one round with less of everything, about four minutes")
	sides := f.String("sides", "naru,kafscale,disk", "what to compare, the first with the others; kafscale needs --kafscale")
	scenes := f.String("scenes", "one,three,full,cost,failover", "what to run")
	f.IntVar(&c.rounds, "rounds", 0, "times that each side is run, in turns (default 3, 1 with --quick)")
	f.StringVar(&c.out, "out", "out", "where everything is kept; its file system is what is measured")
	f.StringVar(&c.naru, "naru", "", "a naru binary to run instead of building one")
	f.StringVar(&c.kafscale, "kafscale", "", "a program of KafScale's broker (its cmd/broker)")
	f.StringVar(&from, "from", "", "print the table of these saved results (out/cluster.json) instead of running")
	f.BoolVar(&write, "write", false, "put the table into ../README.md")
	if err = f.Parse(args); err != nil {
		return c, from, write, err
	}
	rounds := 3
	if *isQuick {
		rounds, c.settings = 1, quick
	}
	if c.rounds < 1 {
		c.rounds = rounds
	}
	for name := range strings.SplitSeq(*sides, ",") {
		if name != sideKafScale || c.kafscale != "" {
			c.sides = append(c.sides, name)
		}
	}
	for name := range strings.SplitSeq(*scenes, ",") {
		c.scenes[name] = true
	}
	return c, from, write, nil
}

func run(ctx context.Context, args []string) error {
	c, from, write, err := parse(args)
	if err != nil {
		return err
	}
	if from != "" {
		results, err := report.Load(from)
		if err != nil {
			return err
		}
		return publish(results, write)
	}
	debug.SetGCPercent(400) // the load generator shares the cores with the servers
	results, err := compare(ctx, &c)
	if err != nil {
		return err
	}
	results.Command = strings.Join(append([]string{"go run ."}, args...), " ")
	if err := results.Save(filepath.Join(c.out, "cluster.json")); err != nil {
		return err
	}
	if err := publish(results, write); err != nil {
		return err
	}
	if n := len(results.Failures()); n > 0 {
		return fmt.Errorf("%d scene(s) failed", n)
	}
	return nil
}

func publish(r *report.Results, write bool) error {
	fmt.Print(r.Markdown())
	if write {
		return r.WriteReadme("../README.md", "cluster")
	}
	return nil
}

// prepare builds what the wanted sides need.
func prepare(ctx context.Context, c *command) (specs []spec, err error) {
	if c.out, err = filepath.Abs(c.out); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(c.out, 0o755); err != nil {
		return nil, err
	}
	if c.naru == "" {
		c.naru = filepath.Join(c.out, "naru")
		if err := peer.BuildNaru(ctx, "../..", c.naru); err != nil {
			return nil, err
		}
	}
	c.gateway = filepath.Join(c.out, "versitygw")
	build := exec.CommandContext(ctx, "go", "build", "-o", c.gateway, "github.com/versity/versitygw/cmd/versitygw")
	if text, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build versitygw: %w\n%s", err, text)
	}
	for _, name := range c.sides {
		switch name {
		case report.Naru:
			specs = append(specs, naruCluster(c))
		case sideDisk:
			specs = append(specs, naruDisk(c))
		case sideKafScale:
			specs = append(specs, kafScale(c))
		default:
			return nil, fmt.Errorf("--sides: %q is not one of naru, kafscale, disk", name)
		}
	}
	return specs, nil
}

// compare runs the sides in turns.
func compare(ctx context.Context, c *command) (*report.Results, error) {
	specs, err := prepare(ctx, c)
	if err != nil {
		return nil, err
	}
	results := &report.Results{When: time.Now(), Rounds: c.rounds, Groups: groups(), Notes: c.notes(), Machine: report.Inspect(c.out)}
	results.Machine.Versus = "etcd 3.7.3, versitygw 1.8.0 over a directory"
	if c.kafscale != "" {
		results.Machine.Versus += ", KafScale " + built(c.kafscale)
	}
	results.Machine.Naru = output("git", "describe", "--always", "--dirty")
	for _, s := range specs {
		results.Sides = append(results.Sides, report.Side{Name: s.name, Title: s.title, Durability: s.durability})
	}
	for round := range c.rounds {
		for _, spec := range specs {
			r := report.Run{Side: spec.name, Round: round, Values: map[string]float64{}, Failed: map[string]string{}}
			s := &session{command: c, spec: spec, values: r.Values}
			if err := s.run(ctx, &r); err != nil {
				return nil, err
			}
			results.Runs = append(results.Runs, r)
		}
	}
	return results, nil
}

// built says which commit or version of its module a Go program is of.
func built(program string) string {
	for line := range strings.Lines(output("go", "version", "-m", program)) {
		f := strings.Fields(line)
		if len(f) == 3 && f[0] == "mod" {
			return f[2]
		}
	}
	return "of unknown version"
}

func output(argv ...string) string {
	out, err := exec.Command(argv[0], argv[1:]...).Output()
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(out))
}
