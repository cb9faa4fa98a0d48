package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/narumq/naru/internal/server"
)

// TestTriggerSurvivesKill kills the server in the middle of a program that a trigger
// started: the next server runs it again under the same id, and the one after that
// does not.
func TestTriggerSurvivesKill(t *testing.T) {
	dir := t.TempDir()
	data, out := filepath.Join(dir, "data"), filepath.Join(dir, "out")
	hold := filepath.Join(dir, "hold")
	if err := os.WriteFile(hold, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	script := filepath.Join(dir, "work.sh")
	text := `echo $$ $NARU_RUN $NARU_ATTEMPT $NARU_DEPTH >> "$1"; while [ -e "$2" ]; do sleep 0.05; done`
	if err := os.WriteFile(script, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	d := serve(t, data, "--trigger-programs")
	sh := &shell{http: strings.TrimPrefix(d.http, "http://"), dir: dir, raw: true}
	must(t, sh, "queue create mails")
	must(t, sh, "trigger create t --queue mails --on depth=2 -- sh "+script+" "+out+" "+hold)
	must(t, sh, "send mails a b")
	first := strings.Fields(untilLines(t, out, 1)[0])
	d.Process.Kill()
	d.wait(t)
	if err := os.Remove(hold); err != nil { // the program ends from here on
		t.Fatal(err)
	}

	d = serve(t, data, "--trigger-programs")
	sh.http = strings.TrimPrefix(d.http, "http://")
	second := strings.Fields(untilLines(t, out, 2)[1])
	if second[1] != first[1] || second[2] != "2" || second[3] != "2" {
		t.Fatalf("%q, after %q", second, first)
	}
	untilSays(t, sh, "trigger list --json", `"succeeded": 1`)
	d.Process.Kill()
	d.wait(t)

	d = serve(t, data, "--trigger-programs")
	sh.http = strings.TrimPrefix(d.http, "http://")
	must(t, sh, "send mails c") // three are ready: it has fired for that
	must(t, sh, "queue create other")
	must(t, sh, "trigger create u --queue other --on first -- sh -c 'echo other >> "+out+"'")
	must(t, sh, "send other x")
	if lines := untilLines(t, out, 3); lines[2] != "other" || len(lines) != 3 {
		t.Fatalf("%q", lines)
	}
	if text := must(t, sh, "trigger describe t"); !strings.Contains(text, "has fired for what is there") {
		t.Fatal(text)
	}
}

// TestTriggerOfConfigurationFile starts its program without --trigger-programs.
func TestTriggerOfConfigurationFile(t *testing.T) {
	dir := t.TempDir()
	out, file := filepath.Join(dir, "out"), filepath.Join(dir, "naru.yaml")
	text := "triggers:\n- {name: t, queue: mails, conditions: [{on: every}], program: {argv: [sh, -c, 'echo $NARU_MESSAGE_ID $NARU_OFFSET >> " + out + "']}}\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := server.Load(server.Sources{File: file})
	if err != nil {
		t.Fatal(err)
	}
	b := newBroker(t, func(c *server.Config) { c.Triggers = cfg.Triggers })
	sh := &shell{http: endpoint(b, "http"), dir: dir, raw: true}
	must(t, sh, "queue create mails") // after the trigger
	must(t, sh, "send mails a b")
	for i, line := range untilLines(t, out, 2) {
		if words := strings.Fields(line); len(words) != 2 || len(words[0]) != 36 || words[1] != []string{"0", "1"}[i] {
			t.Errorf("%q", line)
		}
	}
	if text := sh.run("trigger delete t"); !strings.Contains(text, "comes from the configuration file") {
		t.Error(text)
	}
}

func must(t *testing.T, sh *shell, line string) string {
	t.Helper()
	text := sh.run(line)
	if strings.Contains(text, "[exit ") {
		t.Fatalf("%s: %s", line, text)
	}
	return text
}

// untilSays repeats a command until it says something.
func untilSays(t *testing.T, sh *shell, line, want string) {
	t.Helper()
	for began := time.Now(); ; {
		text := sh.run(line)
		if strings.Contains(text, want) {
			return
		}
		if time.Since(began) > patience {
			t.Fatal(text)
		}
	}
}

// untilLines waits until a file has so many lines.
func untilLines(t *testing.T, file string, n int) []string {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for began := time.Now(); ; <-tick.C {
		b, _ := os.ReadFile(file) // it may not be there yet
		if text := string(b); strings.Count(text, "\n") >= n {
			return strings.Split(strings.TrimSuffix(text, "\n"), "\n")
		}
		if time.Since(began) > patience {
			t.Fatalf("%d lines: %q", n, b)
		}
	}
}
