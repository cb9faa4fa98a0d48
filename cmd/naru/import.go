package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

const (
	defaultManagement  = "127.0.0.1:15672"
	definitionBytesMax = 64 << 20
)

func (a *app) importCommand() *cobra.Command {
	cmd := a.parent("import", "Take over what another broker has", a.importRabbitCommand())
	a.importsData(cmd)
	return cmd
}

// importFlags are the command line of import rabbitmq.
type importFlags struct {
	management, user string
	timeout          time.Duration
}

func (a *app) importRabbitCommand() *cobra.Command {
	var f importFlags
	cmd := &cobra.Command{
		Use:   "rabbitmq FILE",
		Short: "Make what a file with RabbitMQ's definitions defines",
		Long: "Make what a file with RabbitMQ's definitions defines: virtual hosts, users with their password hashes, permissions,\n" +
			"exchanges, queues, bindings. RabbitMQ writes it with `rabbitmqctl export_definitions FILE`. Messages are not in it.\n\n" +
			"What is there already stays, so that the command can be repeated. Policies are applied to the queues that are there,\n" +
			"and not kept. It ends well if all could be imported, and says what could not.\n\n" +
			"The server needs --amqp and --amqp-management. Once users exist, name one who is an administrator: the password is read from\n" +
			"NARU_PASSWORD.",
		Example: "  naru import rabbitmq definitions.json\n" +
			"  curl -u guest:guest http://rabbit:15672/api/definitions | naru import rabbitmq -\n" +
			"  NARU_PASSWORD=secret naru import rabbitmq definitions.json --user admin --json",
		Args: args(cobra.ExactArgs(1)),
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error { return a.importRabbit(cmd.Context(), args[0], &f) }
	server := defaultManagement
	if v, ok := a.env("NARU_AMQP_MANAGEMENT_SERVER"); ok && v != "" {
		server = v
	}
	fl := cmd.Flags()
	fl.StringVar(&f.management, "management", server, "`ADDR` of the broker's endpoint --amqp-management, (NARU_AMQP_MANAGEMENT_SERVER)")
	fl.StringVar(&f.user, "user", "guest", "`NAME` to log in with")
	fl.DurationVar(&f.timeout, "timeout", 5*time.Minute, "how long the import may take")
	fl.BoolVar(&a.json, "json", false, "print JSON")
	return cmd
}

// importReport is what the server says of definitions.
type importReport struct {
	Made        []importItem `json:"made"`
	Existed     []importItem `json:"existed"`
	Ignored     []importItem `json:"ignored"`
	Unsupported []importItem `json:"unsupported"`
	Failed      []importItem `json:"failed"`
}

type importItem struct {
	Kind   string `json:"kind"`
	VHost  string `json:"vhost,omitempty"`
	Name   string `json:"name"`
	Reason string `json:"reason,omitempty"`
}

func (a *app) importRabbit(ctx context.Context, name string, f *importFlags) error {
	definitions, err := a.readDefinitions(name)
	if err != nil {
		return err
	}
	r, err := a.sendDefinitions(ctx, definitions, f)
	if err != nil {
		return err
	}
	if err := a.show(r, r.write); err != nil {
		return err
	}
	if n := len(r.Failed) + len(r.Unsupported); n > 0 {
		return fmt.Errorf("%s could not be imported", plural(int64(n), "definition"))
	}
	return nil
}

func (a *app) readDefinitions(name string) ([]byte, error) {
	in := a.in
	if name != "-" {
		file, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		defer file.Close()
		in = file
	}
	b, err := io.ReadAll(io.LimitReader(in, definitionBytesMax+1))
	switch {
	case err != nil:
		return nil, err
	case len(b) > definitionBytesMax:
		return nil, fmt.Errorf("%s has more than %s", name, humanBytes(definitionBytesMax))
	case !json.Valid(b):
		return nil, fmt.Errorf("%s is not JSON; `rabbitmqctl export_definitions` writes what is wanted", name)
	}
	return b, nil
}

// sendDefinitions hands the definitions to the server.
func (a *app) sendDefinitions(ctx context.Context, definitions []byte, f *importFlags) (*importReport, error) {
	addr := strings.TrimSuffix(strings.TrimPrefix(f.management, "http://"), "/")
	ctx, cancel := context.WithTimeout(ctx, f.timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+addr+"/api/definitions", bytes.NewReader(definitions))
	if err != nil {
		return nil, usageError("--management %q: want host:port, such as %s", f.management, defaultManagement)
	}
	password, _ := a.env("NARU_PASSWORD")
	req.SetBasicAuth(f.user, cmp.Or(password, "guest"))
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Prefer", "return=representation")
	answer, err := (&http.Client{Transport: &http.Transport{}}).Do(req)
	if err != nil {
		var asked *url.Error
		if errors.As(err, &asked) {
			err = asked.Err
		}
		return nil, unreachable{addr, "--management", "management", err}
	}
	defer answer.Body.Close()
	var r struct {
		importReport
		Reason any `json:"reason"`
	}
	body, err := io.ReadAll(io.LimitReader(answer.Body, answerBytesMax))
	if err == nil && len(body) > 0 {
		err = json.Unmarshal(body, &r)
	}
	switch {
	case answer.StatusCode == http.StatusUnauthorized:
		return nil, fmt.Errorf("the server does not let user %q import: want an administrator (--user, NARU_PASSWORD)", f.user)
	case answer.StatusCode != http.StatusOK && r.Failed == nil:
		return nil, fmt.Errorf("the server at %s refused: %s %v", addr, answer.Status, r.Reason)
	case err != nil:
		return nil, fmt.Errorf("answer of %s is not what this version of naru understands: %w", addr, err)
	}
	return &r.importReport, nil
}

// write is for people: what was not imported comes last, where it is seen.
func (r *importReport) write(w io.Writer) error {
	t := newTable("RESULT", "KIND", "VHOST", "NAME", "REASON")
	for _, part := range []struct {
		result string
		items  []importItem
	}{{"exists", r.Existed}, {"made", r.Made}, {"ignored", r.Ignored}, {"unsupported", r.Unsupported}, {"failed", r.Failed}} {
		for _, x := range part.items {
			t.row(part.result, x.Kind, x.VHost, x.Name, x.Reason)
		}
	}
	return t.write(w)
}
