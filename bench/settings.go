package main

import (
	"flag"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/narumq/naru/bench/internal/load"
)

// scenarios in the order in which a run goes through them. "start" and the
// warm-up always happen, because the others need a broker.
var scenarios = []string{"produce", "tail", "real", "latency", "partitions", "cold"}

// settings is how much of everything one run does.
type settings struct {
	warm      load.Limit // unmeasured, so that the JVM has compiled its hot paths
	synthetic load.Limit
	real      load.Limit
	pace      load.Pace
	trickle   load.Trickle
	idle      time.Duration // without any client, before memory at idle is read
	codec     string
	seed      uint64
	only      []string
	profile   bool
}

func full() settings {
	return settings{
		warm:      load.Limit{Records: 400_000, For: 6 * time.Second},
		synthetic: load.Limit{Records: 1_500_000, For: 10 * time.Second},
		real:      load.Limit{Records: 600_000, For: 6 * time.Second},
		pace:      load.Pace{PerSecond: 5000, Warm: 3 * time.Second, For: 10 * time.Second},
		trickle:   load.Trickle{Partitions: 1000, Clients: 8, Warm: 2 * time.Second, For: 8 * time.Second},
		idle:      2 * time.Second,
	}
}

func quick() settings {
	s := full()
	s.warm = load.Limit{Records: 200_000, For: 3 * time.Second}
	s.synthetic = load.Limit{Records: 600_000, For: 5 * time.Second}
	s.real = load.Limit{Records: 300_000, For: 3 * time.Second}
	s.pace.Warm, s.pace.For = 2*time.Second, 5*time.Second
	s.trickle.Warm, s.trickle.For = time.Second, 4*time.Second
	return s
}

// has says whether a scenario is wanted.
func (s settings) has(scenario string) bool { return slices.Contains(s.only, scenario) }

// command is the command line.
type command struct {
	settings
	sides  []string
	rounds int
	out    string
	binary string
	from   string
	write  bool
}

func parse(args []string) (command, error) {
	var c command
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	isQuick := f.Bool("quick", false, "one round with less of everything, three to four minutes")
	sides := f.String("sides", "naru,kafka,kafka-fsync", "what to compare, the first with the others; also naru-os")
	only := f.String("only", strings.Join(scenarios, ","), "scenarios to run")
	f.IntVar(&c.rounds, "rounds", 0, "times that each side is run, in turns (default 3, 1 with --quick)")
	f.StringVar(&c.out, "out", "out", "where jars, data directories and results go; its file system is what is measured")
	f.StringVar(&c.binary, "naru", "", "a naru binary to run instead of building one")
	f.StringVar(&c.from, "from", "", "print the table of these saved results (out/results.json) instead of running")
	f.BoolVar(&c.write, "write", false, "put the table into README.md")
	codec := f.String("codec", "none", "compression by the client: none, lz4, snappy, zstd, gzip")
	seed := f.Uint64("seed", 1, "of the synthetic records")
	records := f.Int64("records", 0, "synthetic records of a throughput scenario (default 1,500,000; 600,000 with --quick)")
	profile := f.Bool("profile", false, "write a CPU profile of Naru for each scenario to the out directory")
	if err := f.Parse(args); err != nil {
		return c, err
	}
	rounds := 3
	c.settings = full()
	if *isQuick {
		rounds, c.settings = 1, quick()
	}
	if c.rounds < 1 {
		c.rounds = rounds
	}
	if *records > 0 {
		c.synthetic.Records = *records
	}
	c.codec, c.seed, c.profile = *codec, *seed, *profile
	c.sides, c.only = strings.Split(*sides, ","), strings.Split(*only, ",")
	for _, name := range c.only {
		if !slices.Contains(scenarios, name) {
			return c, fmt.Errorf("--only %s: not one of %s", name, strings.Join(scenarios, ", "))
		}
	}
	return c, nil
}
