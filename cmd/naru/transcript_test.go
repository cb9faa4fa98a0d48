package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/narumq/naru/internal/server"
)

// shell runs command lines in process against one broker.
type shell struct {
	server string
	http   string // host:port; "" is none
	stdin  string // for the next command
	dir    string // stands for $DIR in command lines
	raw    bool   // show what differs from run to run
}

// run executes a command line and returns what it wrote, to both streams in
// the order of the streams, and its exit code if that is not 0.
func (s *shell) run(line string) string {
	var out, errs bytes.Buffer
	a := &app{
		in: strings.NewReader(s.stdin), out: &out, err: &errs,
		env: func(name string) (string, bool) {
			v := map[string]string{"NARU_SERVER": s.server, "NARU_HTTP_SERVER": s.http}[name]
			return v, v != ""
		},
	}
	s.stdin = ""
	words, err := splitWords(os.Expand(line, func(name string) string {
		return map[string]string{"DIR": s.dir, "SERVER": s.server}[name]
	}))
	if err != nil {
		return err.Error() + "\n"
	}
	code := a.run(context.Background(), words)
	text := s.mask(out.String() + errs.String())
	if code != exitOK {
		text += fmt.Sprintf("[exit %d]\n", code)
	}
	return text
}

var sizes = regexp.MustCompile(`\b[1-9]\d* B\b`)

var masks = []struct{ pattern, with string }{
	{`\bin \d[\d.]*[µnm]?s\b`, "in TIME"},
	{`(id +)[A-Za-z0-9_+/=-]{22,24}`, "${1}ID"},
	{`("id": )"[^"]+"`, `${1}"ID"`},
	{`"timestamp_ms":\d+`, `"timestamp_ms":TIME`},
	{`"sent_ms":\d+`, `"sent_ms":TIME`},
	{`"created_ms": \d+`, `"created_ms": TIME`},
	{`"oldest_ms": \d+`, `"oldest_ms": TIME`},
	{`"receipt":"[^"]+"`, `"receipt":"RECEIPT"`},
	{`[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}`, "MESSAGE-ID"},
	{`(redrive |REDRIVE.*\n)[A-Z2-7]{26}`, "${1}REDRIVE-ID"},
	{`naru\.dead\.at=\d+`, "naru.dead.at=TIME"},
	{`(\d +)\d+s(\s)`, "${1}AGE$2"}, // in tables of queues
	{`naru-[0-9a-f]{32}`, "MEMBER"},
	{`naru-[0-9a-f]{8}-[0-9a-f-]{27}`, "MEMBER"},
}

// mask hides what differs from run to run.
func (s *shell) mask(text string) string {
	if s.raw {
		return text
	}
	for _, m := range masks {
		text = regexp.MustCompile(m.pattern).ReplaceAllString(text, m.with)
	}
	for _, m := range []struct{ value, name string }{{s.server, "SERVER"}, {s.http, "HTTP"}, {s.dir, "DIR"}} {
		if m.value != "" {
			text = strings.ReplaceAll(text, m.value, m.name)
		}
	}
	return text
}

// splitWords is a shell's splitting, with single quotes only.
func splitWords(line string) (words []string, err error) {
	var word strings.Builder
	begun, quoted := false, false
	for _, r := range line {
		switch {
		case r == '\'':
			begun, quoted = true, !quoted
		case !quoted && (r == ' ' || r == '\n'):
			if begun {
				words = append(words, word.String())
			}
			word.Reset()
			begun = false
		default:
			begun = true
			word.WriteRune(r)
		}
	}
	if quoted {
		return nil, fmt.Errorf("a quote is not closed: %s", line)
	}
	if begun {
		words = append(words, word.String())
	}
	return words, nil
}

// runTranscript replays a file: "naru" runs a command line (hide-sizes
// hides what it says of bytes on disk, until=x repeats it until it says x), "stdin" is what
// the next one reads, "file name=x" writes a file into $DIR.
func runTranscript(t *testing.T, path string, s *shell) {
	datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
		switch d.Cmd {
		case "naru":
			out := s.run(d.Input)
			if d.HasArg("until") { // what comes by itself: ask again
				var text string
				d.ScanArgs(t, "until", &text)
				for began := time.Now(); !strings.Contains(out, text) && time.Since(began) < patience; {
					out = s.run(d.Input)
				}
			}
			if d.HasArg("hide-sizes") { // brokers store differently
				out = sizes.ReplaceAllString(out, "SIZE")
			}
			return out
		case "stdin":
			s.stdin = d.Input + "\n"
		case "file":
			var name string
			d.ScanArgs(t, "name", &name)
			if err := os.WriteFile(filepath.Join(s.dir, name), []byte(d.Input), 0o600); err != nil {
				t.Fatal(err)
			}
		default:
			t.Fatalf("unknown directive %q", d.Cmd)
		}
		return ""
	})
}

func newFakeBroker(t *testing.T, opts ...kfake.Opt) string {
	t.Helper()
	cluster, err := kfake.NewCluster(append([]kfake.Opt{kfake.NumBrokers(1), kfake.DefaultNumPartitions(1)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	return cluster.ListenAddrs()[0]
}

// TestTranscripts runs every transcript against another broker than ours:
// what the tool does is the protocol's, not our broker's.
func TestTranscripts(t *testing.T) {
	datadriven.Walk(t, "testdata/transcripts", func(t *testing.T, path string) {
		runTranscript(t, path, &shell{server: newFakeBroker(t, kfake.AllowAutoTopicCreation()), dir: t.TempDir()})
	})
}

func newBroker(t *testing.T, change func(*server.Config)) *server.Server {
	t.Helper()
	cfg := server.DefaultConfig()
	cfg.DataDir, cfg.KafkaAddr, cfg.AWSAddr, cfg.HTTPAddr = t.TempDir(), "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0"
	cfg.AMQPAddr, cfg.ManagementAddr = "127.0.0.1:0", "127.0.0.1:0"
	cfg.SegmentBytes, cfg.GroupInitialDelay = 1<<20, 0
	if change != nil {
		change(&cfg)
	}
	s, err := server.Start(cfg, server.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return s
}

// endpoint is the address of one, as host:port.
func endpoint(s *server.Server, name string) string {
	for _, e := range s.Endpoints() {
		if e.Name == name {
			return strings.TrimPrefix(e.Addr, "http://")
		}
	}
	return ""
}

// fill puts the data into dir.
func fill(dir string) func(*server.Config) {
	return func(c *server.Config) { c.DataDir = dir }
}

// TestTranscriptsOnNaru runs the same transcripts against our broker, which
// has to look the same through the tool, and some where brokers differ.
func TestTranscriptsOnNaru(t *testing.T) {
	for _, dir := range []string{"testdata/transcripts", "testdata/naru"} {
		datadriven.Walk(t, dir, func(t *testing.T, path string) {
			b := newBroker(t, nil)
			runTranscript(t, path, &shell{server: endpoint(b, "kafka"), http: endpoint(b, "http"), dir: t.TempDir()})
		})
	}
}
