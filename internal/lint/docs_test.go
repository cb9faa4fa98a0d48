package lint

import (
	"fmt"
	"go/ast"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	testWord = regexp.MustCompile(`\b(?:Test|Fuzz|Benchmark)[A-Z]\w*`)
	runFlag  = regexp.MustCompile("-(?:run|bench|fuzz)[ =]'?([^ ,'`\n]+)")
	pathWord = regexp.MustCompile("`((?:internal|cmd|conformance|bench|docs|tools|\\.ci)/[^` *…]+)`")
)

// checkDocuments compares documents, path to text, with the tree: the tests that
// they name, the patterns of tests that they run, and the paths in backticks.
func checkDocuments(docs map[string]string, files []*file, exists func(string) bool) []string {
	tests := make(map[string]bool)
	for _, f := range files {
		if !f.test {
			continue
		}
		for _, d := range f.syntax.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && testWord.MatchString(fn.Name.Name) {
				tests[fn.Name.Name] = true
			}
		}
	}
	matches := func(pattern string) bool {
		re, err := regexp.Compile(pattern)
		if err != nil || pattern == "^$" || pattern == "." {
			return err == nil
		}
		for name := range tests {
			if re.MatchString(name) {
				return true
			}
		}
		return false
	}
	var out []string
	for name, text := range docs {
		for _, test := range testWord.FindAllString(text, -1) {
			if !tests[test] && test != "TestXxx" {
				out = append(out, fmt.Sprintf("%s names %s, which does not exist", name, test))
			}
		}
		for _, m := range runFlag.FindAllStringSubmatch(text, -1) {
			if !matches(m[1]) {
				out = append(out, fmt.Sprintf("%s runs %q, which matches no test", name, m[1]))
			}
		}
		for _, m := range pathWord.FindAllStringSubmatch(text, -1) {
			if p := strings.TrimSuffix(path.Clean(m[1]), "/"); !exists(p) && !strings.Contains(p, "NAME") {
				out = append(out, fmt.Sprintf("%s names %s, which does not exist", name, m[1]))
			}
		}
	}
	slices.Sort(out)
	return out
}

// TestDocumentsNameWhatExists holds the documents to the tree.
func TestDocumentsNameWhatExists(t *testing.T) {
	const root = "../.."
	source, err := readTree(root)
	if err != nil {
		t.Fatal(err)
	}
	files, err := source.parse()
	if err != nil {
		t.Fatal(err)
	}
	docs := make(map[string]string)
	for _, pattern := range []string{"*.md", "docs/*.md", "bench/*.md", "conformance/*.md"} {
		names, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			b, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			docs[strings.TrimPrefix(filepath.ToSlash(name), root+"/")] = string(b)
		}
	}
	if docs["docs/testing.md"] == "" {
		t.Fatal("docs/testing.md was not found")
	}
	exists := func(p string) bool {
		_, err := os.Stat(filepath.Join(root, filepath.FromSlash(p)))
		return err == nil
	}
	for _, line := range checkDocuments(docs, files, exists) {
		t.Error(line)
	}
}

// The rule sees what is wrong, and nothing else.
func TestDocumentsRule(t *testing.T) {
	source := tree{"internal/a/a_test.go": "package a\nfunc TestThere() {}\nfunc FuzzThere() {}\ntype x int\nfunc (x) TestMethod() {}"}
	files, err := source.parse()
	if err != nil {
		t.Fatal(err)
	}
	docs := map[string]string{
		"good.md": "`TestThere`, TestXxx, Testing, `go test -run 'There' ./...`, -run '^$' -fuzz FuzzThere, `internal/a/a_test.go`, `internal/a/`",
		"bad.md":  "`TestGone`, TestMethod, `go test -run Gone`, `internal/gone.go`",
	}
	got := checkDocuments(docs, files, func(p string) bool { return p == "internal/a/a_test.go" || p == "internal/a" })
	want := []string{
		`bad.md names TestGone, which does not exist`, `bad.md names TestMethod, which does not exist`,
		`bad.md names internal/gone.go, which does not exist`, `bad.md runs "Gone", which matches no test`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
