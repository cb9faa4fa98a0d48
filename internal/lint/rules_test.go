package lint

import (
	"fmt"
	"go/ast"
	"slices"
	"strings"
)

// rule looks at all files and returns a line for each thing that is wrong.
type rule struct {
	name  string
	check func(files []*file) []string
}

var rules = []rule{
	{"every package is in the room table", checkListed},
	{"imports go down", checkImports},
	{"pure rooms are pure", checkPure},
	{"files and functions are short", checkSizes},
	{"the core knows no protocol", checkNames},
	{"packages say what they are", checkDocs},
}

const (
	fileLinesMax     = 800
	functionLinesMax = 70
)

func checkListed(files []*file) (wrong []string) {
	seen := map[string]bool{}
	for _, f := range files {
		if r, _ := roomOf(rooms, f.dir); r == nil && !seen[f.dir] {
			seen[f.dir] = true
			wrong = append(wrong, fmt.Sprintf("%s: not in the room table (internal/lint/rooms_test.go)", f.dir))
		}
	}
	return wrong
}

// checkImports looks at tests too: what a test needs from a higher room shows
// that the room under test cannot be understood by itself.
func checkImports(files []*file) (wrong []string) {
	for _, f := range files {
		from, star := roomOf(rooms, f.dir)
		if from == nil {
			continue
		}
		for _, spec := range f.syntax.Imports {
			dir, ours := ownDir(importPath(spec))
			// A test in a package of its own imports what it tests.
			if !ours || dir == f.dir {
				continue
			}
			if why := forbidden(from, star, f.dir, dir); why != "" {
				wrong = append(wrong, f.complain(spec, "%s must not import %s: %s", f.dir, dir, why))
			}
		}
	}
	return wrong
}

// ownDir is the directory of a package of this repository.
func ownDir(importPath string) (string, bool) {
	if importPath == modulePath {
		return ".", true
	}
	return strings.CutPrefix(importPath, modulePath+"/")
}

// forbidden says why one directory must not import another.
func forbidden(from *room, star, fromDir, toDir string) string {
	to, toStar := roomOf(rooms, toDir)
	switch {
	case to == nil:
		return "it is not in the room table"
	case public(fromDir) && (toDir == "internal/broker" || strings.HasPrefix(toDir, "internal/front/")):
		return "services would import the broker with it"
	case from.dir == "internal/front/*" && to.dir == from.dir && star != toStar:
		return "front ends know nothing of each other"
	case from.only == nil && to.level >= from.level:
		return fmt.Sprintf("imports go down (from level %d to %d)", from.level, to.level)
	case from.only == nil:
		return ""
	}
	for _, allowed := range from.only {
		if _, ok := match(strings.ReplaceAll(allowed, "$1", star), toDir); ok {
			return ""
		}
	}
	return fmt.Sprintf("it may import only %q", from.only)
}

// impure lists what pure rooms must not use of the packages that they may
// import: what reads the clock, waits, or draws from a generator that nobody
// seeded.
var impure = map[string]func(name string) bool{
	"time": func(name string) bool {
		return slices.Contains([]string{
			"Now", "Since", "Until", "After", "AfterFunc", "NewTimer", "NewTicker", "Tick", "Sleep",
		}, name)
	},
	"math/rand":    globalRand,
	"math/rand/v2": globalRand,
}

func globalRand(name string) bool {
	return !slices.Contains([]string{
		"Rand", "Source", "Source64", "PCG", "ChaCha8", "Zipf", "New", "NewSource", "NewPCG", "NewChaCha8", "NewZipf",
	}, name)
}

// effects are packages whose use is I/O, or chance.
var effects = []string{
	"net", "os", "syscall", "log", "io/fs", "io/ioutil", "crypto/rand", "path/filepath", "golang.org/x/sys",
}

