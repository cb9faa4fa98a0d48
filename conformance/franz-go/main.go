// Command franz-go drives a broker with the franz-go client: kgo and kadm.
//
//	franz-go suite     run the checks, print a count
//	franz-go member    be a group member under the rebalance judge
//	franz-go producer  be its producer
//	franz-go digest    print a hash of each partition of a topic
package main

import (
	"flag"
	"fmt"
	"os"
	"time"

	"github.com/narumq/naru/conformance/check"
)

type options struct {
	bootstrap  string
	topic      string
	group      string
	id         string
	instance   string
	assignor   string
	only       string
	partitions int
	records    int
	rate       int
}

func main() {
	command := "suite"
	args := os.Args[1:]
	if len(args) > 0 && args[0][0] != '-' {
		command, args = args[0], args[1:]
	}
	var o options
	f := flag.NewFlagSet(command, flag.ExitOnError)
	f.StringVar(&o.bootstrap, "bootstrap", os.Getenv("CONFORMANCE_BOOTSTRAP"), "the broker's address")
	f.StringVar(&o.topic, "topic", "", "topic")
	f.StringVar(&o.group, "group", "", "consumer group")
	f.StringVar(&o.id, "id", "", "client id, and prefix of produced values")
	f.StringVar(&o.instance, "instance", "", "group instance id")
	f.StringVar(&o.assignor, "assignor", "range", "range or cooperative-sticky")
	f.StringVar(&o.only, "only", "", "run only the checks whose name contains this")
	f.IntVar(&o.partitions, "partitions", 1, "partitions of the topic")
	f.IntVar(&o.records, "records", 1000, "records to produce")
	f.IntVar(&o.rate, "rate", 1000, "records per second")
	f.Parse(args)
	if o.bootstrap == "" {
		fmt.Fprintln(os.Stderr, "franz-go: -bootstrap or CONFORMANCE_BOOTSTRAP is needed")
		os.Exit(2)
	}
	switch command {
	case "suite":
		s := &suite{Suite: check.Suite{Name: "franz-go", Only: o.only, Limit: 45 * time.Second}, bootstrap: o.bootstrap}
		s.run()
		s.Exit()
	case "member":
		exitOn(member(o))
	case "producer":
		exitOn(producer(o))
	case "digest":
		exitOn(digest(o))
	default:
		fmt.Fprintf(os.Stderr, "franz-go: unknown command %q\n", command)
		os.Exit(2)
	}
}

func exitOn(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "franz-go:", err)
		os.Exit(1)
	}
}
