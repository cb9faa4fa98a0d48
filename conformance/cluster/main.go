package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"time"

	"github.com/narumq/naru/conformance/history"
)

type options struct {
	naru      string
	versitygw string
	dir       string
	faults    int
	only      string
	seed      uint64
	rate      int
	lease     time.Duration
	grace     time.Duration
	limit     time.Duration
	dev       bool
	env       string
	keys      string
	lies      bool
	logs      bool
	keep      bool
}

func main() {
	if len(os.Args) > 1 && os.Args[1] == etcdCommand {
		fmt.Fprintln(os.Stderr, serveEtcd(os.Args[2:]))
		os.Exit(1)
	}
	var o options
	flag.StringVar(&o.naru, "naru", "", "a naru binary; built from this repository if empty")
	flag.StringVar(&o.versitygw, "versitygw", "", "a versitygw binary; built if empty")
	flag.StringVar(&o.dir, "dir", "", "where everything is kept; a temporary directory if empty")
	flag.IntVar(&o.faults, "faults", 0, "how many things go wrong; 0: as many as there is time for")
	flag.StringVar(&o.only, "only", "", "only what has this in its name goes wrong")
	flag.Uint64Var(&o.seed, "seed", uint64(time.Now().UnixNano()), "of what goes wrong when, and what clients do")
	flag.IntVar(&o.rate, "rate", 300, "records a second that each Kafka producer sends; everything is kept in memory for the judge")
	flag.DurationVar(&o.lease, "lease", 3*time.Second, "the brokers' --lease")
	flag.DurationVar(&o.grace, "grace", 6*time.Second, "how long beyond the lease it may take until all clients are served again")
	flag.DurationVar(&o.limit, "limit", 4*time.Minute, "nothing new goes wrong when only a minute of this is left")
	flag.BoolVar(&o.dev, "dev", false, "only start a cluster, print its addresses, and wait for Ctrl-C")
	flag.StringVar(&o.env, "env", "", "with --dev, a file for the addresses as lines that a shell can read")
	flag.StringVar(&o.keys, "aws-keys", "", "with --dev, a file of access keys for the brokers")
	flag.BoolVar(&o.lies, "break", false, "let the bucket lose on purpose what it acknowledged, and expect that it shows")
	flag.BoolVar(&o.logs, "logs", false, "print the brokers' logs in the end")
	flag.BoolVar(&o.keep, "keep", false, "remove nothing in the end: the directory has the logs, with what each broker was at if one does not serve, and all that etcd and the bucket have")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	dir, err := os.MkdirTemp(o.dir, "naru-cluster-")
	if err == nil {
		if o.dev {
			err = dev(ctx, o, dir)
		} else {
			err = play(ctx, o, dir)
		}
		if o.keep {
			fmt.Println("cluster: everything is in", dir)
		} else {
			err = errors.Join(err, os.RemoveAll(dir))
		}
	}
	if errors.Is(err, errSeen) {
		os.Exit(1)
	}
	if err != nil {
		fmt.Println("cluster:", err)
		if !o.dev {
			fmt.Println("cluster: 0 passed, 1 failed")
		}
		os.Exit(1)
	}
}

// story is a cluster and its clients.
type story struct {
	*parts
	*trouble
	o      options
	kafka  *kafkaScene
	queues []*queueScene
	ends   *endsScene
	owners *owners
	space  space
}

// play runs the whole story and prints the verdict.
func play(ctx context.Context, o options, dir string) error {
	fmt.Printf("cluster: seed %d, limit %v, lease %v\n", o.seed, o.limit, o.lease)
	p, err := startParts(ctx, dir, wants{naru: o.naru, s3: o.versitygw, lease: o.lease, first: 1, peerLinks: runtime.GOOS == "linux"})
	if err != nil {
		return err
	}
	defer p.close()
	ctx, cancel := context.WithTimeout(ctx, o.limit+2*time.Minute)
	defer cancel()
	within := endWithin
	if o.lies {
		within = 5 * time.Second // there will be nothing to wait for
	}
	s := &story{o: o, parts: p, ends: &endsScene{}, kafka: newKafkaScene(p, o.seed, o.rate, within),
		queues: []*queueScene{newQueueScene(p, "work", false, o.seed), newQueueScene(p, "work.fifo", true, o.seed)}}
	s.trouble = &trouble{parts: p, rng: rand.New(rand.NewPCG(o.seed, 3)), lease: o.lease, grace: o.grace, scenes: []scene{s.kafka}}
	if err := s.begin(ctx); err != nil {
		return err
	}
	if o.lies {
		err = s.lie(ctx)
	} else {
		err = s.suffer(ctx, time.Now().Add(o.limit-time.Minute))
	}
	if err == nil {
		err = s.end(ctx)
	}
	if err != nil || o.logs {
		fmt.Println(p.logs())
	}
	if err != nil && o.keep {
		p.dump(ctx)
	}
	if err != nil {
		return err
	}
	return s.verdict()
}

