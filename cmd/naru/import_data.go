package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/narumq/naru/internal/broker"
	"github.com/narumq/naru/internal/server"
)

// importsData has a command copy a data directory into a cluster if --data is given.
func (a *app) importsData(cmd *cobra.Command) {
	cfg := server.DefaultConfig()
	var dir string
	help := cmd.RunE
	cmd.Long = "Take over what another broker has: with --data, all that one machine's data directory holds, into a cluster.\n\n" +
		"Topics come with their settings, and records with their bytes and offsets, so that offsets that consumers committed mean the\n" +
		"same. Queues keep what is done and what is on its way, triggers their runs; exchanges, bindings and users are as they were.\n\n" +
		"No broker of the cluster may be up, and none may use the directory, which is as it was afterwards. Nothing in the cluster may\n" +
		"have a name that something in the directory has. An import that was interrupted is begun anew in a cluster that is empty:\n" +
		"another prefix of the bucket, say.\n\n" +
		"`naru import rabbitmq` takes over definitions of RabbitMQ."
	cmd.Example = "  naru import --data /var/lib/naru --cluster s3://bucket/prefix --etcd 10.0.0.1:2379"
	cmd.Use = "import --data DIR"
	cmd.Flags().StringVar(&dir, "data", "", "data directory `DIR` to copy")
	a.clusterFlags(cmd, &cfg)
	a.jsonFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		switch {
		case dir == "":
			return help(cmd, args)
		case cfg.Cluster == "" || cfg.Etcd == "":
			return usageError("name the cluster: set --cluster and --etcd")
		}
		return a.importData(cmd.Context(), cfg, dir)
	}
}

func (a *app) importData(ctx context.Context, cfg server.Config, dir string) error {
	sum, err := server.Import(ctx, cfg, dir, server.ClusterOptions{Log: cfg.NewLogger(a.err), Version: versionOf().Version}, func(slot, slots int, sum broker.Imported) {
		fmt.Fprintf(a.err, "slot %d of %d: %d batches, %s so far\n", slot+1, slots, sum.Batches, humanBytes(sum.Bytes))
	})
	if err != nil {
		return err
	}
	return a.show(sum, func(w io.Writer) error {
		_, err := fmt.Fprintf(w, "copied %s with %s, %s, %s: %s in record batches\n", plural(int64(sum.Topics), "topic"), plural(int64(sum.Partitions), "partition"),
			plural(int64(sum.Queues), "queue"), plural(int64(sum.Users), "user"), humanBytes(sum.Bytes))
		return err
	})
}
