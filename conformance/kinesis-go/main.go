// Command kinesis-go drives a Kinesis endpoint with the AWS SDK for Go v2.
//
// The endpoint, the region and the keys come from the variables that every AWS
// client reads: AWS_ENDPOINT_URL, AWS_REGION, AWS_ACCESS_KEY_ID, ….
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"time"

	"github.com/narumq/naru/conformance/check"
)

func main() {
	only := flag.String("only", "", "only checks whose title contains this")
	noKeys := flag.Bool("no-keys", false, "the endpoint takes any credentials")
	flag.Parse()
	s := &suite{Suite: check.Suite{Name: "kinesis-go", Only: *only, Limit: time.Minute}}
	client, err := connect(context.Background())
	if err != nil {
		fmt.Fprintln(os.Stderr, "kinesis-go:", err)
		os.Exit(1)
	}
	s.client = client
	s.streamChecks()
	s.recordChecks()
	s.consumerChecks()
	if !*noKeys {
		s.keyChecks()
	}
	s.Exit()
}
