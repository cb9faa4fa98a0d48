package main

import (
	"context"
	"io"

	"github.com/spf13/cobra"
)

// topicRow is a topic as `topic list --json` shows it.
type topicRow struct {
	Name       string `json:"name"`
	ID         string `json:"id"`
	Internal   bool   `json:"internal"`
	Partitions int    `json:"partitions"`
	Records    int64  `json:"records"`
	Bytes      int64  `json:"bytes"`
}

func (a *app) topicListCommand() *cobra.Command {
	var internal bool
	cmd := &cobra.Command{
		Use: "list", Aliases: []string{"ls"},
		Short: "List topics with their size",
		Long:  "List topics. RECORDS counts offsets from the log's start to its end; SIZE is bytes on disk.",
		Args:  args(cobra.NoArgs),
	}
	cmd.RunE = a.asked(func(ctx context.Context, cl *client, _ []string) error {
		states, err := cl.topicStates(ctx, internal)
		if err != nil {
			return err
		}
		rows := make([]topicRow, 0, len(states))
		for _, t := range states {
			rows = append(rows, topicRow{t.Name, t.ID, t.Internal, len(t.Partitions), t.records(), t.bytes()})
		}
		return a.show(rows, func(w io.Writer) error {
			t := newTable("TOPIC", "PARTITIONS", "RECORDS", "SIZE")
			for _, r := range rows {
				t.row(r.Name, r.Partitions, unknown(r.Records), humanBytes(r.Bytes))
			}
			return t.write(w)
		})
	})
	cmd.Flags().BoolVar(&internal, "internal", false, "also list the broker's own topics")
	a.jsonFlag(cmd)
	a.clientFlags(cmd)
	return cmd
}
