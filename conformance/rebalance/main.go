// Command rebalance puts a consumer group of any client under load: producers
// run while members join, leave and are killed, and everything that the
// clients saw is judged by package history.
//
// The members and producers are other programs, so that SIGKILL is what it is.
// They speak the lines of package events on standard output, get their
// arguments appended to the given command, and leave in order on SIGTERM.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/narumq/naru/conformance/history"
)

type options struct {
	bootstrap  string
	name       string
	member     []string
	producer   []string
	assignor   string
	out        string
	partitions int
	records    int
	rate       int
	limit      time.Duration
}

func main() {
	var o options
	var member, producer string
	flag.StringVar(&o.bootstrap, "bootstrap", os.Getenv("CONFORMANCE_BOOTSTRAP"), "the broker's address")
	flag.StringVar(&o.name, "name", "rebalance", "the name under which the result is counted")
	flag.StringVar(&member, "member", "", "command of a group member")
	flag.StringVar(&producer, "producer", "", "command of a producer")
	flag.StringVar(&o.assignor, "assignor", "range", "passed to the members")
	flag.StringVar(&o.out, "out", os.TempDir(), "directory for the processes' standard error")
	flag.IntVar(&o.partitions, "partitions", 6, "partitions of the topic")
	flag.IntVar(&o.records, "records", 4000, "records per producer")
	flag.IntVar(&o.rate, "rate", 500, "records per second and producer")
	flag.DurationVar(&o.limit, "limit", 180*time.Second, "time limit for the run")
	flag.Parse()
	o.member, o.producer = strings.Fields(member), strings.Fields(producer)
	if o.bootstrap == "" || len(o.member) == 0 || len(o.producer) == 0 {
		fmt.Fprintln(os.Stderr, "rebalance: -bootstrap, -member and -producer are needed")
		os.Exit(2)
	}
	ctx, cancel := context.WithTimeout(context.Background(), o.limit)
	defer cancel()
	err := run(ctx, o)
	passed, failed := 1, 0
	if err != nil {
		fmt.Printf("FAIL %s: %v\n", o.name, err)
		passed, failed = 0, 1
	} else {
		fmt.Printf("ok   %s\n", o.name)
	}
	fmt.Printf("%s: %d passed, %d failed\n", o.name, passed, failed)
	os.Exit(failed)
}

func run(ctx context.Context, o options) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(o.bootstrap))
	if err != nil {
		return err
	}
	defer client.Close()
	admin := kadm.NewClient(client)
	s := &scene{options: o, admin: admin, topic: fmt.Sprintf("rebalance-%d", time.Now().UnixNano())}
	s.group = s.topic + "-group"
	defer s.killAll()
	created, err := admin.CreateTopic(ctx, int32(o.partitions), 1, nil, s.topic)
	if err == nil {
		err = created.Err
	}
	if err != nil {
		return fmt.Errorf("create topic: %w", err)
	}
	if err := s.play(ctx); err != nil {
		return err
	}
	if err := s.checkCommitted(ctx); err != nil {
		return err
	}
	if err := s.checkQuiet(ctx); err != nil {
		return err
	}
	return s.judge()
}

// judge hands everything that was seen to the checker.
func (s *scene) judge() error {
	events, acks, polls := s.history()
	found := history.Check(events)
	fmt.Printf("     %s: %d records acknowledged, %d deliveries, %d members, %d assignments\n",
		s.name, acks, polls, s.members, s.assignments())
	if len(found) == 0 {
		return nil
	}
	for i, a := range found {
		if i == 10 {
			fmt.Printf("     … and %d more\n", len(found)-i)
			break
		}
		fmt.Println("     ", a)
	}
	return fmt.Errorf("anomalies: %v", history.Summary(found))
}
