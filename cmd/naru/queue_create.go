package main

import (
	"context"
	"math"
	"strings"
	"time"

	"connectrpc.com/connect"
	"github.com/spf13/cobra"
	"google.golang.org/protobuf/types/known/durationpb"

	naruv1 "github.com/narumq/naru/api/naru/v1"
	"github.com/narumq/naru/internal/server"
)

// queueCreateFlags are the command line of queue create.
type queueCreateFlags struct {
	topic, filter, deadLetter, dedup string
	messageBytesMax                  string
	lanes, attempts                  int32
	lease, delay, wait, retention    time.Duration
	fifo, byContent, deadExpired     bool
	tags                             []string
	ifNotExists                      bool
}

func (a *app) queueCreateCommand() *cobra.Command {
	var f queueCreateFlags
	cmd := &cobra.Command{
		Use:   "create NAME",
		Short: "Create a queue, of its own or as a view on a topic",
		Long: "Create a queue. On its own it gets a topic of its name, which goes with it. With --topic it is a\n" +
			"view: every record of that topic is a message of the queue, nothing is copied, and any number of\n" +
			"queues may view one topic. --filter takes only some: header=value or header!=value, with commas\n" +
			"between (all have to hold); key stands for the record's key.\n\n" +
			"A --fifo queue delivers each group in order and one after the other. A name that ends in .fifo is\n" +
			"one, with --dedup queue, as SQS clients expect it.",
		Example: "  naru queue create mails\n" +
			"  naru queue create mails-dead && naru queue create mails --attempts 5 --dead-letter mails-dead\n" +
			"  naru queue create urgent --lanes 3\n" +
			"  naru queue create refunds --topic orders --filter kind=refund\n" +
			"  naru queue create payments.fifo --dedup group",
		Args: args(cobra.ExactArgs(1)),
	}
	cmd.RunE = a.queueWork(func(ctx context.Context, c *api, names []string) error {
		in, err := f.request(names[0], cmd.Flags().Changed)
		if err != nil {
			return err
		}
		var q queueJSON
		err = c.call(ctx, 0, func(ctx context.Context) error {
			made, err := c.queues.CreateQueue(ctx, in)
			q = queueOf(made)
			return err
		})
		if f.ifNotExists && isCode(err, connect.CodeAlreadyExists) {
			a.done("queue %q exists already", in.Queue)
			return nil
		}
		if err != nil {
			return aboutQueue(in.Queue, err)
		}
		if q.Owned {
			a.done("created queue %q (%s)", q.Name, kindOfQueue(&q))
		} else {
			a.done("created queue %q (%s) on topic %q", q.Name, kindOfQueue(&q), q.Topic)
		}
		return nil
	})
	fl := cmd.Flags()
	fl.StringVar(&f.topic, "topic", "", "view this `TOPIC`, which exists")
	fl.StringVar(&f.filter, "filter", "", "deliver only records for which all `TERMS` hold, such as kind=refund,region!=eu")
	fl.Int32Var(&f.lanes, "lanes", 1, "priority levels, 1 to 10; a higher lane is delivered first")
	fl.BoolVar(&f.fifo, "fifo", false, "deliver in order within each group")
	fl.DurationVar(&f.lease, "lease", 30*time.Second, "how long a delivered message belongs to its consumer")
	fl.DurationVar(&f.delay, "delay", 0, "how long a message is held back after it was sent")
	fl.DurationVar(&f.wait, "wait", 0, "how long a receive waits that does not say")
	fl.DurationVar(&f.retention, "retention", 4*24*time.Hour, "how long a message is kept")
	fl.Int32Var(&f.attempts, "attempts", 0, "deliveries of a message before it goes to --dead-letter, or is dropped without one; 0 is no limit")
	fl.StringVar(&f.deadLetter, "dead-letter", "", "`QUEUE` for messages that were delivered --attempts times")
	fl.BoolVar(&f.deadExpired, "dead-letter-expired", false, "messages that expire go to --dead-letter, too")
	fl.StringVar(&f.dedup, "dedup", "", "a dedup id is unique for five minutes within the `SCOPE`: none, queue or group")
	fl.BoolVar(&f.byContent, "dedup-by-content", false, "a message without dedup id gets one from its value")
	fl.StringVar(&f.messageBytesMax, "message-bytes-max", "1MiB", "largest message, in `BYTES`")
	fl.StringArrayVar(&f.tags, "tag", nil, "tag as `NAME=VALUE`, once per tag")
	fl.BoolVar(&f.ifNotExists, "if-not-exists", false, "do not fail if the queue exists already")
	a.apiFlags(cmd)
	cmd.RegisterFlagCompletionFunc("dead-letter", a.queueArgs)
	cmd.RegisterFlagCompletionFunc("dedup", cobra.FixedCompletions([]string{"none", "queue", "group"}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

// request turns the flags into a request; changed tells which were given.
func (f *queueCreateFlags) request(name string, changed func(string) bool) (*naruv1.CreateQueueRequest, error) {
	if strings.HasSuffix(name, ".fifo") {
		f.fifo = true
		if !changed("dedup") {
			f.dedup = "queue"
		}
	}
	if f.dedup == "none" {
		f.dedup = ""
	}
	if f.byContent && f.dedup == "" {
		f.dedup = "queue"
	}
	set := &naruv1.NewQueueSettings{
		Ordered: &f.fifo, AttemptsMax: &f.attempts, DeadLetter: &f.deadLetter, DeadLetterExpired: &f.deadExpired,
		Dedup: &f.dedup, DedupByContent: &f.byContent, Filter: &f.filter, Lanes: &f.lanes,
	}
	in := &naruv1.CreateQueueRequest{Queue: name, Topic: f.topic, Settings: set}
	if f.deadLetter != "" && f.attempts == 0 && !f.deadExpired {
		return nil, usageError("--dead-letter wants --attempts (or --dead-letter-expired): else no message would ever go there")
	}
	for _, d := range []struct {
		flag  string
		value time.Duration
		to    **durationpb.Duration
	}{{"lease", f.lease, &set.Lease}, {"delay", f.delay, &set.Delay}, {"wait", f.wait, &set.Wait}, {"retention", f.retention, &set.Retention}} {
		if d.value < 0 {
			return nil, usageError("--%s %v: want 0 or more", d.flag, d.value)
		}
		*d.to = durationpb.New(d.value)
	}
	size, err := server.ParseBytes(f.messageBytesMax)
	if err == nil && size > math.MaxInt32 {
		size = math.MaxInt32 // the server says what is too large
	}
	if err != nil {
		return nil, usageError("--message-bytes-max %q: %w", f.messageBytesMax, err)
	}
	n := int32(size)
	set.MessageBytesMax = &n
	for _, pair := range f.tags {
		k, v, ok := strings.Cut(pair, "=")
		if !ok || k == "" {
			return nil, usageError("--tag %q: want name=value", pair)
		}
		if in.Tags == nil {
			in.Tags = make(map[string]string)
		}
		in.Tags[k] = v
	}
	return in, nil
}
