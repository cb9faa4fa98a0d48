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
	return a.parent("cluster", "Look at a cluster", a.clusterStatusCommand())
}

func (a *app) clusterStatusCommand() *cobra.Command {
	cfg := server.DefaultConfig()
	timeout := 5 * time.Second
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show the brokers of a cluster, and who owns the log",
		Long: "Show the brokers of a cluster, who owns the log, and where the log ends. It asks etcd, and no broker:\n" +
			"so it also answers when none serves.",
		Example: "  naru cluster status --cluster s3://bucket/prefix --etcd 10.0.0.1:2379",
		Args:    args(cobra.NoArgs),
	}
	for _, to := range []struct {
		value     *string
		name, use string
	}{{&cfg.Cluster, "cluster", "`URL` of the cluster's bucket, s3://BUCKET/PREFIX (NARU_CLUSTER)"}, {&cfg.Etcd, "etcd", "`ADDRS` of its etcd, with commas between (NARU_ETCD)"}} {
		value, _ := a.env(server.EnvName(to.name))
		cmd.Flags().StringVar(to.value, to.name, value, to.use)
	}
	cmd.Flags().DurationVar(&timeout, "timeout", timeout, "how long to wait for etcd's answer")
	a.jsonFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if cfg.Cluster == "" || cfg.Etcd == "" {
			return usageError("name the cluster: set --cluster and --etcd")
		}
		ctx, cancel := context.WithTimeout(cmd.Context(), timeout)
		defer cancel()
		st, err := server.ReadClusterStatus(ctx, cfg)
		if err != nil {
			return err
		}
		return a.show(st, func(w io.Writer) error { return writeClusterStatus(w, st) })
	}
	return cmd
}

func writeClusterStatus(w io.Writer, st server.ClusterStatus) error {
	fmt.Fprintf(w, "cluster %s, etcd revision %d, %s used\n", st.ID, st.Revision, server.FormatBytes(st.EtcdBytes))
	slots := newTable("SLOT", "OWNER", "EPOCH", "SEQUENCE", "MANIFEST", "MANIFEST UP TO")
	for _, s := range st.Slots {
		owner := "none"
		if s.Owner != 0 {
			owner = fmt.Sprint(s.Owner)
		}
		slots.row(s.Slot, owner, s.Epoch, s.Sequence, s.Manifest, s.Manifested)
	}
	if err := slots.write(w); err != nil {
		return err
	}
	brokers := newTable("BROKER", "HOST", "KAFKA", "HTTP", "LEASE", "UP SINCE", "VERSION")
	for _, m := range st.Members {
		brokers.row(m.Broker, m.Host, m.Endpoints["kafka"], m.Endpoints["http"], fmt.Sprintf("%s, %v", m.Lease, m.LeaseTime), m.Started.UTC().Format(time.RFC3339), m.Version)
	}
	return brokers.write(w)
}
