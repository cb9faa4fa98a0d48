package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"connectrpc.com/connect"
	"github.com/spf13/cobra"

	naruv1 "github.com/narumq/naru/api/naru/v1"
)

func (a *app) triggerCommand() *cobra.Command {
	return a.parent("trigger", "Create, list, describe and delete triggers, which start work when a queue's state says so",
		a.triggerCreateCommand(), a.triggerListCommand(), a.triggerDescribeCommand(), a.triggerDeleteCommand())
}

// aboutTrigger puts a server's error into words about one trigger.
func aboutTrigger(name string, err error) error {
	var e *connect.Error
	if !errors.As(err, &e) || !connect.IsWireError(err) {
		return err
	}
	text := e.Message()
	switch {
	case e.Code() == connect.CodeNotFound && strings.HasPrefix(text, "unknown trigger"):
		return fmt.Errorf("trigger %q does not exist (`naru trigger list` shows what does)", name)
	case e.Code() == connect.CodeAlreadyExists:
		return fmt.Errorf("trigger %q exists already", name)
	}
	return fmt.Errorf("trigger %q: %s", name, text)
}

func (c *api) listTriggers(ctx context.Context) (list []triggerJSON, err error) {
	list = []triggerJSON{}
	err = c.call(ctx, 0, func(ctx context.Context) error {
		answer, err := c.triggers.ListTriggers(ctx, &naruv1.ListTriggersRequest{})
		for _, t := range answer.GetTriggers() {
			list = append(list, triggerOf(t))
		}
		return err
	})
	return list, err
}

func (a *app) triggerListCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "list", Aliases: []string{"ls"},
		Short: "List triggers and how often they fired",
		Args:  args(cobra.NoArgs),
	}
	cmd.RunE = a.queueWork(func(ctx context.Context, c *api, _ []string) error {
		list, err := c.listTriggers(ctx)
		if err != nil {
			return err
		}
		return a.show(list, func(w io.Writer) error {
			t := newTable("TRIGGER", "QUEUE", "ON", "FIRED", "SUCCEEDED", "FAILED", "WAITING", "RUNNING")
			for i := range list {
				x := &list[i]
				t.row(x.Name, x.Queue, x.on(), x.Fired, x.Succeeded, x.Failed, x.Waiting, x.Running)
			}
			return t.write(w)
		})
	})
	a.jsonFlag(cmd)
	a.apiFlags(cmd)
	return cmd
}

func (a *app) triggerDescribeCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "describe NAME...",
		Short: "Show what triggers wait for and do, and their last runs",
		Args:  args(cobra.MinimumNArgs(1)), ValidArgsFunction: a.triggerArgs,
	}
	cmd.RunE = a.queueWork(func(ctx context.Context, c *api, names []string) error {
		list := make([]triggerJSON, 0, len(names))
		for _, name := range names {
			err := c.call(ctx, 0, func(ctx context.Context) error {
				t, err := c.triggers.GetTrigger(ctx, &naruv1.GetTriggerRequest{Trigger: name})
				if err == nil {
					list = append(list, triggerOf(t))
				}
				return err
			})
			if err != nil {
				return aboutTrigger(name, err)
			}
		}
		return a.show(list, func(w io.Writer) error {
			for i := range list {
				if i > 0 {
					fmt.Fprintln(w)
				}
				if err := list[i].write(w); err != nil {
					return err
				}
			}
			return nil
		})
	})
	a.jsonFlag(cmd)
	a.apiFlags(cmd)
	return cmd
}

func (t *triggerJSON) write(w io.Writer) error {
	line := func(name string, value any) { fmt.Fprintf(w, "%-13s %s\n", name, oneLine(fmt.Sprint(value))) }
	line("trigger", t.Name)
	line("queue", t.Queue)
	for i := range t.On {
		line("on", t.On[i].String()+map[bool]string{false: " (disarmed: it has fired for what is there)"}[t.On[i].Armed])
	}
	line("work", t.work())
	if p := t.Program; p != nil {
		for _, k := range slices.Sorted(maps.Keys(p.Env)) {
			line("variable", k+"="+p.Env[k])
		}
		if p.Dir != "" {
			line("directory", p.Dir)
		}
	}
	line("at a time", t.MaxRunning)
	line("tries", t.AttemptsMax)
	if t.Configured {
		line("from", "the configuration file")
	}
	fmt.Fprintln(w)
	tab := newTable("FIRED", "SUCCEEDED", "FAILED", "WAITING", "RUNNING")
	tab.row(t.Fired, t.Succeeded, t.Failed, t.Waiting, t.Running)
	if err := tab.write(w); err != nil || len(t.Runs) == 0 {
		return err
	}
	fmt.Fprintln(w)
	tab = newTable("RUN", "FIRED", "BY", "STATE", "TRIES", "TOOK")
	for i := range t.Runs {
		r := &t.Runs[i]
		by, state := fmt.Sprint(r.Condition), r.State
		if int(r.Condition) < len(t.On) {
			by = t.On[r.Condition].String()
		}
		if r.Failure != "" {
			state += ": " + r.Failure
		}
		tab.row(r.ID, time.UnixMilli(r.FiredMS).UTC().Format("2006-01-02T15:04:05.000Z"), by, state, r.Attempts, r.ended())
	}
	return tab.write(w)
}

func (a *app) triggerDeleteCommand() *cobra.Command {
	var ifExists bool
	cmd := &cobra.Command{
		Use: "delete NAME...", Aliases: []string{"rm"},
		Short: "Delete triggers; work that runs goes on",
		Args:  args(cobra.MinimumNArgs(1)), ValidArgsFunction: a.triggerArgs,
	}
	cmd.RunE = a.queueWork(func(ctx context.Context, c *api, names []string) error {
		var problems []error
		for _, name := range names {
			err := c.call(ctx, 0, func(ctx context.Context) error {
				_, err := c.triggers.DeleteTrigger(ctx, &naruv1.DeleteTriggerRequest{Trigger: name})
				return err
			})
			switch {
			case ifExists && isCode(err, connect.CodeNotFound):
				a.done("trigger %q does not exist", name)
			case err != nil:
				problems = append(problems, aboutTrigger(name, err))
			default:
				a.done("deleted trigger %q", name)
			}
		}
		return errors.Join(problems...)
	})
	cmd.Flags().BoolVar(&ifExists, "if-exists", false, "do not fail if a trigger does not exist")
	a.apiFlags(cmd)
	return cmd
}

// triggerArgs completes names of triggers on the command line.
func (a *app) triggerArgs(_ *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	a.timeout = time.Second
	c, err := a.api()
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	defer c.close()
	list, err := c.listTriggers(context.Background())
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var names []string
	for i := range list {
		names = append(names, list[i].Name)
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}
