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
	sides   []string
	rounds  int
	out     string
	binary  string
	profile bool
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "kinesis:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	c := command{settings: full}
	f := flag.NewFlagSet("kinesis", flag.ContinueOnError)
	isQuick := f.Bool("quick", false, "one round with less of everything, about a minute")
	sides := f.String("sides", "naru,kinesalite", "what to compare, the first with the others")
	f.IntVar(&c.rounds, "rounds", 0, "times that each side is run, in turns (default 3, 1 with --quick)")
	f.StringVar(&c.out, "out", "out", "where data directories and results go; its file system is what is measured")
	f.StringVar(&c.binary, "naru", "", "a naru binary to run instead of building one")
	from := f.String("from", "", "print the table of these saved results (out/kinesis.json) instead of running")
	write := f.Bool("write", false, "put the table into README.md")
	f.BoolVar(&c.profile, "profile", false, "write a CPU profile of Naru for each row to the out directory")
	if err := f.Parse(args); err != nil {
		return err
	}
	if *from != "" {
		results, err := report.Load(*from)
		if err != nil {
			return err
		}
		return publish(results, *write)
	}
	rounds := 3
	if *isQuick {
		rounds, c.settings = 1, quick
	}
	if c.rounds < 1 {
		c.rounds = rounds
	}
	c.sides = strings.Split(*sides, ",")
	debug.SetGCPercent(400) // the load generator shares the cores with the servers
	results, err := compare(ctx, &c)
	if err != nil {
		return err
	}
	results.Command = strings.Join(append([]string{"go run ./kinesis"}, args...), " ")
	if err := results.Save(filepath.Join(c.out, "kinesis.json")); err != nil {
		return err
	}
	if err := publish(results, *write); err != nil {
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
		return r.WriteReadme("README.md", "kinesis")
	}
	return nil
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

// prepare builds or installs what the wanted sides need.
func prepare(ctx context.Context, c *command) (specs []peer.Spec, err error) {
	dir, err := filepath.Abs("kinesis")
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(filepath.Join(dir, "package.json")); err != nil {
		return nil, fmt.Errorf("run this in the bench directory: %w", err)
	}
	if c.out, err = filepath.Abs(c.out); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(c.out, 0o755); err != nil {
		return nil, err
	}
	for _, name := range c.sides {
		switch name {
		case report.Naru:
			if c.binary == "" {
				c.binary = filepath.Join(c.out, "naru-kinesis")
				err = peer.BuildNaru(ctx, "..", c.binary)
			}
			specs = append(specs, peer.NaruQueues(name, c.binary))
		case sideKinesalite:
			err = installKinesalite(ctx, dir)
			specs = append(specs, kinesalite(dir))
		default:
			err = fmt.Errorf("--sides %s: not one of naru, kinesalite", name)
		}
		if err != nil {
			return nil, err
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
	results := &report.Results{When: time.Now(), Rounds: c.rounds, Groups: groups(), Machine: report.Inspect(c.out)}
	results.Machine.Versus = "kinesalite 3.3.3 on Node.js " + version("node", "--version")
	results.Machine.Naru = version("git", "describe", "--always", "--dirty")
	for _, s := range specs {
		results.Sides = append(results.Sides, report.Side{Name: s.Name, Title: s.Title, Durability: s.Durability})
	}
	results.Notes = append(results.Notes,
		fmt.Sprintf("client: AWS JSON 1.1 over %d connections that stay open; records of %d bytes in a stream of %d shards, one shard for latency; at most %d records or %v a row",
			c.workers, c.size, c.shards, c.records, c.patience),
		"**Naru is durable in this comparison, and kinesalite is not**: Naru answers when the records are on disk",
		"kinesalite has no SubscribeToShard; its readers can only ask again and again")
	for round := range c.rounds {
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

func version(argv ...string) string {
	out, err := exec.Command(argv[0], argv[1:]...).Output()
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(out))
}
