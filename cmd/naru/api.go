package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"connectrpc.com/connect"
	"github.com/spf13/cobra"

	naruv1 "github.com/narumq/naru/api/naru/v1"
	"github.com/narumq/naru/api/naru/v1/naruv1connect"
)

const defaultHTTP = "127.0.0.1:8080"

// answerBytesMax bounds an answer of the server.
const answerBytesMax = 256 << 20

// apiFlags adds what every command that works with queues has.
func (a *app) apiFlags(cmd *cobra.Command) {
	server := defaultHTTP
	if v, ok := a.env("NARU_HTTP_SERVER"); ok && v != "" {
		server = v
	}
	cmd.Flags().StringVar(&a.http, "http", server, "`ADDR` of the broker's HTTP endpoint, (NARU_HTTP_SERVER)")
	cmd.Flags().DurationVar(&a.timeout, "timeout", 15*time.Second, "how long to wait for the broker's answer")
}

// api is the broker's API as commands use it.
type api struct {
	addr     string
	client   *http.Client
	timeout  time.Duration
	queues   naruv1connect.QueueServiceClient
	triggers naruv1connect.TriggerServiceClient
	users    naruv1connect.UserServiceClient
}

func (a *app) api() (*api, error) {
	addr := strings.TrimSuffix(strings.TrimPrefix(a.http, "http://"), "/")
	if _, _, err := net.SplitHostPort(addr); err != nil || strings.Contains(addr, "/") {
		return nil, usageError("--http %q: want host:port, such as %s", a.http, defaultHTTP)
	}
	c := &api{addr: addr, timeout: a.timeout, client: &http.Client{Transport: &http.Transport{
		DialContext:         (&net.Dialer{Timeout: min(a.timeout, 10*time.Second)}).DialContext,
		MaxIdleConnsPerHost: 4, // no proxy: the server is on this machine
	}}}
	c.queues = naruv1connect.NewQueueServiceClient(c.client, c.base(), connect.WithReadMaxBytes(answerBytesMax))
	c.triggers = naruv1connect.NewTriggerServiceClient(c.client, c.base(), connect.WithReadMaxBytes(answerBytesMax))
	c.users = naruv1connect.NewUserServiceClient(c.client, c.base(), connect.WithReadMaxBytes(answerBytesMax))
	return c, nil
}

func (c *api) base() string { return "http://" + c.addr }

// close gives idle connections back.
func (c *api) close() { c.client.CloseIdleConnections() }

// call asks once. The server may take wait longer than --timeout.
func (c *api) call(ctx context.Context, wait time.Duration, ask func(context.Context) error) error {
	ctx, cancel := context.WithTimeoutCause(ctx, c.timeout+wait, errTimeout)
	defer cancel()
	err := ask(ctx)
	var e *connect.Error
	switch {
	case err == nil || errors.As(err, &e) && connect.IsWireError(err):
		return err
	case context.Cause(ctx) != errTimeout && ctx.Err() != nil:
		return context.Canceled
	}
	var asked *url.Error
	switch {
	case errors.As(err, &asked):
		err = asked.Err
	case e != nil && e.Unwrap() != nil:
		err = e.Unwrap()
	}
	if strings.Contains(err.Error(), "HTTP status") || strings.Contains(err.Error(), "content-type") {
		return fmt.Errorf("answer of %s is not what this version of naru understands: %w", c.addr, err)
	}
	return unreachable{c.addr, "--http", "HTTP", err}
}

// isCode tells whether the server's error has that code.
func isCode(err error, code connect.Code) bool {
	return err != nil && connect.CodeOf(err) == code
}

// aboutQueue puts a server's error into words about one queue.
func aboutQueue(name string, err error) error {
	var e *connect.Error
	if !errors.As(err, &e) || !connect.IsWireError(err) {
		return err
	}
	text := e.Message()
	switch {
	case e.Code() == connect.CodeNotFound && strings.HasSuffix(text, ": "+name) && !strings.HasPrefix(text, "dead-letter"):
		return fmt.Errorf("queue %q does not exist (`naru queue list` shows what does)", name)
	case e.Code() == connect.CodeAlreadyExists:
		return fmt.Errorf("queue %q exists already (--if-not-exists accepts that)", name)
	}
	return fmt.Errorf("queue %q: %s", name, text)
}

// listQueues lists all queues.
func (c *api) listQueues(ctx context.Context) (list []queueJSON, err error) {
	list = []queueJSON{}
	for token, more := "", true; more && err == nil; more = token != "" {
		err = c.call(ctx, 0, func(ctx context.Context) error {
			page, err := c.queues.ListQueues(ctx, &naruv1.ListQueuesRequest{PageToken: token})
			for _, q := range page.GetQueues() {
				list = append(list, queueOf(q))
			}
			token = page.GetNextPageToken()
			return err
		})
	}
	return list, err
}

// listRedrives lists those of a queue, the newest first.
func (c *api) listRedrives(ctx context.Context, name string) (list []redriveJSON, err error) {
	list = []redriveJSON{}
	err = c.call(ctx, 0, func(ctx context.Context) error {
		answer, err := c.queues.ListRedrives(ctx, &naruv1.ListRedrivesRequest{Queue: name})
		for _, r := range answer.GetRedrives() {
			list = append(list, redriveOf(r))
		}
		return err
	})
	return list, err
}

// queueWork is the work of a command with the server.
func (a *app) queueWork(work func(ctx context.Context, c *api, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		c, err := a.api()
		if err != nil {
			return err
		}
		defer c.close()
		return work(cmd.Context(), c, args)
	}
}

// queueArgs completes names of queues on the command line.
func (a *app) queueArgs(_ *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	a.timeout = time.Second
	c, err := a.api()
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	defer c.close()
	list, err := c.listQueues(context.Background())
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var names []string
	for _, q := range list {
		names = append(names, q.Name)
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// oneQueueArg completes the first argument only.
func (a *app) oneQueueArg(cmd *cobra.Command, args []string, to string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return a.queueArgs(cmd, args, to)
}
