package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/narumq/naru/bench/internal/comparison"
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
	*comparison.Options
	scenes   map[string]bool
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
	comparison.Main("cluster", run)
}

func run(ctx context.Context, args []string) (err error) {
	if err := os.Chdir(".."); err != nil { // to where the other comparisons run
		return err
	}
	c := command{settings: full, scenes: map[string]bool{}}
	f := flag.NewFlagSet("cluster", flag.ContinueOnError)
	scenes := f.String("scenes", "one,three,full,cost,failover", "what to run")
	f.StringVar(&c.kafscale, "kafscale", "", "a program of KafScale's broker (its cmd/broker); without it KafScale is left out")
	if c.Options, err = comparison.Parse(f, args, "naru,kafscale,disk", "five minutes"); err != nil {
		return err
	}
	c.Command = "go -C cluster run ."
	if c.Quick {
		c.settings = quick
	}
	if c.kafscale == "" {
		c.Sides = slices.DeleteFunc(c.Sides, func(name string) bool { return name == sideKafScale })
	} else if c.kafscale, err = filepath.Abs(c.kafscale); err != nil {
		return err
	}
	for name := range strings.SplitSeq(*scenes, ",") {
		c.scenes[name] = true
	}
	return c.Run(func() (*report.Results, error) { return compare(ctx, &c) })
}

// side is one of those that can be asked for.
func (c *command) side(name string) (spec, error) {
	switch name {
	case report.Naru:
		return c.naruCluster(), nil
	case sideDisk:
		return c.naruDisk(), nil
	case sideKafScale:
		return c.kafScale(), nil
	}
	return spec{}, fmt.Errorf("--sides: %q is not one of naru, kafscale, disk", name)
}

// prepare builds what the wanted sides need.
func (c *command) prepare(ctx context.Context) (specs []spec, err error) {
	_, err = c.Prepare(ctx, func(_ context.Context, name string) (peer.Spec, error) {
		s, err := c.side(name)
		specs = append(specs, s)
		return peer.Spec{}, err
	})
	if err != nil {
		return nil, err
	}
	c.gateway = filepath.Join(c.Out, "versitygw")
	build := exec.CommandContext(ctx, "go", "build", "-o", c.gateway, "github.com/versity/versitygw/cmd/versitygw")
	build.Dir = "cluster"
	if text, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build versitygw: %w\n%s", err, text)
	}
	return specs, nil
}

// compare runs the sides in turns.
func compare(ctx context.Context, c *command) (*report.Results, error) {
	specs, err := c.prepare(ctx)
	if err != nil {
		return nil, err
	}
	results := &report.Results{When: time.Now(), Rounds: c.Rounds, Groups: groups(), Notes: c.notes(), Machine: report.Inspect(c.Out)}
	results.Machine.Versus = "etcd 3.7.3, versitygw 1.8.0 over a directory"
	if c.kafscale != "" {
		results.Machine.Versus += ", KafScale " + built(c.kafscale)
	}
	results.Machine.Naru = comparison.Revision()
	for _, s := range specs {
		results.Sides = append(results.Sides, report.Side{Name: s.name, Title: s.title, Durability: s.durability})
	}
	for round := range c.Rounds {
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
	for line := range strings.Lines(comparison.Version("go", "version", "-m", program)) {
		f := strings.Fields(line)
		if len(f) == 3 && f[0] == "mod" {
			return f[2]
		}
	}
	return "of unknown version"
}
