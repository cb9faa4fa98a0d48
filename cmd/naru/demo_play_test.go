package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	naru "github.com/narumq/naru/api/naru/v1"
)

// The demo plays to the end, on a server of its own, and leaves nothing behind.
func TestDemo(t *testing.T) {
	program, tmp := theBinary(t), t.TempDir()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, "demo", "--json")
	cmd.Env = append(os.Environ(), "TMPDIR="+tmp)
	var logs bytes.Buffer
	cmd.Stderr = &logs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s%s", err, out, &logs)
	}
	var report demoReport
	if err := json.Unmarshal(out, &report); err != nil || len(report.Rounds) != 2 {
		t.Fatalf("%v: %s", err, out)
	}
	calls, events := report.Rounds[0], report.Rounds[1]
	for _, r := range report.Rounds {
		if r.Served != 50 || r.Lost != 0 || r.ServedTwice != 0 || r.Problems != nil {
			t.Errorf("%s: served %d, lost %d, twice %d; %v", r.Style, r.Served, r.Lost, r.ServedTwice, r.Problems)
		}
	}
	if k := events.Killed; k == nil || k.BrewedAgainBy == "" || k.BrewedAgainBy == k.Barista || len(events.Redelivered) == 0 {
		t.Errorf("killed %+v, redelivered %v", k, events.Redelivered)
	}
	if calls.Killed != nil {
		t.Errorf("calls: killed %+v", calls.Killed)
	}
	if calls.InLine.Median < events.InLine.Median {
		t.Errorf("in line %+v with calls, %+v with events", calls.InLine, events.InLine)
	}
	nothingLeft(t, tmp)
}

// An interrupt ends every process of the demo.
func TestDemoInterrupted(t *testing.T) {
	program, tmp := theBinary(t), t.TempDir()
	cmd := exec.Command(program, "demo", "--speed", "0.1")
	cmd.Env = append(os.Environ(), "TMPDIR="+tmp)
	logs := &watched{new: make(chan struct{}, 1)}
	cmd.Stderr = logs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill() })
	logs.waitFor(t, "round 1")
	cmd.Process.Signal(os.Interrupt)
	if err := cmd.Wait(); err == nil || cmd.ProcessState.ExitCode() != int(exitInterrupted) {
		t.Errorf("%v: %s", err, logs)
	}
	nothingLeft(t, tmp)
}

// A running server is used, and left as it was.
func TestDemoOnRunningServer(t *testing.T) {
	d := serve(t, t.TempDir())
	out, err := exec.Command(theBinary(t), "demo", "--http", d.http, "--speed", "20", "--customers", "12").CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, want := range []string{"console  " + d.http, "time until coffee, p95", "lost orders             0       0"} {
		if !strings.Contains(strings.Join(strings.Fields(string(out)), " "), strings.Join(strings.Fields(want), " ")) {
			t.Errorf("no %q in %s", want, out)
		}
	}
	s := newShop(strings.TrimPrefix(d.http, "http://"))
	for _, prefix := range []string{"demo.", "naru.replies."} {
		queues, err := s.queues.ListQueues(t.Context(), &naru.ListQueuesRequest{Prefix: prefix})
		if err != nil || len(queues.Queues) > 0 {
			t.Errorf("left: %v, %v", queues, err)
		}
		topics, err := s.topics.ListTopics(t.Context(), &naru.ListTopicsRequest{Prefix: prefix})
		if err != nil || len(topics.Topics) > 0 {
			t.Errorf("left: %v, %v", topics, err)
		}
	}
}

// nothingLeft looks for processes and files of a demo whose temporary files are in dir.
func nothingLeft(t *testing.T, dir string) {
	t.Helper()
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
	environs, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, name := range environs {
		if b, _ := os.ReadFile(name); bytes.Contains(b, []byte("TMPDIR="+dir+"\x00")) {
			t.Errorf("%s is left", filepath.Dir(name))
		}
	}
}
