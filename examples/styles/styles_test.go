// Package styles_test runs the six examples against a server, each as one would by hand.
package styles_test

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

const patience = time.Minute

// styles are the examples with the lines that they print. Those of different
// processes and goroutines come in any order.
var styles = map[string][]string{
	"request-response": {
		"order taker: asks for a flat white", `order taker: has "a hot flat white"`,
		"order taker: asks for a cortado", `order taker: has "a hot cortado"`,
	},
	"request-async-reply": {
		"caller: asked for 40 coffees as order-1001, and ends",
		"barista: answers while the caller is away",
		"caller: is back, and finds for order-1001: 40 coffees for the meeting are ready",
	},
	"notification": {
		"barista: said that the oat milk is out, and goes on; the manager is not in yet",
		`manager: comes in, and reads {"event":"out of oat milk","left_ml":0}`,
	},
	"publish-subscribe": {
		"barista: calls order 1; subscribers: 0",
		"barista: calls order 2; subscribers: 1", "customer: hears order 2",
		"barista: calls order 3; subscribers: 2", "customer: hears order 3", "screen: hears order 3",
	},
	"publish-async-replies": {
		`shop: offers before the deadline: ["Busan: 19 EUR/kg" "Trieste: 17 EUR/kg"]`,
		"shop: late offers, counted and dropped: 1",
	},
	"queueing": {
		"order taker: 3 orders are in the queue",
		"Minjun: takes order 1, attempt 1",
		"Seoyeon: takes order 2, attempt 1", "Seoyeon: has finished order 2",
		"Seoyeon: takes order 3, attempt 1", "Seoyeon: has finished order 3",
		"Seoyeon: takes order 1, attempt 2", "Seoyeon: has finished order 1",
	},
}

func TestStyles(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the binary")
	}
	dirs, err := filepath.Glob("*/main.go")
	if err != nil || len(dirs) != len(styles) {
		t.Fatalf("%d examples, %d are tested; %v", len(dirs), len(styles), err)
	}
	bin := t.TempDir()
	build(t, bin, "../../cmd/naru")
	build(t, bin, "./...")
	server := serve(t, bin)
	for name, want := range styles {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for range 2 { // what the first leaves must not disturb the second
				ctx, cancel := context.WithTimeout(t.Context(), patience)
				cmd := exec.CommandContext(ctx, filepath.Join(bin, name))
				cmd.Env = append(os.Environ(), "NARU_HTTP="+server)
				out, err := cmd.CombinedOutput()
				cancel()
				if err != nil {
					t.Fatalf("%v: %s", err, out)
				}
				got := strings.Split(strings.TrimSpace(string(out)), "\n")
				if name == "publish-subscribe" { // those who hear are not in step with the barista
					slices.Sort(got)
					slices.Sort(want)
				}
				if !slices.Equal(got, want) {
					t.Errorf("prints\n%s\nand should print\n%s", out, strings.Join(want, "\n"))
				}
			}
		})
	}
}

func build(t *testing.T, dir, what string) {
	t.Helper()
	if out, err := exec.Command("go", "build", "-o", dir+"/", what).CombinedOutput(); err != nil {
		t.Fatalf("go build %s: %v\n%s", what, err, out)
	}
}

// serve starts the server as a process of its own, and returns its HTTP address.
func serve(t *testing.T, bin string) (http string) {
	t.Helper()
	cmd := exec.Command(filepath.Join(bin, "naru"), "serve", "--data", t.TempDir(),
		"--kafka", "127.0.0.1:0", "--aws", "127.0.0.1:0", "--amqp", "off", "--http", "127.0.0.1:0")
	var logs strings.Builder
	cmd.Stderr = &logs
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		if err := cmd.Wait(); err != nil {
			t.Errorf("%v: %s", err, &logs)
		}
	})
	for lines := bufio.NewScanner(out); lines.Scan(); {
		name, rest, _ := strings.Cut(lines.Text(), " ")
		if name == "http" {
			http = strings.TrimSpace(rest)
		}
		if name == "ready" {
			return http
		}
	}
	t.Fatal("the server is not ready")
	return ""
}

// The same with curl, as docs/styles.md has it: all blocks are one script, and what a
// line says that it prints is printed, in that order.
func TestStylesWithCurl(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the binary")
	}
	for _, program := range []string{"curl", "jq"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skip(err)
		}
	}
	doc, err := os.ReadFile("../../docs/styles.md")
	if err != nil {
		t.Fatal(err)
	}
	var script strings.Builder
	var want []string
	for _, block := range regexp.MustCompile("(?ms)^```sh\n(.*?)^```$").FindAllSubmatch(doc, -1) {
		script.Write(block[1])
		for _, m := range regexp.MustCompile(`(?m) # → (.*)$`).FindAllSubmatch(block[1], -1) {
			want = append(want, string(m[1]))
		}
	}
	if len(want) < 7 {
		t.Fatalf("the document has %q to check", want)
	}
	bin := t.TempDir()
	build(t, bin, "../../cmd/naru")
	server := strings.TrimPrefix(serve(t, bin), "http://")
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "-euo", "pipefail", "-c", strings.ReplaceAll(script.String(), "127.0.0.1:8080", server))
	cmd.Dir = t.TempDir()
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for rest := string(out); len(want) > 0; want = want[1:] {
		_, after, ok := strings.Cut(rest, want[0]+"\n")
		if !ok {
			t.Fatalf("no %q in %q", want[0], rest)
		}
		rest = after
	}
}
