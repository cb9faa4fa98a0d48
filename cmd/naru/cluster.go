package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/narumq/naru/internal/server"
)

func (a *app) clusterCommand() *cobra.Command {
	return a.parent("cluster", "Look at a cluster, and say which broker is to own what",
		a.clusterStatusCommand(), a.clusterMembersCommand(), a.clusterMoveCommand(), a.clusterDrainCommand())
}

// clusterFlags adds the flags that name a cluster.
func (a *app) clusterFlags(cmd *cobra.Command, cfg *server.Config) {
	for _, to := range []struct {
		value     *string
		name, use string
	}{{&cfg.Cluster, "cluster", "`URL` of the cluster's bucket, s3://BUCKET/PREFIX (NARU_CLUSTER)"}, {&cfg.Etcd, "etcd", "`ADDRS` of its etcd, with commas between (NARU_ETCD)"}} {
		value, _ := a.env(server.EnvName(to.name))
		cmd.Flags().StringVar(to.value, to.name, value, to.use)
	}
}

// clusterWork adds what commands about a cluster have, and runs the command with its settings.
func (a *app) clusterWork(cmd *cobra.Command, timeout time.Duration, work func(context.Context, server.Config, []string) error) *cobra.Command {
	cfg := server.DefaultConfig()
	a.clusterFlags(cmd, &cfg)
	cmd.Flags().DurationVar(&timeout, "timeout", timeout, "how long it may take")
	a.jsonFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if cfg.Cluster == "" || cfg.Etcd == "" {
			return usageError("name the cluster: set --cluster and --etcd")
		}
		ctx, cancel := context.WithTimeout(cmd.Context(), timeout)
		defer cancel()
		return work(ctx, cfg, args)
	}
	return cmd
}

// clusterAnswer is how long etcd may take to answer.
const clusterAnswer = 5 * time.Second

func (a *app) clusterStatusCommand() *cobra.Command {
	return a.clusterWork(&cobra.Command{
		Use:   "status",
		Short: "Show the brokers of a cluster, who owns which slot, and where its log ends",
		Long: "Show the brokers of a cluster, who owns which slot, and where its log ends. It asks etcd, and no broker:\n" +
			"so it also answers when none serves.",
		Example: "  naru cluster status --cluster s3://bucket/prefix --etcd 10.0.0.1:2379",
		Args:    args(cobra.NoArgs),
	}, clusterAnswer, func(ctx context.Context, cfg server.Config, _ []string) error {
		st, err := server.ReadClusterStatus(ctx, cfg)
		if err != nil {
			return err
		}
		return a.show(st, func(w io.Writer) error { return writeClusterStatus(w, st) })
	})
}

func (a *app) clusterMembersCommand() *cobra.Command {
	return a.clusterWork(&cobra.Command{
		Use:     "members",
		Short:   "Show the brokers of a cluster",
		Long:    "Show the brokers of a cluster that are up, or whose lease has not ended yet, and how many slots each owns.",
		Example: "  naru cluster members --cluster s3://bucket/prefix --etcd 10.0.0.1:2379 --json",
		Args:    args(cobra.NoArgs),
	}, clusterAnswer, func(ctx context.Context, cfg server.Config, _ []string) error {
		st, err := server.ReadClusterStatus(ctx, cfg)
		if err != nil {
			return err
		}
		return a.show(st.Members, func(w io.Writer) error { return writeMembers(w, st.Members) })
	})
}

func writeClusterStatus(w io.Writer, st server.ClusterStatus) error {
	fmt.Fprintf(w, "cluster %s, etcd revision %d, %s used\n", st.ID, st.Revision, server.FormatBytes(st.EtcdBytes))
	slots := newTable("SLOT", "OWNER", "EPOCH", "SEQUENCE", "MANIFEST", "MANIFEST UP TO")
	for _, s := range st.Slots {
		owner := "none"
		if s.Owner != 0 {
			owner = fmt.Sprint(s.Owner)
		}
		if s.Moved != 0 && s.Moved != s.Owner {
			owner += fmt.Sprintf(", moving to %d", s.Moved)
		}
		slots.row(s.Slot, owner, s.Epoch, s.Sequence, s.Manifest, s.Manifested)
	}
	if err := slots.write(w); err != nil {
		return err
	}
	return writeMembers(w, st.Members)
}

func writeMembers(w io.Writer, members []server.ClusterMember) error {
	t := newTable("BROKER", "SLOTS", "STATE", "HOST", "KAFKA", "HTTP", "LEASE", "UP SINCE", "VERSION")
	for _, m := range members {
		t.row(m.Broker, m.Slots, memberState(m), m.Host, m.Endpoints["kafka"], m.Endpoints["http"], fmt.Sprintf("%s, %v", m.Lease, m.LeaseTime),
			m.Started.UTC().Format(time.RFC3339), m.Version)
	}
	return t.write(w)
}

func memberState(m server.ClusterMember) string {
	switch {
	case m.Drained:
		return "drained"
	case m.Ready:
		return "ready"
	}
	return "not ready"
}
