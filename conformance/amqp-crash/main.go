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
	"fmt"
	"os"
	"time"

	"github.com/narumq/naru/conformance/copies"
	"github.com/narumq/naru/conformance/lives"
)

// segmentBytes is so small that kills hit segments rolling.
const segmentBytes = "1048576"

func main() { lives.Main("amqp-crash", play) }

// play runs the whole story and returns what is wrong with it.
func play(ctx context.Context, o lives.Options) (v lives.Verdict, err error) {
	dir, err := os.MkdirTemp(o.Data, "naru-amqp-crash-")
	if err != nil {
		return v, err
	}
	defer os.RemoveAll(dir)
	srv, err := lives.New(ctx, o.Naru, dir, "--kafka", "off", "--aws", "off", "--http", "off", "--amqp-management", "off", "--segment-bytes", segmentBytes, "--amqp")
	if err != nil {
		return v, err
	}
	defer srv.Kill()
	if err := srv.Start(ctx); err != nil {
		return v, err
	}
	s := newScene(srv, o.Seed)
	if err := create(ctx, srv.Addr); err != nil {
		return v, err
	}
	s.begin(ctx)
	if err := srv.KillOften(ctx, lives.Plan{Kills: o.Kills, Seed: o.Seed, Lose: o.Break, Started: s.look}); err != nil {
		return v, err
	}
	if !lives.Sleep(ctx, time.Second) {
		return v, ctx.Err()
	}
	if err := s.end(ctx, o.Break); err != nil {
		return v, err
	}
	ordered := map[int]bool{srv.Life(): true}
	if err := srv.Reopen(ctx, o.Break); err != nil {
		return v, err
	}
	s.look(ctx)
	if err := s.readRest(ctx); err != nil {
		return v, err
	}
	fmt.Println("amqp-crash:", s.summary())
	events := s.history()
	found := copies.Check(known(ordered), events)
	if !o.Break {
		lives.Tell(found, func(a copies.Anomaly) string { return a.Value }, func(value string) []string { return copies.Story(events, value) })
	}
	return lives.Verdict{Anomalies: lives.Strings(found), Names: copies.Names(), Count: copies.Summary(found)}, nil
}
