package main

import (
	"context"
	"strings"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
)

func (a *app) groupCommand() *cobra.Command {
	return a.parent("group", "List, describe, reset and delete consumer groups",
		a.groupListCommand(), a.groupDescribeCommand(), a.groupResetCommand(), a.groupDeleteCommand())
}

// group asks for one group that has to exist.
func (cl *client) group(ctx context.Context, name string) (kadm.DescribedGroup, error) {
	groups, err := cl.adm.DescribeGroups(ctx, name)
	if err != nil {
		return kadm.DescribedGroup{}, err
	}
	g, ok := groups[name]
	if ok && g.Err == nil && !strings.EqualFold(g.State, "Dead") {
		return g, nil
	}
	if g.Err == nil {
		g.Err = errNoGroup
	}
	return g, refused(g.Err, g.ErrMessage, "group %q", name)
}
