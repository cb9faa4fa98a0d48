package main

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/types/known/durationpb"

	naruv1 "github.com/narumq/naru/api/naru/v1"
)

// triggerCreateFlags are the command line of trigger create.
type triggerCreateFlags struct {
	queue    string
	on       []string
	webhook  string
	headers  []string
	env      []string
	dir      string
	timeout  time.Duration
	running  int32
	attempts int32
}

func (a *app) triggerCreateCommand() *cobra.Command {
	var f triggerCreateFlags
	cmd := &cobra.Command{
		Use:   "create NAME --queue QUEUE --on WHEN [--webhook URL | -- PROGRAM ARG...]",
		Short: "Create a trigger: a program or a webhook that a queue's state starts",
		Long: "Create a trigger. WHEN is one of\n\n" +
			"  first                 the queue was empty, and is not any more\n" +
			"  every                 a message came\n" +
			"  depth=N               N messages are ready\n" +
			"  depth=N,wait=30s      the same, or fewer, of which one has waited that long\n\n" +
			"and with ,priority=P only messages of that priority (lane) or above count. Of several --on any\n" +
			"fires it, once each time its number is reached. Messages in flight or delayed do not count.\n\n" +
			"The program runs on the server's machine, with NARU_TRIGGER, NARU_QUEUE, NARU_RUN, NARU_CONDITION\n" +
			"and NARU_DEPTH in its environment; for every, NARU_MESSAGE_ID, NARU_PARTITION and NARU_OFFSET. The\n" +
			"server has to allow that (--trigger-programs). A webhook gets the same as JSON. Either is tried again\n" +
			"if it fails, under the same run id.",
		Example: "  naru trigger create drain --queue mails --on first -- /usr/local/bin/send-mails\n" +
			"  naru trigger create batch --queue orders --on depth=10,priority=5 --on depth=10 --webhook http://localhost:9000/batch\n" +
			"  naru trigger create flush --queue orders --on depth=100,wait=30s -- sh -c 'flush --max 100'",
		Args: args(cobra.MinimumNArgs(1)),
	}
	cmd.RunE = a.queueWork(func(ctx context.Context, c *api, names []string) error {
		spec, err := f.spec(names[0], names[1:])
		if err != nil {
			return err
		}
		var t triggerJSON
		err = c.call(ctx, 0, func(ctx context.Context) error {
			answer, err := c.triggers.CreateTrigger(ctx, &naruv1.CreateTriggerRequest{Spec: spec})
			t = triggerOf(answer)
			return err
		})
		if err != nil {
			return aboutTrigger(names[0], err)
		}
		a.done("created trigger %q on queue %q (%s)", t.Name, t.Queue, t.on())
		return nil
	})
	fl := cmd.Flags()
	fl.StringVar(&f.queue, "queue", "", "`QUEUE` to look at")
	fl.StringArrayVar(&f.on, "on", nil, "`WHEN` to fire, once per condition")
	fl.StringVar(&f.webhook, "webhook", "", "`URL` to post to, instead of a program")
	fl.StringArrayVar(&f.headers, "header", nil, "header of the webhook as `NAME=VALUE`, once per header")
	fl.StringArrayVar(&f.env, "env", nil, "variable of the program as `NAME=VALUE`, once per variable")
	fl.StringVar(&f.dir, "dir", "", "`DIR` that the program runs in")
	fl.DurationVar(&f.timeout, "try-timeout", 0, "how long one try may take; 0 is an hour for a program, 30s for a webhook")
	fl.Int32Var(&f.running, "max-running", 1, "runs at a time; what fires meanwhile waits")
	fl.Int32Var(&f.attempts, "attempts", 5, "how often a run that fails is tried")
	a.apiFlags(cmd)
	cmd.RegisterFlagCompletionFunc("queue", a.queueArgs)
	cmd.RegisterFlagCompletionFunc("on", cobra.FixedCompletions([]string{"first", "every", "depth="}, cobra.ShellCompDirectiveNoSpace))
	return cmd
}

// spec turns the command line into a request.
func (f *triggerCreateFlags) spec(name string, argv []string) (*naruv1.TriggerSpec, error) {
	spec := &naruv1.TriggerSpec{Trigger: name, Queue: f.queue, MaxRunning: f.running, AttemptsMax: f.attempts}
	switch {
	case f.queue == "":
		return nil, usageError("--queue is missing: name the queue that the trigger looks at")
	case len(f.on) == 0:
		return nil, usageError("--on is missing: want first, every or depth=N")
	case f.webhook == "" && len(argv) == 0:
		return nil, usageError("nothing to do: want --webhook URL, or a program after --")
	case f.webhook != "" && (len(argv) > 0 || len(f.env) > 0 || f.dir != ""):
		return nil, usageError("--webhook and a program exclude each other")
	case f.webhook == "" && len(f.headers) > 0:
		return nil, usageError("--header goes with --webhook")
	case f.timeout < 0:
		return nil, usageError("--try-timeout %v: want 0 or more", f.timeout)
	}
	for _, text := range f.on {
		c, err := parseCondition(text)
		if err != nil {
			return nil, err
		}
		spec.Conditions = append(spec.Conditions, c)
	}
	env, err := pairs("env", f.env)
	if err != nil {
		return nil, err
	}
	headers, err := pairs("header", f.headers)
	if err != nil {
		return nil, err
	}
	if f.webhook != "" {
		spec.Action = &naruv1.TriggerSpec_Webhook{Webhook: &naruv1.TriggerWebhook{Url: f.webhook, Headers: headers, Timeout: durationpb.New(f.timeout)}}
	} else {
		spec.Action = &naruv1.TriggerSpec_Program{Program: &naruv1.TriggerProgram{Argv: argv, Env: env, Dir: f.dir, Timeout: durationpb.New(f.timeout)}}
	}
	return spec, nil
}

func pairs(flag string, list []string) (map[string]string, error) {
	out := make(map[string]string, len(list))
	for _, pair := range list {
		k, v, ok := strings.Cut(pair, "=")
		if !ok || k == "" {
			return nil, usageError("--%s %q: want name=value", flag, pair)
		}
		out[k] = v
	}
	return out, nil
}

// parseCondition reads what conditionJSON.String writes.
func parseCondition(text string) (*naruv1.TriggerCondition, error) {
	c := &naruv1.TriggerCondition{}
	for i, part := range strings.Split(text, ",") {
		k, v, given := strings.Cut(part, "=")
		n, err := strconv.ParseInt(v, 10, 32)
		switch {
		case i == 0 && !given && (k == "first" || k == "every"):
			c.On = k
		case i == 0 && k == "depth" && err == nil:
			c.On, c.Depth = k, int32(n)
		case i > 0 && k == "priority" && err == nil:
			c.MinPriority = int32(n)
		case i > 0 && k == "wait":
			d, err := time.ParseDuration(v)
			if err != nil || d <= 0 {
				return nil, usageError("--on %q: wait %q: want a time such as 30s", text, v)
			}
			c.MaxWait = durationpb.New(d)
		default:
			return nil, usageError("--on %q: %q: want first, every or depth=N, then ,priority=P and ,wait=TIME", text, part)
		}
	}
	return c, nil
}
