package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

const repository = "../.."

// rewriting is datadriven's flag, which serves here too.
func rewriting() bool { return flag.Lookup("rewrite").Value.String() == "true" }

// TestCommandReference holds docs/cli.md to the commands.
func TestCommandReference(t *testing.T) {
	a := &app{env: func(string) (string, bool) { return "", false }}
	root := a.rootCommand()
	root.InitDefaultCompletionCmd()
	var want strings.Builder
	want.WriteString("# The command line\n\nWritten from `naru help` by a test (`go test ./cmd/naru -rewrite`). " +
		"Every command takes `--help`.\n\n" +
		"Standard output has what was asked for and nothing else; progress and errors go to standard error.\n\n" +
		"| exit code | means |\n|---|---|\n| 0 | done |\n| 1 | the broker refused, or something went wrong |\n" +
		"| 2 | wrong flags or arguments |\n| 3 | no broker answers at `--server` |\n| 4 | `naru check` found damage |\n" +
		"| 130 | interrupted |\n")
	describe(t, &want, root)
	name := filepath.Join(repository, "docs", "cli.md")
	have, err := os.ReadFile(name)
	if rewriting() {
		err = os.WriteFile(name, []byte(want.String()), 0o644)
		have = []byte(want.String())
	}
	if err != nil {
		t.Fatal(err)
	}
	if string(have) != want.String() {
		t.Errorf("%s is not what the commands say; go test ./cmd/naru -rewrite writes it", name)
	}
}

func describe(t *testing.T, out *strings.Builder, cmd *cobra.Command) {
	for _, child := range cmd.Commands() {
		if child.Hidden || child.Name() == "help" || child.Parent().Name() == "completion" {
			continue
		}
		if child.Short == "" {
			t.Errorf("%s says nothing of itself", child.CommandPath())
		}
		text := child.Long
		if text == "" || child.Name() == "completion" {
			text = child.Short + "."
		}
		fmt.Fprintf(out, "\n## %s\n\n```\n%s\n```\n\n%s\n", child.CommandPath(), child.UseLine(), paragraphs(text))
		if child.Example != "" {
			fmt.Fprintf(out, "\n```sh\n%s\n```\n", regexp.MustCompile(`(?m)^  `).ReplaceAllString(child.Example, ""))
		}
		if flags := flagTable(t, child); flags != "" && child.Name() != "serve" {
			out.WriteString("\n" + flags)
		} else if child.Name() == "serve" {
			out.WriteString("\nIts flags are the settings in [operations.md](operations.md#settings).\n")
		}
		describe(t, out, child)
	}
}

// paragraphs keeps the lines of help text apart.
func paragraphs(s string) string {
	var b strings.Builder
	for block := range strings.SplitSeq(s, "\n\n") {
		if b.Len() > 0 {
			b.WriteString("\n\n")
		}
		if strings.Contains(block, "\n  ") || strings.Contains(block, "%v") {
			b.WriteString("```\n" + block + "\n```")
		} else {
			b.WriteString(block)
		}
	}
	return b.String()
}

