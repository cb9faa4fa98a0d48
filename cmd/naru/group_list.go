package main

import (
	"context"
	"io"

	"github.com/spf13/cobra"
)

// groupRow is a group as `group list --json` shows it.
type groupRow struct {
	Name  string `json:"name"`
	State string `json:"state"`
	Type  string `json:"protocol_type"`
}

func (a *app) groupListCommand() *cobra.Command {
	var states []string
	cmd := &cobra.Command{
		Use: "list", Aliases: []string{"ls"},
		Short: "List consumer groups",
		Args:  args(cobra.NoArgs),
	}
	cmd.RunE = a.asked(func(ctx context.Context, cl *client, _ []string) error {
		groups, err := cl.adm.ListGroups(ctx, states...)
		if err != nil {
			return err
		}
		rows := make([]groupRow, 0, len(groups))
		for _, g := range groups.Sorted() {
			rows = append(rows, groupRow{g.Group, g.State, g.ProtocolType})
		}
		return a.show(rows, func(w io.Writer) error {
			t := newTable("GROUP", "STATE", "TYPE")
			for _, r := range rows {
				t.row(r.Name, r.State, r.Type)
			}
			return t.write(w)
		})
	})
	cmd.Flags().StringSliceVar(&states, "state", nil, "only groups in this `STATE`, such as Stable or Empty")
	a.jsonFlag(cmd)
	a.clientFlags(cmd)
	return cmd
}
