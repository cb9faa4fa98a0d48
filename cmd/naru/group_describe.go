package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
)

// groupDescription is a group as `group describe --json` shows it.
type groupDescription struct {
	Name       string           `json:"name"`
	State      string           `json:"state"`
	Type       string           `json:"protocol_type"`
	Protocol   string           `json:"protocol"`
	Lag        int64            `json:"lag"`
	Members    []groupMember    `json:"members"`
	Partitions []groupPartition `json:"partitions"`
}

type groupMember struct {
	ID         string `json:"id"`
	Instance   string `json:"instance,omitempty"`
	Client     string `json:"client"`
	Host       string `json:"host"`
	Partitions int    `json:"partitions"`
}

// groupPartition has -1 where a number is not known: nothing committed, say.
type groupPartition struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	Committed int64  `json:"committed"`
	Start     int64  `json:"start"`
	End       int64  `json:"end"`
	Lag       int64  `json:"lag"`
	Member    string `json:"member,omitempty"`
	Metadata  string `json:"metadata,omitempty"`
	Error     string `json:"error,omitempty"`
}

func (a *app) groupDescribeCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "describe NAME...",
		Short: "Show the members, offsets and lag of groups",
		Args:  args(cobra.MinimumNArgs(1)), ValidArgsFunction: a.groupArgs,
	}
	cmd.RunE = a.asked(func(ctx context.Context, cl *client, names []string) error {
		for _, name := range names {
			if _, err := cl.group(ctx, name); err != nil {
				return err
			}
		}
		lags, err := cl.adm.Lag(ctx, names...)
		if err != nil {
			return err
		}
		list := make([]groupDescription, 0, len(names))
		for _, name := range names {
			l := lags[name]
			if err := refused(l.Error(), "", "group %q", name); err != nil {
				return err
			}
			list = append(list, describeGroup(&l))
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
	a.clientFlags(cmd)
	return cmd
}

func describeGroup(l *kadm.DescribedGroupLag) groupDescription {
	d := groupDescription{
		Name: l.Group, State: l.State, Type: l.ProtocolType, Protocol: l.Protocol,
		Lag: l.Lag.Total(), Members: []groupMember{}, Partitions: []groupPartition{},
	}
	held := make(map[string]int)
	for _, p := range l.Lag.Sorted() {
		row := groupPartition{
			Topic: p.Topic, Partition: p.Partition,
			Committed: p.Commit.At, Start: p.Start.Offset, End: p.End.Offset,
			Lag: p.Lag, Metadata: p.Commit.Metadata,
		}
		if p.Member != nil {
			row.Member = p.Member.MemberID
			held[row.Member]++
		}
		if p.Err != nil {
			row.Error = p.Err.Error()
		}
		d.Partitions = append(d.Partitions, row)
	}
	for _, m := range l.Members {
		member := groupMember{ID: m.MemberID, Client: m.ClientID, Host: m.ClientHost, Partitions: held[m.MemberID]}
		if m.InstanceID != nil {
			member.Instance = *m.InstanceID
		}
		d.Members = append(d.Members, member)
	}
	return d
}

func (d *groupDescription) write(w io.Writer) error {
	fmt.Fprintf(w, "group    %s\nstate    %s\nprotocol %s\nlag      %d\n",
		oneLine(d.Name), d.State, oneLine(d.Protocol), d.Lag)
	if len(d.Members) > 0 {
		fmt.Fprintln(w)
		t := newTable("MEMBER", "INSTANCE", "CLIENT", "HOST", "PARTITIONS")
		for _, m := range d.Members {
			t.row(m.ID, m.Instance, m.Client, m.Host, m.Partitions)
		}
		if err := t.write(w); err != nil {
			return err
		}
	}
	if len(d.Partitions) == 0 {
		return nil
	}
	fmt.Fprintln(w)
	t := newTable("TOPIC", "PARTITION", "COMMITTED", "END", "LAG", "MEMBER")
	for _, p := range d.Partitions {
		t.row(p.Topic, p.Partition, unknown(p.Committed), unknown(p.End), unknown(p.Lag), p.Member)
	}
	return t.write(w)
}
