package main

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/narumq/naru/internal/server"
)

// queueShell is a shell at a broker of its own.
func queueShell(t *testing.T, change func(*server.Config)) *shell {
	t.Helper()
	b := newBroker(t, change)
	return &shell{server: endpoint(b, "kafka"), http: endpoint(b, "http"), dir: t.TempDir()}
}

// begin begins a command of sh's broker beside the test.
func (s *shell) begin(t *testing.T, out io.Writer, args ...string) *process {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	p := &process{t: t, cancel: cancel, code: make(chan exitCode, 1),
		out: &watched{new: make(chan struct{}, 1)}, err: &watched{new: make(chan struct{}, 1)}}
	if out == nil {
		out = p.out
	}
	a := &app{out: out, err: p.err, env: func(name string) (string, bool) { return s.http, name == "NARU_HTTP_SERVER" }}
	go func() { p.code <- a.run(ctx, args) }()
	t.Cleanup(cancel)
	return p
}

// want runs a command line and compares all that it writes.
func (s *shell) want(t *testing.T, line, want string) {
	t.Helper()
	if got := s.run(line); got != want {
		t.Errorf("$ naru %s\n%swant\n%s", line, got, want)
	}
}

// Following takes what comes, ends it, and ends itself well when interrupted.
func TestReceiveFollows(t *testing.T) {
	sh := queueShell(t, nil)
	sh.run("queue create q")
	p := sh.begin(t, nil, "receive", "q", "--follow", "--ack")
	sh.want(t, "send q one -q", "")
	p.out.waitFor(t, "one\n")
	sh.want(t, "send q two three -q", "")
	p.out.waitFor(t, "one\ntwo\nthree\n")
	p.cancel()
	if code := p.wait(); code != exitOK {
		t.Errorf("exit %d after an interrupt, want 0: %s", code, p.err)
	}
	sh.want(t, "queue peek q", "")
	if got := sh.run("queue describe q --json"); !strings.Contains(got, `"in_flight": 0`) || !strings.Contains(got, `"acked": 3`) {
		t.Error(got)
	}
}

// A wait is interrupted at once, and loses no message.
func TestReceiveInterrupted(t *testing.T) {
	sh := queueShell(t, nil)
	sh.run("queue create q --lease 1h")
	p := sh.begin(t, nil, "receive", "q", "--wait", "5m")
	p.cancel()
	if code := p.wait(); code != exitInterrupted {
		t.Errorf("exit %d, want %d: %s", code, exitInterrupted, p.err)
	}
	sh.run("send q kept -q")
	sh.want(t, "receive q --ack --wait 20s", "kept\n")
}

type brokenPipe struct{}

func (brokenPipe) Write([]byte) (int, error) { return 0, errors.New("nobody reads") }

// What cannot be written out is not ended, and is there again before its lease
// would have ended.
func TestReceiveGivesBackWhatItCannotWrite(t *testing.T) {
	sh := queueShell(t, nil)
	sh.run("queue create q --lease 1h")
	sh.run("send q kept -q")
	p := sh.begin(t, brokenPipe{}, "receive", "q", "--ack")
	if code := p.wait(); code != exitFailed || !strings.Contains(p.err.String(), "nobody reads") {
		t.Errorf("exit %d: %s", code, p.err)
	}
	sh.want(t, "receive q --ack --format %a:%v", "2:kept")
}

// The lines of a long input arrive in order, in more than one request.
func TestSendMany(t *testing.T) {
	sh := queueShell(t, nil)
	sh.run("queue create q")
	var lines strings.Builder
	const n = 2*sendBatchMax + 7
	for i := range n {
		lines.WriteString(strings.Repeat("x", i%50))
		lines.WriteString("\n")
	}
	sh.stdin = lines.String()
	sh.want(t, "send q", "sent 1007 messages (24 KiB) to \"q\" in TIME\n")
	if got := sh.run("receive q --ack --max 2000"); got != lines.String() {
		t.Errorf("%d bytes came out, %d went in, or in another order", len(got), lines.Len())
	}
}

// What receive --json writes, send --json reads: bytes that are no text, null,
// headers; but not what Naru noted in headers.
func TestMessagesAsJSON(t *testing.T) {
	sh := queueShell(t, nil)
	sh.run("queue create a")
	sh.run("queue create b")
	sh.stdin = `{"group":"철수","value_base64":"/wD+","headers":[{"key":"h","value":null},{"key":"naru.id","value":"x"}]}` + "\n" + `{"value":null}` + "\n"
	sh.want(t, "send a --json -q", "")
	sh.raw = true
	out := sh.run("receive a --max 9 --ack --json")
	sh.raw = false
	if strings.Contains(out, "naru.id") {
		t.Errorf("a header of Naru's was sent: %s", out)
	}
	sh.stdin = out
	sh.want(t, "send b --json -q", "")
	sh.want(t, "receive b --max 9 --ack --json", sh.mask(strings.ReplaceAll(out, `"queue":"a"`, `"queue":"b"`)))
	if !strings.Contains(out, `"group":"철수","value_base64":"/wD+","headers":[{"key":"h","value":null}]`) || !strings.Contains(out, `"group":null,"value":null`) {
		t.Error(out)
	}
}

// Without a server there is one line that says what to do, and its exit code.
func TestQueueCommandsWithoutServer(t *testing.T) {
	sh := &shell{http: "127.0.0.1:1"}
	for _, line := range []string{"queue list", "send q x", "receive q"} {
		got := sh.run(line)
		if !strings.Contains(got, "no broker at HTTP: connection refused; is `naru serve` running? (--http or NARU_HTTP_SERVER names another address)") ||
			!strings.HasSuffix(got, "[exit 3]\n") {
			t.Errorf("%s: %s", line, got)
		}
	}
	k := queueShell(t, nil)
	k.http = k.server // a Kafka port
	if got := k.run("queue list --timeout 5s"); !strings.Contains(got, "HTTP port") || !strings.HasSuffix(got, "[exit 3]\n") {
		t.Error(got)
	}
}

// Queues, their messages and attempts are there after a restart.
func TestQueuesSurviveRestart(t *testing.T) {
	dir := t.TempDir()
	d := serve(t, dir)
	sh := &shell{http: strings.TrimPrefix(d.http, "http://")}
	sh.run("queue create q --lease 1h")
	sh.run("send q one two -q")
	sh.want(t, "receive q --ack", "one\n")
	sh.want(t, "receive q -q", "two\n")
	sh.run("send q three -q") // is waited for, and so what came before it, the delivery too, is durable
	d.Process.Kill()
	d.wait(t)
	sh.http = strings.TrimPrefix(serve(t, dir).http, "http://")
	sh.want(t, "queue peek q --format '%a %v\\n'", "1 two\n0 three\n")
}
