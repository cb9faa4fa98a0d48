package main

import (
	"context"
	"fmt"
	"io"
	"sort"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// topicDescription is a topic as `topic describe --json` shows it.
type topicDescription struct {
	Name       string           `json:"name"`
	ID         string           `json:"id"`
	Internal   bool             `json:"internal"`
	Records    int64            `json:"records"`
	Bytes      int64            `json:"bytes"`
	Partitions []partitionState `json:"partitions"`
	Settings   []settingRow     `json:"settings"`
}

type settingRow struct {
	Name    string `json:"name"`
	Value   string `json:"value"`
	Default bool   `json:"default"`
}

func (a *app) topicDescribeCommand() *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use:   "describe NAME...",
		Short: "Show the partitions and settings of topics",
		Args:  args(cobra.MinimumNArgs(1)), ValidArgsFunction: a.topicArgs,
	}
	cmd.RunE = a.asked(func(ctx context.Context, cl *client, names []string) error {
		states, err := cl.topicStates(ctx, true, names...)
		if err != nil {
			return err
		}
		settings, err := cl.topicSettings(ctx, names)
		if err != nil {
			return err
		}
		list := make([]topicDescription, 0, len(states))
		for _, t := range states {
			list = append(list, topicDescription{t.Name, t.ID, t.Internal, t.records(), t.bytes(),
				t.Partitions, settings[t.Name]})
		}
		return a.show(list, func(w io.Writer) error {
			for i := range list {
				if i > 0 {
					fmt.Fprintln(w)
				}
				if err := list[i].write(w, all); err != nil {
					return err
				}
			}
			return nil
		})
	})
	cmd.Flags().BoolVarP(&all, "all", "a", false, "also show settings that have their default value")
	a.jsonFlag(cmd)
	a.clientFlags(cmd)
	return cmd
}

func (cl *client) topicSettings(ctx context.Context, names []string) (map[string][]settingRow, error) {
	configs, err := cl.adm.DescribeTopicConfigs(ctx, names...)
	if err != nil {
		return nil, err
	}
	settings := make(map[string][]settingRow)
	for _, c := range configs {
		if err := refused(c.Err, c.ErrMessage, "settings of topic %q", c.Name); err != nil {
			return nil, err
		}
		rows := make([]settingRow, 0, len(c.Configs))
		for _, s := range c.Configs {
			rows = append(rows, settingRow{s.Key, s.MaybeValue(), s.Source != kmsg.ConfigSourceDynamicTopicConfig})
		}
		sort.Slice(rows, func(i, j int) bool { return rows[i].Name < rows[j].Name })
		settings[c.Name] = rows
	}
	return settings, nil
}

func (d *topicDescription) write(w io.Writer, all bool) error {
	fmt.Fprintf(w, "topic       %s\nid          %s\npartitions  %d\nrecords     %s\nsize        %s\n",
		oneLine(d.Name), d.ID, len(d.Partitions), unknown(d.Records), humanBytes(d.Bytes))

	set := newTable("SETTING", "VALUE", "SOURCE")
	for _, s := range d.Settings {
		if all || !s.Default {
			set.row(s.Name, s.Value, map[bool]string{true: "default", false: "topic"}[s.Default])
		}
	}
	if len(set.rows) > 0 {
		fmt.Fprintln(w)
		if err := set.write(w); err != nil {
			return err
		}
	}
	fmt.Fprintln(w)
	t := newTable("PARTITION", "START", "END", "RECORDS", "SIZE")
	for _, p := range d.Partitions {
		t.row(p.Partition, unknown(p.Start), unknown(p.End), unknown(p.Records), humanBytes(p.Bytes))
	}
	if err := t.write(w); err != nil {
		return err
	}
	for _, p := range d.Partitions {
		if p.Error != "" {
			fmt.Fprintf(w, "partition %d: %s\n", p.Partition, p.Error)
		}
	}
	return nil
}
