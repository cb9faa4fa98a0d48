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
	messages  int64         // of a row, at most
	patience  time.Duration // of a row
	hold      int64         // messages to keep queued
	idle      time.Duration
	size      int
	queues    int // and as many connections that publish, and that consume
	window    int // unconfirmed messages of a connection
	prefetch  int
	perSecond int
	trickles  int // queues with one message on its way
}

var (
	full  = settings{600_000, 10 * time.Second, 1_000_000, 2 * time.Second, 1024, 2, 2_000, 500, 5_000, 1_000}
	quick = settings{200_000, 5 * time.Second, 200_000, time.Second, 1024, 2, 2_000, 500, 5_000, 1_000}
)

type command struct {
	settings
	sides   []string
	rows    []row
	rounds  int
	out     string
	binary  string
	profile bool
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "amqp:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	c := command{settings: full}
	f := flag.NewFlagSet("amqp", flag.ContinueOnError)
	isQuick := f.Bool("quick", false, "one round with less of everything, about two minutes")
	only := f.String("only", "", "rows to run, of publish,through,latency,many,held (default all)")
	sides := f.String("sides", "naru,classic,quorum", "what to compare, the first with the others")
	f.IntVar(&c.rounds, "rounds", 0, "times that each side is run, in turns (default 3, 1 with --quick)")
	f.StringVar(&c.out, "out", "out", "where data directories and results go; its file system is what is measured")
	f.StringVar(&c.binary, "naru", "", "a naru binary to run instead of building one")
	from := f.String("from", "", "print the table of these saved results (out/amqp.json) instead of running")
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
	c.sides, c.rows = strings.Split(*sides, ","), chosen(*only)
	debug.SetGCPercent(400) // the load generator shares the cores with the brokers
	results, err := compare(ctx, &c)
	if err != nil {
		return err
	}
	results.Command = strings.Join(append([]string{"go run ./amqp"}, args...), " ")
	if err := results.Save(filepath.Join(c.out, "amqp.json")); err != nil {
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
		return r.WriteReadme("README.md", "amqp")
	}
	return nil
}

// prepare builds or installs what the wanted sides need.
func prepare(ctx context.Context, c *command) (specs []peer.Spec, err error) {
	if _, err := os.Stat("amqp/doc.go"); err != nil {
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
				c.binary = filepath.Join(c.out, "naru-amqp")
				err = peer.BuildNaru(ctx, "..", c.binary)
			}
			specs = append(specs, naru(c.binary))
		case sideClassic:
			err = installRabbitMQ(ctx)
			specs = append(specs, rabbitMQ(name, "RabbitMQ, classic queues", "written, and synced now and then"))
		case sideQuorum:
			err = installRabbitMQ(ctx)
			specs = append(specs, rabbitMQ(name, "RabbitMQ, quorum queues", "on disk: fdatasync before each confirm"))
		default:
			err = fmt.Errorf("--sides %s: not one of naru, classic, quorum", name)
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
	results.Machine.Versus = rabbitMQVersion()
	results.Machine.Naru = revision()
	for _, s := range specs {
		results.Sides = append(results.Sides, report.Side{Name: s.Name, Title: s.Title, Durability: s.Durability})
	}
	results.Notes = append(results.Notes, fmt.Sprintf(
		"client: amqp091-go; persistent messages of %d bytes; %d connections that publish and as many that consume, a queue each; %d messages unconfirmed at most; each ack by itself; at most %d messages or %v a row",
		c.size, c.queues, c.window, c.messages, c.patience))
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

func revision() string {
	out, err := exec.Command("git", "describe", "--always", "--dirty").Output()
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(out))
}
