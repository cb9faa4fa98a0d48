//go:build unix

package runner

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/narumq/naru/internal/trigger"
)

func work(spec *trigger.Spec) trigger.Work {
	spec.Name, spec.Queue = "t", "q"
	spec.Conditions = []trigger.Condition{{On: trigger.OnFirst}, {On: trigger.OnDepth, Depth: 3}}
	return trigger.Work{Trigger: spec, ID: 7, Attempt: 2, Run: trigger.Run{Number: 5, Condition: 1, Depth: 3, FiredAt: 1_700_000_000_000}}
}

func script(text string, args ...string) *trigger.Spec {
	return &trigger.Spec{Program: &trigger.Program{Argv: append([]string{"sh", "-c", text, "sh"}, args...)}}
}

func newRunner(t *testing.T) (*Runner, *bytes.Buffer) {
	var log bytes.Buffer
	r := New(slog.New(slog.NewTextHandler(&log, nil)))
	t.Cleanup(r.Close)
	return r, &log
}

func TestProgram(t *testing.T) {
	t.Setenv("SECRET", "of the server")
	r, log := newRunner(t)
	dir := t.TempDir()
	spec := script(`echo "said: $1"; env > env; echo oops >&2`, "hello world")
	spec.Program.Dir, spec.Program.Env = dir, map[string]string{"MINE": "a b"}
	if err := r.Run(context.Background(), work(spec)); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(dir, "env"))
	if err != nil {
		t.Fatal(err)
	}
	env := "\n" + string(b)
	for _, want := range []string{
		"MINE=a b", "NARU_TRIGGER=t", "NARU_QUEUE=q", "NARU_RUN=0000000000000007-5", "NARU_ATTEMPT=2", "NARU_CONDITION=1", "NARU_DEPTH=3", "PATH=",
	} {
		if !strings.Contains(env, "\n"+want) {
			t.Errorf("no %s in %s", want, env)
		}
	}
	if strings.Contains(env, "SECRET") {
		t.Error("the server's variables are the program's")
	}
	for _, want := range []string{`line="said: hello world"`, "line=oops", "run=0000000000000007-5"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("no %s in %s", want, log)
		}
	}
}

func TestProgramOfMessage(t *testing.T) {
	r, log := newRunner(t)
	w := work(script(`echo "$NARU_MESSAGE_ID $NARU_PARTITION $NARU_OFFSET ${NARU_DEPTH-none}"`))
	w.Run.Message, w.Run.Partition, w.Run.Offset = bytes.Repeat([]byte{0xab}, 16), 3, 42
	if err := r.Run(context.Background(), w); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(log.String(), "abababab-abab-abab-abab-abababababab 3 42 none") {
		t.Fatal(log)
	}
}

func TestProgramFails(t *testing.T) {
	r, _ := newRunner(t)
	for _, c := range []struct{ text, want string }{
		{"echo no luck >&2; exit 3", "exit status 3: no luck"},
		{"exit 1", "exit status 1"},
		{"kill -9 $$", "signal: killed"},
	} {
		if err := r.Run(context.Background(), work(script(c.text))); err == nil || err.Error() != c.want {
			t.Errorf("%q: %v, want %s", c.text, err, c.want)
		}
	}
	missing := work(&trigger.Spec{Program: &trigger.Program{Argv: []string{"/no/such/program"}}})
	if err := r.Run(context.Background(), missing); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}

// TestProgramIsKilled ends a program that has a child, by its timeout and by ctx.
func TestProgramIsKilled(t *testing.T) {
	for _, how := range []string{"timeout", "shutdown"} {
		t.Run(how, func(t *testing.T) {
			r, _ := newRunner(t)
			pipe := filepath.Join(t.TempDir(), "pids")
			if err := syscall.Mkfifo(pipe, 0o600); err != nil {
				t.Fatal(err)
			}
			w := work(script(`sleep 1000 & echo "$$ $!" > "$1"; wait`, pipe))
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			want := "context canceled"
			if how == "timeout" {
				w.Trigger.Program.Timeout = 2 * time.Second
				want = "it was killed after 2s"
			}
			ended := make(chan error, 1)
			go func() { ended <- r.Run(ctx, w) }()
			b, err := os.ReadFile(pipe) // until both run
			if err != nil {
				t.Fatal(err)
			}
			if how == "shutdown" {
				cancel()
			}
			if err := <-ended; err == nil || err.Error() != want {
				t.Fatalf("%v, want %s", err, want)
			}
			var shell, child int
			fmt.Sscan(string(b), &shell, &child)
			if child == 0 {
				t.Fatalf("%q", b)
			}
			for _, pid := range []int{shell, child} {
				for began := time.Now(); running(pid); { // a signal takes its time
					if time.Since(began) > 10*time.Second {
						t.Fatalf("process %d is left", pid)
					}
				}
			}
		})
	}
}

