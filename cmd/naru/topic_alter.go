package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
)

func (a *app) topicAlterCommand() *cobra.Command {
	var (
		partitions int
		set, unset []string
		dry        bool
	)
	cmd := &cobra.Command{
		Use:   "alter NAME",
		Short: "Change a topic's settings or add partitions",
		Example: "  naru topic alter orders --set retention.ms=3600000 --unset max.message.bytes\n" +
			"  naru topic alter orders --partitions 12",
		Args: args(cobra.ExactArgs(1)), ValidArgsFunction: a.topicArgs,
	}
	cmd.RunE = a.asked(func(ctx context.Context, cl *client, names []string) error {
		changes, err := parseChanges(set, unset)
		if err != nil {
			return err
		}
		more := cmd.Flags().Changed("partitions")
		if len(changes) == 0 && !more {
			return usageError("nothing to change: give --set, --unset or --partitions")
		}
		if more && partitions < 1 {
			return usageError("--partitions %d: want the new total, at least 1", partitions)
		}
		if len(changes) > 0 {
			if err := a.alterSettings(ctx, cl, names[0], changes, dry); err != nil {
				return err
			}
		}
		if more {
			return a.alterPartitions(ctx, cl, names[0], partitions, dry)
		}
		return nil
	})
	f := cmd.Flags()
	f.IntVarP(&partitions, "partitions", "p", 0, "new total of partitions; it can only grow")
	f.StringArrayVar(&set, "set", nil, "new setting as `NAME=VALUE`, once per setting")
	f.StringArrayVar(&unset, "unset", nil, "`NAME` of a setting that goes back to its default")
	f.BoolVar(&dry, "dry-run", false, "only check that it could be done")
	a.clientFlags(cmd)
	return cmd
}

func parseChanges(set, unset []string) ([]kadm.AlterConfig, error) {
	settings, err := parseSettings(set)
	if err != nil {
		return nil, err
	}
	var changes []kadm.AlterConfig
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		changes = append(changes, kadm.AlterConfig{Op: kadm.SetConfig, Name: name, Value: settings[name]})
	}
	for _, name := range unset {
		if _, both := settings[name]; both {
			return nil, usageError("%s is both in --set and in --unset", name)
		}
		changes = append(changes, kadm.AlterConfig{Op: kadm.DeleteConfig, Name: name})
	}
	return changes, nil
}

func (a *app) alterSettings(ctx context.Context, cl *client, topic string, changes []kadm.AlterConfig, dry bool) error {
	alter := cl.adm.AlterTopicConfigs
	if dry {
		alter = cl.adm.ValidateAlterTopicConfigs
	}
	answer, err := alter(ctx, changes, topic)
	if err != nil {
		return err
	}
	var problems []error
	for _, r := range answer {
		problems = append(problems, refused(r.Err, r.ErrMessage, "topic %q", r.Name))
	}
	if err := errors.Join(problems...); err != nil {
		return err
	}
	a.done("%s of topic %q %s", plural(int64(len(changes)), "setting"), topic, did("changed", dry))
	return nil
}

func (a *app) alterPartitions(ctx context.Context, cl *client, topic string, total int, dry bool) error {
	update := cl.adm.UpdatePartitions
	if dry {
		update = cl.adm.ValidateUpdatePartitions
	}
	answer, err := update(ctx, total, topic)
	if err != nil {
		return err
	}
	for _, r := range answer.Sorted() {
		if errors.Is(r.Err, kerr.InvalidPartitions) && r.ErrMessage == "" {
			r.ErrMessage = fmt.Sprintf("it cannot have %s: their number can only grow", plural(int64(total), "partition"))
		}
		if err := refused(r.Err, r.ErrMessage, "topic %q", topic); err != nil {
			return err
		}
	}
	a.done("topic %q: %s %s", topic, plural(int64(total), "partition"), did("set", dry))
	return nil
}

func did(what string, dry bool) string {
	if dry {
		return "could be " + what
	}
	return what
}
