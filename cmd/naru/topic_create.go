package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kerr"
)

func (a *app) topicCreateCommand() *cobra.Command {
	var (
		partitions       int32
		set              []string
		ifNotExists, dry bool
	)
	cmd := &cobra.Command{
		Use:   "create NAME...",
		Short: "Create topics",
		Example: "  naru topic create orders --partitions 6\n" +
			"  naru topic create logs --set retention.ms=86400000 --set max.message.bytes=4194304",
		Args: args(cobra.MinimumNArgs(1)),
	}
	cmd.RunE = a.asked(func(ctx context.Context, cl *client, names []string) error {
		settings, err := parseSettings(set)
		if err != nil {
			return err
		}
		if partitions == 0 || partitions < -1 {
			return usageError("--partitions %d: want at least 1", partitions)
		}
		create := cl.adm.CreateTopics
		if dry {
			create = cl.adm.ValidateCreateTopics
		}
		made, err := create(ctx, partitions, -1, settings, names...)
		if err != nil {
			return err
		}
		var problems []error
		for _, name := range names { // in the order given
			t := made[name]
			if ifNotExists && errors.Is(t.Err, kerr.TopicAlreadyExists) {
				a.done("topic %q exists already", name)
				continue
			}
			if err := refused(t.Err, t.ErrMessage, "topic %q", name); err != nil {
				problems = append(problems, err)
				continue
			}
			if dry {
				a.done("topic %q could be created", name)
				continue
			}
			a.done("created topic %q with %s", name, plural(int64(t.NumPartitions), "partition"))
		}
		return errors.Join(problems...)
	})
	f := cmd.Flags()
	f.Int32VarP(&partitions, "partitions", "p", -1, "number of partitions (default: the broker's --default-partitions)")
	f.StringArrayVar(&set, "set", nil, "setting of the topic as `NAME=VALUE`, once per setting")
	f.BoolVar(&ifNotExists, "if-not-exists", false, "do not fail if a topic exists already")
	f.BoolVar(&dry, "dry-run", false, "only check that it could be done")
	a.clientFlags(cmd)
	return cmd
}
