package report

import (
	"strings"
	"testing"
)

func sample() *Results {
	run := func(side string, rate, cpu float64) Run {
		return Run{Side: side, Values: map[string]float64{"a.rate": rate, "a.cpu": cpu}}
	}
	return &Results{
		Sides: []Side{{Naru, "Naru", "disk"}, {Kafka, "Kafka", "cache"}, {KafkaFlush, "Kafka flushed", "disk"}},
		Runs: []Run{
			run(Naru, 100_000, 3), run(Naru, 300_000, 1), run(Naru, 200_000, 2),
			run(Kafka, 250_000, 4), run(KafkaFlush, 50_000, 4),
		},
	}
}

func TestTableTakesMediansRatiosAndVerdicts(t *testing.T) {
	table := sample().Table()
	for _, want := range []string{
		"| throughput | records/s | 200,000 | 250,000 | 50,000 | 0.8× | 4× | ≥ 1× Kafka ✗; ≥ 3× flushed ✓ |",
		"| (e) broker CPU | s per million | 2.00 | 4.00 | 4.00 | 0.5× | 0.5× | ≤ 0.5× Kafka ✓ |",
	} {
		if !strings.Contains(table, want) {
			t.Errorf("the table lacks the row\n%s\nin\n%s", want, table)
		}
	}
	if strings.Contains(table, "client CPU") {
		t.Error("a measure that no side has is in the table")
	}
}

func TestMissingSideIsNoVerdict(t *testing.T) {
	r := sample()
	r.Runs = r.Runs[:4] // nothing from the flushed side
	if want := "≥ 3× flushed –"; !strings.Contains(r.Table(), want) {
		t.Errorf("the table lacks %q", want)
	}
}

func TestNumber(t *testing.T) {
	for _, c := range []struct {
		v      float64
		digits int
		want   string
	}{{0, 0, "0"}, {999, 0, "999"}, {1000, 0, "1,000"}, {1234567.891, 2, "1,234,567.89"}} {
		if got := number(c.v, c.digits); got != c.want {
			t.Errorf("number(%v, %d) = %q, want %q", c.v, c.digits, got, c.want)
		}
	}
}

func TestReplaceSection(t *testing.T) {
	got, err := replaceSection("a\n"+beginMark("x")+"old\n"+endMark("x")+"z\n", "x", "new")
	if err != nil || strings.Contains(got, "old") || !strings.Contains(got, "new") || !strings.HasSuffix(got, endMark("x")+"z\n") {
		t.Errorf("replaceSection = %q, %v", got, err)
	}
	if _, err := replaceSection("no marks", "x", "new"); err == nil {
		t.Error("a file without marks was accepted")
	}
}
