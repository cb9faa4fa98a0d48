package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/narumq/naru/bench/internal/comparison"
	"github.com/narumq/naru/bench/internal/load"
	"github.com/narumq/naru/bench/internal/peer"
	"github.com/narumq/naru/bench/internal/report"
)

func main() {
	comparison.Main("bench", run)
}

func run(ctx context.Context, args []string) error {
	c, err := parse(args)
	if err != nil {
		return err
	}
	if c.from != "" {
		results, err := report.Load(c.from)
		if err != nil {
			return err
		}
		return publish(results, c.write)
	}
	// The load generator shares the cores with the broker: spend memory to
	// save its garbage collector's time.
	debug.SetGCPercent(400)
	specs, err := prepare(ctx, c)
	if err != nil {
		return err
	}
	results, err := compare(ctx, c, specs)
	if err != nil {
		return err
	}
	results.Command = strings.Join(append([]string{"go run ."}, args...), " ")
	if err := results.Save(filepath.Join(c.out, "results.json")); err != nil {
		return err
	}
	if err := publish(results, c.write); err != nil {
		return err
	}
	if failed := results.Failures(); len(failed) > 0 {
		return fmt.Errorf("%d scenario(s) failed", len(failed))
	}
	return nil
}

func publish(r *report.Results, write bool) error {
	fmt.Print(r.Markdown())
	if write {
		return r.WriteReadme("README.md", "results")
	}
	return nil
}

// prepare builds or fetches what the wanted sides need.
func prepare(ctx context.Context, c command) ([]peer.Spec, error) {
	if _, err := os.Stat("pom.xml"); err != nil {
		return nil, fmt.Errorf("run this in the bench directory: %w", err)
	}
	out, err := filepath.Abs(c.out)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(out, 0o755); err != nil {
		return nil, err
	}
	log4j, err := filepath.Abs("kafka/log4j2.properties")
	if err != nil {
		return nil, err
	}
	kafkaDir, binary := filepath.Join(out, "kafka"), c.binary
	if binary == "" {
		binary = filepath.Join(out, "naru")
	}
	const flushed, cached = "on disk: fdatasync first", "in the page cache"
	known := []peer.Spec{
		peer.Naru(report.Naru, "Naru", flushed, binary, "always"),
		peer.Naru("naru-os", "Naru --sync os", cached, binary, "os"),
		peer.Kafka(report.Kafka, "Kafka", cached, kafkaDir, log4j),
		peer.Kafka(report.KafkaFlush, "Kafka flushed", "on disk: fsync of each append", kafkaDir, log4j, "log.flush.interval.messages=1"),
	}
	var specs []peer.Spec
	for _, name := range c.sides {
		i := slices.IndexFunc(known, func(s peer.Spec) bool { return s.Name == name })
		if i < 0 {
			return nil, fmt.Errorf("--sides %s: not one of naru, naru-os, kafka, kafka-fsync", name)
		}
		specs = append(specs, known[i])
	}
	wants := func(prefix string) bool {
		return slices.ContainsFunc(c.sides, func(s string) bool { return strings.HasPrefix(s, prefix) })
	}
	if wants("naru") && c.binary == "" {
		if err := peer.BuildNaru(ctx, "..", binary); err != nil {
			return nil, err
		}
	}
	if wants("kafka") {
		return specs, peer.FetchJars(ctx, "pom.xml", kafkaDir)
	}
	return specs, nil
}

// compare runs the sides in turns: A B C A B C, so that a slow spell of the
// machine touches all of them.
func compare(ctx context.Context, c command, specs []peer.Spec) (*report.Results, error) {
	results := &report.Results{When: time.Now(), Rounds: c.rounds, Machine: report.Inspect(c.out)}
	results.Machine.Kafka = peer.KafkaVersion(filepath.Join(c.out, "kafka"))
	results.Machine.Naru = comparison.Revision()
	for _, s := range specs {
		results.Sides = append(results.Sides, report.Side{Name: s.Name, Title: s.Title, Durability: s.Durability})
	}
	corpus, err := load.LoadCorpus()
	switch {
	case !c.has("real"):
	case err != nil:
		results.Notes = append(results.Notes, "left out, "+err.Error())
	default:
		results.Notes = append(results.Notes, fmt.Sprintf("package index: %d stanzas, %d bytes in the mean, keyed by package", corpus.Len(), corpus.MeanBytes()))
	}
	results.Notes = append(results.Notes, describe(c.settings))
	var left int64
	for round := range c.rounds {
		for _, spec := range specs {
			s := &session{settings: c.settings, spec: spec, corpus: corpus, out: c.out}
			run, err := s.run(ctx)
			run.Round = round
			results.Runs = append(results.Runs, run)
			if err != nil {
				return nil, err
			}
			left = max(left, s.cacheLeft)
		}
	}
	if c.has("cold") {
		results.Notes = append(results.Notes, fmt.Sprintf(
			"cold start: broker restarted, its files evicted with posix_fadvise; at most %d KiB of them stayed cached", left>>10))
	}
	return results, nil
}

func describe(s settings) string {
	return fmt.Sprintf("client: franz-go with its defaults (idempotent, acks=all, batches of up to 1,000,012 bytes, linger 10 ms; 0 in (c) and (d)), compression %s; "+
		"at most %d synthetic and %d real records or %v and %v; (d) by %d connections",
		s.codec, s.synthetic.Records, s.real.Records, s.synthetic.For, s.real.For, s.trickle.Clients)
}
