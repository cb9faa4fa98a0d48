package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
)

var errNoGroup = kerr.GroupIDNotFound

func (a *app) groupDeleteCommand() *cobra.Command {
	var topics []string
	cmd := &cobra.Command{
		Use: "delete NAME...", Aliases: []string{"rm"},
		Short: "Delete groups, or a group's offsets of some topics",
		Long: "Delete groups without members, and all their committed offsets.\n" +
			"With --topic, delete only the offsets of these topics and keep the group.",
		Args: args(cobra.MinimumNArgs(1)), ValidArgsFunction: a.groupArgs,
	}
	cmd.RunE = a.asked(func(ctx context.Context, cl *client, names []string) error {
		var problems []error
		if len(topics) > 0 {
			for _, name := range names {
				problems = append(problems, a.deleteOffsets(ctx, cl, name, topics))
			}
			return errors.Join(problems...)
		}
		answer, err := cl.adm.DeleteGroups(ctx, names...)
		if err != nil && len(answer) == 0 {
			return err
		}
		for _, name := range names { // in the order given
			g := answer[name]
			if err := refused(g.Err, g.ErrMessage, "group %q", name); err != nil {
				problems = append(problems, err)
				continue
			}
			a.done("deleted group %q", name)
		}
		return errors.Join(problems...)
	})
	cmd.Flags().StringArrayVarP(&topics, "topic", "t", nil, "delete only the offsets of this `TOPIC`, once per topic")
	a.clientFlags(cmd)
	return cmd
}

func (a *app) deleteOffsets(ctx context.Context, cl *client, group string, topics []string) error {
	if _, err := cl.group(ctx, group); err != nil {
		return err
	}
	committed, err := cl.adm.FetchOffsets(ctx, group)
	if err != nil {
		return err
	}
	doomed := make(kadm.TopicsSet)
	for _, topic := range topics {
		if len(committed[topic]) == 0 {
			return usageError("group %q has no offsets of topic %q", group, topic)
		}
		for p := range committed[topic] {
			doomed.Add(topic, p)
		}
	}
	answer, err := cl.adm.DeleteOffsets(ctx, group, doomed)
	if err != nil {
		return refused(err, "", "group %q", group)
	}
	var problems []error
	answer.EachError(func(topic string, p int32, err error) {
		problems = append(problems, refused(err, "", "group %q, topic %q partition %d", group, topic, p))
	})
	if len(problems) == 0 {
		a.done("deleted the offsets of group %q in %s", group, plural(int64(len(topics)), "topic"))
	}
	return errors.Join(problems...)
}
