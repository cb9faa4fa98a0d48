package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/narumq/naru/internal/front/admin"
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
	cmd.Flags().StringVar(&a.http, "http", server, "`ADDR` of the broker's HTTP endpoint, on this machine (NARU_HTTP_SERVER)")
	cmd.Flags().DurationVar(&a.timeout, "timeout", 15*time.Second, "how long to wait for the broker's answer")
}

// api is the broker's HTTP endpoint as the commands for queues use it.
type api struct {
	addr    string
	client  *http.Client
	timeout time.Duration
}

func (a *app) api() (*api, error) {
	addr := strings.TrimSuffix(strings.TrimPrefix(a.http, "http://"), "/")
	if _, _, err := net.SplitHostPort(addr); err != nil || strings.Contains(addr, "/") {
		return nil, usageError("--http %q: want host:port, such as %s", a.http, defaultHTTP)
	}
	return &api{addr: addr, timeout: a.timeout, client: &http.Client{Transport: &http.Transport{
		DialContext:         (&net.Dialer{Timeout: min(a.timeout, 10*time.Second)}).DialContext,
		MaxIdleConnsPerHost: 4, // no proxy: the server is on this machine
	}}}, nil
}

// close gives idle connections back.
func (c *api) close() { c.client.CloseIdleConnections() }

// queuePath is the path of what belongs to a queue.
func queuePath(name string, more ...string) string {
	return "/v1/queues/" + strings.Join(append([]string{url.PathEscape(name)}, more...), "/")
}

func (c *api) get(ctx context.Context, path string, out any) error {
	return c.do(ctx, http.MethodGet, path, 0, nil, out)
}

func (c *api) post(ctx context.Context, path string, in, out any) error {
	return c.do(ctx, http.MethodPost, path, 0, in, out)
}

func (c *api) delete(ctx context.Context, path string) error {
	return c.do(ctx, http.MethodDelete, path, 0, nil, nil)
}

// do asks once. The server may take wait longer than --timeout.
func (c *api) do(ctx context.Context, method, path string, wait time.Duration, in, out any) error {
	ctx, cancel := context.WithTimeoutCause(ctx, c.timeout+wait, errTimeout)
	defer cancel()
	var body bytes.Buffer
	if in != nil {
		if err := json.NewEncoder(&body).Encode(in); err != nil {
			return err
		}
	}
	r, err := http.NewRequestWithContext(ctx, method, "http://"+c.addr+path, &body)
	if err != nil {
		return usageError("--http %q: %w", c.addr, err)
	}
	r.Header.Set("Content-Type", "application/json")
	resp, err := c.client.Do(r)
	if err != nil {
		var asked *url.Error
		if errors.As(err, &asked) {
			err = asked.Err
		}
		if context.Cause(ctx) != errTimeout && ctx.Err() != nil {
			return context.Canceled
		}
		return unreachable{c.addr, "--http", "HTTP", err}
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, answerBytesMax))
	if err != nil {
		return fmt.Errorf("answer of %s: %w", c.addr, err)
	}
	if resp.StatusCode != http.StatusOK {
		return refusalOf(resp, b)
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(b, out); err != nil {
		return fmt.Errorf("answer of %s is not what this version of naru understands: %w", c.addr, err)
	}
	return nil
}

// refusalOf reads the error of an answer, whoever made it.
func refusalOf(resp *http.Response, b []byte) error {
	var answer struct {
		Error *admin.Error `json:"error"`
	}
	if json.Unmarshal(b, &answer) == nil && answer.Error != nil {
		return answer.Error
	}
	return fmt.Errorf("answer of %s: %s: %s", resp.Request.URL.Host, resp.Status, clip(bytes.TrimSpace(b)))
}

// isCode tells whether the server's error has that code of package fault.
func isCode(err error, code string) bool {
	var e *admin.Error
	return errors.As(err, &e) && e.Code == code
}

// aboutQueue puts a server's error into words about one queue.
func aboutQueue(name string, err error) error {
	var e *admin.Error
	if !errors.As(err, &e) {
		return err
	}
	switch {
	case e.Code == "not_found" && strings.HasSuffix(e.Message, ": "+name) && !strings.HasPrefix(e.Message, "dead-letter"):
		return fmt.Errorf("queue %q does not exist (`naru queue list` shows what does)", name)
	case e.Code == "already_exists":
		return fmt.Errorf("queue %q exists already (--if-not-exists accepts that)", name)
	}
	return fmt.Errorf("queue %q: %w", name, e)
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
	var list admin.QueueList
	if c.get(context.Background(), "/v1/queues", &list) != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var names []string
	for _, q := range list.Queues {
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
