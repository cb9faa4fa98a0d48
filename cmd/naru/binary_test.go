package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// program builds the program once for all tests that need a real process.
var program = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "naru-test")
	if err != nil {
		return "", err
	}
	name := filepath.Join(dir, "naru")
	out, err := exec.Command("go", "build", "-o", name, ".").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return name, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if built {
		name, _ := program()
		os.RemoveAll(filepath.Dir(name))
	}
	os.Exit(code)
}

var built bool

func theBinary(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("builds the binary")
	}
	built = true
	name, err := program()
	if err != nil {
		t.Fatal(err)
	}
	return name
}

// daemon is `naru serve` as a process of its own.
type daemon struct {
	*exec.Cmd
	kafka, aws, amqp, http string
	took                   time.Duration // from exec to the ready line
	logs                   *watched
	ended                  chan error
}

func serve(t *testing.T, dir string, args ...string) *daemon {
	t.Helper()
	d := &daemon{logs: &watched{new: make(chan struct{}, 1)}, ended: make(chan error, 1)}
	d.Cmd = exec.Command(theBinary(t), append([]string{"serve", "--data", dir, "--kafka", "127.0.0.1:0", "--aws", "127.0.0.1:0", "--amqp", "127.0.0.1:0", "--amqp-management", "127.0.0.1:0", "--http", "127.0.0.1:0"}, args...)...)
	d.Stderr = d.logs
	out, err := d.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if err := d.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Process.Kill() })
	ready := false
	lines := bufio.NewScanner(out)
	for !ready && lines.Scan() {
		name, rest, _ := strings.Cut(lines.Text(), " ")
		switch name {
		case "kafka":
			d.kafka = strings.TrimSpace(rest)
		case "aws":
			d.aws = strings.TrimSpace(rest)
		case "amqp":
			d.amqp = strings.TrimSpace(rest)
		case "http":
			d.http = strings.TrimSpace(rest)
		case "ready":
			ready, d.took = true, time.Since(began)
		}
	}
	go func() {
		io.Copy(io.Discard, out)
		d.ended <- d.Wait()
	}()
	if !ready {
		t.Fatalf("not ready: %s", d.logs)
	}
	return d
}

func (d *daemon) wait(t *testing.T) error {
	t.Helper()
	select {
	case err := <-d.ended:
		return err
	case <-time.After(patience):
		t.Fatalf("still running: %s", d.logs)
		return nil
	}
}

// residentKiB is what the process occupies in memory.
func (d *daemon) residentKiB(t *testing.T) int {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", d.Process.Pid))
	if err != nil {
		t.Skip("no /proc")
	}
	for line := range strings.Lines(string(b)) {
		var kib int
		if n, _ := fmt.Sscanf(line, "VmRSS: %d kB", &kib); n == 1 {
			return kib
		}
	}
	return -1
}

// The project's promise about start and idling, with room for a machine that
// does something else as well.
func TestStartIsQuickAndSmall(t *testing.T) {
	d := serve(t, t.TempDir())
	rss := d.residentKiB(t)
	t.Logf("ready %v after exec, %d KiB resident", d.took, rss)
	if d.took > 2*time.Second {
		t.Errorf("ready after %v", d.took)
	}
	if rss > 40<<10 {
		t.Errorf("%d KiB resident when idle, at most %d are wanted", rss, 40<<10)
	}
}

// SIGTERM ends the process with 0 and leaves a directory that is whole and has
// what was acknowledged.
func TestSignalStops(t *testing.T) {
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		dir := t.TempDir()
		d := serve(t, dir)
		sh := &shell{server: d.kafka, stdin: "kept\n"}
		if got := sh.run("produce t -q"); got != "" {
			t.Fatal(got)
		}
		d.Process.Signal(signal)
		if err := d.wait(t); err != nil {
			t.Errorf("%v: %v: %s", signal, err, d.logs)
		}
		if !strings.Contains(d.logs.String(), "msg=stopped") {
			t.Errorf("%v: not stopped in order: %s", signal, d.logs)
		}
		sh.dir = dir
		if got := sh.run("check $DIR"); !strings.Contains(got, "everything is whole") {
			t.Error(got)
		}
		again := serve(t, dir)
		if got := (&shell{server: again.kafka}).run("consume t"); got != "kept\n" {
			t.Errorf("after a restart: %q", got)
		}
	}
}

// A second signal does not wait for what keeps the first: here a client that
// asks and asks and never takes an answer.
func TestSecondSignalEndsAtOnce(t *testing.T) {
	dir := t.TempDir()
	d := serve(t, dir, "--shutdown-timeout", "1h")
	(&shell{server: d.kafka, stdin: "kept\n"}).run("produce t -q")
	clog(t, d.kafka)
	d.Process.Signal(syscall.SIGTERM)
	d.logs.waitFor(t, "shutting down")
	d.Process.Signal(syscall.SIGTERM)
	err := d.wait(t)
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGTERM {
		t.Errorf("ended with %v, want by the signal: %s", err, d.logs)
	}
	again := serve(t, dir)
	if got := (&shell{server: again.kafka}).run("consume t"); got != "kept\n" {
		t.Errorf("after a restart: %q", got)
	}
}

// clog fills a connection until the server waits for its answers to be taken.
func clog(t *testing.T, addr string) {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	// ApiVersions, version 0, no client id.
	request := []byte{0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, 1, 0xff, 0xff}
	many := bytes.Repeat(request, 1000)
	for range 100_000 {
		conn.SetWriteDeadline(time.Now().Add(time.Second))
		if _, err := conn.Write(many); err != nil {
			return // nothing moves any more
		}
	}
	t.Fatal("the server takes requests without end")
}

// Why serve could not start is one line, with what to do, and an exit code.
func TestServeErrors(t *testing.T) {
	name, dir := theBinary(t), t.TempDir()
	d := serve(t, dir)
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"--data", dir, "--kafka", "127.0.0.1:0"}, 1, "in use by another process: stop it, or choose another directory"},
		{[]string{"--data", t.TempDir(), "--kafka", d.kafka}, 1, "--kafka " + d.kafka + ": another process listens there"},
		{[]string{"--data", t.TempDir(), "--kafka", "9092"}, 2, `--kafka "9092": want host:port`},
		{[]string{"--data", t.TempDir(), "--sync", "sometimes"}, 2, `--sync "sometimes"`},
		{[]string{"--nonsense"}, 2, "unknown flag: --nonsense"},
		{[]string{"here"}, 2, "naru serve"},
	} {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		cmd := exec.CommandContext(ctx, name, append([]string{"serve", "--aws", "off", "--amqp", "off", "--http", "off"}, c.args...)...)
		out, _ := cmd.CombinedOutput()
		cancel()
		if cmd.ProcessState.ExitCode() != c.code || !strings.Contains(string(out), c.want) {
			t.Errorf("%v: exit %d, want %d with %q: %s", c.args, cmd.ProcessState.ExitCode(), c.code, c.want, out)
		}
	}
}
