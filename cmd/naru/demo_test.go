package main

import (
	"strings"
	"testing"
	"time"
)

// The demo takes no speed that calls could not keep up with, and says who is not there.
func TestDemoRefuses(t *testing.T) {
	for line, want := range map[string]string{
		"demo --speed 0":                       "--speed 0: want 0.05 to 20\nRun \"naru demo --help\" for help.\n[exit 2]\n",
		"demo --speed NaN":                     "--speed NaN: want",
		"demo --customers 1000":                "--customers 1000: want 10 to 100",
		"demo --http nowhere":                  `--http "nowhere": want host:port`,
		"demo --http 127.0.0.1:1":              "[exit 3]",
		"demo latte":                           "[exit 2]",
		"demo order-taker --customers 1000000": "want 10 to 100",
	} {
		sh := &shell{}
		if got := sh.run(line); !strings.Contains(got, want) {
			t.Errorf("%s: %q, want %q", line, got, want)
		}
	}
}

// Lost orders and those that were served twice fail the demo.
func TestDemoJudges(t *testing.T) {
	ms := time.Millisecond
	visits := []visit{{Order: 1, Coffees: 1, InLine: ms, UntilCoffee: 9 * ms}, {Order: 2, Coffees: 1, InLine: 3 * ms, UntilCoffee: 5 * ms}}
	for _, c := range []struct {
		more visit
		want string
	}{
		{visit{Order: 3, Coffees: 1}, ""},
		{visit{Order: 3, Problem: "deadline_exceeded"}, "round with events: lost orders: 1, served twice: 0; order 3: deadline_exceeded"},
		{visit{Order: 3, Coffees: 2}, "round with events: lost orders: 0, served twice: 1"},
	} {
		r := roundReport{Style: styleEvents, visits: append(visits[:2:2], c.more)}
		r.sum(3)
		got := ""
		if err := (&demoReport{Rounds: []roundReport{r}}).judge(); err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%+v: %q, want %q", c.more, got, c.want)
		}
	}
	if w := waitingOf([]time.Duration{4 * ms, ms, 3 * ms, 2 * ms}); w != (waiting{2, 4, 4}) {
		t.Errorf("%+v", w)
	}
}