func flagTable(t *testing.T, cmd *cobra.Command) string {
	var b strings.Builder
	cmd.NonInheritedFlags().VisitAll(func(f *pflag.Flag) {
		if f.Name == "help" {
			return
		}
		kind, usage := pflag.UnquoteUsage(f)
		if usage == "" {
			t.Errorf("%s: --%s is not documented", cmd.CommandPath(), f.Name)
		}
		if b.Len() == 0 {
			b.WriteString("| flag | default | meaning |\n|---|---|---|\n")
		}
		name := "--" + f.Name
		if f.Shorthand != "" {
			name = "-" + f.Shorthand + ", " + name
		}
		def := f.DefValue
		if def == "[]" || def == "" || (def == "false" && kind == "") {
			def = ""
		} else {
			def = "`" + def + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", strings.TrimSpace(name+" "+kind), def, usage)
	})
	return b.String()
}

// block is a piece of a document that is marked to be run: a line
// <!-- run: PROGRAM... --> names what it needs beside naru and a shell.
type block struct {
	where, language, text string
	needs                 []string
}

var runMark = regexp.MustCompile("(?ms)^<!-- run:?([^>]*)-->\n```(\\w+)\n(.*?)^```$")

func marked(t *testing.T, name string) []block {
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	var blocks []block
	for _, m := range runMark.FindAllSubmatchIndex(b, -1) {
		text := func(i int) string { return string(b[m[2*i]:m[2*i+1]]) }
		line := 1 + bytes.Count(b[:m[0]], []byte{'\n'})
		blocks = append(blocks, block{fmt.Sprintf("%s:%d", name, line), text(2), text(3), strings.Fields(text(1))})
	}
	return blocks
}

// TestDocumentsRun runs the marked examples of the documents, in order,
// against one server. Commands are the lines after "$ "; what follows is what
// they have to print.
func TestDocumentsRun(t *testing.T) {
	d := serve(t, t.TempDir())
	dir := t.TempDir()
	if err := os.Symlink(theBinary(t), filepath.Join(dir, "naru")); err != nil {
		t.Fatal(err)
	}
	docs, err := filepath.Glob(filepath.Join(repository, "docs", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	ran := 0
	for _, name := range append([]string{filepath.Join(repository, "README.md")}, docs...) {
		for _, b := range marked(t, name) {
			ran++
			t.Run(filepath.Base(b.where), func(t *testing.T) { b.run(t, d, dir) })
		}
	}
	if ran < 3 {
		t.Errorf("%d examples found: the marks are not read", ran)
	}
}

func (b *block) run(t *testing.T, d *daemon, dir string) {
	for _, program := range b.needs {
		module, python := strings.CutPrefix(program, "python:")
		if python && exec.Command("python3", "-c", "import "+module).Run() != nil {
			t.Skipf("no Python module %s", module)
		}
		if _, err := exec.LookPath(program); !python && err != nil {
			t.Skipf("no %s", program)
		}
	}
	sh := &shell{server: d.kafka}
	here := strings.NewReplacer("127.0.0.1:9092", d.kafka, "http://localhost:4566", d.aws, "http://127.0.0.1:8080", d.http, "127.0.0.1:5672", d.amqp).Replace
	run := func(name string, args ...string) string {
		cmd := exec.Command(name, args...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "NARU_SERVER="+d.kafka, "NARU_HTTP_SERVER="+d.http, "AWS_ENDPOINT_URL="+d.aws,
			"AWS_DEFAULT_REGION=us-east-1", "AWS_ACCESS_KEY_ID=any", "AWS_SECRET_ACCESS_KEY=any")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v: %v\n%s", b.where, args, err, out)
		}
		return sh.mask(string(out))
	}
	if b.language == "python" {
		run("python3", "-c", here(b.text))
		return
	}
	for _, c := range strings.Split("\n"+b.text, "\n$ ")[1:] {
		command, want, _ := strings.Cut(here(c), "\n")
		got := run("sh", "-c", command)
		if strings.TrimRight(got, "\n") != strings.TrimRight(sh.mask(want), "\n") {
			t.Errorf("%s: $ %s\nprints\n%s\nand should print\n%s", b.where, command, got, sh.mask(want))
		}
	}
}

// TestLinks follows every relative link in the documents of the root and of
// docs.
func TestLinks(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)#:]+)(#[^)]*)?\)`)
	var names []string
	for _, pattern := range []string{"*.md", "docs/*.md"} {
		found, err := filepath.Glob(filepath.Join(repository, pattern))
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, found...)
	}
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range link.FindAllSubmatch(b, -1) {
			if _, err := os.Stat(filepath.Join(filepath.Dir(name), string(m[1]))); err != nil {
				t.Errorf("%s links to %s, which does not exist", name, m[1])
			}
		}
	}
}
