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

	"google.golang.org/grpc"

	"github.com/narumq/naru/bench/internal/peer"
	"github.com/narumq/naru/bench/internal/report"
)

// settings is how much of everything one run does.
type settings struct {
	warm, patience time.Duration // of a row
	messages       int64         // that are queued for a row
}

var (
	full  = settings{time.Second, 4 * time.Second, 100_000}
	quick = settings{500 * time.Millisecond, 2 * time.Second, 60_000}
)

type command struct {
	settings
	rounds  int
	rows    []row
	sides   []string
	out     string
	binary  string
	profile bool
}

func main() {
	if len(os.Args) == 5 && os.Args[1] == doNothing {
		fmt.Fprintln(os.Stderr, "api:", serveNothing(os.Args[2], os.Args[3], os.Args[4]))
		os.Exit(1)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "api:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	c := command{settings: full}
	f := flag.NewFlagSet("api", flag.ContinueOnError)
	isQuick := f.Bool("quick", false, "one round with less of everything, about a minute")
	only := f.String("only", "json,grpc", "rows to run: those that have one of these words, such as grpc-produce or json-receive-64")
	sides := f.String("sides", "naru,nothing,connect", "what to run, the first compared with the others")
	f.IntVar(&c.rounds, "rounds", 0, "times that each side is run, in turns (default 3, 1 with --quick)")
	f.StringVar(&c.out, "out", "out", "where data directories and results go; its file system is what is measured")
	f.StringVar(&c.binary, "naru", "", "a naru binary to run instead of building one")
	from := f.String("from", "", "print the table of these saved results (out/api.json) instead of running")
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
	c.sides, c.rows = strings.Split(*sides, ","), chosen(strings.Split(*only, ","))
	debug.SetGCPercent(400) // the load generator shares the cores with the servers
	results, err := compare(ctx, &c)
	if err != nil {
		return err
	}
	results.Command = strings.Join(append([]string{"go run ./api"}, args...), " ")
	if err := results.Save(filepath.Join(c.out, "api.json")); err != nil {
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
		return r.WriteReadme("README.md", "api")
	}
	return nil
}

// prepare builds what the wanted sides need.
func prepare(ctx context.Context, c *command) (specs []peer.Spec, err error) {
	if _, err := os.Stat("api/doc.go"); err != nil {
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
				c.binary = filepath.Join(c.out, "naru-api")
				err = peer.BuildNaru(ctx, "..", c.binary)
			}
			specs = append(specs, naru(c.binary))
		case sideNothing, sideConnect:
			title := map[string]string{sideNothing: "do-nothing", sideConnect: "connect-go, do-nothing"}
			var spec peer.Spec
			spec, err = nothing(name, title[name])
			specs = append(specs, spec)
		default:
			err = fmt.Errorf("--sides %s: not one of naru, nothing, connect", name)
		}
		if err != nil {
			return nil, err
		}
	}
	return specs, nil
}

// compare runs the rounds.
func compare(ctx context.Context, c *command) (*report.Results, error) {
	specs, err := prepare(ctx, c)
	if err != nil {
		return nil, err
	}
	results := &report.Results{When: time.Now(), Rounds: c.rounds, Groups: groups(), Machine: report.Inspect(c.out)}
	results.Machine.Versus = "google.golang.org/grpc " + grpc.Version
	results.Machine.Naru = revision()
	for _, s := range specs {
		results.Sides = append(results.Sides, report.Side{Name: s.Name, Title: s.Title, Durability: s.Durability})
	}
	results.Notes = append(results.Notes,
		fmt.Sprintf("client: net/http with a connection for each worker, and grpc-go with one for all; values of %d bytes; %v a row after %v to warm up", textBytes, c.patience, c.warm),
		"**every record and every acknowledgement is on disk before Naru answers**; do-nothing keeps nothing, and answers the same bytes always")
	for round := range c.rounds {
		runs, err := c.round(ctx, round, specs)
		results.Runs = append(results.Runs, runs...)
		if err != nil {
			return nil, err
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
