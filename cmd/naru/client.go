package main

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// client is a connection to the broker that was seen to answer.
type client struct {
	*kgo.Client
	adm     *kadm.Client
	timeout time.Duration // --timeout
}

// connect makes a client and asks the broker for its versions, so that a wrong
// address is found at once and not after a library's patient retries.
func (a *app) connect(ctx context.Context, opts ...kgo.Opt) (*client, error) {
	seeds, err := parseServers(a.server)
	if err != nil {
		return nil, err
	}
	base := []kgo.Opt{
		kgo.SeedBrokers(seeds...),
		kgo.ClientID("naru"),
		kgo.DialTimeout(min(a.timeout, 10*time.Second)),
		kgo.RetryTimeout(a.timeout),
		kgo.RequestTimeoutOverhead(a.timeout),
		kgo.MetadataMinAge(askAgainAfter), // else it takes five seconds to hear of another leader
	}
	cl, err := kgo.NewClient(append(base, opts...)...)
	if err != nil {
		return nil, fmt.Errorf("client: %w", err)
	}
	pingCtx, cancel := context.WithTimeout(ctx, a.timeout)
	defer cancel()
	if err := cl.Ping(pingCtx); err != nil {
		cl.Close()
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, unreachable{a.server, "--server", "Kafka", err}
	}
	adm := kadm.NewClient(cl)
	adm.SetTimeoutMillis(int32(a.timeout.Milliseconds()))
	return &client{cl, adm, a.timeout}, nil
}

func parseServers(s string) ([]string, error) {
	var seeds []string
	for _, addr := range strings.Split(s, ",") {
		addr = strings.TrimSpace(addr)
		if addr == "" {
			continue
		}
		if _, _, err := net.SplitHostPort(addr); err != nil {
			addr = net.JoinHostPort(strings.Trim(addr, "[]"), "9092")
		}
		_, port, _ := net.SplitHostPort(addr)
		if _, err := strconv.ParseUint(port, 10, 16); err != nil || strings.Contains(addr, "/") {
			return nil, usageError("--server %q: want host:port, such as %s", addr, defaultServer)
		}
		seeds = append(seeds, addr)
	}
	if len(seeds) == 0 {
		return nil, usageError("--server is empty: want host:port")
	}
	return seeds, nil
}

// asked is the work of a command that asks the broker something and shows the
// answer, within --timeout.
func (a *app) asked(work func(ctx context.Context, cl *client, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		cl, err := a.connect(cmd.Context())
		if err != nil {
			return err
		}
		defer cl.Close()
		ctx, cancel := context.WithTimeoutCause(cmd.Context(), a.timeout, errTimeout)
		defer cancel()
		if err := work(ctx, cl, args); err != nil {
			if context.Cause(ctx) == errTimeout {
				return fmt.Errorf("no answer within %v (--timeout): %w", a.timeout, err)
			}
			return err
		}
		return nil
	}
}

var errTimeout = fmt.Errorf("timed out")

// topicArgs completes topic names on the command line.
func (a *app) topicArgs(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	return a.complete(cmd, args, func(ctx context.Context, cl *client) ([]string, error) {
		topics, err := cl.adm.ListTopics(ctx)
		return topics.Names(), err
	})
}

// groupArgs completes group names on the command line.
func (a *app) groupArgs(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	return a.complete(cmd, args, func(ctx context.Context, cl *client) ([]string, error) {
		groups, err := cl.adm.ListGroups(ctx)
		return groups.Groups(), err
	})
}

func (a *app) complete(cmd *cobra.Command, args []string,
	list func(context.Context, *client) ([]string, error)) ([]string, cobra.ShellCompDirective) {
	a.timeout = time.Second
	ctx, cancel := context.WithTimeout(context.Background(), a.timeout)
	defer cancel()
	cl, err := a.connect(ctx)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	defer cl.Close()
	names, err := list(ctx, cl)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}
