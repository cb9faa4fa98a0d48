package main

import (
	"context"
	"flag"
	"fmt"
	"time"

	"github.com/narumq/naru/bench/internal/comparison"
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
	*comparison.Options
	rows []row
}

func main() { comparison.Main("amqp", run) }

func run(ctx context.Context, args []string) (err error) {
	c := command{settings: full}
	f := flag.NewFlagSet("amqp", flag.ContinueOnError)
	only := f.String("only", "", "rows to run, of publish,through,latency,many,held (default all)")
	if c.Options, err = comparison.Parse(f, args, "naru,classic,quorum", "two minutes"); err != nil {
		return err
	}
	if c.Quick {
		c.settings = quick
	}
	c.rows = chosen(*only)
	return c.Run(func() (*report.Results, error) { return compare(ctx, &c) })
}

// side installs what a side needs.
func (c *command) side(ctx context.Context, name string) (peer.Spec, error) {
	switch name {
	case report.Naru:
		return naru(c.Naru), nil
	case sideClassic:
		return rabbitMQ(name, "RabbitMQ, classic queues", "written, and synced now and then"), installRabbitMQ(ctx)
	case sideQuorum:
		return rabbitMQ(name, "RabbitMQ, quorum queues", "on disk: fdatasync before each confirm"), installRabbitMQ(ctx)
	}
	return peer.Spec{}, fmt.Errorf("--sides %s: not one of naru, classic, quorum", name)
}

// compare runs the sides in turns.
func compare(ctx context.Context, c *command) (*report.Results, error) {
	specs, err := c.Prepare(ctx, c.side)
	if err != nil {
		return nil, err
	}
	results := &report.Results{When: time.Now(), Rounds: c.Rounds, Groups: groups(), Machine: report.Inspect(c.Out)}
	results.Machine.Versus = rabbitMQVersion()
	results.Machine.Naru = comparison.Revision()
	for _, s := range specs {
		results.Sides = append(results.Sides, report.Side{Name: s.Name, Title: s.Title, Durability: s.Durability})
	}
	results.Notes = append(results.Notes, fmt.Sprintf(
		"client: amqp091-go; persistent messages of %d bytes; %d connections that publish and as many that consume, a queue each; %d messages unconfirmed at most; each ack by itself; at most %d messages or %v a row",
		c.size, c.queues, c.window, c.messages, c.patience))
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
