package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/narumq/naru/bench/internal/comparison"
	"github.com/narumq/naru/bench/internal/peer"
	"github.com/narumq/naru/bench/internal/report"
)

// settings is how much of everything one run does.
type settings struct {
	records   int64         // of the row that puts, at most
	patience  time.Duration // of a row
	idle      time.Duration
	size      int // of a record
	batch     int // records of a PutRecords
	workers   int // connections
	shards    int
	perSecond int // of the rows of latency
}

var (
	full  = settings{300_000, 10 * time.Second, 2 * time.Second, 1024, 500, 8, 4, 1_000}
	quick = settings{100_000, 5 * time.Second, time.Second, 1024, 500, 8, 4, 1_000}
)

type command struct {
	settings
	*comparison.Options
}

func main() { comparison.Main("kinesis", run) }

func run(ctx context.Context, args []string) (err error) {
	c := command{settings: full}
	f := flag.NewFlagSet("kinesis", flag.ContinueOnError)
	if c.Options, err = comparison.Parse(f, args, "naru,kinesalite", "a minute"); err != nil {
		return err
	}
	if c.Quick {
		c.settings = quick
	}
	return c.Run(func() (*report.Results, error) { return compare(ctx, &c) })
}

const sideKinesalite = "kinesalite"

// kinesalite keeps everything in memory, which is its default. Streams and changes
// of them are there at once.
func kinesalite(dir string) peer.Spec {
	return peer.Spec{
		Name: sideKinesalite, Title: "kinesalite", Durability: "in memory",
		Command: func(h peer.Home) []string {
			return []string{"node", filepath.Join(dir, "node_modules", "kinesalite", "cli.js"), "--port", fmt.Sprint(h.Port),
				"--createStreamMs", "0", "--shardLimit", "100"}
		},
	}
}

func installKinesalite(ctx context.Context, dir string) error {
	if _, err := os.Stat(filepath.Join(dir, "node_modules", "kinesalite")); err == nil {
		return nil
	}
	cmd := exec.CommandContext(ctx, "npm", "ci", "--no-audit", "--no-fund")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("npm ci in %s: %w\n%s", dir, err, out)
	}
	return nil
}

// side installs what a side needs.
func (c *command) side(ctx context.Context, name string) (peer.Spec, error) {
	switch name {
	case report.Naru:
		return peer.NaruQueues(name, c.Naru), nil
	case sideKinesalite:
		dir, err := filepath.Abs("kinesis")
		if err != nil {
			return peer.Spec{}, err
		}
		return kinesalite(dir), installKinesalite(ctx, dir)
	}
	return peer.Spec{}, fmt.Errorf("--sides %s: not one of naru, kinesalite", name)
}

// compare runs the sides in turns.
func compare(ctx context.Context, c *command) (*report.Results, error) {
	specs, err := c.Prepare(ctx, c.side)
	if err != nil {
		return nil, err
	}
	results := &report.Results{When: time.Now(), Rounds: c.Rounds, Groups: groups(), Machine: report.Inspect(c.Out)}
	results.Machine.Versus = "kinesalite 3.3.3 on Node.js " + comparison.Version("node", "--version")
	results.Machine.Naru = comparison.Revision()
	for _, s := range specs {
		results.Sides = append(results.Sides, report.Side{Name: s.Name, Title: s.Title, Durability: s.Durability})
	}
	results.Notes = append(results.Notes,
		fmt.Sprintf("client: AWS JSON 1.1 over %d connections that stay open; records of %d bytes in a stream of %d shards, one shard for latency; at most %d records or %v a row",
			c.workers, c.size, c.shards, c.records, c.patience),
		"**Naru is durable in this comparison, and kinesalite is not**: Naru answers when the records are on disk",
		"kinesalite has no SubscribeToShard; its readers can only ask again and again")
	for round := range c.Rounds {
		for _, spec := range specs {
			s := &session{command: *c, spec: spec, values: map[string]float64{}}
			r := report.Run{Side: spec.Name, Round: round, Values: s.values, Failed: map[string]string{}}
			err := s.run(ctx, &r)
			results.Runs = append(results.Runs, r)
			if err != nil {
				return nil, err
			}
		}
	}
	return results, nil
}