func checkPure(files []*file) (wrong []string) {
	for _, f := range files {
		if r, _ := roomOf(rooms, f.dir); r == nil || !r.pure || f.test {
			continue
		}
		for _, spec := range f.syntax.Imports {
			p := importPath(spec)
			for _, e := range effects {
				if p == e || strings.HasPrefix(p, e+"/") {
					wrong = append(wrong, f.complain(spec, "a pure room must not import %s", p))
				}
			}
			if impure[p] != nil && spec.Name != nil && spec.Name.Name == "." {
				wrong = append(wrong, f.complain(spec, "a pure room must not import %s by a dot", p))
			}
		}
		ast.Inspect(f.syntax, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.GoStmt:
				wrong = append(wrong, f.complain(n, "a pure room must not start a goroutine"))
			case *ast.SelectorExpr:
				for p, bad := range impure {
					x, ok := n.X.(*ast.Ident)
					if ok && x.Name == f.localName(p) && bad(n.Sel.Name) {
						wrong = append(wrong, f.complain(n, "a pure room must not use %s.%s", p, n.Sel.Name))
					}
				}
			}
			return true
		})
	}
	return wrong
}

func checkSizes(files []*file) (wrong []string) {
	for _, f := range files {
		if f.generated {
			continue
		}
		if f.lines > fileLinesMax && !explained(f, commentsAbovePackage(f)...) {
			wrong = append(wrong, f.complain(f.syntax, "the file has %d lines, more than %d, and no // Long: line above its package clause",
				f.lines, fileLinesMax))
		}
		if f.test {
			continue
		}
		for _, d := range f.syntax.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if ok && f.span(fn) > functionLinesMax && !explained(f, fn.Doc) {
				wrong = append(wrong, f.complain(fn, "%s has %d lines, more than %d, and no // Long: line above it",
					fn.Name.Name, f.span(fn), functionLinesMax))
			}
		}
	}
	return wrong
}

func commentsAbovePackage(f *file) []*ast.CommentGroup {
	var groups []*ast.CommentGroup
	for _, g := range f.syntax.Comments {
		if g.Pos() < f.syntax.Package {
			groups = append(groups, g)
		}
	}
	return groups
}

// explained tells whether one of the comments gives a reason for the length.
func explained(f *file, groups ...*ast.CommentGroup) bool {
	for _, g := range groups {
		if g == nil {
			continue
		}
		for _, c := range g.List {
			if reason, ok := strings.CutPrefix(c.Text, "// Long:"); ok && strings.TrimSpace(reason) != "" {
				return true
			}
		}
	}
	return false
}

var protocols = []string{"kafka", "sqs", "kinesis", "amqp", "rabbit", "stomp", "mqtt", "openwire", "activemq"}

func checkNames(files []*file) (wrong []string) {
	for _, f := range files {
		if r, _ := roomOf(rooms, f.dir); r == nil || !r.core || f.test {
			continue
		}
		for _, id := range exported(f.syntax) {
			for _, p := range protocols {
				if strings.Contains(strings.ToLower(id.Name), p) {
					wrong = append(wrong, f.complain(id, "%s names a protocol; the core has words of its own", id.Name))
				}
			}
		}
	}
	return wrong
}

// exported lists the exported identifiers that a file declares outside
// functions: also fields, and methods of interfaces.
func exported(syntax *ast.File) []*ast.Ident {
	var ids []*ast.Ident
	add := func(names ...*ast.Ident) {
		for _, id := range names {
			if id.IsExported() {
				ids = append(ids, id)
			}
		}
	}
	ast.Inspect(syntax, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncDecl:
			add(n.Name)
			return false
		case *ast.TypeSpec:
			add(n.Name)
		case *ast.ValueSpec:
			add(n.Names...)
		case *ast.Field:
			add(n.Names...)
		}
		return true
	})
	return ids
}

// checkDocs wants one package comment per internal package, in Go's form.
func checkDocs(files []*file) (wrong []string) {
	found := map[string][]string{}
	var dirs []string
	for _, f := range files {
		if f.test || !strings.HasPrefix(f.dir, "internal/") {
			continue
		}
		if _, ok := found[f.dir]; !ok {
			dirs = append(dirs, f.dir)
			found[f.dir] = nil
		}
		if f.syntax.Doc == nil {
			continue
		}
		found[f.dir] = append(found[f.dir], f.path)
		name := f.syntax.Name.Name
		if want := "Package " + name + " "; name != "main" && !strings.HasPrefix(f.syntax.Doc.Text(), want) {
			wrong = append(wrong, f.complain(f.syntax.Doc, "the package comment must begin with %q", want))
		}
	}
	for _, dir := range dirs {
		if len(found[dir]) != 1 {
			wrong = append(wrong, fmt.Sprintf("%s: has %d package comments %v, want one (in doc.go)", dir, len(found[dir]), found[dir]))
		}
	}
	return wrong
}
