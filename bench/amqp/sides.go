package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/narumq/naru/bench/internal/peer"
	"github.com/narumq/naru/bench/internal/report"
)

// Names of the sides beside Naru.
const (
	sideClassic = "classic"
	sideQuorum  = "quorum"
)

// server is Debian's; the script of /usr/sbin would change the user.
const server = "/usr/lib/rabbitmq/bin/rabbitmq-server"

// installRabbitMQ gets Debian's package, if it is not there.
func installRabbitMQ(ctx context.Context) error {
	if _, err := os.Stat(server); err == nil {
		return nil
	}
	// The package starts a broker where there is a system to start it; the bench runs its own.
	const script = `apt-get update -q && RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends rabbitmq-server`
	out, err := exec.CommandContext(ctx, "sh", "-c", script).CombinedOutput()
	if err != nil {
		return fmt.Errorf("install rabbitmq-server: %w\n%s", err, out)
	}
	return nil
}

func rabbitMQVersion() string {
	out, err := exec.Command("dpkg-query", "-W", "-f", "RabbitMQ ${Version}", "rabbitmq-server").Output()
	if err != nil {
		return "RabbitMQ"
	}
	erlang, _ := exec.Command("dpkg-query", "-W", "-f", "${Version}", "erlang-base").Output()
	return strings.TrimSpace(string(out)) + " on Erlang " + strings.TrimSpace(string(erlang))
}

// rabbitMQ is the server as it comes, in a directory of its own; only where it listens is said.
func rabbitMQ(name, title, durability string) peer.Spec {
	return peer.Spec{
		Name: name, Title: title, Durability: durability,
		Prepare: func(_ context.Context, h peer.Home) error {
			// What the log says of each connection costs more than it tells.
			return os.WriteFile(filepath.Join(h.Dir, "rabbitmq.conf"), fmt.Appendf(nil,
				"listeners.tcp.1 = 127.0.0.1:%d\nlog.file.level = warning\nlog.connection.level = warning\n", h.Port), 0o644)
		},
		Command: func(h peer.Home) []string {
			return []string{
				"env", "HOME=" + h.Dir, "RUNNING_UNDER_SYSTEMD=1", // so that the script becomes the server
				fmt.Sprintf("ERL_EPMD_PORT=%d", h.SecondPort), "ERL_EPMD_ADDRESS=127.0.0.1",
				fmt.Sprintf("RABBITMQ_NODENAME=bench%d@localhost", h.Port), fmt.Sprintf("RABBITMQ_DIST_PORT=%d", h.ThirdPort),
				"RABBITMQ_MNESIA_BASE=" + h.Data(), "RABBITMQ_LOG_BASE=" + h.Dir, "RABBITMQ_CONFIG_FILE=" + filepath.Join(h.Dir, "rabbitmq.conf"),
				"RABBITMQ_ENABLED_PLUGINS_FILE=" + filepath.Join(h.Dir, "plugins"), "RABBITMQ_CONF_ENV_FILE=/dev/null", server,
			}
		},
	}
}

// endNames ends the name server that RabbitMQ leaves behind.
func endNames(h peer.Home) error {
	out, err := exec.Command("epmd", "-address", "127.0.0.1", "-port", fmt.Sprint(h.SecondPort), "-kill").CombinedOutput()
	if err != nil {
		return fmt.Errorf("epmd -kill: %w: %s", err, out)
	}
	return nil
}

// naru is `naru serve` with the endpoint for AMQP only, durable as it comes.
func naru(binary string) peer.Spec {
	return peer.Spec{
		Name: report.Naru, Title: "Naru", Durability: "on disk: fdatasync before each confirm",
		Command: func(h peer.Home) []string {
			argv := []string{binary, "serve", "--data", h.Data(), "--amqp", h.Addr(), "--kafka", "off", "--aws", "off", "--amqp-management", "off", "--log-level", "warn"}
			if h.Profiled {
				return append(argv, "--http", fmt.Sprintf("127.0.0.1:%d", h.SecondPort), "--pprof")
			}
			return append(argv, "--http", "off")
		},
	}
}

// arguments are those that a side's queues are declared with.
func arguments(side string) amqp.Table {
	if side == sideQuorum {
		return amqp.Table{"x-queue-type": "quorum"}
	}
	return nil
}
