package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/narumq/naru/bench/internal/load"
	"github.com/narumq/naru/bench/internal/peer"
	"github.com/narumq/naru/bench/internal/report"
	"github.com/narumq/naru/bench/internal/stats"
)

// partitions of the topics that throughput and latency are measured on.
const partitions = 6

// session is one round of one side: an empty data directory, one broker.
type session struct {
	settings
	spec   peer.Spec
	corpus *load.Corpus // nil if this machine has none
	out    string

	home      peer.Home
	broker    *peer.Process
	client    load.Options
	values    map[string]float64
	stored    map[string]stored // by the measure that produced it
	cacheLeft int64             // bytes that stayed in the page cache for the cold start
}

// stored is a topic and what must be in it.
type stored struct {
	topic load.Topic
	acked load.Tally
}

// run goes through the scenarios. A scenario that fails is noted and the rest
// goes on; an error means that the comparison itself cannot go on.
func (s *session) run(ctx context.Context) (report.Run, error) {
	s.values, s.stored = map[string]float64{}, map[string]stored{}
	result := report.Run{Side: s.spec.Name, Values: s.values, Failed: map[string]string{}}
	dir, err := os.MkdirTemp(s.out, "run-"+s.spec.Name+"-")
	if err != nil {
		return result, err
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return result, err
	}
	before, err := peer.ReadMachine()
	if err != nil {
		return result, err
	}
	err = s.begin(ctx, dir)
	if err == nil {
		for _, step := range s.steps() {
			began := time.Now()
			if err := step.do(ctx); err != nil {
				result.Failed[step.name] = err.Error()
			}
			s.say("%s in %.1f s", step.name, time.Since(began).Seconds())
			if ctx.Err() != nil {
				break
			}
		}
	} else {
		result.Failed["start"] = err.Error()
	}
	err = errors.Join(s.end(len(result.Failed) > 0), ctx.Err())
	after, readErr := peer.ReadMachine()
	s.values["others.cpu"] = after.OthersSince(before)
	return result, errors.Join(err, readErr)
}

type step struct {
	name string
	do   func(context.Context) error
}

func (s *session) steps() []step {
	all := []step{{"warm-up", s.warmUp}}
	add := func(when bool, name string, do func(context.Context) error) {
		if when {
			all = append(all, step{name, do})
		}
	}
	real := s.has("real") && s.corpus != nil
	synthetic := func() load.Source { return load.NewSynthetic(s.seed) }
	stanzas := func() load.Source { return s.corpus.Rewound() }
	add(s.has("produce"), "produce", s.produce("a", synthetic, s.synthetic))
	add(s.has("tail"), "tail", s.tail("tail", synthetic, s.synthetic))
	add(real, "produce real", s.produce("real.a", stanzas, s.real))
	add(real, "tail real", s.tail("real.tail", stanzas, s.real))
	add(s.has("latency"), "latency", s.latency)
	add(s.has("partitions"), "partitions", s.thousand)
	add(s.has("cold"), "restart", s.restart)
	add(s.has("cold") && s.has("produce"), "cold", s.cold("cold", "a"))
	add(s.has("cold") && real, "cold real", s.cold("real.cold", "real.a"))
	return all
}

// begin formats the storage and starts the broker: scenario (f).
func (s *session) begin(ctx context.Context, dir string) error {
	var err error
	if s.home, err = peer.NewHome(dir, s.profile); err != nil {
		return err
	}
	if s.spec.Prepare != nil {
		if err := s.spec.Prepare(ctx, s.home); err != nil {
			return err
		}
	}
	s.client = load.Options{Addr: s.home.Addr(), Codec: s.codec}
	if s.values["ready.ms"], err = s.start(ctx); err != nil {
		return err
	}
	if err := load.FirstAck(ctx, s.client, "first"); err != nil {
		return err
	}
	s.values["firstack.ms"] = stats.Milliseconds(time.Since(s.broker.Spawned))
	select {
	case <-time.After(s.idle): // not to wait for anything: this is what idle means
	case <-ctx.Done():
		return ctx.Err()
	}
	usage, err := s.broker.Usage()
	s.values["idle.mib"] = stats.Mebibytes(usage.RSSBytes)
	s.say("ready in %.0f ms, idle at %.0f MiB", s.values["ready.ms"], s.values["idle.mib"])
	return err
}

// start spawns the broker and waits until it is ready.
func (s *session) start(ctx context.Context) (readyMS float64, err error) {
	if s.broker, err = s.spec.Start(s.home); err != nil {
		return 0, err
	}
	took, err := s.broker.AwaitReady(ctx, func() error { return peer.AskMetadata(s.client.Addr) })
	return stats.Milliseconds(took), err
}

// end stops the broker and removes its directory, unless something failed:
// then the broker's log is worth reading.
func (s *session) end(keep bool) error {
	var err error
	if s.broker != nil {
		err = s.broker.Stop()
	}
	if keep {
		s.say("failed; see %s", s.home.Dir)
		return err
	}
	err = errors.Join(err, os.RemoveAll(s.home.Dir))
	return errors.Join(err, peer.SyncFiles(s.out)) // the next side starts with a quiet disk
}

// measured runs do with a quiet disk and notes, below id, what the broker and
// this client used for each million of the records that do returns.
func (s *session) measured(ctx context.Context, id string, do func() (records int64, err error)) error {
	used, err := s.broker.Measure(ctx, s.home, s.profiled(id), do)
	if err != nil {
		return err
	}
	used.Note(s.values, id)
	return nil
}

// say reports progress to the person who waits.
func (s *session) say(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "%-12s %s\n", s.spec.Name, fmt.Sprintf(format, args...))
}
