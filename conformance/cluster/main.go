package main

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/narumq/naru/conformance/history"
	"github.com/narumq/naru/conformance/leases"
)

type options struct {
	naru   string
	dir    string
	faults int
	seed   uint64
	lease  time.Duration
	dev    bool
	logs   bool
	limit  time.Duration
}

func main() {
	var o options
	flag.StringVar(&o.naru, "naru", "", "a naru binary; built from this repository if empty")
	flag.StringVar(&o.dir, "dir", "", "where everything is kept; a temporary directory if empty")
	flag.IntVar(&o.faults, "faults", 8, "how often the owner is killed, stopped or ended")
	flag.Uint64Var(&o.seed, "seed", uint64(time.Now().UnixNano()), "of the moments and what clients do")
	flag.DurationVar(&o.lease, "lease", 3*time.Second, "the brokers' --lease")
	flag.BoolVar(&o.dev, "dev", false, "only start a cluster, print its addresses, and wait for Ctrl-C")
	flag.BoolVar(&o.logs, "logs", false, "print the brokers' logs in the end")
	flag.DurationVar(&o.limit, "limit", 3*time.Minute, "give up after this long")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	dir, err := os.MkdirTemp(o.dir, "naru-cluster-")
	if err == nil {
		defer os.RemoveAll(dir)
		if o.dev {
			err = dev(ctx, o, dir)
		} else {
			err = play(ctx, o, dir)
		}
	}
	if err != nil {
		fmt.Println("cluster:", err)
		fmt.Println("cluster: 0 passed, 1 failed")
		_ = os.RemoveAll(dir)
		os.Exit(1)
	}
}

// dev is a cluster to try.
func dev(ctx context.Context, o options, dir string) error {
	p, err := startParts(ctx, dir, o.naru, o.lease)
	if err != nil {
		return err
	}
	defer p.close()
	fmt.Printf("etcd    %s\nbucket  %s at %s\n", p.etcd.Clients[0].Addr(), bucket, p.endpoint)
	for _, b := range p.brokers {
		fmt.Printf("broker %d  kafka %s  aws http://%s  http http://%s  pid %d\n", b.number, b.kafka, b.aws, b.http, b.cmd.Process.Pid)
	}
	fmt.Printf("\nkafka bootstrap servers: %s,%s,%s\nEnd a broker (kill -9 PID) and see another one take over; Ctrl-C ends all.\n",
		p.brokers[0].kafka, p.brokers[1].kafka, p.brokers[2].kafka)
	<-ctx.Done()
	return nil
}

// play runs the whole story, prints the verdict, and returns an error if there is something wrong.
func play(ctx context.Context, o options, dir string) error {
	fmt.Printf("cluster: seed %d, %d faults, lease %v\n", o.seed, o.faults, o.lease)
	p, err := startParts(ctx, dir, o.naru, o.lease)
	if p != nil {
		defer p.close()
	}
	if err != nil {
		return fmt.Errorf("start: %w\n%s", err, p.logs())
	}
	ctx, cancel := context.WithTimeout(ctx, o.limit)
	defer cancel()
	k, q := newKafkaScene(p, o.seed), newQueueScene(p, o.seed)
	if err := k.begin(ctx); err != nil {
		return err
	}
	if err := q.begin(ctx); err != nil {
		return err
	}
	slow, err := p.trouble(ctx, o, q)
	if err != nil {
		return fmt.Errorf("%w\n%s", err, p.logs())
	}
	if err := k.end(ctx); err != nil {
		return fmt.Errorf("kafka: %w\n%s", err, p.logs())
	}
	if err := q.end(ctx); err != nil {
		return fmt.Errorf("sqs: %w\n%s", err, p.logs())
	}
	if o.logs {
		fmt.Println(p.logs())
	}
	fmt.Println("cluster:", k.summary())
	fmt.Println("cluster:", q.summary())
	found := leases.Check(q.events)
	for _, a := range found[:min(5, len(found))] {
		for _, line := range leases.Story(q.events, a.Value) {
			fmt.Println("  ", a.Value, line)
		}
	}
	return report(history.Check(k.sorted()), found, slow)
}

// trouble ends, kills or stops the owner, and returns how often the next one took too long.
func (p *parts) trouble(ctx context.Context, o options, q *queueScene) (slow int, err error) {
	rng := rand.New(rand.NewPCG(o.seed, 3))
	kinds := []syscall.Signal{syscall.SIGKILL, syscall.SIGSTOP, syscall.SIGTERM, syscall.SIGSTOP}
	for i := range o.faults {
		if !pause(ctx, time.Duration(1500+rng.IntN(2500))*time.Millisecond) {
			return slow, ctx.Err()
		}
		was := p.owner(nil)
		if was == nil {
			if err := until(ctx, o.lease, func() bool { was = p.owner(nil); return was != nil }); err != nil {
				return slow, fmt.Errorf("nobody serves: %w", err)
			}
		}
		kind := kinds[i%len(kinds)]
		began := time.Now()
		if err := was.suffer(kind); err != nil {
			return slow, fmt.Errorf("broker %d, %v: %w", was.number, kind, err)
		}
		var now *broker
		err := until(ctx, o.lease+10*time.Second, func() bool { now = p.owner(was); return now != nil })
		took := time.Since(began)
		if err != nil {
			return slow, fmt.Errorf("nobody took over: %w", err)
		}
		late := took > o.lease+2*time.Second
		if late {
			slow++
		}
		q.lives[was.number-1].Add(1)
		fmt.Printf("cluster: broker %d, %v: broker %d serves after %v (late: %v)\n", was.number, kind, now.number, took.Round(time.Millisecond), late)
		if kind == syscall.SIGSTOP {
			if !pause(ctx, time.Second) {
				return slow, ctx.Err()
			}
			err = was.cmd.Process.Signal(syscall.SIGCONT)
		} else {
			err = was.start()
		}
		if err != nil {
			return slow, err
		}
	}
	return slow, nil
}

func (b *broker) suffer(s syscall.Signal) error {
	if s == syscall.SIGSTOP {
		return b.cmd.Process.Signal(s)
	}
	return b.end(s)
}

// report prints the verdict, one check an anomaly's name.
func report(records []history.Anomaly, messages []leases.Anomaly, slow int) error {
	var passed, failed int
	check := func(name string, n int) {
		if n == 0 {
			passed++
			return
		}
		failed++
		fmt.Printf("cluster: %s: %d\n", name, n)
	}
	for _, a := range records[:min(10, len(records))] {
		fmt.Println("  ", a)
	}
	for _, a := range messages[:min(10, len(messages))] {
		fmt.Println("  ", a)
	}
	for _, name := range history.Names() {
		check(name, history.Summary(records)[name])
	}
	for _, name := range leases.Names() {
		check("queue: "+name, leases.Summary(messages)[name])
	}
	check("take-overs that took longer than the lease and 2 s", slow)
	fmt.Printf("cluster: %d passed, %d failed\n", passed, failed)
	if failed > 0 {
		return fmt.Errorf("%d checks failed", failed)
	}
	return nil
}
