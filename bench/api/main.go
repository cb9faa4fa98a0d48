package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"strings"
	"time"

	"google.golang.org/grpc"

	"github.com/narumq/naru/bench/internal/comparison"
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
	*comparison.Options
	rows []row
}

func main() {
	if len(os.Args) == 5 && os.Args[1] == doNothing {
		fmt.Fprintln(os.Stderr, "api:", serveNothing(os.Args[2], os.Args[3], os.Args[4]))
		os.Exit(1)
	}
	comparison.Main("api", run)
}

func run(ctx context.Context, args []string) (err error) {
	c := command{settings: full}
	f := flag.NewFlagSet("api", flag.ContinueOnError)
	only := f.String("only", "json,grpc", "rows to run: those that have one of these words, such as grpc-produce or json-receive-64")
	if c.Options, err = comparison.Parse(f, args, "naru,nothing,connect", "a minute"); err != nil {
		return err
	}
	if c.Quick {
		c.settings = quick
	}
	c.rows = chosen(strings.Split(*only, ","))
	return c.Run(func() (*report.Results, error) { return compare(ctx, &c) })
}

func (c *command) side(_ context.Context, name string) (peer.Spec, error) {
	switch name {
	case report.Naru:
		return naru(c.Naru), nil
	case sideNothing:
		return nothing(name, "do-nothing")
	case sideConnect:
		return nothing(name, "connect-go, do-nothing")
	}
	return peer.Spec{}, fmt.Errorf("--sides %s: not one of naru, nothing, connect", name)
}

// compare runs the rounds.
func compare(ctx context.Context, c *command) (*report.Results, error) {
	specs, err := c.Prepare(ctx, c.side)
	if err != nil {
		return nil, err
	}
	results := &report.Results{When: time.Now(), Rounds: c.Rounds, Groups: groups(), Machine: report.Inspect(c.Out)}
	results.Machine.Versus = "google.golang.org/grpc " + grpc.Version
	results.Machine.Naru = comparison.Revision()
	for _, s := range specs {
		results.Sides = append(results.Sides, report.Side{Name: s.Name, Title: s.Title, Durability: s.Durability})
	}
	results.Notes = append(results.Notes,
		fmt.Sprintf("client: net/http with a connection for each worker, and grpc-go with one for all; values of %d bytes; %v a row after %v to warm up", textBytes, c.patience, c.warm),
		"**every record and every acknowledgement is on disk before Naru answers**; do-nothing keeps nothing, and answers the same bytes always")
	for round := range c.Rounds {
		runs, err := c.round(ctx, round, specs)
		results.Runs = append(results.Runs, runs...)
		if err != nil {
			return nil, err
		}
	}
	return results, nil
}
