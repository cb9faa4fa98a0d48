package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/types/known/durationpb"

	naruv1 "github.com/narumq/naru/api/naru/v1"
)

// receiveFlags are the command line of receive.
type receiveFlags struct {
	max         int64
	wait, lease time.Duration
	ack, follow bool
	quiet       bool
	messageWriter
}

const (
	receiveMax   = 1000 // of one request
	receiveBatch = 100
	followWait   = 20 * time.Second // of one request; then the next
)

func (a *app) receiveCommand() *cobra.Command {
	var f receiveFlags
	cmd := &cobra.Command{
		Use:   "receive QUEUE",
		Short: "Receive messages from a queue",
		Long: "Receive messages and write them out: one, or up to --max, or with --follow all that come. They\n" +
			"belong to this command for the --lease; then they are delivered again, unless --ack ended them.\n" +
			"--ack does so when the message is written out.\n\n" +
			"Fields of --format: " + messageFormatHelp,
		Example: "  naru receive mails --ack\n" +
			"  naru receive mails --max 10 --wait 20s --format '%a %v\\n'\n" +
			"  naru receive mails --ack --follow --json | worker",
		Args: args(cobra.ExactArgs(1)), ValidArgsFunction: a.oneQueueArg,
	}
	cmd.RunE = a.queueWork(func(ctx context.Context, c *api, names []string) error {
		if err := f.parse(cmd, a.json); err != nil {
			return err
		}
		switch {
		case f.max < 1:
			return usageError("--max %d: want 1 or more", f.max)
		case f.wait < 0 || f.wait > 5*time.Minute:
			return usageError("--wait %v: want 0s to 5m", f.wait)
		case f.lease < 0:
			return usageError("--lease %v: want a time such as 30s", f.lease)
		}
		left := f.max
		if f.follow && !cmd.Flags().Changed("max") {
			left = -1
		}
		r := &receiver{a: a, c: c, queue: names[0], f: &f, left: left, out: bufio.NewWriterSize(a.out, 64<<10)}
		err := r.run(ctx)
		if !f.ack && !f.quiet && r.received > 0 {
			fmt.Fprintf(a.err, "received %s; delivered again after %s, as there was no --ack\n",
				plural(r.received, "message"), span(r.lease.Milliseconds()))
		}
		if f.follow && errors.Is(err, context.Canceled) {
			return nil // Ctrl-C is how following ends
		}
		return err
	})
	fl := cmd.Flags()
	fl.Int64VarP(&f.max, "max", "n", 1, "stop after so `MANY` messages (with --follow: no limit)")
	fl.DurationVarP(&f.wait, "wait", "w", 0, "how long to wait for the first message")
	fl.DurationVar(&f.lease, "lease", 0, "how long the messages belong to this command (default: the queue's lease)")
	fl.BoolVar(&f.ack, "ack", false, "end each message once it is written out")
	fl.BoolVarP(&f.follow, "follow", "F", false, "wait for more messages; Ctrl-C ends")
	fl.BoolVarP(&f.quiet, "quiet", "q", false, "do not say what happens to messages without --ack")
	f.flags(a, cmd)
	a.apiFlags(cmd)
	return cmd
}

// receiver moves messages from a queue to standard output.
type receiver struct {
	a        *app
	c        *api
	queue    string
	f        *receiveFlags
	left     int64 // -1: no limit
	received int64
	lease    time.Duration
	out      *bufio.Writer
}

// run receives until there is enough, or nothing more within the wait.
func (r *receiver) run(ctx context.Context) error {
	wait := r.f.wait
	for r.left != 0 {
		if r.f.follow {
			wait = followWait
		}
		list, err := r.receive(ctx, wait)
		if err != nil {
			return err
		}
		if len(list) == 0 && !r.f.follow {
			return nil
		}
		if err := r.deliver(ctx, list); err != nil {
			return err
		}
		wait = 0 // it is for the first
	}
	return nil
}

func (r *receiver) receive(ctx context.Context, wait time.Duration) ([]*delivery, error) {
	in := &naruv1.ReceiveRequest{Queue: r.queue, MaxMessages: receiveBatch, Wait: durationpb.New(wait)}
	if r.left >= 0 {
		in.MaxMessages = int32(min(r.left, receiveBatch))
	}
	if r.f.lease > 0 {
		in.Lease = durationpb.New(max(time.Millisecond, r.f.lease))
	}
	var got *naruv1.ReceiveResponse
	err := r.c.call(ctx, wait, func(ctx context.Context) (err error) {
		got, err = r.c.queues.Receive(ctx, in)
		return err
	})
	if err != nil {
		return nil, aboutQueue(r.queue, err)
	}
	r.lease = got.GetLease().AsDuration()
	list := make([]*delivery, len(got.GetMessages()))
	for i, m := range got.GetMessages() {
		list[i] = deliveryOf(m)
	}
	return list, nil
}

// deliver writes messages out and then ends them. What cannot be written goes
// back at once.
func (r *receiver) deliver(ctx context.Context, list []*delivery) error {
	if len(list) == 0 {
		return nil
	}
	receipts := make([]string, len(list))
	var line []byte
	var err error
	for i := range list {
		receipts[i] = list[i].Receipt
		if err == nil {
			line = r.f.write(line[:0], r.queue, list[i])
			_, err = r.out.Write(line)
		}
	}
	if err == nil {
		err = r.out.Flush()
	}
	// An interrupt must not leave in flight what was written out.
	ctx = context.WithoutCancel(ctx)
	if err != nil {
		r.c.call(ctx, 0, func(ctx context.Context) error { // else the lease ends
			_, err := r.c.queues.Nack(ctx, &naruv1.NackRequest{Queue: r.queue, Deliveries: receipts})
			return err
		})
		return fmt.Errorf("standard output: %w", err)
	}
	r.received += int64(len(list))
	if r.left > 0 {
		r.left -= int64(len(list))
	}
	if !r.f.ack {
		return nil
	}
	var ended *naruv1.SettleResponse
	err = r.c.call(ctx, 0, func(ctx context.Context) (err error) {
		ended, err = r.c.queues.Ack(ctx, &naruv1.AckRequest{Queue: r.queue, Deliveries: receipts})
		return err
	})
	if err != nil {
		return aboutQueue(r.queue, err)
	}
	for i, one := range ended.GetResults() {
		if e := one.GetError(); e != nil && i < len(list) {
			return fmt.Errorf("message %s was not ended: %s (see --lease)", list[i].ID, e.GetMessage())
		}
	}
	return nil
}
