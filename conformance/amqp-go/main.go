// Command amqp-go drives an AMQP 0-9-1 broker with RabbitMQ's client for Go.
// The broker's address is in AMQP_URL.
//
// The suite was checked against RabbitMQ 3.10.8 (Debian 12).
package main

import (
	"cmp"
	"flag"
	"os"
	"time"

	"github.com/narumq/naru/conformance/check"
)

func main() {
	only := flag.String("only", "", "only checks whose title contains this")
	flag.Parse()
	s := &suite{
		Suite: check.Suite{Name: "amqp-go", Only: *only, Limit: 2 * time.Minute},
		url:   cmp.Or(os.Getenv("AMQP_URL"), "amqp://guest:guest@127.0.0.1:5672/"),
	}
	s.connectionChecks()
	s.exchangeChecks()
	s.queueChecks()
	s.publishChecks()
	s.consumeChecks()
	s.boundChecks()
	s.deadLetterChecks()
	s.patternChecks()
	s.Exit()
}
