package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"github.com/narumq/naru/bench/internal/load"
	"github.com/narumq/naru/bench/internal/peer"
	"github.com/narumq/naru/bench/internal/report"
	"github.com/narumq/naru/bench/internal/stats"
)

// session is one round of one side.
type session struct {
	*command
	spec   spec
	values map[string]float64
}

func (s *session) say(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "%-9s %s\n", s.spec.name, fmt.Sprintf(format, args...))
}

// scene is what is run in one world, with so many brokers.
type scene struct {
	name    string
	brokers int
	counted bool
	only    string // the side that can do it, if not all can
	play    func(context.Context, *world) error
}

func (s *session) all() []scene {
	scale := func(brokers int) func(context.Context, *world) error {
		return func(ctx context.Context, w *world) error { return s.scale(ctx, w, brokers) }
	}
	return []scene{
		{"one", 1, false, "", scale(1)},
		{"three", 3, false, "", scale(3)},
		{"full", 1, true, "", s.fullSpeed},
		{"cost", 1, true, "", s.cost},
		{"failover", 3, false, report.Naru, s.failOver},
	}
}

func (s *session) run(ctx context.Context, r *report.Run) error {
	before, err := peer.ReadMachine()
	if err != nil {
		return err
	}
	for _, sc := range s.all() {
		if !s.scenes[sc.name] || sc.brokers > s.spec.brokersMax || sc.counted && !s.spec.parts || sc.only != "" && sc.only != s.spec.name {
			continue
		}
		if err := s.scene(ctx, sc); err != nil {
			s.say("%s: %v", sc.name, err)
			r.Failed[sc.name] = err.Error()
		}
	}
	after, err := peer.ReadMachine()
	s.values["others.cpu"] = after.OthersSince(before)
	return errors.Join(err, ctx.Err())
}

func (s *session) scene(ctx context.Context, sc scene) error {
	dir, err := os.MkdirTemp(s.Out, "cluster-"+s.spec.name+"-")
	if err != nil {
		return err
	}
	w, err := s.world(ctx, dir, sc.brokers, sc.counted)
	if err == nil {
		err = sc.play(ctx, w)
		w.close()
	}
	if err != nil {
		s.say("%s: what it left is in %s", sc.name, dir)
		return err
	}
	return os.RemoveAll(dir)
}

// widths are the numbers of partitions that rows are about.
var widths = []int32{1, 64, 1000}

const clientsMax = 8

// scale measures acknowledgements and throughput against the number of partitions, and reads in the end what the log keeps of the last.
func (s *session) scale(ctx context.Context, w *world, brokers int) error {
	var failed []error
	for _, width := range widths {
		id := fmt.Sprintf("b%d.p%d", brokers, width)
		failed = append(failed, s.trickle(ctx, w, id, width))
		_, err := s.flood(ctx, w, id, width)
		failed = append(failed, err)
	}
	if brokers == 1 && s.spec.name == report.Naru {
		failed = append(failed, s.plain(ctx, w))
	}
	if brokers == 1 {
		failed = append(failed, s.catchUp(ctx, w))
	}
	return errors.Join(failed...)
}

// trickle has one record in flight in each partition.
func (s *session) trickle(ctx context.Context, w *world, id string, width int32) error {
	topic, err := load.CreateTopic(ctx, w.options(), "ack-"+id, width)
	if err != nil {
		return err
	}
	t, err := load.Trickle{Partitions: width, Clients: min(width, clientsMax), Warm: s.warm, For: s.latency}.Prime(ctx, w.options(), topic, 1)
	if err != nil {
		return fmt.Errorf("%s: %w", id, err)
	}
	defer t.Close()
	done, err := t.Run()
	if err != nil {
		return fmt.Errorf("%s: %w", id, err)
	}
	s.values[id+".p50"] = milliseconds(stats.Percentile(done.Sorted, 0.5))
	s.values[id+".p99"] = milliseconds(stats.Percentile(done.Sorted, 0.99))
	s.values[id+".acks"] = done.PerSecond
	s.say("%s: one in flight in each: %.0f acks/s, p50 %.1f ms, p99 %.1f ms", id, done.PerSecond, s.values[id+".p50"], s.values[id+".p99"])
	return nil
}

// flood produces as fast as the brokers take it.
func (s *session) flood(ctx context.Context, w *world, id string, width int32) (load.Done, error) {
	topic, err := load.CreateTopic(ctx, w.options(), "flood-"+id, width)
	if err != nil {
		return load.Done{}, err
	}
	runtime.GC()
	before := w.burnt()
	done, err := load.Produce(ctx, w.options(), topic, load.NewSynthetic(1), load.Limit{Records: s.records, For: s.produce})
	if err != nil {
		return done, fmt.Errorf("%s: %w", id, err)
	}
	mib := mebibytes(done.Tally.Records * load.SyntheticBytes)
	s.values[id+".mib"] = mib / done.Elapsed.Seconds()
	s.noteCPU(id, w.burnt().since(before), mib)
	return done, nil
}

// catchUp reads what was produced before the broker was started anew, from outside of all caches.
func (s *session) catchUp(ctx context.Context, w *world) error {
	const id = "cold"
	topic, err := load.CreateTopic(ctx, w.options(), id, 64)
	if err != nil {
		return err
	}
	produced, err := load.Produce(ctx, w.options(), topic, load.NewSynthetic(2), load.Limit{Records: s.records / 4, For: s.produce})
	if err != nil {
		return fmt.Errorf("%s: %w", id, err)
	}
	if err := w.stop(); err != nil {
		return err
	}
	if _, err := peer.DropCache(w.dir); err != nil {
		return err
	}
	if err := w.start(ctx); err != nil {
		return err
	}
	done, err := load.Consume(ctx, w.options(), topic, produced.Tally)
	if err != nil {
		return fmt.Errorf("%s: %w", id, err)
	}
	s.values[id+".mib"] = mebibytes(done.Tally.Records*load.SyntheticBytes) / done.Elapsed.Seconds()
	s.say("%s: %.1f MiB/s read", id, s.values[id+".mib"])
	return nil
}

func mebibytes(n int64) float64 { return float64(n) / (1 << 20) }

func treeBytes(dir string) (n int64, err error) {
	err = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return ignoreGone(err)
		}
		info, err := d.Info()
		if err == nil {
			n += info.Size()
		}
		return ignoreGone(err)
	})
	return n, err
}

// ignoreGone: the broker removes objects meanwhile.
func ignoreGone(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
