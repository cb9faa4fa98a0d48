package main

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestGeneratedFilesAreCurrent fails when methods.txt or the generator was changed without running it.
func TestGeneratedFilesAreCurrent(t *testing.T) {
	src, err := os.ReadFile("../methods.txt")
	if err != nil {
		t.Fatal(err)
	}
	want, err := generate(string(src))
	if err != nil {
		t.Fatal(err)
	}
	have, err := filepath.Glob("../zz_*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range have {
		name := filepath.Base(path)
		got, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want[name]) {
			t.Errorf("%s is not what go generate makes", name)
		}
		delete(want, name)
	}
	for name := range want {
		t.Errorf("%s is missing", name)
	}
}

func TestTableErrors(t *testing.T) {
	const class = "class c 1\n"
	const method = class + "method m 1 from client\n"
	for _, c := range []struct{ src, want string }{
		{"method m 1 from client\n", "cannot read"},
		{"  f bit\n", "cannot read"},
		{class + "  f bit\n", "cannot read"},
		{class + "method m x from client\n", "invalid syntax"},
		{class + "method m 65536 from client\n", "out of range"},
		{class + "method m 1 from nobody\n", `from "nobody"`},
		{class + "method m 1 from client loud\n", "cannot read"},
		{class + "method m 1 from client answered m-ok\n", "c.m: answered by m-ok, which does not exist"},
		{method + "  f int\n", "cannot read"},
		{method + "method m 2 from client\n", "c.m: twice"},
		{method + "class d 2\n  f bit\n", "methods.txt:4: cannot read"},
		{class + "properties\n  f bit\n", "is a bit"},
		{class + "properties\n" + strings.Repeat("  f octet\n", 16), "more than 15"},
		{class + "properties\n  f octet\nproperties\n", "cannot read"},
		{"code X 1 nothing\n", `closes "nothing"`},
		{"code X y channel\n", "invalid syntax"},
	} {
		_, err := generate(c.src)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: error %v, want %q", c.src, err, c.want)
		}
	}
}

// TestRuns pins how bits share octets: eight at most, and only those in a row.
func TestRuns(t *testing.T) {
	m := &method{}
	for _, kind := range strings.Fields("bit bit short bit bit bit bit bit bit bit bit bit octet") {
		m.fields = append(m.fields, field{"f", kind})
	}
	var got []int
	m.runs(func(field) { got = append(got, 0) }, func(bits []field) { got = append(got, len(bits)) })
	if want := []int{2, 0, 8, 1, 0}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestNames(t *testing.T) {
	for in, want := range map[string]string{
		"virtual-host": "VirtualHost", "class-id": "ClassID", "NOT_FOUND": "NotFound", "no-ack": "NoAck", "identity": "Identity",
	} {
		if got := goName(in); got != want {
			t.Errorf("%s became %s, want %s", in, got, want)
		}
	}
}
