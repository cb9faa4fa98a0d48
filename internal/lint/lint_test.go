package lint

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// TestRepository holds this repository to the rules.
func TestRepository(t *testing.T) {
	source, err := readTree("../..")
	if err != nil {
		t.Fatal(err)
	}
	for _, must := range []string{"internal/lint/doc.go", "internal/fault/fault.go"} {
		if source[must] == "" {
			t.Fatalf("%s was not found: the tests look at the wrong directory", must)
		}
	}
	files, err := source.parse()
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rules {
		t.Run(r.name, func(t *testing.T) {
			for _, line := range r.check(files) {
				t.Error(line)
			}
		})
	}
}

// own is the path of a package of ours, in quotes.
func own(dir string) string { return fmt.Sprintf("%q", modulePath+"/"+dir) }

func lines(n int) string { return strings.Repeat("\n", n) }

// cases are small trees with what each rule must say about them: a part of
// each line, in order. No part means that the rule must be content.
var cases = []struct {
	name  string
	check func([]*file) []string
	tree  tree
	want  []string
}{
	{"unlisted package", checkListed, tree{
		"internal/util/a.go": "package util", "internal/util/b.go": "package util", "outbox/a.go": "package outbox",
		"internal/journal/deep/a.go": "package deep",
	}, []string{"internal/journal/deep: not in", "internal/util: not in", "outbox: not in"}},
	{"listed packages", checkListed, tree{
		"cmd/naru/main.go": "package main", "naru.go": "package naru", "bench/internal/x/a.go": "package x", "bench/a.go": "package main",
		"internal/wire/amqp/a.go": "package amqp", "internal/wire/kafka/gen/a.go": "package main",
	}, nil},

	{"upward import", checkImports, tree{
		"internal/journal/a.go": "package journal\nimport " + own("internal/commitlog"),
	}, []string{"internal/journal/a.go:2: internal/journal must not import internal/commitlog: imports go down (from level 40 to 50)"}},
	{"upward import of a test", checkImports, tree{
		"internal/catalog/a_test.go": "package catalog_test\nimport (\n" + own("internal/catalog") + "\n" + own("internal/broker") + ")",
	}, []string{"a_test.go:4: internal/catalog must not import internal/broker"}},
	{"sideways import", checkImports, tree{
		"internal/catalog/a.go": "package catalog\nimport " + own("internal/commitlog"),
	}, []string{"internal/catalog must not import internal/commitlog"}},
	{"import of an unlisted package", checkImports, tree{
		"cmd/naru/a.go": "package main\nimport " + own("internal/util"),
	}, []string{"must not import internal/util: it is not in the room table"}},
	{"front end imports another", checkImports, tree{
		"internal/front/kafka/a.go": "package kafka\nimport " + own("internal/front/stomp"),
	}, []string{"front ends know nothing of each other"}},
	{"front end past the broker, and with another's codec", checkImports, tree{
		"internal/front/kafka/a.go": "package kafka\nimport (\n" + own("internal/journal") + "\n" + own("internal/wire/amqp") + ")",
	}, []string{"a.go:3: internal/front/kafka must not import internal/journal: it may import only", "a.go:4: "}},
	{"codec imports ours", checkImports, tree{
		"internal/wire/kafka/a.go": "package kafka\nimport " + own("internal/fault"),
	}, []string{"internal/wire/kafka must not import internal/fault: it may import only []"}},
	{"pure room imports storage", checkImports, tree{
		"internal/group/a.go": "package group\nimport " + own("internal/journal"),
	}, []string{"internal/group must not import internal/journal"}},
	{"public package imports the broker", checkImports, tree{
		"naru.go": "package naru\nimport (\n" + own("internal/broker") + "\n" + own("internal/front/kafka") + ")",
	}, []string{"naru.go:3: . must not import internal/broker: services would", "naru.go:4: . must not import internal/front/kafka: services would"}},
	{"benchmark imports the inside", checkImports, tree{
		"bench/a.go": "package main\nimport " + own("internal/journal"),
	}, []string{"bench must not import internal/journal"}},
	{"imports as they should be", checkImports, tree{
		"cmd/naru/a.go":              "package main\nimport (\n" + own("internal/server") + "\n" + own("internal/journal") + ")",
		"internal/server/a.go":       "package server\nimport (\n" + own("internal/front/kafka") + "\n" + own("internal/broker") + ")",
		"internal/front/kafka/a.go":  "package kafka\nimport (\n" + own("internal/broker") + "\n" + own("internal/wire/kafka") + ")",
		"internal/broker/a.go":       "package broker\nimport (\n" + own("internal/group") + "\n" + own("internal/statelog") + ")",
		"internal/statelog/a.go":     "package statelog\nimport " + own("internal/commitlog"),
		"internal/commitlog/a.go":    "package commitlog\nimport (\n\"net\"\n" + own("internal/journal") + ")",
		"internal/journal/a.go":      "package journal\nimport (\n" + own("internal/vfs") + "\n" + own("internal/record") + ")",
		"internal/vfs/a.go":          "package vfs\nimport " + own("internal/fault"),
		"internal/vfs/a_test.go":     "package vfs_test\nimport " + own("internal/vfs"),
		"bench/a.go":                 "package main\nimport " + own("bench/internal/x"),
		"internal/group/a.go":        "package group\nimport " + own("internal/record"),
		"conformance/franz-go/a.go":  "package main\nimport " + own("conformance/history"),
		"internal/wire/kafka/a.go":   "package kafka\nimport \"unsafe\"",
		"examples/first/message.go":  "package main\nimport \"" + modulePath + "\"",
		"internal/wire/kafka/b.go":   "package kafka",
		"internal/front/aws/sqs.go":  "package aws\nimport " + own("internal/wire/aws"),
		"internal/objectstore/s3.go": "package objectstore\nimport " + own("internal/fault"),
	}, nil},

	{"clock in a pure room", checkPure, tree{
		"internal/group/a.go": "package group\nimport \"time\"\nvar a = time.Now()\nvar b = time.Since(a)\nvar c = time.After(1)",
		"internal/queue/a.go": "package queue\nimport clock \"time\"\nvar now = clock.Now",
		"internal/txn/a.go":   "package txn\nimport . \"time\"\nvar now = Now()",
	}, []string{"a.go:3: a pure room must not use time.Now", "a.go:4: a pure room must not use time.Since",
		"a.go:5: a pure room must not use time.After", "queue/a.go:3: ", "txn/a.go:2: a pure room must not import time by a dot"}},
	{"chance in a pure room", checkPure, tree{
		"internal/queue/a.go": "package queue\nimport \"math/rand/v2\"\nvar a = rand.IntN(3)",
		"internal/queue/b.go": "package queue\nimport \"math/rand\"\nvar b = rand.Intn(3)",
		"internal/queue/c.go": "package queue\nimport \"crypto/rand\"\nvar c = rand.Reader",
	}, []string{"a.go:3: a pure room must not use math/rand/v2.IntN", "b.go:3: a pure room must not use math/rand.Intn", "c.go:2: a pure room must not import crypto/rand"}},
	{"goroutine in a pure room", checkPure, tree{
		"internal/record/a.go": "package record\nfunc f() {\n\tgo f()\n}",
	}, []string{"internal/record/a.go:3: a pure room must not start a goroutine"}},
	{"input and output in a pure room", checkPure, tree{
		"internal/wire/kafka/a.go": "package kafka\nimport (\n\"net\"\n\"os\"\n\"net/http\"\n\"golang.org/x/sys/unix\"\n)",
	}, []string{"a.go:3: a pure room must not import net", "a.go:4: ", "a.go:5: ", "a.go:6: "}},
	{"pure rooms as they should be", checkPure, tree{
		"internal/group/a.go":          "package group\nimport (\n\"math/rand/v2\"\n\"time\"\n)\nfunc f(now time.Time, r *rand.Rand) time.Time { _ = r.IntN(3); return now.Add(time.Second) }",
		"internal/group/a_test.go":     "package group\nimport \"time\"\nvar a = time.Now()",
		"internal/journal/a.go":        "package journal\nimport \"time\"\nvar a = time.Now()\nfunc f() { go f() }",
		"internal/wire/kafka/gen/a.go": "package main\nimport \"os\"\nvar a = os.Args",
	}, nil},

	{"long file", checkSizes, tree{
		"internal/journal/a.go":      "package journal" + lines(800) + "var a int",
		"internal/journal/a_test.go": "package journal" + lines(800) + "// Long: too late to say why",
		"internal/journal/b.go":      "// Long: \n\npackage journal" + lines(800),
	}, []string{"a.go:1: the file has 801 lines, more than 800", "a_test.go:1: ", "b.go:3: "}},
	{"long function", checkSizes, tree{
		"cmd/naru/a.go": "package main\nfunc main() {" + lines(70) + "}\n",
	}, []string{"a.go:2: main has 71 lines, more than 70"}},
	{"sizes as they should be", checkSizes, tree{
		"internal/journal/a.go": "package journal\nfunc f() {" + lines(69) + "}" + lines(728) + "var a int\n",
		"internal/journal/b.go": "// Long: one table that is read as a whole\n\npackage journal" + lines(800),
		"internal/journal/c.go": "// Code generated by gen. DO NOT EDIT.\n\npackage journal\nfunc f() {" + lines(900) + "}",
		"internal/journal/d.go": "package journal\n// f does it.\n//\n// Long: one switch over all kinds\nfunc f() {" + lines(100) + "}",
		"internal/e_test.go":    "package internal\nfunc f() {" + lines(100) + "}",
	}, nil},

	{"protocol in the core", checkNames, tree{
		"internal/broker/a.go":    "package broker\ntype KafkaTopic struct {\n SQSName string\n}\nfunc (t KafkaTopic) ToAMQP() {}\nconst MaxMqtt = 1",
		"internal/commitlog/a.go": "package commitlog\ntype I interface {\n ForKafka()\n}\nvar X struct {\n Kafka int\n}",
	}, []string{"a.go:2: KafkaTopic names", "a.go:3: SQSName names", "a.go:5: ToAMQP names", "a.go:6: MaxMqtt names", "a.go:3: ForKafka", "a.go:6: Kafka names"}},
	{"names as they should be", checkNames, tree{
		"internal/broker/a.go":      "package broker\nvar kafka int // Kafka may be spoken of\nfunc F() { var Kafka int; _ = Kafka }",
		"internal/broker/a_test.go": "package broker\nfunc TestKafka() {}",
		"internal/front/kafka/a.go": "package kafka\nfunc ServeKafka() {}",
		"internal/server/a.go":      "package server\ntype Config struct { KafkaAddr string }",
	}, nil},

	{"package comments", checkDocs, tree{
		"internal/fault/a.go":   "package fault",
		"internal/vfs/a.go":     "// Package os is another.\npackage vfs",
		"internal/group/a.go":   "// Package group is.\npackage group",
		"internal/group/doc.go": "// Package group is.\npackage group",
	}, []string{"vfs/a.go:1: the package comment must begin with \"Package vfs \"", "internal/fault: has 0 package comments", "internal/group: has 2 package comments"}},
	{"package comments as they should be", checkDocs, tree{
		"internal/fault/a.go":          "// Package fault is.\npackage fault",
		"internal/fault/b.go":          "package fault",
		"internal/fault/b_test.go":     "package fault",
		"internal/wire/kafka/gen/a.go": "// Command gen writes.\npackage main",
		"bench/a.go":                   "package main",
	}, nil},
}

