package lint

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// tree is the Go source of a repository: path to content.
type tree map[string]string

// file is one parsed source file.
type file struct {
	path      string // slash-separated, relative to the repository
	dir       string
	lines     int
	test      bool
	generated bool
	set       *token.FileSet
	syntax    *ast.File
}

func readTree(root string) (tree, error) {
	t := tree{}
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && name != root && skipped(d.Name()) {
			return filepath.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(name, ".go") || skipped(d.Name()) {
			return nil
		}
		src, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, name)
		t[filepath.ToSlash(rel)] = string(src)
		return err
	})
	return t, err
}

// skipped are the names that the go command does not look at either, and what
// other languages' tools put beside their sources.
func skipped(name string) bool {
	return name == "testdata" || name == "vendor" || name == "node_modules" || name[0] == '.' || name[0] == '_'
}

func (t tree) parse() ([]*file, error) {
	var files []*file
	set := token.NewFileSet()
	for name, src := range t {
		syntax, err := parser.ParseFile(set, name, src, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		files = append(files, &file{
			path:      name,
			dir:       path.Dir(name),
			lines:     strings.Count(strings.TrimSuffix(src, "\n"), "\n") + 1,
			test:      strings.HasSuffix(name, "_test.go"),
			generated: ast.IsGenerated(syntax),
			set:       set,
			syntax:    syntax,
		})
	}
	slices.SortFunc(files, func(a, b *file) int { return strings.Compare(a.path, b.path) })
	return files, nil
}

// complain makes a line of a rule's result.
func (f *file) complain(n ast.Node, format string, args ...any) string {
	p := f.set.Position(n.Pos())
	return fmt.Sprintf("%s:%d: %s", f.path, p.Line, fmt.Sprintf(format, args...))
}

// span is how many lines a node takes.
func (f *file) span(n ast.Node) int {
	return f.set.Position(n.End()).Line - f.set.Position(n.Pos()).Line + 1
}

func importPath(i *ast.ImportSpec) string {
	p, err := strconv.Unquote(i.Path.Value)
	if err != nil {
		panic(err) // the parser has accepted it
	}
	return p
}

// localName is the name by which a file knows a package that it imports, "" if
// it does not. The last element that is no version stands for the package's name.
func (f *file) localName(want string) string {
	for _, i := range f.syntax.Imports {
		if importPath(i) != want {
			continue
		}
		if i.Name != nil {
			return i.Name.Name
		}
		if base := path.Base(want); base != "v2" {
			return base
		}
		return path.Base(path.Dir(want))
	}
	return ""
}
