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
	"fmt"
	"os"
	"time"

	"github.com/narumq/naru/conformance/history"
	"github.com/narumq/naru/conformance/lives"
)

// segmentBytes is so small that kills hit segments rolling.
const segmentBytes = "4194304"

func main() { lives.Main("crash", play) }

// play runs the whole story and returns what is wrong with it.
func play(ctx context.Context, o lives.Options) (v lives.Verdict, err error) {
	dir, err := os.MkdirTemp(o.Data, "naru-crash-")
	if err != nil {
		return v, err
	}
	defer os.RemoveAll(dir)
	srv, err := lives.New(ctx, o.Naru, dir, "--aws", "off", "--amqp", "off", "--http", "off", "--segment-bytes", segmentBytes, "--kafka")
	if err != nil {
		return v, err
	}
	defer srv.Kill()
	if err := srv.Start(ctx); err != nil {
		return v, err
	}
	s := &scene{addr: srv.Addr, topic: "crash", partitions: 6, seed: o.Seed}
	if err := s.create(ctx); err != nil {
		return v, err
	}
	s.begin(ctx)
	if err := srv.KillOften(ctx, lives.Plan{Kills: o.Kills, Seed: o.Seed, Lose: o.Break, Started: s.askCommitted}); err != nil {
		return v, err
	}
	if !lives.Sleep(ctx, 2*time.Second) {
		return v, ctx.Err()
	}
	if err := s.end(ctx, o.Break); err != nil {
		return v, err
	}
	if err := srv.Reopen(ctx, o.Break); err != nil {
		return v, err
	}
	if err := s.readAll(ctx); err != nil {
		return v, err
	}
	fmt.Println("crash:", s.summary())
	found := history.Check(s.Sorted())
	return lives.Verdict{
		Anomalies: lives.Strings(found), Names: history.Names(), Count: history.Summary(found),
		Shows: []string{history.LostWrite, history.InconsistentOffset}, // values that are gone, and offsets that hold others
	}, nil
}