func TestRulesOnMadeUpTrees(t *testing.T) {
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			files, err := c.tree.parse()
			if err != nil {
				t.Fatal(err)
			}
			got := c.check(files)
			if !slices.EqualFunc(got, c.want, strings.Contains) {
				t.Errorf("said:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(c.want, "\n"))
			}
		})
	}
}

func TestMatch(t *testing.T) {
	for _, c := range []struct {
		pattern, dir, star string
		ok                 bool
	}{
		{"cmd/*", "cmd/naru", "naru", true},
		{"cmd/*", "cmd/naru/x", "", false},
		{"internal/wire/*/gen", "internal/wire/kafka/gen", "kafka", true},
		{"bench/...", "bench", "", true},
		{"bench/...", "bench/a/b", "", true},
		{"bench/...", "benches", "", false},
		{".", ".", "", true},
		{".", "outbox", "", false},
	} {
		if star, ok := match(c.pattern, c.dir); star != c.star || ok != c.ok {
			t.Errorf("match(%q, %q) = %q, %v", c.pattern, c.dir, star, ok)
		}
	}
}

func TestSkipped(t *testing.T) {
	for _, name := range []string{"testdata", "vendor", "node_modules", ".git", "_old"} {
		if !skipped(name) {
			t.Errorf("%s is read", name)
		}
	}
	if skipped("bench") || skipped("a_test.go") {
		t.Error("too much is left out")
	}
}
