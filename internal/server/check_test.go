package server

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A segment that is gone leaves no damaged byte: only the catalog can tell that
// its records should be there.
func TestCheckReportsMissingRecords(t *testing.T) {
	c := testConfig(t)
	for life := range 3 { // each ends with a sealed segment of its own
		s := start(t, c, Options{})
		cl := kafkaClient(t, s.addr("kafka"))
		for i := range 4 {
			if err := produce(t, cl, "t", fmt.Sprint(life, i)); err != nil {
				t.Fatal(err)
			}
		}
		cl.Close()
		if err := s.Close(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	var findings []Finding
	note := func(f Finding) { findings = append(findings, f) }
	if _, err := CheckDir(c.DataDir, note); err != nil || len(findings) > 0 {
		t.Fatalf("a whole directory: %v, %v", findings, err)
	}
	segments, err := filepath.Glob(filepath.Join(c.DataDir, "journal", "*.seg"))
	if err != nil || len(segments) < 3 {
		t.Fatal(segments, err)
	}
	if err := os.Remove(segments[1]); err != nil {
		t.Fatal(err)
	}
	sum, err := CheckDir(c.DataDir, note)
	if err != nil {
		t.Fatal(err)
	}
	if sum.Journal.Findings != len(findings) {
		t.Errorf("counts %d findings, reported %d", sum.Journal.Findings, len(findings))
	}
	want := `records are missing, stream`
	for _, f := range findings {
		if strings.Contains(f.Text, want) && strings.Contains(f.Text, `offsets 4 to 7 (topic "t" partition 0)`) {
			return
		}
	}
	t.Errorf("the lost segment is not reported: %v", findings)
}