// running tells whether a process is there, and not only its entry in the table.
func running(pid int) bool {
	if syscall.Kill(pid, 0) != nil {
		return false
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && !strings.Contains(string(stat), ") Z ")
}

func TestOutputIsBounded(t *testing.T) {
	r, log := newRunner(t)
	if err := r.Run(context.Background(), work(script(`yes | head -n 5000; head -c 100000 /dev/zero | tr '\0' x; exit 1`))); err == nil || len(err.Error()) > lineBytesMax+100 {
		t.Fatalf("%.200v", err)
	}
	if n := strings.Count(log.String(), "program says"); n != linesMax+1 {
		t.Fatalf("%d lines", n)
	}
}

func TestWebhook(t *testing.T) {
	var got map[string]any
	var header http.Header
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		header = q.Header
		if err := json.NewDecoder(q.Body).Decode(&got); err != nil {
			t.Error(err)
		}
		w.WriteHeader(http.StatusAccepted)
		io.Copy(w, io.LimitReader(zeros{}, 1<<20))
	}))
	defer server.Close()
	r, _ := newRunner(t)
	w := work(&trigger.Spec{Webhook: &trigger.Webhook{URL: server.URL + "/hook", Headers: map[string]string{"Authorization": "Bearer x"}}})
	if err := r.Run(context.Background(), w); err != nil {
		t.Fatal(err)
	}
	for k, want := range map[string]string{
		"Idempotency-Key": "0000000000000007-5", "Content-Type": "application/json", "Authorization": "Bearer x",
	} {
		if header.Get(k) != want {
			t.Errorf("%s: %q, want %q", k, header.Get(k), want)
		}
	}
	want := "map[attempt:2 condition:1 depth:3 firedTime:2023-11-14T22:13:20Z on:depth queue:q run:0000000000000007-5 trigger:t]"
	if fmt.Sprint(got) != want {
		t.Errorf("%v, want %s", got, want)
	}
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { return len(b), nil }

func TestWebhookFails(t *testing.T) {
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("another host was asked") }))
	defer other.Close()
	hang := make(chan struct{})
	mux := http.NewServeMux()
	mux.HandleFunc("/bad", func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "not today", http.StatusInternalServerError)
	})
	mux.Handle("/away", http.RedirectHandler(other.URL, http.StatusTemporaryRedirect))
	mux.Handle("/get", http.RedirectHandler("/ok", http.StatusFound))
	mux.Handle("/round", http.RedirectHandler("/round", http.StatusTemporaryRedirect))
	mux.Handle("/moved", http.RedirectHandler("/ok", http.StatusPermanentRedirect))
	mux.HandleFunc("/hang", func(http.ResponseWriter, *http.Request) { <-hang })
	mux.HandleFunc("/ok", func(_ http.ResponseWriter, q *http.Request) {
		if b, _ := io.ReadAll(q.Body); q.Method != http.MethodPost || len(b) == 0 {
			t.Errorf("%s with %d bytes", q.Method, len(b))
		}
	})
	server := httptest.NewServer(mux)
	defer server.Close()
	defer close(hang)
	r, _ := newRunner(t)
	for path, want := range map[string]string{
		"/bad": "answer 500 Internal Server Error: not today", "/away": "is not followed", "/get": "is not followed",
		"/round": "is not followed", "/none": "answer 404", "/hang": "no answer within 50ms", "/moved": "", "/ok": "",
	} {
		hook := &trigger.Webhook{URL: server.URL + path}
		if path == "/hang" {
			hook.Timeout = 50 * time.Millisecond
		}
		err := r.Run(context.Background(), work(&trigger.Spec{Webhook: hook}))
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %q", path, err, want)
		}
	}
}
