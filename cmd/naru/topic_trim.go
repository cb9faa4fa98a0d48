package main

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
)

// trimRow is what was done to one partition.
type trimRow struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	OldStart  int64  `json:"old_start"`
	NewStart  int64  `json:"new_start"`
	Deleted   int64  `json:"deleted"`
}

func (a *app) topicTrimCommand() *cobra.Command {
	var before, partitions string
	cmd := &cobra.Command{
		Use:     "trim NAME --before POSITION",
		Short:   "Delete a topic's oldest records",
		Long:    "Delete the records before a position for good.\nPOSITION is " + positionHelp + ".",
		Example: "  naru topic trim orders --before -24h\n  naru topic trim orders --partition 0 --before 1000",
		Args:    args(cobra.ExactArgs(1)), ValidArgsFunction: a.topicArgs,
	}
	cmd.RunE = a.asked(func(ctx context.Context, cl *client, names []string) error {
		if before == "" {
			return usageError("--before is missing: want %s", positionHelp)
		}
		pos, err := parsePosition(before, time.Now())
		if err != nil {
			return usageError("--before %w", err)
		}
		var list []int32
		if partitions != "" {
			if list, err = parsePartitions(partitions); err != nil {
				return usageError("--partition: %w", err)
			}
		}
		rows, err := cl.trim(ctx, names[0], pos, list)
		if err != nil {
			return err
		}
		return a.show(rows, func(w io.Writer) error {
			t := newTable("TOPIC", "PARTITION", "OLD-START", "NEW-START", "DELETED")
			for _, r := range rows {
				t.row(r.Topic, r.Partition, r.OldStart, r.NewStart, r.Deleted)
			}
			return t.write(w)
		})
	})
	f := cmd.Flags()
	f.StringVar(&before, "before", "", "`POSITION` of the first record to keep")
	f.StringVarP(&partitions, "partition", "p", "", "`LIST` of partitions, such as 0,2 (default: all)")
	a.jsonFlag(cmd)
	a.clientFlags(cmd)
	return cmd
}

func (cl *client) trim(ctx context.Context, topic string, pos position, partitions []int32) ([]trimRow, error) {
	within, err := cl.topicBounds(ctx, topic)
	if err != nil {
		return nil, err
	}
	if err := only(within, topic, partitions); err != nil {
		return nil, err
	}
	to, err := cl.resolve(ctx, pos, within)
	if err != nil {
		return nil, err
	}
	wanted := make(kadm.Offsets)
	for p, at := range to[topic] {
		wanted.Add(kadm.Offset{Topic: topic, Partition: p, At: at, LeaderEpoch: -1})
	}
	answer, err := cl.adm.DeleteRecords(ctx, wanted)
	if err != nil {
		return nil, err
	}
	var rows []trimRow
	var problems []error
	for _, r := range answer.Sorted() {
		if err := refused(r.Err, "", "topic %q partition %d", topic, r.Partition); err != nil {
			problems = append(problems, err)
			continue
		}
		was := within[topic][r.Partition].start
		rows = append(rows, trimRow{topic, r.Partition, was, r.LowWatermark, r.LowWatermark - was})
	}
	return rows, errors.Join(problems...)
}
