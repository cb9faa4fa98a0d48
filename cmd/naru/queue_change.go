package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"connectrpc.com/connect"
	"github.com/spf13/cobra"

	naruv1 "github.com/narumq/naru/api/naru/v1"
)

func (a *app) queueDeleteCommand() *cobra.Command {
	var ifExists bool
	cmd := &cobra.Command{
		Use: "delete NAME...", Aliases: []string{"rm"},
		Short: "Delete queues, and the topics that were made for them",
		Args:  args(cobra.MinimumNArgs(1)), ValidArgsFunction: a.queueArgs,
	}
	cmd.RunE = a.queueWork(func(ctx context.Context, c *api, names []string) error {
		var problems []error
		for _, name := range names {
			err := c.call(ctx, 0, func(ctx context.Context) error {
				_, err := c.queues.DeleteQueue(ctx, &naruv1.DeleteQueueRequest{Queue: name})
				return err
			})
			switch {
			case ifExists && isCode(err, connect.CodeNotFound):
				a.done("queue %q does not exist", name)
			case err != nil:
				problems = append(problems, aboutQueue(name, err))
			default:
				a.done("deleted queue %q", name)
			}
		}
		return errors.Join(problems...)
	})
	cmd.Flags().BoolVar(&ifExists, "if-exists", false, "do not fail if a queue does not exist")
	a.apiFlags(cmd)
	return cmd
}

func (a *app) queuePurgeCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "purge NAME...",
		Short: "Forget every message that is in the queues now",
		Long: "Forget every message that is in the queues now, those in flight included. A view leaves its\n" +
			"topic as it is: other queues and groups still get the records.",
		Args: args(cobra.MinimumNArgs(1)), ValidArgsFunction: a.queueArgs,
	}
	cmd.RunE = a.queueWork(func(ctx context.Context, c *api, names []string) error {
		var problems []error
		for _, name := range names {
			err := c.call(ctx, 0, func(ctx context.Context) error {
				_, err := c.queues.PurgeQueue(ctx, &naruv1.PurgeQueueRequest{Queue: name})
				return err
			})
			if err != nil {
				problems = append(problems, aboutQueue(name, err))
				continue
			}
			a.done("purged queue %q", name)
		}
		return errors.Join(problems...)
	})
	a.apiFlags(cmd)
	return cmd
}

// redriveFlags are the command line of queue redrive.
type redriveFlags struct {
	to         string
	rate       int32
	background bool
	cancel     bool
}

// redrivePoll is how often a redrive is asked how far it is.
const redrivePoll = 100 * time.Millisecond

func (a *app) queueRedriveCommand() *cobra.Command {
	var f redriveFlags
	cmd := &cobra.Command{
		Use:   "redrive NAME",
		Short: "Move the messages of a dead-letter queue back to where they came from",
		Long: "Move what is ready in a dead-letter queue back to the queues that the messages came from, or all\n" +
			"to one. The command waits for the end; interrupting it leaves the redrive running, and\n" +
			"`naru queue describe` shows how far it is. It also goes on after a restart of the server.",
		Example: "  naru queue redrive mails-dead --rate 10\n" +
			"  naru queue redrive mails-dead --to mails-retry --background",
		Args: args(cobra.ExactArgs(1)), ValidArgsFunction: a.oneQueueArg,
	}
	cmd.RunE = a.queueWork(func(ctx context.Context, c *api, names []string) error {
		if f.rate < 0 {
			return usageError("--rate %d: want 0 or more", f.rate)
		}
		if f.cancel {
			return a.cancelRedrive(ctx, c, names[0])
		}
		return a.redrive(ctx, c, names[0], &f)
	})
	fl := cmd.Flags()
	fl.StringVar(&f.to, "to", "", "`QUEUE` that gets all of them (default: the one that each came from)")
	fl.Int32Var(&f.rate, "rate", 0, "at most so many messages per second; 0 is as fast as it goes")
	fl.BoolVar(&f.background, "background", false, "do not wait for the end")
	fl.BoolVar(&f.cancel, "cancel", false, "stop the redrive that runs; what was moved stays moved")
	a.jsonFlag(cmd)
	a.apiFlags(cmd)
	cmd.RegisterFlagCompletionFunc("to", a.queueArgs)
	return cmd
}

func (a *app) redrive(ctx context.Context, c *api, name string, f *redriveFlags) error {
	var task redriveJSON
	err := c.call(ctx, 0, func(ctx context.Context) error {
		r, err := c.queues.StartRedrive(ctx, &naruv1.StartRedriveRequest{Queue: name, To: f.to, PerSecond: f.rate})
		task = redriveOf(r)
		return err
	})
	if err != nil {
		return aboutQueue(name, err)
	}
	if f.background {
		return a.showRedrive(&task)
	}
	tick := time.NewTicker(redrivePoll)
	defer tick.Stop()
	for task.State == "running" || task.State == "cancelling" {
		select {
		case <-ctx.Done():
			a.done("redrive %s goes on (`naru queue redrive %s --cancel` stops it)", task.ID, name)
			return ctx.Err()
		case <-tick.C:
		}
		found, err := c.findRedrive(ctx, name, func(r *redriveJSON) bool { return r.ID == task.ID })
		if err != nil {
			return err
		}
		task = *found
	}
	if err := a.showRedrive(&task); err != nil {
		return err
	}
	if task.State != "completed" {
		return fmt.Errorf("redrive %s %s: %s", task.ID, task.State, task.Failure)
	}
	return nil
}

func (c *api) findRedrive(ctx context.Context, name string, is func(*redriveJSON) bool) (*redriveJSON, error) {
	list, err := c.listRedrives(ctx, name)
	if err != nil {
		return nil, aboutQueue(name, err)
	}
	for i := range list {
		if is(&list[i]) {
			return &list[i], nil
		}
	}
	return nil, fmt.Errorf("queue %q has no such redrive", name)
}

func (a *app) cancelRedrive(ctx context.Context, c *api, name string) error {
	running, err := c.findRedrive(ctx, name, func(r *redriveJSON) bool { return r.State == "running" })
	if err != nil {
		return err
	}
	err = c.call(ctx, 0, func(ctx context.Context) error {
		_, err := c.queues.CancelRedrive(ctx, &naruv1.CancelRedriveRequest{Redrive: running.ID})
		return err
	})
	if err != nil {
		return aboutQueue(name, err)
	}
	a.done("redrive %s is being cancelled; %s moved so far", running.ID, plural(running.Moved, "message"))
	return nil
}

func (a *app) showRedrive(r *redriveJSON) error {
	return a.show(r, func(w io.Writer) error {
		_, err := fmt.Fprintf(w, "redrive %s of %q to %s: %s, %s moved\n", r.ID, r.From, redriveTo(r), r.State, plural(r.Moved, "message"))
		return err
	})
}
