package sqs

import (
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The tables of docs/sqs.md list what there is, no more and no less.
func TestDocs(t *testing.T) {
	b, err := os.ReadFile("../../../docs/sqs.md")
	if err != nil {
		t.Fatal(err)
	}
	row := regexp.MustCompile(`(?m)^\| ([A-Z]\w+) \|`)
	for name, want := range map[string][]string{
		"actions": slices.Sorted(maps.Keys(actions)), "attributes": slices.Sorted(maps.Keys(queueAttributes)),
	} {
		_, table, begun := strings.Cut(string(b), "<!-- "+name+": held by a test -->")
		table, _, ended := strings.Cut(table, "<!-- end of "+name+" -->")
		var got []string
		for _, m := range row.FindAllStringSubmatch(table, -1) {
			got = append(got, m[1])
		}
		if !begun || !ended || !slices.Equal(got, want) {
			t.Errorf("%s:\n got %q\nwant %q", name, got, want)
		}
	}
	if len(actions) != 23 {
		t.Errorf("%d actions, SQS has 23", len(actions))
	}
}
