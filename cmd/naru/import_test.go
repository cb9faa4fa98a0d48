package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/narumq/naru/internal/server"
)

// A file of definitions is imported, what cannot be is said, and the exit code tells.
func TestImportRabbit(t *testing.T) {
	cfg := server.DefaultConfig()
	cfg.DataDir, cfg.KafkaAddr, cfg.AWSAddr, cfg.HTTPAddr = t.TempDir(), server.Off, server.Off, server.Off
	cfg.AMQPAddr, cfg.ManagementAddr = "127.0.0.1:0", "127.0.0.1:0"
	s, err := server.Start(cfg, server.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close(context.Background()) })
	addr := ""
	for _, e := range s.Endpoints() {
		if e.Name == "amqp-management" {
			addr = strings.TrimPrefix(e.Addr, "http://")
		}
	}
	sh := &shell{dir: t.TempDir()}
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(sh.dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("good.json", `{"vhosts":[{"name":"/"},{"name":"v"}],"queues":[{"name":"q","vhost":"v","durable":true,"auto_delete":false,"arguments":{}}],`+
		`"policies":[{"vhost":"v","name":"p","pattern":"","definition":{"max-length":5,"ha-mode":"all"}}]}`)
	write("bad.json", `{"queues":[{"name":"q","vhost":"v","durable":false}],"parameters":[{"vhost":"v","component":"shovel","name":"s","value":{}}]}`)
	write("none.json", "no JSON")
	for _, c := range []struct{ line, want string }{
		{"$DIR/good.json", `RESULT   KIND    VHOST  NAME       REASON
exists   vhost   -      /          -
made     vhost   -      v          -
made     queue   v      q          -
made     policy  v      p          queues that are there and got it: 1; those declared later go by their arguments
ignored  policy  v      p ha-mode  it is about how RabbitMQ stores a queue
`},
		{"$DIR/bad.json", `RESULT       KIND       VHOST  NAME      REASON
unsupported  parameter  v      shovel s  nothing reads parameters: there are no plugins, such as federation and shovel
failed       queue      v      q         inequivalent arg 'durable' for queue 'q' in vhost 'v': received 'false' but current is 'true'
naru: 2 definitions could not be imported
[exit 1]
`},
		{"$DIR/none.json", "naru: DIR/none.json is not JSON; `rabbitmqctl export_definitions` writes what is wanted\n[exit 1]\n"},
	} {
		if got := sh.run("import rabbitmq --management " + addr + " " + c.line); got != c.want {
			t.Errorf("%s:\n%s\nwant\n%s", c.line, got, c.want)
		}
	}
	s.Close(context.Background())
	if got := sh.run("import rabbitmq --management " + addr + " $DIR/good.json"); !strings.Contains(got, "[exit 3]") {
		t.Errorf("without a server: %s", got)
	}
}
