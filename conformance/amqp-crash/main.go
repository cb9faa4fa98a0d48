// Amqp-crash kills a Naru server with SIGKILL at random moments while amqp091-go
// publishes through exchanges and consumes, with dead letters and transactions,
// starts it again each time, and judges in the end what all of them saw.
//
//	go run ./amqp-crash --kills 20 --seed 1
//
// With --break it destroys acknowledged bytes after one kill, as a disk would
// that lied about a flush; then it passes only if the history shows that.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/narumq/naru/conformance/copies"
	"github.com/narumq/naru/conformance/lives"
)

// segmentBytes is so small that kills hit segments rolling.
const segmentBytes = "1048576"

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
	flag.Uint64Var(&o.seed, "seed", uint64(time.Now().UnixNano()), "of the moments and what clients do")
	flag.BoolVar(&o.breakDisk, "break", false, "lose acknowledged bytes on purpose, and expect that it shows")
	flag.DurationVar(&o.limit, "limit", 4*time.Minute, "give up after this long")
	flag.Parse()
	fmt.Printf("amqp-crash: seed %d, %d kills\n", o.seed, o.kills)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, o.limit)
	defer cancel()
	found, err := play(ctx, o)
	if err != nil {
		fmt.Println("amqp-crash:", err)
		fmt.Println("amqp-crash: 0 passed, 1 failed")
		os.Exit(1)
	}
	os.Exit(report(o, found))
}

// play runs the whole story and returns what is wrong with it.
func play(ctx context.Context, o options) ([]copies.Anomaly, error) {
	dir, err := os.MkdirTemp(o.data, "naru-amqp-crash-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	srv, err := lives.New(ctx, o.naru, dir, "--kafka", "off", "--aws", "off", "--http", "off", "--amqp-management", "off", "--segment-bytes", segmentBytes, "--amqp")
	if err != nil {
		return nil, err
	}
	defer srv.Kill()
	if err := srv.Start(ctx); err != nil {
		return nil, err
	}
	s := newScene(srv, o.seed)
	if err := create(ctx, srv.Addr); err != nil {
		return nil, err
	}
	s.begin(ctx)
	if err := srv.KillOften(ctx, lives.Plan{Kills: o.kills, Seed: o.seed, Lose: o.breakDisk, Started: s.look}); err != nil {
		return nil, err
	}
	if !lives.Sleep(ctx, time.Second) {
		return nil, ctx.Err()
	}
	if err := s.end(ctx, o.breakDisk); err != nil {
		return nil, err
	}
	ordered := map[int]bool{srv.Life(): true}
	if err := srv.Stop(); err != nil {
		return nil, fmt.Errorf("stop at the end: %w", err)
	}
	if err := srv.Check(ctx); err != nil && !o.breakDisk {
		return nil, err
	}
	if err := srv.Start(ctx); err != nil {
		return nil, err
	}
	s.look(ctx)
	if err := s.readRest(ctx); err != nil {
		return nil, err
	}
	fmt.Println("amqp-crash:", s.summary())
	events := s.history()
	found := copies.Check(known(ordered), events)
	if !o.breakDisk {
		tell(events, found)
	}
	return found, nil
}

// tell prints the stories of the first records with which something is wrong.
func tell(events []copies.Event, found []copies.Anomaly) {
	told := map[string]bool{}
	for _, a := range found {
		if told[a.Value] || len(told) == 5 {
			continue
		}
		told[a.Value] = true
		fmt.Println("  story of", a.Value)
		for _, line := range copies.Story(events, a.Value) {
			fmt.Println("    ", line)
		}
	}
}

// report prints the verdict, one check an anomaly's name, and returns the exit
// code. With --break there is one check: that the loss shows.
func report(o options, found []copies.Anomaly) int {
	count := copies.Summary(found)
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
		fmt.Println("amqp-crash:", text)
	}
	if o.breakDisk {
		fmt.Println("amqp-crash: it shows as", count)
		verdict(len(found) > 0, "acknowledged bytes were lost on purpose, and nothing showed it")
	} else {
		for _, name := range copies.Names() {
			verdict(count[name] == 0, fmt.Sprintf("%s: %d", name, count[name]))
		}
	}
	fmt.Printf("amqp-crash: %d passed, %d failed\n", passed, failed)
	return min(failed, 1)
}
