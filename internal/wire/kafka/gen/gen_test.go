package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestGeneratedFilesAreCurrent fails when messages.txt or the generator was changed without running it.
func TestGeneratedFilesAreCurrent(t *testing.T) {
	src, err := os.ReadFile("../messages.txt")
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
	const head = "api X 1 versions 2-5 flexible 4+\nrequest\n"
	for _, c := range []struct{ src, want string }{
		{"request\n", "before any api"},
		{"api X 1 versions 2-x flexible none\n", "versions"},
		{"  A int32\n", "cannot read"},
		{head + "  A int32 9 9 9\n", "cannot read"},
		{head + "   A int32\n", "wrong indentation"},
		{head + "  A int32\n    B int32\n", "wrong indentation"},
		{head + "  A int32 1-5\n", "outside 2-5"},
		{head + "  A []S 3-4\n    B int8 2+\n", "outside 3-4"}, // 2+ ends where its parent does
		{head + "  A int32 3+ tag 0\n", "tagged before version 4"},
		{head + "  A int32 4+ tag 1\n", "tags are not"},
		{head + "  A records 4+ tag 0\n", "tagged records"},
		{head + "  A string?9+\n", "nullable from 9"},
		{head + "  A S\n    B int8\n", "not needed so far"},
		{head + "  A []int64\n", "not needed so far"},
		{head + "  A []S\n    B []int32? = null\n    C string?\n    D string?\n    E string? 4+ tag 0\n    F string? 4+ tag 1\n", "per byte"},
	} {
		_, err := generate(c.src)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: error %v, want %q", c.src, err, c.want)
		}
	}
}

// TestConditions pins how versions become code: the parent's range needs no check, flexibility is known where it can be.
func TestConditions(t *testing.T) {
	for _, c := range []struct {
		inner, outer span
		want         string
	}{
		{span{3, 9}, span{3, 9}, ""},
		{span{5, 9}, span{3, 9}, "v >= 5"},
		{span{3, 7}, span{3, 9}, "v <= 7"},
		{span{5, 7}, span{3, 9}, "v >= 5 && v <= 7"},
	} {
		if got := cond(c.inner, c.outer); got != c.want {
			t.Errorf("cond(%v, %v) = %q, want %q", c.inner, c.outer, got, c.want)
		}
	}
	m := &message{flexible: 6}
	for in, want := range map[span]string{{6, 9}: "true", {0, 5}: "false", {0, 6}: "flex"} {
		if got := m.flex(in); got != want {
			t.Errorf("flex(%v) = %q, want %q", in, got, want)
		}
	}
}
