package peer

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// elasticMQConf is ElasticMQ as it comes, but for where it listens. Messages are in
// memory.
const elasticMQConf = `include classpath("application.conf")
node-address { host = 127.0.0.1, port = %[1]d, protocol = http, context-path = "" }
rest-sqs { enabled = true, bind-port = %[1]d, bind-hostname = "127.0.0.1" }
rest-stats { enabled = false }
`

// ElasticMQ is the server on the jars in dir/lib.
func ElasticMQ(name, dir string) Spec {
	conf := func(h Home) string { return filepath.Join(h.Dir, "elasticmq.conf") }
	return Spec{
		Name: name, Title: "ElasticMQ", Durability: "in memory",
		Prepare: func(_ context.Context, h Home) error {
			return os.WriteFile(conf(h), fmt.Appendf(nil, elasticMQConf, h.Port), 0o644)
		},
		Command: func(h Home) []string {
			return []string{"java", "-Dconfig.file=" + conf(h), "-cp", filepath.Join(dir, "lib", "*"), "org.elasticmq.server.Main"}
		},
	}
}

// ElasticMQVersion reads the version off the jar, "unknown" if it is not there.
func ElasticMQVersion(dir string) string {
	const prefix = "elasticmq-server_2.13-"
	jars, _ := filepath.Glob(filepath.Join(dir, "lib", prefix+"*.jar"))
	if len(jars) != 1 {
		return "unknown"
	}
	return strings.TrimSuffix(strings.TrimPrefix(filepath.Base(jars[0]), prefix), ".jar")
}

// NaruQueues is `naru serve` with the endpoint for AWS clients only.
func NaruQueues(name, binary string) Spec {
	return Spec{
		Name: name, Title: "Naru", Durability: "on disk: fdatasync before each answer",
		Command: func(h Home) []string {
			argv := []string{binary, "serve", "--data", h.Data(), "--aws", h.Addr(), "--kafka", "off", "--amqp", "off", "--log-level", "warn"}
			if h.Profiled {
				return append(argv, "--http", fmt.Sprintf("127.0.0.1:%d", h.SecondPort), "--pprof")
			}
			return append(argv, "--http", "off")
		},
	}
}
