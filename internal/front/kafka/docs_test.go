package kafka

import (
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	wire "github.com/narumq/naru/internal/wire/kafka"
)

var update = flag.Bool("update", false, "write the table in docs/kafka.md")

const docsFile = "../../../docs/kafka.md"

const (
	tableBegin = "<!-- apis: written by a test -->\n"
	tableEnd   = "<!-- end of apis -->\n"
)

// apiHeader is the comment that each API's registration has.
var apiHeader = regexp.MustCompile(`(?s)^(\w+) \((\d+)\), versions? ([\d-]+)\.\n\nBehaviour: (.*)\n\nDeviations: (.*)$`)

// headers reads the comments of all registrations, by key.
func headers(t *testing.T) map[wire.APIKey][]string {
	t.Helper()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	found := map[wire.APIKey][]string{}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			g, ok := d.(*ast.GenDecl)
			if !ok || g.Tok != token.VAR || g.Doc == nil {
				continue
			}
			if m := apiHeader.FindStringSubmatch(strings.TrimSpace(g.Doc.Text())); m != nil {
				var key int
				fmt.Sscan(m[2], &key)
				found[wire.APIKey(key)] = m
			}
		}
	}
	return found
}

// The comments say what is served, and docs/kafka.md says what the comments do.
func TestDocsListWhatIsServed(t *testing.T) {
	found := headers(t)
	var table strings.Builder
	table.WriteString("| key | API | versions | behaviour | deviations from Apache Kafka |\n|---:|---|---|---|---|\n")
	line := func(s string) string { return strings.ReplaceAll(strings.Join(strings.Fields(s), " "), "|", "\\|") }
	for _, key := range wire.Keys() {
		a, m := served[key], found[key]
		if a == nil || m == nil {
			t.Errorf("%v: served %t, its header found %t", key, a != nil, m != nil)
			continue
		}
		versions := fmt.Sprintf("%d-%d", a.Min, a.high)
		if a.Min == a.high {
			versions = fmt.Sprint(a.Min)
		}
		if m[1] != a.Name || m[3] != versions {
			t.Errorf("%v: the header says %s %s, served are %s", key, m[1], m[3], versions)
		}
		fmt.Fprintf(&table, "| %d | %s | %s | %s | %s |\n", key, a.Name, versions, line(m[4]), line(m[5]))
	}
	docs, err := os.ReadFile(docsFile)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(docs), tableBegin)
	now, after, ok2 := strings.Cut(rest, tableEnd)
	if !ok || !ok2 {
		t.Fatalf("%s has no place for the table", docsFile)
	}
	if now == table.String() {
		return
	}
	if !*update {
		t.Fatalf("%s is out of date: go test ./internal/front/kafka -run Docs -update", docsFile)
	}
	if err := os.WriteFile(docsFile, []byte(before+tableBegin+table.String()+tableEnd+after), 0o644); err != nil {
		t.Fatal(err)
	}
}
