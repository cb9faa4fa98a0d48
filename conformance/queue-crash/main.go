// Queue-crash kills a Naru server with SIGKILL at random moments while producers
// and consumers work on a standard queue and a FIFO queue through the AWS SDK,
// starts it again each time, and judges in the end what all of them saw.
//
//	go run ./queue-crash --kills 20 --seed 1
//
// With --break it destroys acknowledged bytes after one kill, as a disk would
// that lied about a flush; then it passes only if the history shows that.
package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/narumq/naru/conformance/leases"
	"github.com/narumq/naru/conformance/lives"
)

// segmentBytes is so small that kills hit segments rolling.
const segmentBytes = "1048576"

func main() { lives.Main("queue-crash", play) }

// play runs the whole story and returns what is wrong with it.
func play(ctx context.Context, o lives.Options) (v lives.Verdict, err error) {
	dir, err := os.MkdirTemp(o.Data, "naru-queue-crash-")
	if err != nil {
		return v, err
	}
	defer os.RemoveAll(dir)
	srv, err := lives.New(ctx, o.Naru, dir, "--kafka", "off", "--amqp", "off", "--http", "off", "--segment-bytes", segmentBytes, "--aws")
	if err != nil {
		return v, err
	}
	defer srv.Kill()
	if err := srv.Start(ctx); err != nil {
		return v, err
	}
	s := newScene(srv, o.Seed)
	if err := s.create(ctx); err != nil {
		return v, err
	}
	s.begin(ctx)
	if err := srv.KillOften(ctx, lives.Plan{Kills: o.Kills, Seed: o.Seed, Lose: o.Break}); err != nil {
		return v, err
	}
	if !lives.Sleep(ctx, time.Second) {
		return v, ctx.Err()
	}
	if err := s.end(ctx, o.Break); err != nil {
		return v, err
	}
	if err := srv.Reopen(ctx, o.Break); err != nil {
		return v, err
	}
	if err := s.readRest(ctx); err != nil {
		return v, err
	}
	fmt.Println("queue-crash:", s.summary())
	found := leases.Check(s.events)
	if !o.Break {
		lives.Tell(found, func(a leases.Anomaly) string { return a.Value }, func(value string) []string { return leases.Story(s.events, value) })
	}
	return lives.Verdict{Anomalies: lives.Strings(found), Names: leases.Names(), Count: leases.Summary(found)}, nil
}
