// Command amqp091-go runs the integration tests of RabbitMQ's client for Go,
// as they are in its repository, against the broker at AMQP_URL.
//
// Its tests are those that only its build tag "integration" brings; the others
// need no broker. Left out are:
//
//   - TestConnection_Close_WhenMemoryAlarmIsActive: it calls rabbitmqctl.
//   - The tests of recovery that have a connection dropped over the management
//     API, unless AMQP_MANAGEMENT_URL says where that is (http://host:port).
//
// Tests of RabbitMQ's extensions look at the broker's name, and pass without a
// try where it is another; here they are tried.
//
// Of these, RabbitMQ 3.10.8 (Debian 12) passes all.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"

	_ "github.com/rabbitmq/amqp091-go" // its version is the one whose tests are run
)

const module = "github.com/rabbitmq/amqp091-go"

func main() {
	passed, failed, err := run()
	if err != nil {
		fmt.Println("FAIL", err)
		failed++
	}
	fmt.Printf("amqp091-go: %d passed, %d failed\n", passed, failed)
	if failed > 0 || passed == 0 {
		os.Exit(1)
	}
}

func run() (passed, failed int, err error) {
	dir, err := os.MkdirTemp("", "amqp091-go")
	if err != nil {
		return 0, 0, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	version, err := source(dir)
	if err != nil {
		return 0, 0, err
	}
	fmt.Println("#", module, version)
	if err := errors.Join(whateverItsName(dir), patient(dir)); err != nil {
		return 0, 0, err
	}
	tests, err := integrationTests(dir)
	if err != nil {
		return 0, 0, err
	}
	excluded, err := exclude(dir)
	if err != nil {
		return 0, 0, err
	}
	for name, why := range excluded {
		fmt.Printf("# not run: %s: %s\n", name, why)
	}
	tests = slices.DeleteFunc(tests, func(name string) bool { return excluded[name] != "" })
	return goTest(dir, tests)
}

// source copies the module, of the version that our go.mod requires, to dir.
func source(dir string) (version string, err error) {
	info, _ := debug.ReadBuildInfo()
	for _, m := range info.Deps {
		if m.Path == module {
			version = m.Version
		}
	}
	out, err := command(dir, "go", "mod", "download", "-json", module+"@"+version).Output()
	if err != nil {
		return "", fmt.Errorf("go mod download: %w", err)
	}
	var found struct{ Dir string }
	if err := json.Unmarshal(out, &found); err != nil {
		return "", err
	}
	if err := os.CopyFS(dir, os.DirFS(found.Dir)); err != nil {
		return "", err
	}
	return version, nil
}

// whateverItsName has tests run that are for a broker with RabbitMQ's name.
func whateverItsName(dir string) error {
	path := filepath.Join(dir, "integration_test.go")
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	named := regexp.MustCompile(`\w+(, ok := .*; ok) && \w+(\.\(string\))? == "RabbitMQ"`)
	if !named.Match(text) {
		return errors.New("no test looks at the broker's name any more")
	}
	text = named.ReplaceAll(text, []byte("_$1"))
	return rewrite(path, text)
}

// patient has tests wait longer than some seconds, or a fifth of one, for what they expect: a cluster makes a message durable in about
// that time, and a machine may be busy. None of these waits is for something that must not come.
func patient(dir string) error {
	waits := regexp.MustCompile(`((?:case <-|timeout :?= )time\.After)\([^()]*\)`)
	for _, name := range []string{"integration_test.go", "recovery_test.go"} {
		path := filepath.Join(dir, name)
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if !waits.Match(text) {
			return fmt.Errorf("no test in %s waits any more", name)
		}
		text = waits.ReplaceAll(text, []byte("${1}(30 * time.Second)"))
		// These let something happen that nothing tells of: a message of a tenth of a second expire, a consumer be cancelled.
		for _, short := range []string{"\ttime.Sleep(200 * time.Millisecond)", "\t<-time.After(200 * time.Millisecond)"} {
			text = bytes.ReplaceAll(text, []byte(short), []byte(strings.Replace(short, "200 * time.Millisecond", "2 * time.Second", 1)))
		}
		if err := rewrite(path, text); err != nil {
			return err
		}
	}
	return nil
}

func command(dir, name string, args ...string) *exec.Cmd {
	c := exec.Command(name, args...)
	c.Dir, c.Stderr = dir, os.Stderr
	return c
}

// integrationTests are those that the build tag brings, and the example that
// reads AMQP_URL.
func integrationTests(dir string) ([]string, error) {
	list := func(tags string) ([]string, error) {
		out, err := command(dir, "go", "test", "-tags", tags, "-list", "^(Test|ExampleConnection_reconnect$)", ".").Output()
		if err != nil {
			return nil, fmt.Errorf("go test -list: %w", err)
		}
		return regexp.MustCompile(`(?m)^(Test|Example)\w+$`).FindAllString(string(out), -1), nil
	}
	all, err := list("integration")
	if err != nil {
		return nil, err
	}
	plain, err := list("none")
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(all, func(name string) bool { return strings.HasPrefix(name, "Test") && slices.Contains(plain, name) }), nil
}

const managementOfTests = "http://localhost:15672"

// exclude says which tests are not run, and why. With a management API it
// points the tests there instead.
func exclude(dir string) (map[string]string, error) {
	excluded := map[string]string{"TestConnection_Close_WhenMemoryAlarmIsActive": "calls rabbitmqctl"}
	if management := os.Getenv("AMQP_MANAGEMENT_URL"); management != "" {
		return excluded, redirect(filepath.Join(dir, "internal/utils/http.go"), management)
	}
	text, err := os.ReadFile(filepath.Join(dir, "recovery_test.go"))
	if err != nil {
		return nil, err
	}
	for f := range bytes.SplitSeq(text, []byte("\nfunc ")) {
		if name := regexp.MustCompile(`^Test\w+`).Find(f); name != nil && bytes.Contains(f, []byte("dropConnection(")) {
			excluded[string(name)] = "has its connection dropped over the management API"
		}
	}
	return excluded, nil
}

func redirect(path, management string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	text = bytes.ReplaceAll(text, []byte(`"http://localhost:"+port+`), []byte(`"`+managementOfTests+`"+`))
	text = bytes.ReplaceAll(text, []byte(managementOfTests), []byte(strings.TrimSuffix(management, "/")))
	return rewrite(path, text)
}

// rewrite is for a file of a module, which may not be written.
func rewrite(path string, text []byte) error {
	if err := os.Chmod(path, 0o600); err != nil {
		return err
	}
	return os.WriteFile(path, text, 0o600)
}

type event struct {
	Action, Test, Output string
	Elapsed              float64 // in seconds
}

func goTest(dir string, tests []string) (passed, failed int, err error) {
	c := command(dir, "go", "test", "-tags", "integration", "-count", "1", "-timeout", "8m", "-json", "-run", "^("+strings.Join(tests, "|")+")$", ".")
	out, err := c.StdoutPipe()
	if err != nil {
		return 0, 0, err
	}
	if err := c.Start(); err != nil {
		return 0, 0, err
	}
	ended, err := report(out)
	if err != nil {
		return 0, 0, err
	}
	for _, name := range tests {
		switch ended[name] {
		case "pass":
			passed++
		default:
			failed++
			if ended[name] == "" {
				fmt.Println("FAIL", name+": did not end")
			}
		}
	}
	if err := c.Wait(); err != nil && failed == 0 {
		return passed, failed, fmt.Errorf("go test: %w", err)
	}
	return passed, failed, nil
}

// report prints how each test ended, with the output of those that failed.
func report(from io.Reader) (map[string]string, error) {
	ended, output := map[string]string{}, map[string]string{}
	lines := bufio.NewScanner(from)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var e event
		if json.Unmarshal(lines.Bytes(), &e) != nil || e.Test == "" {
			fmt.Fprint(os.Stderr, e.Output)
			if strings.HasPrefix(e.Output, "goleak:") { // what the tests left behind
				fmt.Print("# ", e.Output)
			}
			continue
		}
		output[e.Test] += e.Output
		if strings.Contains(e.Test, "/") {
			continue // a part of another
		}
		switch e.Action {
		case "pass":
			fmt.Printf("ok   %s (%.1fs)\n", e.Test, e.Elapsed)
		case "fail", "skip":
			fmt.Printf("FAIL %s: %s: %s\n", e.Test, e.Action, brief(output[e.Test]))
			fmt.Fprintf(os.Stderr, "--- %s\n%s", e.Test, output[e.Test])
		default:
			continue
		}
		ended[e.Test] = e.Action
	}
	return ended, lines.Err()
}

// brief is the last line of a test's output that speaks of a place in its source.
func brief(output string) string {
	lines := regexp.MustCompile(`\w+_test\.go:\d+: .*`).FindAllString(output, -1)
	if len(lines) == 0 {
		return ""
	}
	line := lines[len(lines)-1]
	return line[:min(len(line), 300)]
}
