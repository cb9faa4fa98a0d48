package main

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/narumq/naru/internal/server"
)

func (a *app) serveCommand() *cobra.Command {
	given := make(map[string]string)
	var file string
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the broker",
		Long: "Run the broker until SIGINT or SIGTERM; a second signal ends it at once, which loses nothing\n" +
			"that was acknowledged. Without any flag it listens on loopback and keeps its data in ./naru-data.\n\n" +
			"A setting is, in this order: a flag, an environment variable (--cache-bytes is NARU_CACHE_BYTES),\n" +
			"a line in the --config file (cache-bytes: 64MiB), the default.",
		Example: "  naru serve\n" +
			"  naru serve --data /var/lib/naru --kafka 10.0.0.5:9092 --http off\n" +
			"  NARU_SYNC=10ms naru serve --config naru.yaml",
		Args: args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if v, ok := a.env("NARU_CONFIG"); ok && file == "" {
				file = v
			}
			cfg, err := server.Load(server.Sources{Flags: given, Lookup: a.env, File: file})
			if err != nil {
				return coded{err, exitUsage}
			}
			return a.serve(cmd.Context(), cfg)
		},
	}
	f := cmd.Flags()
	f.StringVar(&file, "config", "", "`FILE` of settings in YAML (NARU_CONFIG)")
	defaults := server.DefaultConfig()
	for _, s := range defaults.Settings() {
		flag := f.VarPF(&settingFlag{s.Name, s.Get(), kindOf(&s), given}, s.Name, "", s.Help)
		if s.IsBool() {
			flag.NoOptDefVal = "true"
		}
	}
	return cmd
}

// settingFlag keeps what was given; server.Load judges it.
type settingFlag struct {
	name, value, kind string
	given             map[string]string
}

func (f *settingFlag) String() string { return f.value }
func (f *settingFlag) Type() string   { return f.kind }
func (f *settingFlag) Set(v string) error {
	f.value, f.given[f.name] = v, v
	return nil
}

func kindOf(s *server.Setting) string {
	if s.IsBool() {
		return "bool"
	}
	return s.Kind
}

// running is a broker, alone or in a cluster.
type running interface {
	Endpoints() []server.Endpoint
	StartTime() time.Duration
	Failed() <-chan error
	Close(context.Context) error
}

func start(cfg server.Config, log *slog.Logger, version string) (running, error) {
	if cfg.Cluster != "" {
		return server.StartCluster(cfg, server.ClusterOptions{Log: log, Version: version})
	}
	return server.Start(cfg, server.Options{Log: log, Version: version})
}

func (a *app) serve(ctx context.Context, cfg server.Config) error {
	cfg.LimitMemory()
	log := cfg.NewLogger(a.err)
	v := versionOf()
	s, err := start(cfg, log, v.Version)
	if err != nil {
		return err
	}
	if cfg.Cluster == "" {
		fmt.Fprintf(a.out, "naru %s, data in %s, sync %s\n", v.Version, cfg.DataDir, cfg.Sync)
	} else {
		fmt.Fprintf(a.out, "naru %s, one of the cluster in %s\n", v.Version, cfg.Cluster)
	}
	for _, e := range s.Endpoints() {
		fmt.Fprintf(a.out, "%-6s %s\n", e.Name, e.Addr)
	}
	server.GiveBackStart()
	fmt.Fprintf(a.out, "ready in %v\n", s.StartTime().Round(100*time.Microsecond))

	var failure error
	select {
	case <-ctx.Done():
		log.Info("shutting down", "within", cfg.ShutdownTimeout, "hint", "a second signal ends at once")
	case failure = <-s.Failed():
		log.Error("an endpoint failed, shutting down", "error", failure)
	}
	began := time.Now()
	if err := s.Close(context.WithoutCancel(ctx)); err != nil {
		return fmt.Errorf("shutdown: %s", strings.ReplaceAll(err.Error(), "\n", "; "))
	}
	log.Info("stopped", "took", time.Since(began))
	return failure
}
