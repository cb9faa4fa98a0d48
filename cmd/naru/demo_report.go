package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// demoReport is what `naru demo` prints.
type demoReport struct {
	Customers int           `json:"customers"`
	Speed     float64       `json:"speed"`
	Rounds    []roundReport `json:"rounds"`
}

// roundReport is one round. An order is judged by what its customer has in hand.
type roundReport struct {
	Style       string   `json:"style"`
	InLine      waiting  `json:"in_line"`
	UntilCoffee waiting  `json:"until_coffee"`
	Seconds     float64  `json:"seconds"`
	Served      int      `json:"served"`
	ServedTwice int      `json:"served_twice"`
	Lost        int      `json:"lost"`
	Brewed      int      `json:"brewed"`
	Redelivered []int    `json:"redelivered"` // orders
	Killed      *killed  `json:"killed,omitempty"`
	Problems    []string `json:"problems,omitempty"`

	visits []visit
	took   time.Duration
}

// killed is the barista that was killed, and the order that it left.
type killed struct {
	Barista       string `json:"barista"`
	Order         int    `json:"order"`
	BrewedAgainBy string `json:"brewed_again_by,omitempty"`
}

// waiting is how long customers waited.
type waiting struct {
	Median float64 `json:"median_ms"`
	P95    float64 `json:"p95_ms"`
	Last   float64 `json:"last_ms"`
}

func waitingOf(times []time.Duration) waiting {
	if len(times) == 0 {
		return waiting{}
	}
	slices.Sort(times)
	rank := func(percent int) float64 { // the least that so many do not exceed
		i := (percent*len(times) + 99) / 100
		return float64(times[i-1].Microseconds()) / 1000
	}
	return waiting{Median: rank(50), P95: rank(95), Last: rank(100)}
}

// sum makes the report of what was heard.
func (r *roundReport) sum(customers int) {
	var line, coffee []time.Duration
	for _, v := range r.visits {
		if v.Problem != "" {
			r.Problems = append(r.Problems, fmt.Sprintf("order %d: %s", v.Order, v.Problem))
		}
		if v.Coffees == 0 {
			continue
		}
		r.Served++
		if v.Coffees > 1 {
			r.ServedTwice++
		}
		line, coffee = append(line, v.InLine), append(coffee, v.UntilCoffee)
	}
	r.Lost = customers - r.Served
	r.InLine, r.UntilCoffee = waitingOf(line), waitingOf(coffee)
	r.Seconds = r.took.Seconds()
	slices.Sort(r.Redelivered)
	if r.Redelivered == nil {
		r.Redelivered = []int{}
	}
}

// judge fails the demo if a customer has no coffee, or two.
func (d *demoReport) judge() error {
	for _, r := range d.Rounds {
		if r.Lost+r.ServedTwice > 0 {
			return fmt.Errorf("round with %s: lost orders: %d, served twice: %d%s",
				r.Style, r.Lost, r.ServedTwice, strings.Join(append([]string{""}, r.Problems...), "; "))
		}
	}
	return nil
}

func (d *demoReport) write(w io.Writer) error {
	calls, events := d.Rounds[0], d.Rounds[1]
	fmt.Fprintf(w, "\n%d customers, %d baristas\n\n", d.Customers, baristas)
	t := newTable("", "CALLS", "EVENTS", "RATIO")
	for _, what := range []struct {
		name          string
		calls, events waiting
	}{
		{"time in line", calls.InLine, events.InLine},
		{"time until coffee", calls.UntilCoffee, events.UntilCoffee},
	} {
		for _, row := range []struct {
			name          string
			calls, events float64
		}{
			{"median", what.calls.Median, what.events.Median},
			{"p95", what.calls.P95, what.events.P95},
			{"last", what.calls.Last, what.events.Last},
		} {
			t.row(what.name+", "+row.name, shown(row.calls), shown(row.events), ratio(row.calls, row.events))
		}
	}
	for _, row := range []struct {
		name string
		of   func(roundReport) any
	}{
		{"orders served", func(r roundReport) any { return r.Served }},
		{"coffees brewed", func(r roundReport) any { return r.Brewed }},
		{"killed barista", roundReport.killedText},
		{"redelivered orders", func(r roundReport) any { return len(r.Redelivered) }},
		{"lost orders", func(r roundReport) any { return r.Lost }},
		{"served twice", func(r roundReport) any { return r.ServedTwice }},
	} {
		t.row(row.name, row.of(calls), row.of(events))
	}
	return t.write(w)
}

func (r roundReport) killedText() any {
	if r.Killed == nil {
		return "none"
	}
	return r.Killed.Barista
}

// shown is a duration for reading.
func shown(ms float64) string {
	if ms < 1000 {
		return fmt.Sprintf("%.0f ms", ms)
	}
	return fmt.Sprintf("%.2f s", ms/1000)
}

// ratio tells how often b goes into a; what is below a millisecond counts as one.
func ratio(a, b float64) string {
	q := a / max(b, 1)
	if q < 10 {
		return fmt.Sprintf("%.1f×", q)
	}
	return fmt.Sprintf("%.0f×", q)
}
