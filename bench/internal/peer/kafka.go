package peer

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// kafkaJVM is what bin/kafka-server-start.sh and bin/kafka-run-class.sh pass
// to the JVM by default. Left out, in Kafka's favour: the garbage collector's
// log and the JMX agent.
var kafkaJVM = []string{
	"-Xmx1G", "-Xms1G", "-server",
	"-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20", "-XX:InitiatingHeapOccupancyPercent=35",
	"-XX:+ExplicitGCInvokesConcurrent", "-XX:MaxInlineLevel=15",
	"-Djava.awt.headless=true",
}

// kafkaProperties holds what a single combined node cannot start without; all
// else is Kafka's default. The replication factors are those of the
// server.properties that Kafka ships for one node.
const kafkaProperties = `process.roles=broker,controller
node.id=1
listeners=BROKER://127.0.0.1:%[1]d,CONTROLLER://127.0.0.1:%[2]d
advertised.listeners=BROKER://127.0.0.1:%[1]d,CONTROLLER://127.0.0.1:%[2]d
listener.security.protocol.map=BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=BROKER
controller.listener.names=CONTROLLER
controller.quorum.bootstrap.servers=127.0.0.1:%[2]d
log.dirs=%[3]s
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
`

// FetchJars has Maven copy the jars that pom names into dir/lib. A second
// call does nothing unless the pom is newer than the copy.
func FetchJars(ctx context.Context, pom, dir string) error {
	lib := filepath.Join(dir, "lib")
	if fresh(filepath.Join(lib, ".complete"), pom) {
		return nil
	}
	if err := os.RemoveAll(lib); err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, "mvn", "-q", "-B", "-f", pom,
		"dependency:copy-dependencies", "-DincludeScope=runtime", "-DoutputDirectory="+lib)
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("fetch %s with Maven (needs mvn and Maven Central): %w", pom, err)
	}
	return os.WriteFile(filepath.Join(lib, ".complete"), nil, 0o644)
}

func fresh(stamp, pom string) bool {
	s, err := os.Stat(stamp)
	if err != nil {
		return false
	}
	p, err := os.Stat(pom)
	return err == nil && s.ModTime().After(p.ModTime())
}

// KafkaVersion reads the version off the broker's jar, "unknown" if it is not there.
func KafkaVersion(dir string) string {
	jars, _ := filepath.Glob(filepath.Join(dir, "lib", "kafka_2.13-*.jar"))
	if len(jars) != 1 {
		return "unknown"
	}
	name := strings.TrimPrefix(filepath.Base(jars[0]), "kafka_2.13-")
	return strings.TrimSuffix(name, ".jar")
}

// Kafka is a combined broker and controller on the jars in dir/lib; extra
// lines are added to its properties.
func Kafka(name, title, durability, dir, log4j string, extra ...string) Spec {
	java := func(h Home, jvm []string, class string, args ...string) []string {
		argv := append([]string{"java"}, jvm...)
		argv = append(argv, "-Dlog4j2.configurationFile="+log4j, "-cp", filepath.Join(dir, "lib", "*"), class)
		return append(argv, args...)
	}
	properties := func(h Home) string { return filepath.Join(h.Dir, "server.properties") }
	return Spec{
		Name:       name,
		Title:      title,
		Durability: durability,
		Prepare: func(ctx context.Context, h Home) error {
			text := fmt.Sprintf(kafkaProperties, h.Port, h.SecondPort, h.Data())
			text += strings.Join(append(extra, ""), "\n")
			if err := os.WriteFile(properties(h), []byte(text), 0o644); err != nil {
				return err
			}
			argv := java(h, nil, "kafka.tools.StorageTool",
				"format", "--standalone", "-t", newUUID(), "-c", properties(h))
			out, err := exec.CommandContext(ctx, argv[0], argv[1:]...).CombinedOutput()
			if err != nil {
				return fmt.Errorf("format Kafka's storage: %w\n%s", err, out)
			}
			return nil
		},
		Command: func(h Home) []string { return java(h, kafkaJVM, "kafka.Kafka", properties(h)) },
	}
}

// newUUID is a random id as Kafka prints them: base64url without padding.
// One that begins with "-" would be read as a flag.
func newUUID() string {
	for {
		var id [16]byte
		_, _ = rand.Read(id[:]) // never fails, see crypto/rand
		if text := base64.RawURLEncoding.EncodeToString(id[:]); text[0] != '-' {
			return text
		}
	}
}
