package kinesis

import (
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The table of docs/kinesis.md lists what there is, no more and no less.
func TestDocs(t *testing.T) {
	b, err := os.ReadFile("../../../docs/kinesis.md")
	if err != nil {
		t.Fatal(err)
	}
	row := regexp.MustCompile(`(?m)^\| ([A-Z]\w+) \|`)
	_, table, begun := strings.Cut(string(b), "<!-- actions: held by a test -->")
	table, _, ended := strings.Cut(table, "<!-- end of actions -->")
	var got []string
	for _, m := range row.FindAllStringSubmatch(table, -1) {
		got = append(got, m[1])
	}
	want := append(slices.Collect(maps.Keys(actions)), subscribeToShard)
	slices.Sort(want)
	if !begun || !ended || !slices.Equal(got, want) {
		t.Errorf("\n got %q\nwant %q", got, want)
	}
}
