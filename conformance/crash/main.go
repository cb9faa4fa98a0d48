// Crash kills a Naru server with SIGKILL at random moments while idempotent
// producers, plain readers and group members work on it, starts it again each
// time, and judges in the end what all of them saw.
//
//	go run ./crash --kills 20 --seed 1
//
// With --break it destroys acknowledged bytes after one kill, as a disk would
// that lied about a flush; then it passes only if the history shows the loss.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/narumq/naru/conformance/history"
	"github.com/narumq/naru/conformance/lives"
)

// segmentBytes is so small that kills hit segments rolling.
const segmentBytes = "4194304"

type options struct {
	naru      string
	data      string
	kills     int
	seed      uint64
	breakDisk bool
	limit     time.Duration
}

func main() {
	var o options
	flag.StringVar(&o.naru, "naru", "", "a naru binary; built from this repository if empty")
	flag.StringVar(&o.data, "data", "", "where the data directory goes; a temporary one if empty")
	flag.IntVar(&o.kills, "kills", 20, "how often the server is killed")
	flag.Uint64Var(&o.seed, "seed", uint64(time.Now().UnixNano()), "of the moments, the keys and the sizes")
	flag.BoolVar(&o.breakDisk, "break", false, "lose acknowledged bytes on purpose, and expect that it shows")
	flag.DurationVar(&o.limit, "limit", 4*time.Minute, "give up after this long")
	flag.Parse()
	fmt.Printf("crash: seed %d, %d kills\n", o.seed, o.kills)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, o.limit)
	defer cancel()
	found, err := play(ctx, o)
	if err != nil {
		fmt.Println("crash:", err)
		fmt.Println("crash: 0 passed, 1 failed")
		os.Exit(1)
	}
	os.Exit(report(o, found))
}

// play runs the whole story and returns what is wrong with it.
func play(ctx context.Context, o options) ([]history.Anomaly, error) {
	dir, err := os.MkdirTemp(o.data, "naru-crash-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	srv, err := lives.New(ctx, o.naru, dir, "--aws", "off", "--amqp", "off", "--http", "off", "--segment-bytes", segmentBytes, "--kafka")
	if err != nil {
		return nil, err
	}
	defer srv.Kill()
	if err := srv.Start(ctx); err != nil {
		return nil, err
	}
	s := &scene{addr: srv.Addr, topic: "crash", partitions: 6, seed: o.seed}
	if err := s.create(ctx); err != nil {
		return nil, err
	}
	s.begin(ctx)
	if err := srv.KillOften(ctx, lives.Plan{Kills: o.kills, Seed: o.seed, Lose: o.breakDisk, Started: s.askCommitted}); err != nil {
		return nil, err
	}
	if !lives.Sleep(ctx, 2*time.Second) {
		return nil, ctx.Err()
	}
	if err := s.end(ctx, o.breakDisk); err != nil {
		return nil, err
	}
	if err := srv.Stop(); err != nil {
		return nil, fmt.Errorf("stop at the end: %w", err)
	}
	if err := srv.Check(ctx); err != nil && !o.breakDisk {
		return nil, err
	}
	if err := srv.Start(ctx); err != nil {
		return nil, err
	}
	if err := s.readAll(ctx); err != nil {
		return nil, err
	}
	fmt.Println("crash:", s.summary())
	return history.Check(s.sorted()), nil
}

// report prints the verdict, one check an anomaly's name, and returns the exit
// code. With --break there is one check: that the loss shows, as values that
// are gone or as offsets that hold others.
func report(o options, found []history.Anomaly) int {
	count := history.Summary(found)
	for i, a := range found {
		if i < 20 {
			fmt.Println("  ", a)
		}
	}
	passed, failed := 0, 0
	verdict := func(ok bool, text string) {
		if ok {
			passed++
			return
		}
		failed++
		fmt.Println("crash:", text)
	}
	if o.breakDisk {
		verdict(count[history.LostWrite]+count[history.InconsistentOffset] > 0, "acknowledged bytes were lost on purpose, and nothing showed it")
	} else {
		for _, name := range history.Names() {
			verdict(count[name] == 0, fmt.Sprintf("%s: %d", name, count[name]))
		}
	}
	fmt.Printf("crash: %d passed, %d failed\n", passed, failed)
	return min(failed, 1)
}