func (s *story) begin(ctx context.Context) (err error) {
	if s.owners, err = watchOwners(ctx, s.etcdAddr); err != nil {
		return err
	}
	if err := s.kafka.begin(ctx); err != nil {
		return err
	}
	for _, q := range s.queues {
		s.scenes = append(s.scenes, q)
		if err := q.begin(ctx); err != nil {
			return err
		}
	}
	return s.ends.begin(ctx, s.parts)
}

// suffer is a cluster that grows, has troubles, and shrinks.
func (s *story) suffer(ctx context.Context, end time.Time) (err error) {
	if err := s.served(ctx, time.Now(), "one broker"); err != nil {
		return err
	}
	if err := s.grow(ctx); err != nil {
		return err
	}
	if s.space.before, err = inUse(ctx, s.etcdAddr); err != nil {
		return err
	}
	if err := s.trouble.play(ctx, s.o.faults, s.o.only, end); err != nil {
		return err
	}
	return s.shrink(ctx)
}

// lie lets the bucket drop for a second what it acknowledges, and kills all brokers, whose caches would hide it.
func (s *story) lie(ctx context.Context) error {
	if err := s.grow(ctx); err != nil {
		return err
	}
	pause(ctx, 3*time.Second)
	for _, b := range s.brokers {
		b.store.lies.Store(true)
	}
	pause(ctx, time.Second)
	for _, b := range s.brokers {
		if err := b.end(syscall.SIGKILL); err != nil {
			return err
		}
		b.store.lies.Store(false)
	}
	for _, b := range s.brokers {
		if err := b.start(); err != nil {
			return err
		}
	}
	pause(ctx, s.lease+2*time.Second)
	return nil
}

func (s *story) end(ctx context.Context) (err error) {
	if err := s.kafka.end(ctx); err != nil {
		return fmt.Errorf("kafka: %w", err)
	}
	if s.o.lies {
		return nil
	}
	for _, q := range s.queues {
		if err := q.end(ctx); err != nil {
			return fmt.Errorf("sqs: %w", err)
		}
	}
	s.space.after, err = inUse(ctx, s.etcdAddr)
	return err
}

// verdict prints one check an anomaly's name.
func (s *story) verdict() error {
	var r report
	records := s.kafka.Sorted()
	fmt.Println("cluster:", s.kafka.summary())
	found := history.Check(records)
	if s.o.lies {
		lost := []string{"acknowledged records were lost on purpose, and nothing showed it"}
		if history.Summary(found)[history.LostWrite] > 0 {
			lost = nil
		}
		r.check("a loss", lost)
		return r.end()
	}
	r.records(found)
	r.check("records that a producer gave up", s.kafka.failed)
	fmt.Println("cluster:", s.ends.summary())
	r.check("two owners", s.ends.stale(records))
	for _, q := range s.queues {
		fmt.Println("cluster:", q.summary())
		r.messages(q.name, judged(q.events, s.owners))
		r.check(q.name+": refusals", q.refused)
	}
	for _, b := range s.brokers {
		fmt.Printf("cluster: broker %d: %v\n", b.number, b.store)
	}
	fmt.Printf("cluster: %d faults, the longest time without service %v\n", s.count, s.slowest.Round(time.Millisecond))
	fmt.Printf("cluster: etcd has %d KiB in use, %d at the beginning\n", s.space.after>>10, s.space.before>>10)
	r.check("space of etcd", s.space.lost())
	var late []string
	for range s.slow {
		late = append(late, fmt.Sprintf("see above; the limit is %v", s.lease+s.grace))
	}
	r.check("late", late)
	return r.end()
}
