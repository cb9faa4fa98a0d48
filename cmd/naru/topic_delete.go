package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"
)

func (a *app) topicDeleteCommand() *cobra.Command {
	var ifExists bool
	cmd := &cobra.Command{
		Use: "delete NAME...", Aliases: []string{"rm"},
		Short: "Delete topics and all their records",
		Args:  args(cobra.MinimumNArgs(1)), ValidArgsFunction: a.topicArgs,
	}
	cmd.RunE = a.asked(func(ctx context.Context, cl *client, names []string) error {
		answer, err := cl.adm.DeleteTopics(ctx, names...)
		if err != nil {
			return err
		}
		var problems []error
		for _, name := range names { // in the order given
			t := answer[name]
			if ifExists && gone(t.Err) {
				a.done("topic %q does not exist", name)
				continue
			}
			if err := refused(t.Err, t.ErrMessage, "topic %q", name); err != nil {
				problems = append(problems, err)
				continue
			}
			a.done("deleted topic %q", name)
		}
		return errors.Join(problems...)
	})
	cmd.Flags().BoolVar(&ifExists, "if-exists", false, "do not fail if a topic does not exist")
	a.clientFlags(cmd)
	return cmd
}
